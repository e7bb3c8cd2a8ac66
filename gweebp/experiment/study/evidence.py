"""The study's outcomes as evidence for the paper's sentences, and the views under which verdicts are taken again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gweebp.experiment.evidence import MEASURE, SCORE, Evidence, of_scores, resampled
from gweebp.experiment.scores import find
from gweebp.experiment.sentences import HIDING, INPAINTING, TRUTH
from gweebp.experiment.study.outcomes import Training, trainings
from gweebp.games import hiding
from gweebp.games.bootstrap import resampled as draws_of
from gweebp.games.jackknife import Known
from gweebp.games.rank_correlation import tau

RUNS = [(d, n) for d in ("synthetic-composite", "synthetic-drawn") for n in ("vgg16", "lcnn9")]
RANKED = (
    "random", "center", "gradcam", "pairwisesim", "ebp", "cebp", "tcebp", "eebp", "ecebp", "etcebp", "gweebp",
)  # fmt: skip
CODE = {name: f"{name}-code" for name in ("ebp", "cebp", "tcebp", "eebp", "ecebp", "etcebp", "pairwisesim")} | {
    "gweebp": "gweebp-paper-code"
}

#: name of a column -> how it differs from the rule that decides
VIEWS: dict[str, dict[str, Any]] = {
    "as decided": {},
    "τ rule": {"rule": "tau"},
    "FAR of each image": {"measure": "inpainting-10-image"},
    "all FAR": {"measure": "inpainting"},
    "released code's gweEBP": {"stand_in": {"gweebp": "gweebp-paper-code"}},
    "released code's maps": {"stand_in": CODE},
    "truth: the whole region": {"region": "region"},
    "false alarm: outside visible change": {"outside": "changed"},
}


@dataclass(frozen=True)
class StudyUnit:
    """One training of the study. In the game, false alarms are counted outside the region; in the truth, `region`."""

    training: Training
    measure: str = MEASURE
    score: str = SCORE
    region: str = "changed"

    @property
    def title(self) -> str:
        """Of network and dataset."""
        return self.training.title

    def plays(self, game: str) -> set[str]:
        """See `evidence.Unit`."""
        what = INPAINTING if game == TRUTH else game
        return {m for m in self.training.methods if self.training.count(what, m)}

    def figure(self, game: str, method: str, methods: Sequence[str]) -> Known:
        """See `evidence.Unit`."""
        games = self.training.games(methods)
        if game == TRUTH:
            people = games.inpainting_subject.numpy()
            return of_scores(self.training.truth(method, self.score, self.region)[: len(people)], people)
        return find({HIDING: "hiding", INPAINTING: self.measure}[game]).known(games, method)

    def agreement_lead(self) -> Known | None:
        """See `evidence.Unit`: on the quadruplets on which both games were played, over the methods in RANKED."""
        methods = [m for m in RANKED if self.training.count("crossed", m)]
        if len(methods) < 3:
            return None
        return _lead(self, tuple(methods))


@cache
def _lead(unit: StudyUnit, methods: tuple[str, ...], resamples: int = 500) -> Known:
    crossed, n = unit.training.crossed(methods)
    games = unit.training.games(methods)
    people = games.inpainting_subject.numpy()[:n]
    figures: dict[str, list[np.ndarray]] = {"truth": [], "inpainting": [], "hiding": []}
    for m in methods:
        score = unit.training.truth(m, unit.score, unit.region)[:n, None]
        statistic, samples, _ = find(unit.measure).totals(games, m)
        for name, of, totals in (
            ("truth", _mean, (score, np.ones((n, 1)))),
            ("inpainting", statistic, tuple(s[:n] for s in samples)),
            ("hiding", hiding.area_of_totals, hiding.totals(crossed[m])),
        ):
            value = np.atleast_1d(of(*(t.sum(0) for t in totals)))
            figures[name].append(np.concatenate([value, draws_of(of, totals, people, resamples)]))
    true, one, two = (np.stack(figures[name], -1) for name in ("truth", "inpainting", "hiding"))
    found = tau(one, true) - tau(two, true)
    return resampled(float(found[0]), found[1:], people)


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return (total / count)[..., 0]


def of_study(
    folder: str | Path,
    runs: Sequence[tuple[str, str]] = RUNS,
    *,
    rule: str = "nearest",
    outside: str = "region",
    measure: str = MEASURE,
    score: str = SCORE,
    region: str = "changed",
    stand_in: Mapping[str, str] | None = None,
) -> list[Evidence]:
    """Evidence of all runs that the folder has any training of.

    Args:
        runs: (dataset, network). The rest: a view, see VIEWS.
    """
    found = {(d, n): trainings(folder, d, n, rule=rule, outside=outside) for d, n in runs}
    return [
        Evidence(n, d, tuple(StudyUnit(t, measure, score, region) for t in own), stand_in or {})
        for (d, n), own in found.items()
        if own
    ]
