"""What the paper reports, as far as it prints numbers, and which of our datasets stands for which of its own.

Source: Wang, Kannappan, Bai, Gibson and Solomon, "Extended excitation backprop with gradient weighting", Pattern
Recognition Letters 192 (2025), Sec. 4.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["METHODS", "REPORTED", "STANDS_FOR", "TARGETS", "Reported", "Target", "reported"]

#: our dataset -> the paper's
STANDS_FOR = {"synthetic-composite": "UoM-SGFS", "synthetic-drawn": "CUHK", "cuhk": "CUHK", "uom-sgfs": "UoM-SGFS"}

#: the methods that the paper compares in its Figures 1-4
METHODS = ("gradcam", "ebp", "cebp", "tcebp", "pairwisesim", "xface", "corrrise", "gweebp")


@dataclass(frozen=True)
class Reported:
    """Sec. 4 on one network and dataset: rank-1 in 0..1, gallery, trials of both games, threshold and its FPR.

    Distances are in the paper's own units: thresholds of two networks, or of theirs and ours, don't compare.
    """

    rank1: float
    gallery: int
    triplets: int
    quadruplets: int
    threshold: float
    fpr: float


#: (dataset, network) -> what the paper reports
REPORTED = {
    ("UoM-SGFS", "vgg16"): Reported(0.5043, 1871, 59, 308, 0.14, 0.039),
    ("UoM-SGFS", "lcnn9"): Reported(0.5726, 1871, 67, 273, 0.245, 0.0465),
    ("CUHK", "vgg16"): Reported(0.9890, 2053, 28, 58, 0.06, 0.0),
    ("CUHK", "lcnn9"): Reported(0.9835, 2053, 28, 67, 0.645, 0.0434),
}


@dataclass(frozen=True)
class Target:
    """What our world must reach to be as hard as the paper's data: rank-1 range, and trials enough for the games."""

    rank1: tuple[float, float]
    quadruplets: int = 150
    each_part: int = 10
    fpr: float = 0.05


#: our dataset -> its target; fixed before any saliency map was looked at
TARGETS = {"synthetic-composite": Target((0.40, 0.75)), "synthetic-drawn": Target((0.85, 1.0))}


def reported(dataset: str, network: str) -> Reported | None:
    """The paper's numbers for what our dataset stands for; None where there are none.

    Args:
        dataset: name of ours, such as "synthetic-composite".
        network: "vgg16" or "lcnn9".

    >>> reported("synthetic-composite", "lcnn9").quadruplets
    273
    """
    return REPORTED.get((STANDS_FOR.get(dataset, ""), network))
