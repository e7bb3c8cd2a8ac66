"""Times of several calls, taken in turn so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]


def row(topic: str, what: str, measure: str, value: float, target: float | None = None, *, least: bool = False) -> Row:
    """One line of the table; `target` is what the value should be at most, or at least."""
    return {"topic": topic, "what": what, "measure": measure, "value": value, "target": target, "least": least}


def interleaved(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call in each round, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for k in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if k:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(seconds: dict[str, list[float]], name: str, base: str) -> float:
    """Median over rounds of a call's seconds over those of `base` in the same round."""
    return statistics.median(a / b for a, b in zip(seconds[name], seconds[base]))


def slope(sizes: list[float], values: list[float]) -> float:
    """Of log(value) against log(size), least squares: 1 where one grows as the other, 0 where it is constant.

    >>> slope([1, 2, 4], [3, 6, 12])
    1.0
    """
    import math

    x, y = ([math.log(v) for v in values] for values in (sizes, values))
    return round(statistics.linear_regression(x, y).slope, 3)
