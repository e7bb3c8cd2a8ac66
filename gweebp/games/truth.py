"""Truth instead of a game: how well a map finds the region whose change is known to change the identity.

In the synthetic world the swapped part is the whole cause of the change from OP's identity to IP's, so a map can be
scored against it directly, without asking the network about blends. Three scores a map, each beside what a map blind
to the image would get, the region's share of the image (`chance`):

* energy: the share of the map's mass inside the region (Wang et al. 2020, Score-CAM's energy-based pointing game);
* pointing: whether the map's maximum lies inside (Zhang et al. 2018); tied maxima count by their share inside;
* average precision: over pixels, ranked by saliency, ties taken together (a constant map gets exactly chance; a random
  order of few pixels a little more).
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gweebp.games import bootstrap
from gweebp.games.bootstrap import Array, Estimate
from gweebp.games.masks import check_maps, normalised

SCORES = ("energy", "pointing", "precision")


def check_regions(region: Tensor, count: int) -> None:
    """Check that there is one region per map, none of them empty or the whole image.

    Args:
        region: to be bool (count, h, w).
        count: how many maps there are.

    Raises:
        ValueError: for another shape or type, an empty region or a full one.

    >>> check_regions(torch.tensor([[[True, False]]]), 1)
    """
    if region.dtype != torch.bool or region.ndim != 3 or region.shape[0] != count:
        raise ValueError(
            f"region is {region.dtype} {tuple(region.shape)}: expected bool ({count}, h, w), one region a map"
        )
    inside = region.flatten(1).sum(1)
    bad = ((inside == 0) | (inside == region[0].numel())).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"the regions {bad[:10]} are empty or the whole image: a map can't be right or wrong there")


def chance(region: Tensor) -> Tensor:
    """The region's share of the image: what every score gives a map that does not depend on the image.

    Args:
        region: bool (b, h, w).

    Returns:
        (b,) in float64, in 0..1.

    Example:
        >>> chance(torch.tensor([[[True, False], [False, False]]]))
        tensor([0.2500], dtype=torch.float64)
    """
    return region.flatten(1).double().mean(1)


def score(maps: Tensor, region: Tensor) -> dict[str, Tensor]:
    """Energy, pointing and average precision of maps, against regions.

    Args:
        maps: (b, h', w'), ≥ 0, of any size; resized bilinearly to the regions, as in the games. A map of zeros has the
            scores of chance.
        region: bool (b, h, w), neither empty nor full.

    Returns:
        "energy", "pointing" and "precision", each (b,) in 0..1.

    Raises:
        ValueError, TypeError: for shapes or types that do not fit, NaN, a negative map, an empty or full region.

    Example:
        >>> region = torch.tensor([[[True, False], [False, False]]])
        >>> found = score(torch.tensor([[[3.0, 1.0], [0.0, 0.0]]]), region)
        >>> {name: round(value.item(), 3) for name, value in found.items()}
        {'energy': 0.75, 'pointing': 1.0, 'precision': 1.0}
    """
    check_maps(maps, len(region))
    check_regions(region, len(maps))
    saliency = normalised(maps, (region.shape[1], region.shape[2])).flatten(1)
    inside = region.flatten(1)
    silent = saliency.sum(1) == 0
    saliency = torch.where(silent[:, None], 1 / saliency.shape[1], saliency)
    top = saliency >= saliency.amax(1, keepdim=True) * (1 - 1e-9)
    return {
        "energy": (saliency * inside).sum(1),
        "pointing": (top & inside).sum(1).double() / top.sum(1),
        "precision": average_precision(saliency, inside),
    }


def average_precision(saliency: Tensor, inside: Tensor) -> Tensor:
    """The sum, over distinct values from the highest, of the recall gained times the precision so far.

    Args:
        saliency: (b, n).
        inside: bool (b, n), is the pixel in the region?

    Returns:
        (b,) in float64, in 0..1.

    Example:
        >>> average_precision(torch.tensor([[4.0, 3.0, 3.0, 1.0]]), torch.tensor([[False, True, False, True]]))
        tensor([0.4167], dtype=torch.float64)
    """
    values, order = saliency.sort(dim=1, descending=True)
    hits = inside.gather(1, order).double().cumsum(1)
    taken = torch.arange(1, saliency.shape[1] + 1, device=saliency.device).double()
    last_of_tie = torch.ones_like(values, dtype=torch.bool)
    last_of_tie[:, :-1] = values[:, :-1] != values[:, 1:]
    at_ties = torch.where(last_of_tie, hits, -1).cummax(1).values.clamp(min=0)  # hits up to the last complete tie
    before = torch.cat([torch.zeros_like(at_ties[:, :1]), at_ties[:, :-1]], 1)
    gained = torch.where(last_of_tie, hits - before, 0)
    return (gained * hits / taken).sum(1) / hits[:, -1]


def mean(scores: ArrayLike, groups: ArrayLike | None = None, **options: Unpack[bootstrap.Options]) -> Estimate:
    """Mean score over maps, with its bootstrap interval over groups.

    Args:
        scores: (b,), one of those that `score` gives.
        groups: (b,) whose map each is, such as subject ids (default: each map is its own group).
        options: `resamples`, `seed` and `level`, as in `bootstrap.estimate`.

    Raises:
        ValueError: for wrong shapes, or an option out of its range.

    Example:
        >>> mean(torch.tensor([0.0, 1.0, 1.0, 1.0]), resamples=200).value
        0.75
    """
    return bootstrap.estimate(_mean, _totals(scores), groups, **options)


def mean_draws(scores: ArrayLike, groups: ArrayLike | None = None, resamples: int = 2000, seed: int = 0) -> Array:
    """The mean score in each bootstrap resample.

    Args:
        scores, groups: as for `mean`.
        resamples: how many times the groups are drawn.
        seed: of the draws; the same groups and seed draw the same subjects.

    Returns:
        (resamples,), in 0..1.

    Raises:
        ValueError: for wrong shapes.

    >>> mean_draws([0.5, 0.5], resamples=2).tolist()
    [0.5, 0.5]
    """
    return bootstrap.resampled(_mean, _totals(scores), groups, resamples, seed)


def _totals(scores: ArrayLike) -> tuple[Array, Array]:
    column = np.asarray(scores, dtype=float)[:, None]
    return column, np.ones_like(column)


def _mean(total: Array, count: Array) -> Array:
    return (total / count)[..., 0]
