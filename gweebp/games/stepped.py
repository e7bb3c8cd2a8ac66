"""The inpainting game of one probe, step by step, for a reader who moves the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import ArrayLike, NDArray

__all__ = ["SteppedGame"]


class SteppedGame(NamedTuple):
    """One method's game, as a slider shows it: what happens to one probe, and to all.

    Attributes:
        saliency: (h', w') >= 0, any size. steps: (h, w) ints, at which step each pixel of the probe is replaced.
        matched: (k,) bool, is the blend matched to the twin at step 0..k-1? alone: (k,) FAR of this probe.
        far, sr: (k,) of all quadruplets, in 0..1.
    """

    saliency: ArrayLike
    steps: NDArray[Any]
    matched: Sequence[bool]
    alone: Sequence[float]
    far: Sequence[float]
    sr: Sequence[float]
