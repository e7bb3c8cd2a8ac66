"""Inpainting game (Sec. 3.2): does swapping the most salient pixels, and few others, turn the probe into the twin?

A quadruplet is an original probe OP, its mate OM, an inpainted probe IP and an inpainted non-mate IN; the inpainted
region is the ground truth. At each saliency threshold the blended probe has IP's pixels inside the mask and OP's
outside. SR is the share of blended probes matched to IN; FAR the masked pixels outside the region over all pixels
outside it, both pooled over images. Steps of the curve are in `masks.step_counts`, its interpolation in `roc`.

Assumes quadruplets that qualify by Eq. (7)-(8); the game does not drop others.
"""

from dataclasses import dataclass
from typing import Unpack

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from gweebp.games import bootstrap, masks, roc
from gweebp.games.blends import Embed, bar, blend_distances, check_images, embed_all
from gweebp.games.bootstrap import Array, Curve, Difference, Estimate, Options

RULES = ("nearest", "tau")


@dataclass(frozen=True)
class Outcome:
    """What was played.

    Attributes:
        success: bool (q, steps), is the blended probe matched to the inpainted non-mate?
        false_positives: int (q, steps), replaced pixels outside of the region.
        outside: int (q,), all pixels outside of the region.
        true_positives: int (q, steps), replaced pixels inside the region; from `play` only.
        d_in, d_om: (q, steps), L2 distances of the blended probe to IN and to OM, in 0..2; from `play` only.

    The statistics below read the first three only.
    """

    success: Tensor
    false_positives: Tensor
    outside: Tensor
    true_positives: Tensor | None = None
    d_in: Tensor | None = None
    d_om: Tensor | None = None


@torch.no_grad()
def play(
    embed: Embed,
    op: Tensor,
    om: Tensor,
    ip: Tensor,
    in_: Tensor,
    region: Tensor,
    maps: Tensor,
    *,
    steps: int = 101,
    thresholds: str = "percent-density",
    rule: str = "nearest",
    threshold: float | None = None,
    include_zero: bool = True,
    seed: int = 0,
    batch: int = 64,
    progress: bool = False,
) -> Outcome:
    """Play the inpainting game on quadruplets.

    Args:
        embed: the network, images (b, c, h, w) → embeddings (b, d), L2-normalised or not.
        op, om, ip, in_: network inputs (q, c, h, w): original probe and mate, inpainted probe and non-mate.
        region: bool (q, h', w'), what was inpainted; resized by `masks.resized_region` where its size is not the
            images'.
        maps: (q, h', w'), ≥ 0, of any size; resized bilinearly to the images.
        steps: points of the curve, at least 2.
        thresholds: how masks grow, "percent-density" or "percent-pixels", see `masks.step_counts`.
        rule: when a blended probe counts as matched to IN: "nearest", it is nearer to IN than to OM (the authors'
            released code); "tau", its L2 distance to IN is at most `threshold` (the paper).
        threshold: of the rule "tau", in 0..2; None for the rule "nearest".
        include_zero: whether masks may grow, in random order, over pixels of zero saliency.
        seed: of the random order in which tied pixels are taken.
        batch: images per forward pass. It bounds memory and changes the result by no more than the rounding of `embed`.
        progress: whether to show a progress bar.

    Raises:
        ValueError, TypeError: for wrong shapes or types, empty sets, NaN or negative maps, an empty or full region,
            fewer than 2 steps, an unknown rule, or a rule whose threshold is missing or not asked for.

    Source: Sec. 3.2 of the paper, Eq. (7)-(8) and the text that follows.

    >>> op, ip = torch.tensor([[[[1.0, 0.0, 0.2]]]]), torch.tensor([[[[0.0, 1.0, 0.2]]]])
    >>> region = torch.tensor([[[True, True, False]]])
    >>> out = play(lambda x: x.flatten(1), op, op, ip, ip, region, torch.tensor([[[2.0, 2.0, 1.0]]]), steps=5)
    >>> out.success.int().tolist(), out.false_positives.tolist(), out.outside.tolist()
    ([[0, 0, 1, 1, 1]], [[0, 0, 0, 0, 1]], [1])
    """
    check_images(op=op, om=om, ip=ip, in_=in_)
    masks.check_maps(maps, len(op))
    masks.check_steps(steps)
    _check_rule(rule, threshold)
    size = (op.shape[2], op.shape[3])
    region = _checked_region(region, len(op), size)
    rng = np.random.RandomState(seed)  # its stream is frozen for good, unlike that of default_rng
    parts = []
    for part in bar(len(op), batch, progress, "inpainting game"):
        order, mass = masks.ranked(masks.normalised(maps[part], size), rng, include_zero)
        counts = masks.step_counts(mass, steps, thresholds)
        references = torch.stack([embed_all(embed, x[part], batch) for x in (in_, om)], 1)
        d = blend_distances(embed, op[part], ip[part], order, counts, references, batch)
        inside = region[part].to(order.device).flatten(1).gather(1, order).cumsum(1)
        hits = F.pad(inside, (1, 0)).gather(1, counts).cpu()
        parts.append((counts.cpu() - hits, hits, d[..., 0], d[..., 1]))
    false, true, d_in, d_om = (torch.cat(columns) for columns in zip(*parts, strict=True))
    success = d_in < d_om if threshold is None else d_in <= threshold
    return Outcome(success, false, (~region).flatten(1).sum(1).cpu(), true, d_in, d_om)


def pooled(outcome: Outcome) -> tuple[Array, Array]:
    """FAR and SR at each step, pooled over images.

    Args:
        outcome: from `play`.

    Returns:
        far, sr: (steps,) each, in 0..1.

    Raises:
        ValueError: for an outcome whose shapes do not fit.

    >>> far, sr = pooled(Outcome(torch.tensor([[0, 1]]), torch.tensor([[0, 3]]), torch.tensor([4])))
    >>> far.tolist(), sr.tolist()
    ([0.0, 0.75], [0.0, 1.0])
    """
    return _rates(*(s.sum(0) for s in totals(outcome)))


def at_far(outcome: Outcome, far: float = 0.1, groups: ArrayLike | None = None, **options: Unpack[Options]) -> Estimate:
    """SR at a FAR, with its bootstrap interval over groups.

    Args:
        outcome: from `play`.
        far: the false alarm rate, in 0..1.
        groups: (q,) whose quadruplet each is, such as subject ids (default: each quadruplet is its own group).
        options: `resamples`, `seed` and `level`, as in `bootstrap.estimate`.

    Raises:
        ValueError: for wrong shapes, or a number out of its range.

    >>> outcome = Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 4]]), torch.tensor([4]))
    >>> at_far(outcome, 0.1).value
    0.4
    """
    return bootstrap.estimate(_at_far(far), totals(outcome), groups, **options)


def area(outcome: Outcome, upto: float = 1.0, groups: ArrayLike | None = None, **options: Unpack[Options]) -> Estimate:
    """Mean SR over FAR in 0..`upto`, with its bootstrap interval: the area under the curve, divided by `upto`.

    Args:
        outcome, groups, options: as for `at_far`.
        upto: the largest false alarm rate, above 0 and at most 1.

    Raises:
        ValueError: as for `at_far`.

    >>> outcome = Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 4]]), torch.tensor([4]))
    >>> area(outcome).value, area(outcome, 0.1).value
    (1.0, 1.0)
    """
    return bootstrap.estimate(_area(upto), totals(outcome), groups, **options)


def area_draws(
    outcome: Outcome, upto: float = 1.0, groups: ArrayLike | None = None, resamples: int = 2000, seed: int = 0
) -> Array:
    """The area in each bootstrap resample: for statistics of several methods at once.

    Args:
        outcome, upto, groups: as for `area`.
        resamples: how many times the groups are drawn.
        seed: of the draws; the same groups and seed draw the same subjects.

    Returns:
        (resamples,), each in 0..1.

    Raises:
        ValueError: as for `at_far`.

    >>> outcome = Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 4]]), torch.tensor([4]))
    >>> area_draws(outcome, resamples=2).tolist()
    [1.0, 1.0]
    """
    return bootstrap.resampled(_area(upto), totals(outcome), groups, resamples, seed)


def curve(
    outcome: Outcome, far: ArrayLike | None = None, groups: ArrayLike | None = None, **options: Unpack[Options]
) -> Curve:
    """SR at each FAR of a grid, with a pointwise bootstrap band over groups.

    Args:
        outcome, groups, options: as for `at_far`.
        far: (points,), in 0..1 (default: 0..1, denser below 0.1).

    Raises:
        ValueError: as for `at_far`.

    >>> outcome = Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 4]]), torch.tensor([4]))
    >>> curve(outcome, [0.0, 0.1, 1.0]).value.tolist()
    [0.0, 0.4, 1.0]
    """
    if far is None:
        far = np.unique(np.concatenate([np.linspace(0, 0.1, 41), np.linspace(0, 1, 101)]).round(6))
    grid = np.asarray(far, dtype=float)
    band = bootstrap.estimate_curve(
        lambda *totals: roc.sr_at(*_rates(*totals), grid), totals(outcome), groups, **options
    )
    return Curve(grid, *band)


def difference(
    first: Outcome,
    second: Outcome,
    measure: str = "area",
    far: float = 1.0,
    groups: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Difference:
    """Difference of two methods on the same quadruplets: first minus second, bootstrapped in pairs.

    Args:
        first, second: outcomes of the same quadruplets, from `play`.
        measure: "area", mean SR up to `far`; or "at_far", SR at `far`.
        far: a false alarm rate, in 0..1.
        groups, options: as for `at_far`.

    Raises:
        ValueError: as for `at_far`, for an unknown measure, or for different numbers of quadruplets.

    >>> good = Outcome(torch.ones(3, 2), torch.tensor([[0, 4]] * 3), torch.tensor([4] * 3))
    >>> bad = Outcome(torch.zeros(3, 2), torch.tensor([[0, 4]] * 3), torch.tensor([4] * 3))
    >>> difference(good, bad, "at_far", 0.1).value
    1.0
    """
    return bootstrap.difference(statistic(measure, far), totals(first), totals(second), groups, **options)


def per_image(outcome: Outcome, measure: str = "area", far: float = 0.1) -> Array:
    """The measure of each quadruplet by itself: with its own FAR, not the pooled one, and an SR of 0 or 1 at each step.

    Args:
        outcome: from `play`.
        measure, far: as for `difference`.

    Returns:
        (q,), each in 0..1.

    Raises:
        ValueError: for wrong shapes, an unknown measure or a FAR out of 0..1.

    >>> per_image(Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 4]]), torch.tensor([4])), far=1.0).tolist()
    [1.0]
    """
    success, false, outside, count = totals(outcome)
    return statistic(measure, far)(success, false, outside, count)


def statistic(measure: str, far: float) -> bootstrap.Statistic:
    """The measure as a function of sums of `totals`.

    Args:
        measure, far: as for `difference`.

    Raises:
        ValueError: for an unknown measure.

    >>> outcome = Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 4]]), torch.tensor([4]))
    >>> float(statistic("at_far", 0.1)(*(column.sum(0) for column in totals(outcome))))
    0.4
    """
    if measure not in ("area", "at_far"):
        raise ValueError(f"unknown measure {measure!r}: expected 'area' or 'at_far'")
    return _area(far) if measure == "area" else _at_far(far)


def _at_far(far: float) -> bootstrap.Statistic:
    return lambda *totals: roc.sr_at(*_rates(*totals), np.array([float(far)]))[..., 0]


def _area(upto: float) -> bootstrap.Statistic:
    return lambda *totals: roc.area_under(*_rates(*totals), float(upto))


def _rates(success: Array, false: Array, outside: Array, count: Array) -> tuple[Array, Array]:
    return false / outside, success / count


def totals(outcome: Outcome) -> tuple[Array, Array, Array, Array]:
    """The columns whose sums over quadruplets the statistics of this game are functions of.

    Args:
        outcome: from `play`.

    Returns:
        successes (q, steps), false alarms (q, steps), pixels outside (q, 1) and ones (q, 1), all float64.

    Raises:
        ValueError: for an outcome without quadruplets, or whose shapes do not fit.

    >>> [column.tolist() for column in totals(Outcome(torch.ones(1, 2), torch.tensor([[0, 4]]), torch.tensor([4])))]
    [[[1.0, 1.0]], [[0.0, 4.0]], [[4.0]], [[1.0]]]
    """
    success = np.asarray(outcome.success, dtype=float)
    false = np.asarray(outcome.false_positives, dtype=float)
    outside = np.asarray(outcome.outside, dtype=float)
    if success.ndim != 2 or len(success) == 0 or success.shape != false.shape or outside.shape != success.shape[:1]:
        raise ValueError(
            f"outcome has success {success.shape}, false_positives {false.shape}, outside {outside.shape}: "
            "expected (q, steps), (q, steps), (q,) with q >= 1, from inpainting.play"
        )
    return success, false, outside[:, None], np.ones((len(success), 1))


def _check_rule(rule: str, threshold: float | None) -> None:
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}: expected one of {', '.join(RULES)}")
    if (rule == "tau") != (threshold is not None):
        raise ValueError(
            f"rule {rule!r} with threshold {threshold}: 'tau' needs the verification threshold, 'nearest' takes none"
        )


def _checked_region(region: Tensor, count: int, size: tuple[int, int]) -> Tensor:
    if region.ndim != 3 or region.shape[0] != count or region.dtype != torch.bool:
        raise ValueError(f"region is {region.dtype} {tuple(region.shape)}: expected bool ({count}, h, w)")
    region = masks.resized_region(region, size)
    share = region.flatten(1).double().mean(1)
    bad = ((share == 0) | (share == 1)).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"region of quadruplets {bad[:10]} is empty or the whole image: no ground truth to find")
    return region
