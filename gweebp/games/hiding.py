"""Hiding game (Sec. 3.1): a good map lets the least salient pixels go without losing the match.

Pixels of the probe are replaced by the non-mate's, from the least salient to the most. TPR at a fraction hidden is
the share of probes still nearer to their mate than to their non-mate; the figure is the area under that curve.

Assumes triplets whose probe is matched to its mate (TPR 1 with nothing hidden); the game does not drop others.
"""

from typing import Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gweebp.games import bootstrap, masks
from gweebp.games.blends import Embed, bar, blend_distances, check_images, embed_all
from gweebp.games.bootstrap import Array, Curve, Difference, Estimate, Options


@torch.no_grad()
def play(
    embed: Embed,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    maps: Tensor,
    *,
    steps: int = 101,
    seed: int = 0,
    batch: int = 64,
    progress: bool = False,
) -> Tensor:
    """Play the hiding game: is the probe still nearer to its mate at each fraction hidden?

    Args:
        embed: the network, images (b, c, h, w) → embeddings (b, d), L2-normalised or not.
        probe, mate, nonmate: network inputs (t, c, h, w).
        maps: (t, h', w'), ≥ 0, of any size; resized bilinearly to the images. Only the order of their pixels counts.
        steps: points of the curve, at least 2; step k hides the fraction k / (steps − 1) of the pixels.
        seed: of the random order in which tied pixels are hidden; a map of zeros is a random order.
        batch: images per forward pass. It bounds memory and changes the result by no more than the rounding of `embed`.
        progress: whether to show a progress bar.

    Returns:
        matched, bool (t, steps) on the CPU: is the probe nearer to its mate, in L2 between unit embeddings?

    Raises:
        ValueError, TypeError: for wrong shapes or types, empty sets, NaN or negative maps, fewer than 2 steps.

    Source: Sec. 3.1 of the paper.

    >>> probe, nonmate = torch.tensor([[[[1.0, 0.3]]]]), torch.tensor([[[[0.3, 0.4]]]])
    >>> good, bad = torch.tensor([[[0.9, 0.1]]]), torch.tensor([[[0.1, 0.9]]])
    >>> [play(lambda x: x.flatten(1), probe, probe, nonmate, m, steps=3).int().tolist() for m in (good, bad)]
    [[[1, 1, 0]], [[1, 0, 0]]]
    """
    check_images(probe=probe, mate=mate, nonmate=nonmate)
    masks.check_maps(maps, len(probe))
    masks.check_steps(steps)
    rng = np.random.RandomState(seed)
    n = probe.shape[2] * probe.shape[3]
    hidden = torch.tensor([round(n * k / (steps - 1)) for k in range(steps)])
    matched = []
    for part in bar(len(probe), batch, progress, "hiding game"):
        order, _ = masks.ranked(masks.normalised(maps[part], (probe.shape[2], probe.shape[3])), rng)
        references = torch.stack([embed_all(embed, x[part], batch) for x in (mate, nonmate)], 1)
        counts = hidden.expand(len(order), steps)
        d = blend_distances(embed, probe[part], nonmate[part], order.flip(1), counts, references, batch)
        matched.append(d[..., 0] < d[..., 1])
    return torch.cat(matched)


def area_of(tpr: Array) -> Array:
    """Area under TPR against the fraction hidden, by trapezoids.

    Args:
        tpr: (..., steps), in 0..1, at equal steps of the fraction hidden.

    Returns:
        (...), in 0..1.

    >>> float(area_of(np.array([1.0, 1.0, 0.0])))
    0.75
    """
    return np.trapezoid(tpr, dx=1 / (tpr.shape[-1] - 1), axis=-1)


def curve(matched: ArrayLike, groups: ArrayLike | None = None, **options: Unpack[Options]) -> Curve:
    """TPR against the fraction hidden, with a pointwise bootstrap band over groups.

    Args:
        matched: bool (t, steps), from `play`.
        groups: (t,) whose triplet each is, such as subject ids (default: each triplet is its own group).
        options: `resamples`, `seed` and `level`, as in `bootstrap.estimate`.

    Raises:
        ValueError: for wrong shapes, or an option out of its range.

    >>> curve([[True, True, False], [True, False, False]]).value.tolist()
    [1.0, 0.5, 0.0]
    """
    matched = np.asarray(matched, dtype=float)
    band = bootstrap.estimate_curve(_tpr, totals(matched), groups, **options)
    return Curve(np.linspace(0, 1, matched.shape[1]), *band)


def area(matched: ArrayLike, groups: ArrayLike | None = None, **options: Unpack[Options]) -> Estimate:
    """Area under the TPR curve, in 0..1, with its bootstrap interval over groups.

    Args:
        matched, groups, options: as for `curve`.

    Raises:
        ValueError: as for `curve`.

    >>> area([[True, True, False], [True, False, False]]).value
    0.5
    """
    return bootstrap.estimate(area_of_totals, totals(matched), groups, **options)


def area_draws(matched: ArrayLike, groups: ArrayLike | None = None, resamples: int = 2000, seed: int = 0) -> Array:
    """The area in each bootstrap resample: for statistics of several methods at once.

    Args:
        matched, groups: as for `curve`.
        resamples: how many times the groups are drawn.
        seed: of the draws; the same groups and seed draw the same subjects.

    Returns:
        (resamples,), each in 0..1.

    Raises:
        ValueError: as for `curve`.

    >>> area_draws([[True, True, False], [True, True, False]], resamples=2).tolist()
    [0.75, 0.75]
    """
    return bootstrap.resampled(area_of_totals, totals(matched), groups, resamples, seed)


def difference(
    first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None, **options: Unpack[Options]
) -> Difference:
    """Area of `first` minus area of `second` on the same triplets, bootstrapped in pairs.

    Args:
        first, second: bool (t, steps), from `play` on the same triplets.
        groups, options: as for `curve`.

    Raises:
        ValueError: as for `curve`, or where the two have different numbers of triplets.

    >>> good, bad = [[True, True, False]] * 4, [[True, False, False]] * 4
    >>> difference(good, bad).value
    0.5
    """
    return bootstrap.difference(area_of_totals, totals(first), totals(second), groups, **options)


def totals(matched: ArrayLike) -> tuple[Array, Array]:
    """The columns whose sums over triplets the statistics of this game are functions of.

    Args:
        matched: bool (t, steps), from `play`.

    Returns:
        matches (t, steps) and ones (t, 1), both float64.

    Raises:
        ValueError: for a shape without triplets, or with fewer than 2 steps.

    >>> totals([[True, False]])
    (array([[1., 0.]]), array([[1.]]))
    """
    matched = np.asarray(matched, dtype=float)
    if matched.ndim != 2 or matched.shape[1] < 2 or len(matched) == 0:
        raise ValueError(f"matched has shape {matched.shape}: expected (triplets >= 1, steps >= 2), from hiding.play")
    return matched, np.ones((len(matched), 1))


def _tpr(matched: Array, count: Array) -> Array:
    return matched / count


def area_of_totals(matched: Array, count: Array) -> Array:
    """Area under TPR from sums of `totals`.

    Args:
        matched: sums of matches, (..., steps).
        count: sums of ones, (..., 1).

    Returns:
        (...), in 0..1.

    >>> float(area_of_totals(np.array([4.0, 2.0, 0.0]), np.array([4.0])))
    0.5
    """
    return area_of(matched / count)
