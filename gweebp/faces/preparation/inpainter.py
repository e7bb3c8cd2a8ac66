"""A network that fills in a face, many ways: the pluralistic inpainting network as one module, made, saved and loaded.

Zheng, Cham and Cai, "Pluralistic image completion", CVPR 2019. The published face model reads 256x256; smaller and
narrower ones are trained here (`inpainter_training`). A filling is decided by the visible pixels and by a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.faces.preparation import pluralistic
from gweebp.networks import weights
from gweebp.networks.embedding import check_side

__all__ = ["Inpainter", "build", "load", "published"]

_HOLE = 1e-3  # a resized pixel is known where less than this share of it was hidden


class Inpainter(nn.Module):
    """Encoder and generator of the pluralistic network, and the size of the images that they read.

    Args:
        width: of every layer, times the published one's.
        size: side of the square that the network sees, a multiple of 32; images of other sizes are resized to it.

    >>> net = build(width=0.125, size=64, seed=0)
    >>> images = torch.full((2, 3, 80, 80), 128, dtype=torch.uint8)
    >>> masks = torch.zeros(2, 80, 80, dtype=torch.bool)
    >>> masks[:, 30:50, 30:50] = True
    >>> filled = net.complete(images, masks, seeds=[0, 1])
    >>> filled.shape, filled.dtype
    (torch.Size([2, 3, 80, 80]), torch.uint8)
    """

    def __init__(self, width: float = 1.0, size: int = 256) -> None:
        super().__init__()
        check_side(size, 32)
        if size % 32:
            raise ValueError(f"size must be a multiple of 32, got {size}")
        self.config = {"width": width, "size": size}
        self.size = size
        self.encoder = pluralistic.Encoder(width)
        self.generator = pluralistic.Generator(width)
        self.latent = (self.generator.generator.conv1.module.weight_bar.shape[1], size // 32, size // 32)

    def forward(self, images: Tensor, known: Tensor, noise: Tensor) -> Tensor:
        """Fill: images (b, 3, size, size) in -1..1; known (b, 1, size, size), 1 or 0; noise (b, *latent), normal."""
        return pluralistic.complete(self.encoder, self.generator, images, known, noise)

    @torch.no_grad()
    def complete(self, images: Tensor, masks: Tensor, seeds: Sequence[int]) -> Tensor:
        """Invent the masked pixels; what they held before makes no difference. `inpaint.fill` keeps the others.

        Args:
            images: uint8 (n, 3, h, w). masks: bool (n, h, w). seeds: n, of the draws.

        Returns:
            uint8 (n, 3, h, w), on the CPU. The network runs in eval mode, and its training flag is put back.
        """
        like = self.encoder.block0.conv1.module.weight_bar
        training = self.training
        self.eval()
        hole = masks[:, None].to(like.device)
        # grey first: else a hidden pixel would show through where resizing mixes it with its neighbours
        x = (images.to(like.device, like.dtype) / 127.5 - 1).masked_fill(hole, 0)
        known = (self._resized(hole.to(like.dtype), (self.size, self.size)) < _HOLE).to(like.dtype)
        noise = torch.stack([torch.randn(self.latent, generator=torch.Generator().manual_seed(s)) for s in seeds])
        filled = self(self._resized(x, (self.size, self.size)), known, noise.to(like))
        self.train(training)
        whole = self._resized(filled, (images.shape[2], images.shape[3]))
        return (127.5 * (whole + 1)).round().clamp(0, 255).to(torch.uint8).cpu()

    @staticmethod
    def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
        return x if x.shape[2:] == size else F.interpolate(x, size=size, mode="bilinear", antialias=True)


def build(width: float = 1.0, size: int = 256, *, seed: int = 0) -> Inpainter:
    """An untrained inpainter: orthogonal weights, as published. The global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Inpainter(width, size)
        orthogonal(net)
    return net


def orthogonal(net: nn.Module) -> None:
    """Make every convolution's weight orthogonal, in place: no direction is lost at the start."""
    for parameter in net.parameters():
        if parameter.dim() == 4:
            nn.init.orthogonal_(parameter)


def load(path: str | Path) -> Inpainter:
    """Read an inpainter that `weights.save` wrote, or a folder with the two published files.

    Args:
        path: a safetensors file of ours, or a folder that holds one *net_E.pth and one *net_G.pth.

    Raises:
        FileNotFoundError: there is nothing of the kind. ValueError: corrupt, or another network.
    """
    path = Path(path)
    if not path.is_dir():
        return weights.load(Inpainter, path)
    found = []
    for letter in "EG":
        files = sorted(path.glob(f"*net_{letter}.pth"))
        if len(files) != 1:
            raise FileNotFoundError(f"{path} must hold one file *net_{letter}.pth, it holds {len(files)}")
        found += files
    return published(*found)


def published(encoder: str | Path, generator: str | Path) -> Inpainter:
    """The published network from its two checkpoints, net_E.pth and net_G.pth, in eval mode."""
    net = Inpainter()
    net.encoder = weights.fitted(pluralistic.Encoder, weights.read(encoder)[0], encoder)
    net.generator = weights.fitted(pluralistic.Generator, weights.read(generator)[0], generator)
    return net.eval()
