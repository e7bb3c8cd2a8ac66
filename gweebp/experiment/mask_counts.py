"""Read what `python -m benchmarks.masks` measured: how near CorrRISE's maps come to that of very many masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gweebp.games.bootstrap import Curve
from gweebp.games.student import quantile
from gweebp.support.files import located, read_json

__all__ = ["RESULTS", "curves", "measured", "needed"]

RESULTS = "benchmarks/masks.json"  #: the figures that the book shows

Measured = dict[str, Any]


def measured(path: str | Path = RESULTS) -> Measured:
    """What the benchmark wrote.

    Args:
        path: of the file; one that is not in the working folder is looked for in the repository.

    Returns:
        `counts` of masks, `limit` (masks of the reference), `tolerance`, `record`, and `networks`: name → `dataset` and
        `probes`, for each probe estimate → rank correlations with the reference, one for each count.
    """
    return read_json(located(path))


def curves(probes: Sequence[Measured], counts: Sequence[int], estimates: Sequence[str]) -> dict[str, Curve]:
    """The mean over probes by the number of masks, with Student's 95 % intervals, up to 1.

    Args:
        probes: of one network, two or more.
        counts: of masks, ascending; an estimate may have been measured for the first of them alone.
        estimates: the names to read.

    Returns:
        Estimate → Curve: x the counts; value, low and high rank correlations.

    >>> found = curves([{"plain": [0.8, 0.9]}, {"plain": [0.9, 0.9]}], [250, 500], ["plain"])["plain"]
    >>> found.x.tolist(), found.value.round(2).tolist(), found.low.round(2).tolist(), found.high.round(2).tolist()
    ([250, 500], [0.85, 0.9], [0.21, 0.9], [1.0, 0.9])
    """
    found = {}
    for name in estimates:
        values = np.array([probe[name] for probe in probes])
        mean, n = values.mean(0), len(values)
        half = quantile(0.975, n - 1) * values.std(0, ddof=1) / np.sqrt(n)
        found[name] = Curve(np.array(counts[: len(mean)]), mean, mean - half, np.minimum(mean + half, 1))
    return found


def needed(curve: Curve, level: float) -> float:
    """The number of masks at which a curve comes to a level, between two counts by interpolation in their logarithm.

    Args:
        curve: whose values rise.
        level: to come to.

    Returns:
        A number of masks; infinite where the curve ends below the level.

    >>> line = Curve(np.array([100, 400]), np.array([0.8, 1.0]), np.zeros(2), np.ones(2))
    >>> [round(needed(line, level), 6) for level in (0.9, 0.8, 1.5)]
    [200.0, 100.0, inf]
    """
    above = np.flatnonzero(curve.value >= level)
    if not len(above):
        return np.inf
    k = int(above[0])
    if k == 0:
        return float(curve.x[0])
    (low, high), (a, b) = curve.value[k - 1 : k + 1], np.log(curve.x[k - 1 : k + 1])
    return float(np.exp(a + (b - a) * (level - low) / (high - low)))
