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
    """What was played: success bool (q, steps), false_positives int (q, steps), outside int (q,) pixels.

    `play` also gives true_positives int (q, steps), and d_in, d_om (q, steps): L2 distances of the blended probe to
    IN and OM, 0..2. The statistics below read the first three only.
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

    embed: images (b, c, h, w) -> embeddings (b, d), normalised or not. op, om, ip, in_: network inputs (q, c, h, w).
    region: bool (q, h', w'), resized by `masks.resized_region` where it differs from the images. maps: (q, h', w')
    >= 0, resized bilinearly. thresholds: "percent-density" or "percent-pixels" (`masks.step_counts`).
    rule: "nearest", the blend is nearer to IN than to OM (the authors' released code); "tau", its L2 distance to IN
    is <= `threshold` (the paper). include_zero: may masks grow over pixels of zero saliency (in random order)?
    `batch` bounds memory and does not change the result beyond the rounding of `embed` itself.
    Raises ValueError or TypeError on wrong shapes, empty sets, NaN or negative maps, an empty or full region.

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
    """FAR and SR at each step, pooled over images: two arrays (steps,) in 0..1.

    >>> far, sr = pooled(Outcome(torch.tensor([[0, 1]]), torch.tensor([[0, 3]]), torch.tensor([4])))
    >>> far.tolist(), sr.tolist()
    ([0.0, 0.75], [0.0, 1.0])
    """
    return _rates(*(s.sum(0) for s in totals(outcome)))


def at_far(outcome: Outcome, far: float = 0.1, groups: ArrayLike | None = None, **options: Unpack[Options]) -> Estimate:
    """SR at a FAR, with its bootstrap interval over groups.

    groups: (q,) subject ids (default: each quadruplet its own). options: `resamples`, `seed`, `level` of
    `bootstrap.estimate`.

    >>> outcome = Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 4]]), torch.tensor([4]))
    >>> at_far(outcome, 0.1).value
    0.4
    """
    return bootstrap.estimate(_at_far(far), totals(outcome), groups, **options)


def area(outcome: Outcome, upto: float = 1.0, groups: ArrayLike | None = None, **options: Unpack[Options]) -> Estimate:
    """Mean SR over FAR in 0..upto (area divided by `upto`, so 0..1), with its interval. Arguments as for `at_far`.

    >>> outcome = Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 4]]), torch.tensor([4]))
    >>> area(outcome).value, area(outcome, 0.1).value
    (1.0, 1.0)
    """
    return bootstrap.estimate(_area(upto), totals(outcome), groups, **options)


def area_draws(
    outcome: Outcome, upto: float = 1.0, groups: ArrayLike | None = None, resamples: int = 2000, seed: int = 0
) -> Array:
    """The area in each bootstrap resample, (resamples,): for statistics of several methods at once."""
    return bootstrap.resampled(_area(upto), totals(outcome), groups, resamples, seed)


def curve(
    outcome: Outcome, far: ArrayLike | None = None, groups: ArrayLike | None = None, **options: Unpack[Options]
) -> Curve:
    """SR at each FAR of a grid (default: 0..1, denser below 0.1), with a pointwise band. Arguments as for `at_far`.

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
    """Paired difference of two methods on the same quadruplets: first minus second, bootstrapped together.

    measure: "area", mean SR up to `far`; "at_far", SR at `far`. Other arguments as for `at_far`.

    >>> good = Outcome(torch.ones(3, 2), torch.tensor([[0, 4]] * 3), torch.tensor([4] * 3))
    >>> bad = Outcome(torch.zeros(3, 2), torch.tensor([[0, 4]] * 3), torch.tensor([4] * 3))
    >>> difference(good, bad, "at_far", 0.1).value
    1.0
    """
    return bootstrap.difference(statistic(measure, far), totals(first), totals(second), groups, **options)


def per_image(outcome: Outcome, measure: str = "area", far: float = 0.1) -> Array:
    """The measure of each quadruplet by itself, (q,): its own FAR, not the pooled one; its SR is 0 or 1 at each step.

    >>> per_image(Outcome(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 4]]), torch.tensor([4])), far=1.0).tolist()
    [1.0]
    """
    success, false, outside, count = totals(outcome)
    return statistic(measure, far)(success, false, outside, count)


def statistic(measure: str, far: float) -> bootstrap.Statistic:
    """SR as a function of sums of `totals`: "area", its mean up to `far`; "at_far", its value there."""
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
    """What the statistics of this game are functions of, summed over q: successes, false alarms, outside, ones."""
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
