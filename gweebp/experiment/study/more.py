"""How many trainings would decide a sentence that is not resolved, if differences and scatter stay as they were found.

Training k is tested on people of its own, so that K trainings have 1/√K of the scatter of one and K − 1 degrees of
freedom. The rule of `claims` judges the sentence again on K made-up trainings, with the mean and the standard deviation
of those that were made: the first K at which the verdict is no longer "not resolved" is what the sentence needs. It is
a projection: at that K a comparison that truly lies where it was found decides in about half of all repetitions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gweebp.experiment.claims import ALPHA, MARGIN, UNRESOLVED, JudgedSentence, judge
from gweebp.experiment.evidence import Evidence
from gweebp.experiment.sentences import Claim
from gweebp.games.jackknife import Known

MOST = 200  #: trainings beyond which nobody would go
STAY = ", if differences and scatter stay as they are"


@dataclass(frozen=True)
class Projected(Evidence):
    """A run as `count` trainings would have it. found: (game, first, second) -> mean and standard deviation."""

    name: str = ""
    count: int = 2
    found: Mapping[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The run's."""
        return self.name

    def differences(self, game: str, first: str, second: str) -> list[Known] | None:
        """One per training, each on people of its own; None where the run has none."""
        if (game, first, second) not in self.found:
            return None
        mean, deviation = self.found[game, first, second]
        spread = np.linspace(-1.0, 1.0, self.count)
        values = mean + deviation * spread / spread.std(ddof=1)
        return [Known(float(v), np.array([k]), np.zeros(1)) for k, v in enumerate(values)]


def needed(
    one: JudgedSentence,
    study: Sequence[Evidence],
    made: Sequence[int],
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> tuple[int, str] | None:
    """The fewest trainings of each run that would decide a sentence, and its verdict then; None: not MOST of them.

    Args:
        one: a sentence that is not resolved. study: what it was judged on.
        made: trainings behind each of its findings, each at least 2.
        margin, alpha: as it was judged.
    """
    found: dict[str, dict[tuple[str, str, str], tuple[float, float]]] = {}
    for f, n in zip(one.findings, made, strict=True):
        c = f.comparison
        found.setdefault(f.run, {})[c.game, c.first, c.second] = f.error.value, f.error.error * math.sqrt(n)
    claim = Claim("", "", (one.sentence,))
    for k in range(max(made) + 1, MOST + 1):
        runs = [Projected(e.network, e.dataset, (), {}, e.title, k, found.get(e.title, {})) for e in study]
        (judged,) = judge(runs, [claim], margin=margin, alpha=alpha)
        if judged.verdict != UNRESOLVED:
            return k, judged.verdict
    return None


def more(
    one: JudgedSentence,
    study: Sequence[Evidence],
    made: Sequence[int],
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> str:
    """What would decide a sentence, in words; arguments as of `needed`.

    "" where it is decided or not tested, or where trainings were tested on the same people, so that more trainings
    alone would not scale as above.
    """
    if one.verdict != UNRESOLVED:
        return ""
    if min(made) < 2:
        return "a second training of each method, since one does not say what trainings differ by"
    if any(f.error.size != n or not math.isclose(f.error.freedom, n - 1) for f, n in zip(one.findings, made)):
        return ""
    found = needed(one, study, made, margin=margin, alpha=alpha)
    if found is None:
        return f"not {MOST} trainings: the differences lie too near to their bars"
    return f"{found[0]} trainings of each run ({found[1]}){STAY}"
