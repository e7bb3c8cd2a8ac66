"""Spectral normalisation as in the pluralistic inpainting network: a weight over its largest singular value.

Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018. The weight is `weight_bar`,
W = weight_bar.reshape(shape[0], -1), for transposed convolutions too; `weight_u` and `weight_v` estimate its leading
singular vectors. Every forward makes one power step first; in training it is kept. (The published code keeps it in
evaluation too, where the estimate of a trained network no longer moves; here two equal calls give equal images.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SpectralConv"]


class SpectralConv(nn.Module):
    """Convolution with bias and spectral norm, (b, c, h, w) to (b, out, ...); a transposed one doubles the image.

    >>> SpectralConv(3, 8)(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 8, 16, 16])
    >>> SpectralConv(3, 8, transposed=True)(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 8, 32, 32])
    """

    def __init__(self, c: int, out: int, kernel: int = 3, padding: int = 1, *, transposed: bool = False) -> None:
        super().__init__()
        self.transposed, self.padding = transposed, padding
        made = nn.ConvTranspose2d(c, out, kernel) if transposed else nn.Conv2d(c, out, kernel)
        self.module = _Weights(made.weight.detach(), made.weight.new_zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x with the normalised weight."""
        if self.transposed:
            return F.conv_transpose2d(x, self.weight(), self.module.bias, stride=2, padding=1, output_padding=1)
        return F.conv2d(x, self.weight(), self.module.bias, padding=self.padding)

    def weight(self) -> Tensor:
        """weight_bar over its spectral norm, after one power step; training keeps the step."""
        bar = self.module.weight_bar
        matrix = bar.flatten(1)
        with torch.no_grad():
            v = _unit(matrix.T @ self.module.weight_u)
            u = _unit(matrix @ v)
            if self.training:
                self.module.weight_u.copy_(u)
                self.module.weight_v.copy_(v)
        return bar / torch.dot(u, matrix @ v)


class _Weights(nn.Module):
    """A module of its own, for the checkpoint's keys: <name>.module.weight_bar."""

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.bias = nn.Parameter(bias)
        self.weight_bar = nn.Parameter(weight)
        self.register_buffer("weight_u", _unit(torch.randn(weight.shape[0])))
        self.register_buffer("weight_v", _unit(torch.randn(weight[0].numel())))


def _unit(vector: Tensor) -> Tensor:
    if vector.is_meta:  # no numbers, so no length: only its shape is asked for
        return vector
    return vector / (vector.norm() + 1e-12)
