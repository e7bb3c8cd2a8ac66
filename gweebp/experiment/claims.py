"""Verdicts on the paper's sentences, by a rule that was written before the outcomes that it judges.

A comparison asserts that first minus second is above a bar (0, or the margin), or below it (no noticeable gain). With
its error over people and trainings (`games.jackknife`) it is, at level α:

- **for** the sentence, where the (1 − α) interval lies on the asserted side of the bar. A sentence about *all* of its
  comparisons is an intersection-union test: it is true only if every comparison is, so each is tested at the same
  level, and no correction is due;
- **against** it, where the interval lies on the other side after Holm's correction over the comparisons of the
  sentence: one of many may be against by chance;
- **open** otherwise.

A sentence about all is **contradicted** by one comparison against it, **reproduced** by all for it, else **not
resolved**. One about *most* of n cases needs more than half of them: the least that r of n are on a side is tested by
Benjamini and Heller's partial conjunction, (n − r + 1) times the r-th smallest p; it is contradicted where at least
half fail. A claim is contradicted if one of its sentences is, reproduced if all are. What needs a method, dataset or
game that the results lack is **not tested here**.

Sources: Berger and Hsu, "Bioequivalence trials, intersection-union tests and equivalence confidence sets", Statist.
Sci. 1996; Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 1979; Benjamini and
Heller, "Screening for partial conjunction hypotheses", Biometrics 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gweebp.experiment.evidence import Evidence, label
from gweebp.experiment.paper import STANDS_FOR
from gweebp.experiment.sentences import CLAIMS, NO_GAIN, WIDE, Claim, Comparison, Sentence
from gweebp.games import jackknife
from gweebp.games.bootstrap import Difference
from gweebp.games.jackknife import Error
from gweebp.games.student import quantile

__all__ = ["CLAIMS", "Finding", "Judged", "JudgedSentence", "holm", "judge"]

FOR, AGAINST, OPEN = "for", "against", "open"
REPRODUCED, CONTRADICTED, UNRESOLVED, UNTESTED = "reproduced", "contradicted", "not resolved", "not tested here"
MARGIN, ALPHA = 0.05, 0.05


@dataclass(frozen=True)
class Finding:
    """One comparison as made on one run.

    Attributes:
        difference: first minus second, its interval and its two-sided p against 0. error: behind it.
        p_for, p_against: one-sided, of the assertion and of its opposite; not corrected.
        side: "for", "against" or "open", after Holm's correction within the sentence.
    """

    comparison: Comparison
    run: str
    difference: Difference
    error: Error
    p_for: float
    p_against: float
    side: str = OPEN

    @property
    def detectable(self) -> float:
        """The true distance from the bar that such a comparison finds in about three of four repetitions."""
        f = self.error.freedom
        return (quantile(1 - ALPHA / 2, f) + quantile(0.8, f)) * self.error.error


@dataclass(frozen=True)
class JudgedSentence:
    """A sentence with its verdict, its findings, and what the results lack for it."""

    sentence: Sentence
    verdict: str
    findings: tuple[Finding, ...]
    lacking: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Side -> number of findings on it."""
        return {side: sum(f.side == side for f in self.findings) for side in (FOR, AGAINST, OPEN)}


@dataclass(frozen=True)
class Judged:
    """A claim with its sentences; `verdict`, and `deciding`, the sentence that decided it."""

    claim: Claim
    sentences: tuple[JudgedSentence, ...]

    @property
    def deciding(self) -> JudgedSentence:
        """The first sentence that is contradicted, else not tested, else not resolved; else the first."""
        for verdict in (CONTRADICTED, UNTESTED, UNRESOLVED):
            for one in self.sentences:
                if one.verdict == verdict:
                    return one
        return self.sentences[0]

    @property
    def verdict(self) -> str:
        """That of the deciding sentence."""
        return self.deciding.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of all sentences."""
        return tuple(f for one in self.sentences for f in one.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Side -> number of findings on it, over all sentences."""
        return {side: sum(one.counts[side] for one in self.sentences) for side in (FOR, AGAINST, OPEN)}

    @property
    def lacking(self) -> tuple[str, ...]:
        """What the results lack for any of the sentences."""
        return tuple(dict.fromkeys(x for one in self.sentences for x in one.lacking))

    @property
    def text(self) -> str:
        """The verdict and the sentence that decided it, in words."""
        text = f"{self.claim.key} is {self.verdict}"
        if len(self.sentences) > 1 and self.verdict != REPRODUCED:
            text += f" by “{self.deciding.sentence.words}”"
        if self.deciding.lacking:
            text += f" (the results lack {', '.join(self.deciding.lacking)})"
        if self.findings:
            counts = f"for it {self.counts[FOR]}, against it {self.counts[AGAINST]}, open {self.counts[OPEN]}"
            text += f"; of the {len(self.findings)} comparisons made, {counts}"
        return text + "."


def judge(
    evidence: Sequence[Evidence],
    claims: Sequence[Claim] = CLAIMS,
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> list[Judged]:
    """Give each claim its verdict.

    Args:
        evidence: one per network and dataset.
        claims: default, the paper's.
        margin: what counts as a noticeable, or big, difference of a measure.
        alpha: level of each sentence: at most α/2 to be reproduced, and α/2 to be contradicted, where it is not so.

    Returns:
        One verdict per claim, in the order of `claims`.

    Raises:
        ValueError: alpha is not between 0 and 1, or the margin is not positive.
    """
    if not 0 < alpha < 1 or not margin > 0:
        raise ValueError(f"alpha={alpha}, margin={margin}: expected a level between 0 and 1 and a positive margin")
    return [Judged(c, tuple(_sentence(s, evidence, margin, alpha) for s in c.sentences)) for c in claims]


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction of the p values `p` of all comparisons together, each at most 1.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p), 0.0
    for done, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - done) * p[i]))
        corrected[i] = largest
    return corrected


def at_least(r: int, p: Sequence[float]) -> float:
    """Partial conjunction: the p value of "at least `r` of these are true", from one p value each, r >= 1.

    Args:
        r: from 1 to len(p).
        p: p values of the single statements.

    >>> at_least(2, [0.001, 0.01, 0.5]), at_least(3, [0.001, 0.01, 0.5])
    (0.02, 0.5)
    """
    return min(1.0, (len(p) - r + 1) * sorted(p)[r - 1])


def _sentence(sentence: Sentence, evidence: Sequence[Evidence], margin: float, alpha: float) -> JudgedSentence:
    lacking = _lacking(sentence, evidence)
    cases = [[f for c in case for f in _found(c, evidence, margin, alpha)] for case in sentence.cases]
    flat = [f for case in cases for f in case]
    groups = cases if sentence.most else [flat]  # Holm's: over the sentence; of a case, where cases are counted
    findings = tuple(side for group in groups for side in _sides(group, alpha))
    if lacking or not findings:
        return JudgedSentence(sentence, UNTESTED, findings, lacking)
    if sentence.most:
        return JudgedSentence(sentence, _most(cases, alpha), findings, ())
    sides = {f.side for f in findings}
    verdict = CONTRADICTED if AGAINST in sides else REPRODUCED if sides == {FOR} else UNRESOLVED
    return JudgedSentence(sentence, verdict, findings, ())


def _most(cases: Sequence[Sequence[Finding]], alpha: float) -> str:
    """More than half of the cases hold, or at least half fail, or neither is settled."""
    n = len(cases)
    holds = [max(f.p_for for f in case) for case in cases]
    fails = [min(1.0, len(case) * min(f.p_against for f in case)) for case in cases]
    if at_least(n // 2 + 1, holds) < alpha / 2:
        return REPRODUCED
    return CONTRADICTED if at_least(n - n // 2, fails) < alpha / 2 else UNRESOLVED


def _sides(findings: Sequence[Finding], alpha: float) -> list[Finding]:
    against = holm([f.p_against for f in findings])
    return [
        Finding(**f.__dict__ | {"side": AGAINST if p < alpha / 2 else FOR if f.p_for < alpha / 2 else OPEN})
        for f, p in zip(findings, against, strict=True)
    ]


def _found(c: Comparison, evidence: Sequence[Evidence], margin: float, alpha: float) -> list[Finding]:
    """The comparison on each run that stands for its dataset and played it."""
    found = []
    for run in _runs(c, evidence):
        differences = run.differences(c.game, c.first, c.second)
        if differences is None:
            continue
        e = jackknife.error_of(differences)
        bar = 0.0 if c.asserts not in (WIDE, NO_GAIN) else margin
        above, below = jackknife.above(e, bar), jackknife.below(e, bar)
        p_for, p_against = (below, above) if c.asserts == NO_GAIN else (above, below)
        p = min(1.0, 2 * min(jackknife.above(e), jackknife.below(e)))
        found.append(
            Finding(c, run.title, Difference(e.value, *jackknife.interval(e, 1 - alpha), p), e, p_for, p_against)
        )
    return found


def _runs(c: Comparison, evidence: Sequence[Evidence]) -> list[Evidence]:
    return [run for run in evidence if run.network == c.network and STANDS_FOR.get(run.dataset) == c.dataset]


def _lacking(sentence: Sentence, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Methods, datasets, networks and games that a sentence needs and the results do not have."""
    lacking: dict[str, None] = {}
    for c in sentence.comparisons:
        matching = _runs(c, evidence)
        if not matching:
            lacking[f"{label(c.network)} on a set that stands for {c.dataset}"] = None
        for run in matching:
            lacking |= dict.fromkeys(run.lacks(c.game, c.first, c.second))
    return tuple(lacking)
