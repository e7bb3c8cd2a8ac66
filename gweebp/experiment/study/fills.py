"""Why a black-box method can fall below a random order in the hiding game: what masks show, and how ties are hidden.

The hiding game replaces pixels of a sketch by those of a photo, the least salient first. Two things can make a map
worse than random there, and neither is a fault of the map:

* *ties*: a signed map that is clamped at 0 has half of its pixels tied. The game breaks ties pixel by pixel, and so
  hides the first half as noise: a fine mixture of two modalities, which a network mistakes at once;
* *the fill*: CorrRISE fades what it masks to a constant. What that does to a similarity need not be what a photo's
  pixels do. A correlation with masks that show the game's own fill is the same method asked the game's question.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.games import hiding
from gweebp.games.blends import unit_embeddings
from gweebp.methods.corrrise import random_masks

Triplet = tuple[Tensor, Tensor, Tensor]


def curve(net: nn.Module, triplet: Triplet, maps: Tensor, steps: int = 11) -> tuple[float, list[float]]:
    """Area under TPR of the hiding game, and TPR at each step."""
    tpr = hiding.play(net, *triplet, maps, steps=steps).double().mean(0).numpy()
    return float(hiding.area_of(tpr)), tpr.round(3).tolist()


def noise(count: int, side: int, block: int, seed: int = 0) -> Tensor:
    """Random orders (count, side, side) of square blocks of pixels.

    Example:
        >>> noise(2, 8, 4).unique().numel()
        8
    """
    cells = -(-side // block)
    values = torch.rand(count, 1, cells, cells, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(values, scale_factor=block, mode="nearest")[:, 0, :side, :side].contiguous()


@torch.no_grad()
def correlation(net: nn.Module, triplet: Triplet, fill: Callable[[int], Tensor], masks: int, seed: int = 0) -> Tensor:
    """CorrRISE's signed map (n, h, w), with masks that fade to `fill(row)`, a number or an image, not to a constant.

    Correlation over masks with the similarity to the mate, less that with the non-mate.
    """
    probe, mate, nonmate = triplet
    others = torch.stack([unit_embeddings(net, mate), unit_embeddings(net, nonmate)], 1)
    size = (probe.shape[2], probe.shape[3])
    shown = torch.cat(list(random_masks(masks, 12, 0.9, size, seed, 64)))
    m = shown.double().flatten(1)
    m = (m - m.mean(0)) / (m - m.mean(0)).norm(dim=0).clamp(min=1e-12)
    found = []
    for k, image in enumerate(probe):
        blends = (image * part[:, None] + (1 - part[:, None]) * fill(k) for part in shown.split(64))
        s = torch.cat([unit_embeddings(net, blend) for blend in blends]) @ others[k].T
        s = (s - s.mean(0)) / (s - s.mean(0)).norm(dim=0).clamp(min=1e-12)
        found.append(((s[:, 0] - s[:, 1]) @ m).view(size))
    return torch.stack(found)


def orders(net: nn.Module, triplet: Triplet, masks: int = 64) -> dict[str, float]:
    """Area in the hiding game of random orders, coarse and fine, and of CorrRISE clamped, whole, and with two fills."""
    n, side = len(triplet[0]), triplet[0].shape[2]
    grey = correlation(net, triplet, lambda k: torch.zeros(()), masks)
    other = correlation(net, triplet, lambda k: triplet[2][k], masks)
    maps = {f"random, blocks of {b} pixels": noise(n, side, b) for b in (32, 8, 1)} | {
        "CorrRISE, clamped at 0": grey.clamp(min=0),
        "CorrRISE, ranked whole": grey - grey.amin((1, 2), keepdim=True),
        "the same, fading to the game's own fill": other - other.amin((1, 2), keepdim=True),
    }
    return {name: curve(net, triplet, x.to(triplet[0].dtype))[0] for name, x in maps.items()}


def share_tied(signed: Tensor) -> float:
    """The share of pixels that a clamp at 0 ties.

    >>> share_tied(torch.tensor([[[-1.0, 0.5], [-0.2, 0.1]]]))
    0.5
    """
    return float(np.mean((signed <= 0).numpy()))
