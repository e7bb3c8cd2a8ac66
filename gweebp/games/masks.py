"""The order in which a game takes the pixels of a map, and how many it takes at each step.

Both games grow one nested family of masks per map. A family is kept as an order (the pixels from the most salient
to the least) and counts (how many pixels each step takes), so that no mask is stored.

Ties. A map on a 16 × 16 grid has few distinct values, and large areas of zero. Each map is normalised to sum 1 and
gets uniform noise in [0, 1e-9): pixels that differ by less than 1e-9 of the map's sum are taken in random order,
fixed by the seed, never by their position. A map of zeros is noise alone: a random order.

Source: the inpainting game of Williford, May and Byrne, "Explainable face recognition", ECCV 2020 (reference [19] of
the paper), whose masks `step_counts` reproduces.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

NOISE = 1e-9
THRESHOLDS = ("percent-density", "percent-pixels")


def check_maps(maps: Tensor, count: int) -> None:
    """Check that maps are finite, non-negative and as many as the samples.

    Args:
        maps: to be (count, h, w), floating point.
        count: how many samples the game has.

    Raises:
        ValueError: for another shape, NaN, infinite or negative values.
        TypeError: for maps that are not floating point.

    >>> check_maps(torch.ones(2, 4, 4), 2)
    """
    if maps.ndim != 3 or maps.shape[0] != count or 0 in maps.shape:
        raise ValueError(f"maps have shape {tuple(maps.shape)}: expected ({count}, h, w), one map a sample")
    if not maps.is_floating_point():
        raise TypeError(f"maps are {maps.dtype}: expected floating point; call maps.float()")
    usable = torch.isfinite(maps).flatten(1).all(1) & (maps >= 0).flatten(1).all(1)
    if not usable.all():
        bad = (~usable).nonzero().flatten().tolist()
        raise ValueError(
            f"maps {bad[:10]} ({len(bad)} of {count}) hold NaN, infinite or negative values: "
            "saliency is finite and >= 0; clip a signed map with maps.clamp(min=0)"
        )


def normalised(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps at the size of the images, each with sum 1.

    Args:
        maps: (b, h', w'), ≥ 0.
        size: (h, w) of the images, in pixels; maps are resized bilinearly.

    Returns:
        (b, h, w) in float64, each of sum 1; a map of zeros stays zero.

    >>> normalised(torch.tensor([[[1.0, 3.0]]]), (1, 2))
    tensor([[[0.2500, 0.7500]]], dtype=torch.float64)
    """
    # Each map is divided by its maximum before its sum is taken: the sum of very large values would overflow.
    maps = maps.double() / maps.double().amax((1, 2), keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    if tuple(maps.shape[1:]) != tuple(size):
        maps = F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    total = maps.sum((1, 2), keepdim=True)
    return maps / torch.where(total > 0, total, 1.0)


def ranked(maps: Tensor, rng: np.random.RandomState, include_zero: bool = True) -> tuple[Tensor, Tensor]:
    """Pixels from the most salient to the least, and what they hold of the map's sum.

    Args:
        maps: (b, h, w), each of sum 1 or all zero.
        rng: draws h·w numbers per map, map after map: the noise of a map depends on the seed and on its place in the
            set, not on how the set is cut into batches.
        include_zero: False leaves pixels of value zero without noise, so that they come last and hold nothing.

    Returns:
        order: (b, h·w) pixel indices. mass: (b, h·w), descending, each row of sum 1 beside the noise.

    >>> order, mass = ranked(torch.tensor([[[0.1, 0.6], [0.3, 0.0]]]), np.random.RandomState(0))
    >>> order.tolist(), [round(m, 3) for m in mass[0].tolist()]
    ([[1, 2, 0, 3]], [0.6, 0.3, 0.1, 0.0])
    """
    noise = torch.from_numpy(rng.random_sample(tuple(maps.shape))).to(maps.device) * NOISE
    if not include_zero:
        noise = noise * (maps > 0)
    mass, order = (maps + noise).flatten(1).sort(dim=1, descending=True, stable=True)
    return order, mass


def step_counts(mass: Tensor, steps: int, thresholds: str = "percent-density") -> Tensor:
    """How many pixels each step takes.

    Args:
        mass: (b, n), descending, from `ranked`.
        steps: at least 2; step k stands for the share p = k / (steps − 1).
        thresholds: "percent-density", the fewest pixels that hold at least the share p of the map's sum; or
            "percent-pixels", the pixels at or above the (1 − p) quantile, n − ceil((n − 1)(1 − p)) of them.

    Returns:
        (b, steps), non-decreasing, from 0 to n. A pixel without mass is never taken.

    Raises:
        ValueError: for fewer than 2 steps, or an unknown name in `thresholds`.

    >>> mass = torch.tensor([[0.6, 0.3, 0.1, 0.0]], dtype=torch.float64)
    >>> step_counts(mass, 5).tolist(), step_counts(mass + 1e-9, 5, "percent-pixels").tolist()
    ([[0, 1, 1, 2, 3]], [[0, 1, 2, 3, 4]])
    """
    check_steps(steps)
    b, n = mass.shape
    k = torch.arange(steps, device=mass.device)
    if thresholds == "percent-density":
        cumulated = mass.cumsum(1)
        share = k.double() / (steps - 1) * cumulated[:, -1:]
        counts = torch.searchsorted(cumulated, share) + 1
    elif thresholds == "percent-pixels":
        below = -torch.div(-(n - 1) * (steps - 1 - k), steps - 1, rounding_mode="floor")  # ceil, in whole numbers
        counts = (n - below).expand(b, steps).clone()
    else:
        raise ValueError(f"unknown thresholds {thresholds!r}: expected one of {', '.join(THRESHOLDS)}")
    counts[:, 0] = 0
    counts[:, -1] = n  # rounding of the cumulated mass must not leave out the last pixels
    return torch.minimum(counts, (mass > 0).sum(1, keepdim=True))


def check_steps(steps: int) -> None:
    """Check that a curve has its two ends: the intact image and the fully replaced one.

    Args:
        steps: at least 2.

    Raises:
        ValueError: for fewer.

    >>> check_steps(2)
    """
    if steps < 2:
        raise ValueError(f"steps is {steps}: expected at least 2 (nothing replaced, everything replaced)")


def resized_region(region: Tensor, size: tuple[int, int]) -> Tensor:
    """A region at the size of the images: a pixel is inside if its value draws on a pixel of the region.

    The resizing is that of the images, antialiased bilinear, so that no pixel that the region changed lies outside.

    Args:
        region: bool (b, h', w').
        size: (h, w) of the images, in pixels.

    Returns:
        bool (b, h, w).

    >>> resized_region(torch.eye(2, dtype=torch.bool)[None].repeat_interleave(2, 1).repeat_interleave(2, 2), (2, 2))
    tensor([[[True, True],
             [True, True]]])
    """
    if tuple(region.shape[1:]) == tuple(size):
        return region
    share = F.interpolate(region[:, None].float(), size=size, mode="bilinear", align_corners=False, antialias=True)
    return share[:, 0] > 1e-6
