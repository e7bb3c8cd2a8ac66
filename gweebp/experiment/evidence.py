"""What a comparison of the paper rests on: figures of two methods on the trials that both played, training by training.

A `Unit` is one training of one network on one dataset: it gives a method's figure in a game with the influence of each
person on it (`games.jackknife`). `Evidence` holds the units of one network and dataset and gives their differences. A
build of the book and the study of data/study both come as evidence, so that one rule (`claims`) judges both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from gweebp.experiment.agreement import lead, truth_scores
from gweebp.experiment.build import NAMES, Run
from gweebp.experiment.scores import find
from gweebp.experiment.sentences import AGREEMENT, CONTRASTIVE, HIDING, INPAINTING, SEE_NONMATE, TRUTH
from gweebp.experiment.training_seeds import trainings
from gweebp.games import jackknife
from gweebp.games.jackknife import Array, Known
from gweebp.methods.names import label_of

MEASURE, SCORE = "inpainting-10", "precision"  #: what decides the inpainting game, and what a true map is


class Unit(Protocol):
    """One training of one network on one dataset."""

    @property
    def title(self) -> str:
        """Of the network and dataset, in print."""

    def plays(self, game: str) -> set[str]:
        """The methods that have a figure in a game, or in TRUTH."""

    def figure(self, game: str, method: str, methods: Sequence[str]) -> Known:
        """A method's figure on the trials that all of `methods` played."""

    def agreement_lead(self) -> Known | None:
        """Kendall's tau of the inpainting game's ranking of the methods with the truth's, less the hiding game's."""


@dataclass(frozen=True)
class Evidence:
    """All trainings of one network on one dataset.

    Attributes:
        units: one per training. stand_in: method -> another that stands for it, such as the released code's.
    """

    network: str
    dataset: str
    units: tuple[Unit, ...]
    stand_in: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """For panels and tables."""
        return self.units[0].title

    def members(self, name: str) -> list[str]:
        """The methods behind a name of `sentences`, as they are played here."""
        return [self.stand_in.get(m, m) for m in (SEE_NONMATE if name == CONTRASTIVE else (name,))]

    def differences(self, game: str, first: str, second: str) -> list[Known] | None:
        """First minus second in each training that played both; None where none did."""
        if game == AGREEMENT:
            return [found for unit in self.units if (found := unit.agreement_lead()) is not None] or None
        sides = self.members(first), self.members(second)
        methods = list(dict.fromkeys(m for side in sides for m in side))
        own = [unit for unit in self.units if set(methods) <= unit.plays(game)]
        if not own:
            return None
        one, two = ([mean([unit.figure(game, m, methods) for m in side]) for unit in own] for side in sides)
        return [a.minus(b) for a, b in zip(one, two, strict=True)]

    def lacks(self, game: str, first: str, second: str) -> list[str]:
        """What is missing for a comparison, in words; nothing where it can be made."""
        if self.differences(game, first, second) is not None:
            return []
        kind = INPAINTING if game in (TRUTH, AGREEMENT) else game
        played = set[str]().union(*(unit.plays(kind) for unit in self.units))
        if not played or game == AGREEMENT:
            return [f"the {kind} game of {self.title}"]
        wanted = [*self.members(first), *self.members(second)]
        return [label_of(m) for m in dict.fromkeys(wanted) if m not in played] or [f"{game} of {self.title}"]


def mean(figures: Sequence[Known]) -> Known:
    """The mean of several methods' figures on the same people.

    >>> people, one, two = np.arange(2), np.array([0.1, -0.1]), np.array([0.3, -0.3])
    >>> found = mean([Known(0.2, people, one), Known(0.4, people, two)])
    >>> round(found.value, 3), found.influence.round(3).tolist()
    (0.3, [0.2, -0.2])
    """
    value = float(np.mean([f.value for f in figures]))
    return Known(value, figures[0].people, np.mean([f.influence for f in figures], axis=0))


def of_scores(scores: ArrayLike, people: ArrayLike) -> Known:
    """The mean of one score per trial, (n,), and whose the trials are."""
    column = np.asarray(scores, dtype=float)[:, None]
    return jackknife.known(lambda s, n: (s / n)[..., 0], (column, np.ones_like(column)), people)


def resampled(value: float, draws: Array, people: ArrayLike) -> Known:
    """A figure whose error is known from bootstrap draws only: its influences are equal, and as large as that makes."""
    own = np.unique(np.asarray(people, dtype=np.int64))
    n = len(own)
    if n < 2:
        return Known(value, own, np.zeros(n))
    signs = np.where(np.arange(n) % 2, -1.0, 1.0)
    signs -= signs.mean()
    scale = float(np.std(draws, ddof=1)) * np.sqrt(n * (n - 1) / (signs**2).sum())
    return Known(value, own, signs * scale)


@dataclass(frozen=True)
class RunUnit:
    """A run of a build of the book."""

    run: Run
    measure: str = MEASURE
    score: str = SCORE
    first: bool = True

    @property
    def title(self) -> str:
        """As the run's."""
        return self.run.title

    def plays(self, game: str) -> set[str]:
        """See Unit."""
        return set(self.run.games.inpainting if game == TRUTH else getattr(self.run.games, game))

    def figure(self, game: str, method: str, methods: Sequence[str]) -> Known:
        """See Unit."""
        if game == TRUTH:
            return of_scores(
                truth_scores(self.run)[method][self.score].numpy(), self.run.games.inpainting_subject.numpy()
            )
        return find({HIDING: "hiding", INPAINTING: self.measure}[game]).known(self.run.games, method)

    def agreement_lead(self) -> Known | None:
        """See Unit; of the first training only, since the others play on the same people."""
        if not self.first or not self.run.games.inpainting:
            return None
        d = lead(self.run, self.measure, "hiding", self.score)
        width = (d.high - d.low) / (2 * 1.96)
        people = self.run.games.inpainting_subject.numpy()
        return resampled(d.value, np.array([-1.0, 1.0]) * width / np.sqrt(2), people)


def of_build(runs: Iterable[Run], seeds: int = 1, measure: str = MEASURE, score: str = SCORE) -> list[Evidence]:
    """The runs of a build, each with its further trainings, `seeds` in all."""
    return [
        Evidence(
            run.network,
            run.dataset,
            tuple(RunUnit(r, measure, score, k == 0) for k, r in enumerate(trainings(run, seeds))),
        )
        for run in runs
    ]


def label(network: str) -> str:
    """A network's name in print."""
    return NAMES.get(network, network)
