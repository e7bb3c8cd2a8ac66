"""The inpainting game of one probe, step by step, for a reader who moves the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import ArrayLike, NDArray

__all__ = ["SteppedGame"]


class SteppedGame(NamedTuple):
    """One method's game, as a slider shows it: what happens to one probe, and to all of them.

    Attributes:
        saliency: (h', w'), ≥ 0, of any size.
        steps: int (h, w), the step at which each pixel of the probe is replaced.
        matched: bool (k,), is the blended probe matched to the inpainted non-mate at steps 0..k−1?
        alone: (k,), FAR of this probe, in 0..1.
        far, sr: (k,), of all quadruplets, in 0..1.
    """

    saliency: ArrayLike
    steps: NDArray[Any]
    matched: Sequence[bool]
    alone: Sequence[float]
    far: Sequence[float]
    sr: Sequence[float]
