"""How much a difference of two distances means: how often the probe's distances to two strangers differ as much.

A probe is nearer to one of any two people, whoever they are. So that it is nearer to the candidate says little by
itself; what counts is whether it is nearer by more than strangers differ. The rule, `CHANCE`: where more than one pair
of strangers in twenty differs by as much or more, the difference is called small and the map is drawn faded.

Three sources, the best at hand: the trials of `gweebp verify`, of hundreds of probes; the gallery of the case, whose
people are strangers to this very probe; and, without both, what holds of any network of d dimensions: embeddings of
strangers are at best spread in all directions alike, so the cosines of two of them differ by a normal variable of
variance 2/d. Real embeddings fill fewer directions and differ more, so this last source can call a difference small,
but never clear.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gweebp.support.ranges import DISTANCE

__all__ = ["CHANCE", "FEWEST", "Strangers", "of_dimensions", "of_distances", "of_record", "quantiles"]

CHANCE = 0.05  # of pairs of strangers: up to here a difference is called clear
FEWEST = 10  # strangers to compare with
_LEVELS = 1001  # quantiles that are kept, of a share of 0.001


@dataclass(frozen=True)
class Strangers:
    """Differences |d(probe, a) - d(probe, b)| of pairs of strangers.

    Attributes:
        levels: their quantiles, ascending, evenly spaced from the least to the largest; empty: of `dimensions` alone.
        source: where they are from, in words. dimensions: of the embedding, where nothing better is known.
    """

    levels: tuple[float, ...]
    source: str
    dimensions: int = 0

    def share(self, near: float, far: float) -> float:
        """The share of pairs of strangers, 0..1, that differ by at least far - near; of dimensions alone, the least.

        >>> round(Strangers((0.0, 0.1, 0.2, 0.3), "made up").share(0.8, 0.95), 6)
        0.5
        >>> round(Strangers((), "any network", 128).share(1.0, 1.007), 2)
        0.94
        """
        if not self.levels:
            cosine = abs(far**2 - near**2) / 2  # of unit embeddings: d^2 = 2 - 2 cos
            return math.erfc(cosine * math.sqrt(self.dimensions) / 2)
        size = abs(far - near)
        below = sum(level < size for level in self.levels)  # of so many quantiles
        if below in (0, len(self.levels)):
            return 1.0 if below == 0 else 0.0
        low, high = self.levels[below - 1], self.levels[below]
        place = below - 1 + (size - low) / (high - low)
        return 1 - place / (len(self.levels) - 1)


def quantiles(differences: Tensor) -> list[float]:
    """Evenly spaced quantiles of differences (n,), n > 0, from the least to the largest.

    >>> [round(level, 6) for level in quantiles(torch.tensor([0.5, 0.0]))[::500]]
    [0.0, 0.25, 0.5]
    """
    return torch.quantile(differences.double().flatten(), torch.linspace(0, 1, _LEVELS).double()).tolist()


def of_distances(distances: Tensor, source: str) -> Strangers | None:
    """Of all pairs among the distances (n,) of one probe to strangers; None where they are too few.

    >>> round(of_distances(torch.arange(10.0), "the gallery").share(0.0, 4.5), 1)  # 15 of 45 pairs differ by 5 or more
    0.3
    """
    if len(distances) < FEWEST:
        return None
    few = distances.double()[:1000]
    first, second = torch.triu_indices(len(few), len(few), 1)
    differences = (few[first] - few[second]).abs()
    return Strangers(tuple(quantiles(differences[:: max(1, len(differences) // 10**6)])), source)


def of_dimensions(dimensions: int) -> Strangers:
    """What holds of any network with embeddings of so many dimensions."""
    return Strangers((), f"any network of {dimensions} dimensions", dimensions)


def of_record(record: Any) -> Strangers | None:
    """What `gweebp verify` has written under "strangers"; None where it has not. ValueError for anything else."""
    if record is None:
        return None
    levels = record.get("differences") if isinstance(record, Mapping) else None
    if levels == []:  # trials of a gallery that holds no two strangers
        return None
    if (
        not isinstance(levels, list)
        or len(levels) < 2
        or not all(x in DISTANCE for x in levels)
        or levels != sorted(levels)
    ):
        raise ValueError("its strangers are not ascending quantiles of differences of distances, 0..2")
    return Strangers(tuple(map(float, levels)), "the trials of this threshold")
