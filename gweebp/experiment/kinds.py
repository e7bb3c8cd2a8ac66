"""One method beside the others, by any yardstick, on networks of several kinds: differences with intervals, and words.

A yardstick is a score of truth or a number of a game (`agreement.yardstick`). The figures of two methods come from the
same trials and the same resamples of people, so their difference is paired.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from gweebp.excitation.layers import spatial_layers
from gweebp.experiment.agreement import GAMES, TRUTH_SCORES, yardstick
from gweebp.experiment.build import Run
from gweebp.experiment.scores import MEASURES, with_interval
from gweebp.games.bootstrap import Array, Difference, Estimate, compared
from gweebp.methods.names import in_order, label_of

__all__ = ["beside", "cells", "estimates", "in_words", "named"]


def named(name: str) -> str:
    """What a yardstick is called in print.

    >>> named("precision"), named("hiding")
    ('average precision', 'hiding game, area')
    """
    return TRUTH_SCORES.get(name) or GAMES.get(name) or MEASURES[name].label


def estimates(runs: Iterable[Run], name: str, resamples: int = 2000, seed: int = 0) -> dict[str, dict[str, Estimate]]:
    """Title → method → figure with its interval; runs in which the yardstick was not measured are left out."""
    found = {run.title: yardstick(run, name, resamples, seed) for run in runs}
    return {title: {method: _estimate(*row[method]) for method in in_order(row)} for title, row in found.items() if row}


def cells(run: Run) -> tuple[int, int]:
    """Height and width of the map at the layer that the excitation family explains."""
    net = run.net
    shape = spatial_layers(net, torch.zeros(1, net.channels, net.size, net.size))[net.saliency_layer]
    return shape[1], shape[2]


def _estimate(value: float, draws: Array) -> Estimate:
    found = compared(value, draws, np.zeros_like(draws))
    return Estimate(found.value, found.low, found.high)


def beside(
    run: Run, name: str, first: str = "gweebp", resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Difference]:
    """Method → the figure of `first` minus that method's; empty where the yardstick, or `first`, was not measured."""
    row = yardstick(run, name, resamples, seed)
    if first not in row:
        return {}
    value, draws = row[first]
    return {
        method: compared(value - row[method][0], draws, row[method][1], level)
        for method in in_order(row)
        if method != first
    }


def in_words(run: Run, name: str, first: str = "gweebp", resamples: int = 2000, seed: int = 0) -> str:
    """One sentence: which methods the intervals put below `first`, which above, and which on neither side."""
    found = beside(run, name, first, resamples, seed)
    if not found:
        return f"{run.title}, {named(name)}: not measured in this profile."
    sides: dict[str, list[str]] = {"above": [], "below": [], "not resolved from": []}
    for method, difference in found.items():
        side = "above" if difference.low > 0 else "below" if difference.high < 0 else "not resolved from"
        sides[side].append(f"{label_of(method)} ({with_interval(difference)})")
    listed = "; ".join(f"{side} {', '.join(methods)}" for side, methods in sides.items() if methods)
    return f"{run.title}, {named(name)}: {label_of(first)} is {listed}."
