"""Blocks of the pluralistic inpainting network: two paths that add up, and attention between places that look alike.

Zheng, Cham and Cai, "Pluralistic image completion", CVPR 2019. A block's convolutions have two keys each, by their name
(`conv1`) and by their place (`model.1`), as in the published checkpoint. Features are (b, c, h, w).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.faces.preparation.spectral import SpectralConv

__all__ = ["SLOPE", "Attention", "Decoder", "First", "Picture", "Residual"]

SLOPE = 0.1  # of the leaky ReLUs, except in the attention's block


class _Beside(nn.Module):
    """Two paths, `model` and `shortcut`, added; then perhaps halved. Their convolutions have names of their own too."""

    conv1: SpectralConv
    conv2: SpectralConv
    bypass: SpectralConv
    model: nn.Sequential
    shortcut: nn.Sequential
    down = False

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both paths of x."""
        y = self.model(x) + self.shortcut(x)
        return F.avg_pool2d(y, 2) if self.down else y


class First(_Beside):
    """Images or features to `out` channels at half the size.

    >>> First(3, 8)(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(self, c: int, out: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = SpectralConv(c, out), SpectralConv(out, out)
        self.bypass = SpectralConv(c, out, 1, padding=0)
        self.model = nn.Sequential(self.conv1, nn.LeakyReLU(SLOPE), self.conv2, nn.AvgPool2d(2))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), self.bypass)


class Residual(_Beside):
    """A residual block before which the activation stands; `down` halves the size at the end.

    >>> Residual(4, 4, 8, down=True)(torch.zeros(1, 4, 16, 16)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(self, c: int, hidden: int, out: int, *, down: bool = False, slope: float = SLOPE) -> None:
        super().__init__()
        self.down = down
        self.conv1, self.conv2 = SpectralConv(c, hidden), SpectralConv(hidden, out)
        self.bypass = SpectralConv(c, out, 1, padding=0)
        self.model = nn.Sequential(nn.LeakyReLU(slope), self.conv1, nn.LeakyReLU(slope), self.conv2)
        self.shortcut = nn.Sequential(self.bypass)


class Decoder(_Beside):
    """Normalised features to `out` channels at twice the size.

    >>> Decoder(4, 8)(torch.zeros(1, 4, 16, 16)).shape
    torch.Size([1, 8, 32, 32])
    """

    def __init__(self, c: int, out: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = SpectralConv(c, out), SpectralConv(out, out, transposed=True)
        self.bypass = SpectralConv(c, out, transposed=True)
        norms = nn.InstanceNorm2d(c, affine=True), nn.InstanceNorm2d(out, affine=True)
        self.model = nn.Sequential(norms[0], nn.LeakyReLU(SLOPE), self.conv1, norms[1], nn.LeakyReLU(SLOPE), self.conv2)
        self.shortcut = nn.Sequential(self.bypass)


class Picture(nn.Module):
    """Features to a picture, 3 channels in -1..1.

    >>> Picture(4)(torch.zeros(1, 4, 16, 16)).shape
    torch.Size([1, 3, 16, 16])
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        self.conv1 = SpectralConv(c, 3, padding=0)
        self.model = nn.Sequential(nn.LeakyReLU(SLOPE), nn.ReflectionPad2d(1), self.conv1, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """The picture of features x."""
        return self.model(x)


class Attention(nn.Module):
    """Places that look alike share what they hold: own features, and the encoder's from outside the hole.

    >>> x = torch.zeros(1, 4, 8, 8)
    >>> Attention(4)(x, x, torch.ones(1, 1, 8, 8)).shape
    torch.Size([1, 4, 8, 8])
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        self.gamma, self.alpha = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.query_conv = nn.Conv2d(c, max(1, c // 4), 1)
        self.model = Residual(2 * c, c, c, slope=0.01)

    def itself(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (b, c, h, w) with what similar places hold added, and the similarities (b, h*w, h*w), rows of sum 1."""
        query = self.query_conv(x).flatten(2)
        similar = torch.softmax(query.transpose(1, 2) @ query, dim=-1)
        return self.gamma * _gather(x, similar) + x, similar

    def forward(self, x: Tensor, f_e: Tensor, known: Tensor) -> Tensor:
        """x with what its own similar places hold, and `f_e` where `known` (b, 1, h, w) or at similar places."""
        own, similar = self.itself(x)
        copied = self.alpha * (1 - known) * _gather(f_e, similar) + known * f_e
        return self.model(torch.cat([own, copied], dim=1))


def _gather(x: Tensor, weights: Tensor) -> Tensor:
    """At each place, the mean of x over all places with the weights of that place's row."""
    return (x.flatten(2) @ weights.transpose(1, 2)).reshape(x.shape)
