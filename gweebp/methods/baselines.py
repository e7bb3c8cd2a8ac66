"""Baselines that every table contains: they ignore the network, and a method must be better than they are."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor, nn

from gweebp.excitation.layers import run_from
from gweebp.methods import method
from gweebp.support.ranges import SEED, Range

SPREAD = Range(0.001, 1000)  # image sides


def _grid(net: nn.Module, probe: Tensor, layer: str) -> tuple[int, int]:
    h, w = run_from(net, probe[:1], layer)[0].shape[-2:]
    return int(h), int(w)


@method("random")
def random(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, layer: str, seed: int = 0) -> Tensor:
    """Independent uniform noise on the saliency layer's grid.

    Args:
        seed: of the noise, with the bytes of the probe: a batch has the maps of single calls.

    Returns:
        (b, h, w), in 0..1.

    Raises:
        ValueError: for a seed out of its range.
    """
    SEED.check("seed", seed)
    grid = _grid(net, probe, layer)
    maps = []
    for image in probe.detach().float().cpu():
        content = zlib.crc32(image.contiguous().numpy().tobytes())  # a batch gives what single calls give
        generator = torch.Generator().manual_seed(int(seed) * 2**32 + content)
        maps.append(torch.rand(grid, generator=generator, dtype=torch.float32))
    return torch.stack(maps).to(probe.device)


@method("center")
def center(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, layer: str, sigma: float = 0.25) -> Tensor:
    """A Gaussian in the middle of the image, on the saliency layer's grid.

    Args:
        sigma: standard deviation in image sides, from 0.001 to 1000.

    Returns:
        (b, h, w), in 0..1, the same for every probe.

    Raises:
        ValueError: for a sigma out of its range.
    """
    SPREAD.check("sigma", sigma)
    h, w = _grid(net, probe, layer)
    y, x = ((torch.arange(n, device=probe.device) + 0.5) / n - 0.5 for n in (h, w))
    return torch.exp(-(y[:, None] ** 2 + x**2) / (2 * sigma**2)).expand(probe.shape[0], h, w)
