"""Baselines that every table carries, blind to the network: a method must beat them."""

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
    """Independent uniform noise on the saliency layer's grid, seeded by `seed` and the probe's own bytes."""
    SEED.check("seed", seed)
    grid = _grid(net, probe, layer)
    maps = []
    for image in probe.detach().float().cpu():
        content = zlib.crc32(image.contiguous().numpy().tobytes())  # a batch gives what single calls give
        maps.append(torch.rand(grid, generator=torch.Generator().manual_seed(int(seed) * 2**32 + content)))
    return torch.stack(maps).to(probe.device)


@method("center")
def center(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, layer: str, sigma: float = 0.25) -> Tensor:
    """A fixed central Gaussian of standard deviation `sigma` image sides, on the saliency layer's grid."""
    SPREAD.check("sigma", sigma)
    h, w = _grid(net, probe, layer)
    y, x = ((torch.arange(n, device=probe.device) + 0.5) / n - 0.5 for n in (h, w))
    return torch.exp(-(y[:, None] ** 2 + x**2) / (2 * sigma**2)).expand(probe.shape[0], h, w)
