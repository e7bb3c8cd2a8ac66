"""How much a difference of two distances means: how many strangers come as near to the probe as the candidate does.

A probe is nearer to one of any two people, whoever they are. So that it is nearer to the candidate says little by
itself. If the candidate were a stranger, it would be by so much nearer than this alternative as often as strangers are
as near as the candidate. The rule: a difference is clear where at most `CHANCE` of strangers, one in twenty, are as
near as the candidate, and where it is at least `PART`, a tenth, of the range in which nine of ten strangers lie.
Otherwise it is small, and the map is drawn faded.

Three sources, the best at hand: the trials of `gweebp verify`; the gallery of the case, whose people are strangers to
this very probe; and, without both, what holds of any network of d dimensions: embeddings of strangers are at best
spread in all directions alike, so that the cosine of two is a normal variable of variance 1/d. Real embeddings fill
fewer directions and differ more, so this last source can call a difference small, but never clear.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gweebp.support.ranges import DISTANCE, whole

__all__ = ["CHANCE", "FEWEST", "PART", "Strangers", "of_dimensions", "of_distances", "of_record", "quantiles"]

CHANCE = 0.05  # of strangers: if more are as near as the candidate, a difference is called small
PART = 0.1  # of the range of nine of ten strangers: a smaller difference is called small
FEWEST = 20  # strangers to compare with: fewer can't show that one in twenty is as near
COUNTED = 1000  # strangers: fewer are counted, of more a share is said
_LEVELS = 1001  # quantiles that are kept
_INNER = 1.6449  # standard deviations of a normal variable, within which nine of ten lie


@dataclass(frozen=True)
class Strangers:
    """Distances of strangers to a probe.

    Attributes:
        levels: their quantiles, ascending, evenly spaced; empty: nothing but `dimensions` is known.
        count: how many distances they are of. source: where they are from, in words.
        dimensions: of the embedding, where nothing better is known.
    """

    levels: tuple[float, ...]
    count: int
    source: str
    dimensions: int = 0

    def share(self, distance: float) -> float:
        """The share of strangers, 0..1, at this distance or nearer, one added to them; of dimensions alone, the least.

        >>> Strangers((0.0, 0.5, 1.0), 99, "made up").share(0.25)
        0.2575
        >>> round(of_dimensions(128).share(1.2), 4)
        0.0008
        """
        if not self.levels:
            cosine = 1 - distance**2 / 2
            return math.erfc(cosine * math.sqrt(self.dimensions / 2)) / 2
        place = bisect_right(self.levels, distance)  # so many quantiles are not farther
        last = len(self.levels) - 1
        if place in (0, last + 1):
            below = float(place > 0)
        else:
            low, high = self.levels[place - 1], self.levels[place]
            below = (place - 1 + (distance - low) / (high - low)) / last
        return (below * self.count + 1) / (self.count + 1)

    def in_words(self, distance: float) -> str:
        """How many strangers are at this distance or nearer, for a reader: of few, their number; else the share.

        >>> Strangers((0.0, 0.5, 1.0), 30, "made up").in_words(0.25), of_dimensions(64).in_words(0.9)
        ('8', 'less than 0.1%')
        """
        if self.levels and self.count < COUNTED:
            place = bisect_right(self.levels, distance)
            below = (self.share(distance) * (self.count + 1) - 1) / self.count  # as `share` reads it off the quantiles
            number = math.floor(below * (self.count - 1) + 1e-6) + 1 if place else 0
            return str(min(number, self.count) or "none")
        share = self.share(distance)
        if share < 0.001:
            return "less than 0.1%"
        return f"{100 * share:.1f}%" if share < 0.1 else f"{100 * share:.0f}%"

    @property
    def spread(self) -> float:
        """The range in which nine of ten strangers lie, 0..2; of dimensions alone, the least."""
        if not self.levels:
            inner = min(1.0, _INNER / math.sqrt(self.dimensions))
            return math.sqrt(2 + 2 * inner) - math.sqrt(2 - 2 * inner)
        last = len(self.levels) - 1
        return self.levels[round(0.95 * last)] - self.levels[round(0.05 * last)]


def quantiles(distances: Tensor) -> list[float]:
    """Evenly spaced quantiles of distances (n,), n > 0, from the least to the largest.

    >>> [round(level, 6) for level in quantiles(torch.tensor([0.5, 0.0]))[::500]]
    [0.0, 0.25, 0.5]
    """
    values = distances.double().flatten().sort().values
    place = torch.linspace(0, len(values) - 1, _LEVELS).double()  # torch.quantile takes no more than 16 million
    low, high = values[place.floor().long()], values[place.ceil().long()]
    return torch.lerp(low, high, place - place.floor()).tolist()


def of_distances(distances: Tensor, source: str) -> Strangers | None:
    """Of the distances (n,) of one probe to strangers; None where they are too few.

    >>> round(of_distances(torch.arange(20.0) / 10, "the gallery").share(-1), 4)
    0.0476
    """
    if len(distances) < FEWEST:
        return None
    return Strangers(tuple(quantiles(distances)), len(distances), source)


def of_dimensions(dimensions: int) -> Strangers:
    """What holds of any network with embeddings of so many dimensions."""
    return Strangers((), 0, f"spread evenly over all {dimensions} dimensions of the network", dimensions)


def of_record(record: Any) -> Strangers | None:
    """What `gweebp verify` has written under "strangers"; None where it has not. ValueError for anything else."""
    if record is None:
        return None
    levels, count = (record.get(name) if isinstance(record, Mapping) else None for name in ("distances", "count"))
    fits = isinstance(levels, list) and len(levels) > 1 and all(x in DISTANCE for x in levels)
    if not fits or levels != sorted(levels or []) or count not in whole(1) or not isinstance(count, int):
        raise ValueError("its strangers are not their count and ascending quantiles of distances, 0..2")
    if count < FEWEST or not isinstance(levels, list):
        return None
    pairs = f" ({count} pairs)" if count < COUNTED else ""
    return Strangers(tuple(map(float, levels)), count, f"the trials of this threshold{pairs}")
