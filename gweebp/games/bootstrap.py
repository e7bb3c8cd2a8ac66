"""Percentile bootstrap over groups: how sure a figure of a game is.

Samples of one subject are not independent (a subject may have six quadruplets), so subjects are drawn, with
replacement, each with all its samples. A statistic here is a function of totals over samples, such as successes /
samples; a resample is then one row of whole-number weights over groups, and all resamples are one matrix product.

Paired differences draw the same subjects for both methods. `p` is twice the smaller share of resamples on either
side of zero, (count + 1)/(resamples + 1) so that it is never zero: the level at which the interval would just touch
zero. It is not corrected for the number of comparisons.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13 and 15.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Statistic = Callable[..., Array]


class Estimate(NamedTuple):
    """A value with its bootstrap interval."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A paired difference, its bootstrap interval, and the two-sided share `p` (see the module)."""

    value: float
    low: float
    high: float
    p: float


class Curve(NamedTuple):
    """A curve with a pointwise bootstrap band; all fields (points,)."""

    x: Array
    value: Array
    low: Array
    high: Array


class Options(TypedDict, total=False):
    """How to bootstrap: `resamples` (2000), `seed` (0), `level` of the interval (0.95)."""

    resamples: int
    seed: int
    level: float


def weights(groups: ArrayLike, resamples: int = 2000, seed: int = 0) -> Array:
    """How often each sample counts in each resample; samples of one group count alike.

    Args:
        groups: (samples,), which group each sample belongs to.
        resamples: how many times the groups are drawn, at least 1.
        seed: of the draws.

    Returns:
        (resamples, samples), whole numbers.

    Raises:
        ValueError: for no samples, another shape, or no resamples.

    >>> w = weights([5, 5, 9], resamples=50)
    >>> w.shape, bool((w[:, 0] == w[:, 1]).all()), bool((w[:, 0] + w[:, 2] == 2).all())
    ((50, 3), True, True)
    """
    ids = np.asarray(groups)
    if ids.ndim != 1 or len(ids) == 0:
        raise ValueError(f"groups have shape {ids.shape}: expected (samples,) with at least one sample")
    index = np.unique(ids, return_inverse=True)[1]
    return _drawn(index.max() + 1, resamples, seed)[:, index]


@lru_cache(maxsize=4)  # all methods of a game are judged on the same draws, which cost more than what is done with them
def _drawn(subjects: int, resamples: int, seed: int) -> Array:
    """How often each subject is drawn: (resamples, subjects), rows sum to `subjects`."""
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}: expected at least 1")
    share = np.full(subjects, 1 / subjects)
    drawn = np.random.default_rng(seed).multinomial(subjects, share, size=resamples).astype(float)
    drawn.flags.writeable = False
    return drawn


def estimate(
    statistic: Statistic,
    samples: Sequence[Array],
    groups: ArrayLike | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """A statistic of totals with its percentile interval.

    Args:
        statistic: takes totals (..., k_i), one per entry of `samples`, and returns (...).
        samples: arrays (n, k_i), which are summed over n.
        groups: (n,), which group each sample belongs to (default: each sample is its own group).
        resamples: how many times the groups are drawn, at least 1.
        seed: of the draws; the same groups and seed draw the same subjects.
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: for no samples, groups that do not fit, or a number out of its range.

    >>> hits = np.array([[1.0], [0.0], [1.0], [1.0]])
    >>> estimate(lambda hit, n: (hit / n)[..., 0], (hits, np.ones((4, 1))), resamples=200)
    Estimate(value=0.75, low=0.25, high=1.0)
    """
    value, low, high = estimate_curve(statistic, samples, groups, resamples=resamples, seed=seed, level=level)
    return Estimate(float(value), float(low), float(high))


def estimate_curve(
    statistic: Statistic,
    samples: Sequence[Array],
    groups: ArrayLike | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Array, Array, Array]:
    """As `estimate`, for a statistic that returns several numbers.

    Args:
        statistic: takes totals (..., k_i), one per entry of `samples`, and returns (..., points).
        samples, groups, resamples, seed, level: as for `estimate`.

    Returns:
        value, low, high: (points,) each.

    Raises:
        ValueError: as for `estimate`.

    >>> value, low, high = estimate_curve(lambda x, n: x / n, (np.array([[0.0, 1.0], [0.0, 1.0]]), np.ones((2, 1))))
    >>> value.tolist(), low.tolist(), high.tolist()
    ([0.0, 1.0], [0.0, 1.0], [0.0, 1.0])
    """
    drawn = resampled(statistic, samples, groups, resamples, seed)
    low, high = _interval(drawn, level)
    return statistic(*(s.sum(0) for s in samples)), low, high


def difference(
    statistic: Statistic,
    first: Sequence[Array],
    second: Sequence[Array],
    groups: ArrayLike | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """statistic(first) − statistic(second) on the same samples, both resampled together.

    Args:
        statistic, groups, resamples, seed, level: as for `estimate`.
        first, second: samples as for `estimate`, in the same order.

    Raises:
        ValueError: as for `estimate`, or for different numbers of samples.

    >>> a, b, n = np.ones((9, 1)), np.zeros((9, 1)), np.ones((9, 1))
    >>> difference(lambda hit, n: (hit / n)[..., 0], (a, n), (b, n), resamples=199)
    Difference(value=1.0, low=1.0, high=1.0, p=0.01)
    """
    if len(first[0]) != len(second[0]):
        raise ValueError(f"paired sets have {len(first[0])} and {len(second[0])} samples: expected the same samples")
    one, two = (resampled(statistic, side, groups, resamples, seed) for side in (first, second))
    value = statistic(*(s.sum(0) for s in first)) - statistic(*(s.sum(0) for s in second))
    return compared(float(value), one, two, level)


def compared(value: float, one: Array, two: Array, level: float = 0.95) -> Difference:
    """A paired difference from both sides `resampled`: to compare many pairs, resample each side once.

    Args:
        value: the difference itself.
        one, two: the statistic of both sides in the same resamples, (resamples,).
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: for a level out of its range.

    >>> compared(1.0, np.ones(199), np.zeros(199))
    Difference(value=1.0, low=1.0, high=1.0, p=0.01)
    """
    low, high = _interval(one - two, level)
    smaller = min(int((one <= two).sum()), int((one >= two).sum()))
    return Difference(value, float(low), float(high), min(1.0, 2 * (smaller + 1) / (len(one) + 1)))


def resampled(
    statistic: Statistic,
    samples: Sequence[Array],
    groups: ArrayLike | None = None,
    resamples: int = 2000,
    seed: int = 0,
    among: ArrayLike | None = None,
) -> Array:
    """The statistic in each resample; the same groups and seed draw the same subjects.

    Args:
        statistic, samples, groups, resamples, seed: as for `estimate`.
        among: the subjects to draw from, (subjects,), where `groups` may lack some. Sets drawn from the same subjects
            are paired; a resample with no subject of `groups` is NaN.

    Returns:
        (resamples, ...), where the statistic of one resample is (...).

    Raises:
        ValueError: for no samples, groups that do not fit, or subjects that `among` lacks.

    >>> resampled(lambda hit, n: (hit / n)[..., 0], (np.ones((3, 1)), np.ones((3, 1))), resamples=2).tolist()
    [1.0, 1.0]
    """
    n = len(samples[0])
    ids = np.arange(n) if groups is None else np.asarray(groups)
    if len(ids) != n:
        raise ValueError(f"groups name {len(ids)} samples, the outcome has {n}: expected one group id a sample")
    if n == 0:
        raise ValueError("an outcome without samples has no resamples: expected at least one sample")
    subjects = np.unique(ids if among is None else np.asarray(among))
    if not np.isin(ids, subjects).all():
        raise ValueError("groups name subjects that `among` lacks: expected all that may be drawn")
    # samples of a subject have one weight: they are summed before the product, which is then smaller
    index = np.searchsorted(subjects, ids)
    summed = [np.zeros((len(subjects), s.shape[1])) for s in samples]
    for total, sample in zip(summed, samples, strict=True):
        np.add.at(total, index, sample)
    w = _drawn(len(subjects), resamples, seed)
    with np.errstate(invalid="ignore"):
        return statistic(*(w @ total for total in summed))


def _interval(drawn: Array, level: float) -> tuple[Array, Array]:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: expected a share between 0 and 1, such as 0.95")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
