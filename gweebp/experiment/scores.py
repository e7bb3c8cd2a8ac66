"""The figures that the games are summed up by, each with its bootstrap interval over identities, for whole builds.

A measure is one number of one game: the area under the hiding curve, the SR of the inpainting game at a FAR, the mean
SR up to a FAR. Functions here take the runs of a build (`build.open_runs`) and give what figures, tables and
sentences of the book show: `{title of the run: {method: estimate}}`. Runs in which a game was not played are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Unpack

import numpy as np
from torch import Tensor

from gweebp.experiment.build import Games, Run
from gweebp.faces import PARTS
from gweebp.games import bootstrap, hiding, inpainting
from gweebp.games.bootstrap import Array, Curve, Difference, Estimate, Options
from gweebp.games.jackknife import Known, above, below, error_of, interval, known, share_interval
from gweebp.methods.names import in_order, label_of

__all__ = [
    "MEASURES",
    "Measure",
    "beats",
    "by_part",
    "curves",
    "differences",
    "estimates",
    "leader",
    "table",
    "with_interval",
]


class Drawn(NamedTuple):
    """A value and its bootstrap draws (resamples,); those of two methods of one run are paired."""

    value: float
    draws: Array

    def over(self, other: Drawn, level: float = 0.95) -> Difference:
        """This minus the other."""
        return bootstrap.compared(self.value - other.value, self.draws, other.draws, level)


@dataclass(frozen=True)
class Measure:
    """One number of one game, 0..1, more is better.

    Attributes:
        far: of the inpainting game, where SR is read, or (`area`) averaged up to.
        per_image: FAR is each image's own, and the number the mean over images; else FAR is pooled over images.
    """

    game: str
    label: str
    far: float = 1.0
    area: bool = True
    per_image: bool = False

    def methods(self, games: Games) -> list[str]:
        """The methods that played this game, in the book's order."""
        return in_order(getattr(games, self.game))

    def estimate(self, games: Games, method: str, **options: Unpack[Options]) -> Estimate:
        """The value of one method with its interval."""
        if self.per_image:
            e = error_of([self.known(games, method)])
            return Estimate(e.value, *share_interval(e, options.get("level", 0.95)))
        if self.game == "hiding":
            return hiding.area(games.hiding[method], games.hiding_subject, **options)
        score = inpainting.area if self.area else inpainting.at_far
        return score(games.inpainting[method], self.far, games.inpainting_subject, **options)

    def difference(self, games: Games, first: str, second: str, **options: Unpack[Options]) -> Difference:
        """First minus second on the same trials."""
        if self.per_image:
            e = error_of([self.known(games, first).minus(self.known(games, second))])
            p = min(1.0, 2 * min(above(e), below(e)))
            return Difference(e.value, *interval(e, options.get("level", 0.95)), p)
        if self.game == "hiding":
            return hiding.difference(games.hiding[first], games.hiding[second], games.hiding_subject, **options)
        one, two = games.inpainting[first], games.inpainting[second]
        kind = "area" if self.area else "at_far"
        return inpainting.difference(one, two, kind, self.far, games.inpainting_subject, **options)

    def value(self, games: Games, method: str) -> float:
        """The value of one method."""
        statistic, samples, _ = self.totals(games, method)
        return float(statistic(*(s.sum(0) for s in samples)))

    def draw(
        self,
        games: Games,
        method: str,
        *,
        resamples: int = 2000,
        seed: int = 0,
        among: Array | None = None,
    ) -> Drawn:
        """The value of one method and its bootstrap draws, for many comparisons of few methods; see `resampled`."""
        statistic, samples, groups = self.totals(games, method)
        draws = bootstrap.resampled(statistic, samples, groups, resamples, seed, among)
        return Drawn(float(statistic(*(s.sum(0) for s in samples))), draws)

    def known(self, games: Games, method: str) -> Known:
        """The value of one method and the influence of each person on it (`games.jackknife`)."""
        return known(*self.totals(games, method))

    def totals(self, games: Games, method: str) -> tuple[bootstrap.Statistic, tuple[Array, ...], Tensor]:
        """A statistic of totals, the samples that it is of, and whose they are."""
        if self.game == "hiding":
            return hiding.area_of_totals, hiding.totals(games.hiding[method]), games.hiding_subject
        if self.per_image:
            scores = inpainting.per_image(games.inpainting[method], "area" if self.area else "at_far", self.far)
            return _mean, (scores[:, None], np.ones((len(scores), 1))), games.inpainting_subject
        statistic = inpainting.statistic("area" if self.area else "at_far", self.far)
        return statistic, inpainting.totals(games.inpainting[method]), games.inpainting_subject


#: name -> measure
MEASURES: dict[str, Measure] = {
    "hiding": Measure("hiding", "hiding game: area under TPR"),
    "inpainting": Measure("inpainting", "inpainting game: mean SR over all FAR"),
    "inpainting-10": Measure("inpainting", "inpainting game: mean SR up to FAR 10 %", 0.1),
    "inpainting-10-image": Measure(
        "inpainting", "inpainting game: mean SR up to FAR 10 % of each image", 0.1, per_image=True
    ),
    "sr-1": Measure("inpainting", "inpainting game: SR at FAR 1 %", 0.01, area=False),
    "sr-5": Measure("inpainting", "inpainting game: SR at FAR 5 %", 0.05, area=False),
    "sr-10": Measure("inpainting", "inpainting game: SR at FAR 10 %", 0.1, area=False),
}


def estimates(
    runs: Iterable[Run], measure: str, only: Iterable[str] | None = None, **options: Unpack[Options]
) -> dict[str, dict[str, Estimate]]:
    """Title -> method -> value with interval; `only` these methods (default: all that were played)."""
    m = find(measure)
    played = {run.title: (run.games, _chosen(m.methods(run.games), only)) for run in runs}
    return {
        title: {method: m.estimate(games, method, **options) for method in methods}
        for title, (games, methods) in played.items()
        if methods
    }


def differences(
    runs: Iterable[Run], measure: str, pairs: Mapping[str, tuple[str, str]], **options: Unpack[Options]
) -> dict[str, dict[str, Difference]]:
    """Title -> label -> first minus second. pairs: label -> (first, second); a pair that was not played is left out.

    >>> differences([], "hiding", {"ebp": ("gweebp", "ebp")})
    {}
    """
    m = find(measure)
    found = {
        run.title: {
            label: m.difference(run.games, *pair, **options)
            for label, pair in pairs.items()
            if set(pair) <= set(m.methods(run.games))
        }
        for run in runs
    }
    return {title: row for title, row in found.items() if row}


def curves(
    runs: Iterable[Run], game: str, only: Iterable[str] | None = None, **options: Unpack[Options]
) -> dict[str, dict[str, Curve]]:
    """Title -> method -> curve with its band: TPR against the share hidden, or SR against FAR."""
    found: dict[str, dict[str, Curve]] = {}
    for run in runs:
        games = run.games
        for method in _chosen(in_order(getattr(games, game)), only):
            if game == "hiding":
                line = hiding.curve(games.hiding[method], games.hiding_subject, **options)
            else:
                line = inpainting.curve(games.inpainting[method], None, games.inpainting_subject, **options)
            found.setdefault(run.title, {})[method] = line
    return found


def by_part(
    runs: Iterable[Run], measure: str
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, dict[str, int]]]:
    """Values of the inpainting game for each exchanged part, and the number of trials behind them.

    Returns title -> method -> part -> value, and title -> part -> trials; parts without trials are left out.
    """
    m = find(measure)
    values: dict[str, dict[str, dict[str, float]]] = {}
    trials: dict[str, dict[str, int]] = {}
    for run in runs:
        for code, part in enumerate(PARTS):
            games = run.games.of_part(code)
            for method in in_order(games.inpainting):
                value = m.estimate(games, method, resamples=1).value
                values.setdefault(run.title, {}).setdefault(method, {})[part] = value
                trials.setdefault(run.title, {})[part] = len(games.inpainting_part)
    return values, trials


def table(found: Mapping[str, Mapping[str, Estimate | Difference]], digits: int = 3) -> list[dict[str, Any]]:
    """One row a method, one column a run, ready for `pandas.DataFrame`.

    >>> table({"VGG16": {"gweebp": Estimate(0.8, 0.7, 0.9)}})
    [{'method': 'gweEBP', 'VGG16': '0.800 [0.700, 0.900]'}]
    """
    names = in_order(list({name: None for row in found.values() for name in row}))
    return [
        {"method": label_of(name)}
        | {title: with_interval(row[name], digits) if name in row else "" for title, row in found.items()}
        for name in names
    ]


def with_interval(found: Estimate | Difference, digits: int = 3) -> str:
    """Value and interval as text; a difference carries its sign.

    >>> with_interval(Estimate(0.81, 0.75, 0.9), 2), with_interval(Difference(0.1, -0.02, 0.2, 0.1), 2)
    ('0.81 [0.75, 0.90]', '+0.10 [−0.02, +0.20]')
    """
    sign = "+" if isinstance(found, Difference) else ""
    value, low, high = (f"{x:{sign}.{digits}f}".replace("-", "−") for x in found[:3])
    return f"{value} [{low}, {high}]"


def leader(run: Run, measure: str, only: Iterable[str] | None = None, **options: Unpack[Options]) -> str:
    """One sentence: who has the highest value, by how much, and whether the runner-up is resolved from it."""
    m = find(measure)
    values = {name: m.estimate(run.games, name, **options) for name in _chosen(m.methods(run.games), only)}
    if not values:
        return f"{run.title}: not played, so nothing to compare."
    first, *rest = sorted(values, key=lambda name: -values[name].value)
    text = f"{run.title}: {label_of(first)} is highest with {with_interval(values[first])}"
    if not rest:
        return f"{text}; nothing to compare it with."
    lead = m.difference(run.games, first, rest[0], **options)
    settled = (
        "which the interval separates from zero" if lead.low > 0 else "which the interval does not separate from zero"
    )
    return f"{text}, ahead of {label_of(rest[0])} by {with_interval(lead)}, {settled}."


def beats(run: Run, measure: str, baseline: str = "random", **options: Unpack[Options]) -> str:
    """One sentence: which methods the intervals put above the baseline, which below, and which on neither side."""
    m = find(measure)
    names = [name for name in m.methods(run.games) if name != baseline]
    if baseline not in m.methods(run.games) or not names:
        return f"{run.title}: not played, or not by {label_of(baseline)}, so nothing to compare."
    sides: dict[str, list[str]] = {"above": [], "below": [], "not resolved from": []}
    for name in names:
        found = m.difference(run.games, name, baseline, **options)
        side = "above" if found.low > 0 else "below" if found.high < 0 else "not resolved from"
        sides[side].append(label_of(name))
    return (
        f"{run.title}: "
        + "; ".join(f"{side} {label_of(baseline)}: {', '.join(listed) or 'none'}" for side, listed in sides.items())
        + "."
    )


def find(measure: str) -> Measure:
    """The measure of that name; ValueError lists the known ones."""
    if measure not in MEASURES:
        raise ValueError(f"unknown measure {measure!r}; known: {', '.join(MEASURES)}")
    return MEASURES[measure]


def _mean(total: Array, count: Array) -> Array:
    return (total / count)[..., 0]


def _chosen(methods: list[str], only: Iterable[str] | None) -> list[str]:
    wanted = None if only is None else set(only)
    return [name for name in methods if wanted is None or name in wanted]
