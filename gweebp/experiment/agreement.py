"""Which game is right? The rankings that the games give the methods, against the truth of the synthetic world.

A yardstick is a figure per method, with the figures of its bootstrap resamples: the area of a game, or a score against
the known region (`games.truth`). Yardsticks of the same quadruplets share their resamples, so the agreement of two
(`games.rank_correlation`, Kendall's tau-b) has an interval that accounts for it. Claim C8 of the paper is about this.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from torch import Tensor

from gweebp.experiment.build import Run
from gweebp.experiment.scores import MEASURES
from gweebp.games import truth
from gweebp.games.bootstrap import Array, Difference, Estimate, compared
from gweebp.games.rank_correlation import kendall, tau
from gweebp.methods.names import in_order
from gweebp.support import files

Yardstick = dict[str, tuple[float, Array]]

TRUTH_SCORES = {"energy": "mass inside", "pointing": "maximum inside", "precision": "average precision"}
GAMES = {
    "hiding": "hiding game, area",
    "inpainting": "inpainting game, mean SR over all FAR",
    "inpainting-10": "inpainting game, mean SR up to FAR 10 %",
}


def maps_of(run: Run, game: str) -> dict[str, Tensor]:
    """Method → the maps (n, h, w) that were played in a game, in the book's order of methods."""
    found: dict[str, Tensor] = {}
    for path in sorted((run.build / "maps" / run.dataset / run.network).glob("*.safetensors")):
        tensors, _ = files.read_tensors(path)
        found |= {key.removeprefix(f"{game}/"): x for key, x in tensors.items() if key.startswith(f"{game}/")}
    return {name: found[name] for name in in_order(found)}


@cache
def truth_scores(run: Run) -> dict[str, dict[str, Tensor]]:
    """Method → score → (q,) of its maps against the swapped regions of the qualified quadruplets."""
    region = run.qualified.region
    return {name: truth.score(maps, region) for name, maps in maps_of(run, "inpainting").items()}


def truth_estimates(run: Run, score: str) -> dict[str, Estimate]:
    """Method → mean of a score with its interval over identities; score: a key of TRUTH_SCORES."""
    subject = run.games.inpainting_subject
    return {name: truth.mean(found[score], subject) for name, found in truth_scores(run).items()}


def chance(run: Run) -> float:
    """What any score gives a map blind to the image: the mean share of the image that the swapped regions cover."""
    return truth.chance(run.qualified.region).mean().item()


@cache  # its resamples serve several agreements
def yardstick(run: Run, name: str, resamples: int = 2000, seed: int = 0) -> Yardstick:
    """Method → (figure, its resamples) for a key of MEASURES or TRUTH_SCORES; empty where it was not played.

    Errors: ValueError for an unknown name.
    """
    games = run.games
    if name in MEASURES:
        measure = MEASURES[name]
        return {m: measure.draw(games, m, resamples=resamples, seed=seed) for m in measure.methods(games)}
    if name not in TRUTH_SCORES:
        raise ValueError(f"unknown yardstick {name!r}; known: {', '.join([*MEASURES, *TRUTH_SCORES])}")
    if not games.inpainting:
        return {}
    subject = games.inpainting_subject
    return {
        m: (found[name].double().mean().item(), truth.mean_draws(found[name], subject, resamples, seed))
        for m, found in truth_scores(run).items()
    }


def with_truth(run: Run, score: str, resamples: int = 2000, seed: int = 0) -> dict[str, Estimate]:
    """Game → Kendall's tau-b between its ranking of the methods and the truth's; those not played are left out."""
    true = yardstick(run, score, resamples, seed)
    played = {name: yardstick(run, name, resamples, seed) for name in GAMES}
    return {name: kendall(found, true) for name, found in played.items() if found and true}


def lead(
    run: Run, first: str, second: str, score: str, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Difference:
    """Tau of game `first` less tau of game `second`, both against the truth, on the same resamples."""
    one, two, true = (yardstick(run, name, resamples, seed) for name in (first, second, score))
    methods = [m for m in true if m in one and m in two]

    def stacked(found: Yardstick, drawn: bool) -> Array:
        return np.stack([found[m][1] if drawn else np.array(found[m][0]) for m in methods], -1)

    def taus(drawn: bool) -> tuple[Array, Array]:
        truth = stacked(true, drawn)
        return tau(stacked(one, drawn), truth), tau(stacked(two, drawn), truth)

    value = taus(False)
    return compared(float(value[0] - value[1]), *taus(True), level)


def settled(found: Estimate | Difference, above: str, below: str) -> str:
    """Which side the interval of a difference is on, in words.

    >>> settled(Estimate(0.2, 0.1, 0.3), "the first", "the second")
    'resolved in favour of the first'
    >>> settled(Estimate(0.2, -0.1, 0.3), "the first", "the second")
    'not resolved'
    """
    if found.low > 0:
        return f"resolved in favour of {above}"
    return f"resolved in favour of {below}" if found.high < 0 else "not resolved"
