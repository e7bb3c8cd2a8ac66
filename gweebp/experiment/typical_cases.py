"""Which trials to look at: typical and worst cases, chosen by rule and never by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gweebp.experiment.agreement import truth_scores
from gweebp.experiment.build import Run
from gweebp.games import hiding


def choose(scores: ArrayLike) -> dict[str, int]:
    """Case → index of a trial by its score; of trials with equal scores the first.

    Args:
        scores: (n,), one per trial, higher is better.

    Raises:
        ValueError: there is no score, or one that is not finite.

    Example:
        >>> choose([0.9, 0.1, 0.4, 0.5])
        {'typical': 2, 'worst': 1, 'best': 0}
    """
    values = np.asarray(scores, dtype=float)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"scores have shape {values.shape}: expected (n,) finite numbers with n >= 1")
    distance = np.abs(values - np.median(values)).round(12)
    return {"typical": int(distance.argmin()), "worst": int(values.argmin()), "best": int(values.argmax())}


TYPICAL = -1  #: as the `sample` of a chapter: the typical trial


def index(run: Run, game: str, method: str, sample: int) -> int:
    """The index of a trial: `sample` itself, or where it is TYPICAL the trial whose score is nearest to the median.

    Args:
        run: of `build.open_runs`.
        game: "hiding" or "inpainting".
        method: whose scores choose.
        sample: from 0, or TYPICAL.

    Returns:
        `sample` where it is not TYPICAL; 0 where the game was not played by the method.
    """
    if sample != TYPICAL:
        return sample
    played = getattr(run.games, game)
    if method not in played or not len(played[method].success if game == "inpainting" else played[method]):
        return 0
    scores = {"hiding": hiding_scores, "inpainting": inpainting_scores}[game](run, method)
    return choose(scores)["typical"]


def hiding_scores(run: Run, method: str) -> np.ndarray:
    """The area under the curve of each triplet in the hiding game, as `method` played it in `run`: (t,), in 0..1."""
    return hiding.area_of(np.asarray(run.games.hiding[method], dtype=float))


def inpainting_scores(run: Run, method: str) -> np.ndarray:
    """Average precision of the maps of `method` in `run` against the swapped regions: (q,), in 0..1."""
    return truth_scores(run)[method]["precision"].numpy()
