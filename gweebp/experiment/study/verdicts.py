"""The paper's sentences with their verdicts, and for each what decided it: rows for tables, pictures and first pages.

Use: `verdicts(of_study("data/study"))`, some seconds. A verdict rests on the comparisons that decided it: of a sentence
that is contradicted the one furthest on the other side of its bar, of a reproduced one the one nearest to its bar, of
one that is not resolved the one furthest from being for it. Where fewer than ENOUGH trainings stand behind what decided
it, the verdict is preliminary: an interval over the people of one training leaves out that trainings differ too. A
sentence is reproduced by all of its comparisons, so that the fewest trainings behind any of them count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gweebp.experiment.claims import (
    AGAINST,
    ALPHA,
    CONTRADICTED,
    FOR,
    MARGIN,
    OPEN,
    REPRODUCED,
    UNTESTED,
    Finding,
    Judged,
    JudgedSentence,
    judge,
)
from gweebp.experiment.evidence import Evidence
from gweebp.experiment.scores import with_interval
from gweebp.experiment.sentences import AGREEMENT, NO_GAIN, WIDE
from gweebp.experiment.study.more import STAY, more
from gweebp.experiment.study.summary import ENOUGH
from gweebp.methods.names import label_of

PRELIMINARY = "preliminary"


@dataclass(frozen=True)
class Verdict:
    """A sentence of the paper as the study judges it.

    Attributes:
        claim: C1 to C9. words, where: the paper's own, and its section. ours: what is compared here, in words.
        verdict: "reproduced", "contradicted", "not resolved" or "not tested here". counts: comparisons for, open and
            against. decided: which comparison decided it, in words; what is lacking, where it is not tested.
        not_made: comparisons that the sentence needs and that are not played yet.
        trainings: the fewest behind what decided it; 0 where nothing was compared.
        decides: whether the claim's own verdict is this sentence's.
        more: what would decide a sentence that is not resolved, in words; "" for any other.
    """

    claim: str
    words: str
    where: str
    ours: str
    verdict: str
    counts: Mapping[str, int]
    not_made: int
    decided: str
    trainings: int
    decides: bool
    more: str = ""

    @property
    def preliminary(self) -> bool:
        """Whether it was decided by fewer than ENOUGH trainings."""
        return self.verdict in (REPRODUCED, CONTRADICTED) and self.trainings < ENOUGH

    @property
    def text(self) -> str:
        """The verdict in print.

        >>> Verdict("C1", "w", "4.3", "o", "reproduced", {}, 0, "", 1, True).text
        'reproduced (preliminary: 1 training)'
        """
        if not self.preliminary:
            return self.verdict
        return f"{self.verdict} ({PRELIMINARY}: {self.trainings} training{'s' * (self.trainings != 1)})"


def verdicts(
    study: Sequence[Evidence],
    judged: Sequence[Judged] | None = None,
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> list[Verdict]:
    """One row per sentence, in the paper's order.

    Args:
        study: what is judged. judged: as `claims.judge` gives it, where that was done already.
        margin, alpha: as `claims.judge` takes them.
    """
    return [
        Verdict(
            j.claim.key,
            one.sentence.words,
            one.sentence.where,
            one.sentence.ours,
            one.verdict,
            one.counts,
            max(0, len(one.sentence.comparisons) - len(one.findings)),
            decided(one, alpha),
            min((trainings(study, f) for f in rests_on(one)), default=0),
            one is j.deciding,
            more(one, study, [trainings(study, f) for f in one.findings], margin=margin, alpha=alpha),
        )
        for j in (judge(study, margin=margin, alpha=alpha) if judged is None else judged)
        for one in j.sentences
    ]


def of_claims(rows: Sequence[Verdict]) -> list[Verdict]:
    """The row of each claim that decided its verdict."""
    return [row for row in rows if row.decides]


def deciding(one: JudgedSentence) -> list[Finding]:
    """The comparison or comparisons that decided a sentence; of one about most cases, all that were made."""
    if not one.findings or one.verdict == UNTESTED:
        return []
    if one.sentence.most:
        return list(one.findings)
    if one.verdict == CONTRADICTED:
        return [min((f for f in one.findings if f.side == AGAINST), key=lambda f: f.p_against)]
    if one.verdict == REPRODUCED:
        return [max(one.findings, key=lambda f: f.p_for)]
    return [max((f for f in one.findings if f.side == OPEN), key=lambda f: f.p_for)]


def rests_on(one: JudgedSentence) -> list[Finding]:
    """The comparisons without which a sentence would not have its verdict."""
    return list(one.findings) if one.verdict == REPRODUCED else deciding(one)


def decided(one: JudgedSentence, alpha: float = ALPHA) -> str:
    """What decided a sentence, in words."""
    if one.verdict == UNTESTED:
        return f"not played yet: {', '.join(one.lacking)}" if one.lacking else "nothing was compared"
    if one.sentence.most:
        n, counts = len(one.sentence.cases), one.counts
        return (
            f"of {len(one.findings)} comparisons in {n} cases, {counts[FOR]} for it, {counts[OPEN]} open, "
            f"{counts[AGAINST]} against"
        )
    (found,) = deciding(one)
    behind = found.side == OPEN and found.p_against < alpha / 2
    return described(found) + (f"; alone it would be against, among {len(one.findings)} it is open" if behind else "")


def described(f: Finding) -> str:
    """A comparison with its difference: "gweEBP less EBP, VGG16 drawn, hiding game: 0.02 [-0.01, 0.05], bar 0"."""
    c = f.comparison
    first, second = (x if c.game == AGREEMENT else label_of(x) for x in (c.first, c.second))
    bar = {WIDE: ", asserted above the margin", NO_GAIN: ", asserted below the margin"}.get(c.asserts, "")
    game = "agreement with the truth" if c.game == AGREEMENT else f"{c.game} game" if c.game != "truth" else "truth"
    return f"{first} less {second}, {f.run}, {game}: {with_interval(f.difference)}{bar}"


def trainings(study: Sequence[Evidence], f: Finding) -> int:
    """How many trainings a comparison was made on: those that played all of its methods."""
    (run,) = (e for e in study if e.title == f.run)
    if f.comparison.game == AGREEMENT:
        return len(run.units)
    wanted = {m for name in (f.comparison.first, f.comparison.second) for m in run.members(name)}
    return sum(wanted <= unit.plays(f.comparison.game) for unit in run.units)


def beaten_by(judged: Sequence[Judged], first: str = "gweebp") -> dict[str, list[str]]:
    """Claim -> the methods that a method should be ahead of and is clearly behind, each with the run, in words."""
    found: dict[str, list[str]] = {}
    for j in judged:
        for f in j.findings:
            if f.side == AGAINST and f.comparison.first == first:
                found.setdefault(j.claim.key, []).append(f"{label_of(f.comparison.second)} ({f.run})")
    return {key: list(dict.fromkeys(names)) for key, names in found.items()}


def sentence(rows: Sequence[Verdict]) -> str:
    """All claims in one sentence: "C5 reproduced; C1 and C4 contradicted; C8 not resolved"."""
    found: dict[str, list[str]] = {}
    for row in of_claims(rows):
        mark = f" ({PRELIMINARY})" if row.preliminary else ""
        found.setdefault(row.verdict + mark, []).append(row.claim)
    return "; ".join(f"{', '.join(keys)} {verdict}" for verdict, keys in found.items())


def outlook(rows: Sequence[Verdict]) -> str:
    """What would decide the claims that are not resolved, in a sentence; "" where all are.

    Args:
        rows: of all sentences; those that decided their claims are told.
    """
    found: dict[str, list[str]] = {}
    for row in of_claims(rows):
        if row.more:
            found.setdefault(row.more.removesuffix(STAY), []).append(row.claim)
    told = "; ".join(f"{', '.join(keys)}: {what}" for what, keys in found.items())
    return f"What the same rule needs to decide the claims that are not resolved{STAY}: {told}." if told else ""


def bars(rows: Sequence[Verdict]) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
    """What `figures.verdicts` draws: the counts of each sentence, and its verdict."""
    names = [f"{row.claim} “{row.words}”" for row in rows]
    counts = [{**row.counts, "not made": row.not_made} for row in rows]
    return dict(zip(names, counts, strict=True)), {n: row.text for n, row in zip(names, rows, strict=True)}
