"""Where gweEBP stands in each game, on the trials that it shares with each of the paper's other methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gweebp.experiment.evidence import Evidence
from gweebp.experiment.paper import METHODS
from gweebp.experiment.study.summary import ENOUGH, differences, estimates
from gweebp.games.bootstrap import Difference, Estimate
from gweebp.methods.names import label_of


@dataclass(frozen=True)
class Standing:
    """gweEBP on one network and dataset in one game.

    Attributes:
        run: network and dataset. value: gweEBP's figure. rival: the other method that comes nearest to it or is
            furthest ahead. lead: gweEBP less that method, on the trials that both played. trainings: behind the lead.
        lacking: methods that are not played yet.
    """

    run: str
    value: Estimate
    rival: str
    lead: Difference
    trainings: int
    lacking: tuple[str, ...] = ()

    @property
    def first(self) -> bool:
        """Whether gweEBP is ahead of every method that was played, by whatever amount."""
        return self.lead.value > 0

    @property
    def against(self) -> str:
        """The rival in print, with the number of trainings where they are few."""
        few = f" ({self.trainings} training{'s' * (self.trainings != 1)})" if self.trainings < ENOUGH else ""
        return label_of(self.rival) + few


def standings(study: Sequence[Evidence], game: str, methods: Sequence[str] = METHODS) -> list[Standing]:
    """One per run that played the game ("hiding", "inpainting" or "truth"), in the study's order."""
    values, rest = estimates(study, game, ["gweebp"]), [m for m in methods if m != "gweebp"]
    leads, found = differences(study, game, {m: ("gweebp", m) for m in rest}), list[Standing]()
    for run in study:
        own = leads.get(run.title, {})
        if own and "gweebp" in values.get(run.title, {}):
            rival = min(own, key=lambda m: own[m].value)
            played = sum({"gweebp", rival} <= unit.plays(game) for unit in run.units)
            absent = tuple(m for m in rest if m not in own)
            found.append(Standing(run.title, values[run.title]["gweebp"], rival, own[rival], played, absent))
    return found


def beaten_by(study: Sequence[Evidence], game: str, name: str = "center") -> tuple[list[int], int]:
    """How many methods a baseline beats on each run, by paired differences; and how many methods there are at most."""
    counts, most = list[int](), 0
    for run in study:
        others = sorted(set().union(*(unit.plays(game) for unit in run.units)) - {"random", name})
        leads = differences([run], game, {m: (name, m) for m in others}).get(run.title, {})
        if leads:
            counts.append(sum(d.value > 0 for d in leads.values()))
            most = max(most, len(leads))
    return counts, most
