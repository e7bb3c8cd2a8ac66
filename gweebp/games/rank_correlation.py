"""Do two yardsticks rank the methods alike? Kendall's tau-b between them, with a bootstrap interval.

A yardstick gives each method a figure, and a figure in each bootstrap resample. Where both yardsticks use the same
samples, draw them with the same groups and seed: the interval then accounts for the samples that they share.

Source: Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gweebp.games.bootstrap import Array, Estimate


def tau(first: Array, second: Array) -> Array:
    """Kendall's tau-b of two sets of figures.

    Args:
        first, second: figures of the same methods, (..., methods).

    Returns:
        (...), in −1..1; 0 where all figures of one set are equal.

    >>> float(tau(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 3.0]))).__round__(3)
    0.667
    """
    one, two = (np.sign(x[..., :, None] - x[..., None, :]) for x in (first, second))
    agree = (one * two).sum((-1, -2))
    ranked = np.sqrt((one**2).sum((-1, -2)) * (two**2).sum((-1, -2)))
    return np.where(ranked > 0, agree / np.where(ranked > 0, ranked, 1), 0.0)


def kendall(
    first: Mapping[str, tuple[float, Array]], second: Mapping[str, tuple[float, Array]], level: float = 0.95
) -> Estimate:
    """Tau-b between two yardsticks, over the methods that both have figures of.

    Args:
        first, second: method → (figure, figures in the resamples (r,)).
        level: of the percentile interval, between 0 and 1.

    Raises:
        ValueError: for fewer than 3 methods in common, or for different numbers of resamples.

    >>> yardstick = {m: (v, np.full(10, v)) for m, v in dict(a=0.1, b=0.2, c=0.3).items()}
    >>> kendall(yardstick, yardstick)
    Estimate(value=1.0, low=1.0, high=1.0)
    """
    methods = [m for m in first if m in second]
    if len(methods) < 3:
        raise ValueError(f"the yardsticks have {len(methods)} methods in common, {methods}: a ranking needs at least 3")
    values = [np.array([side[m][0] for m in methods]) for side in (first, second)]
    drawn = [np.stack([side[m][1] for m in methods], -1) for side in (first, second)]
    if drawn[0].shape != drawn[1].shape:
        raise ValueError(f"the yardsticks have {len(drawn[0])} and {len(drawn[1])} resamples: expected as many")
    low, high = np.quantile(tau(*drawn), [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(tau(*values)), float(low), float(high))
