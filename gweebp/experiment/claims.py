"""The paper's claims C1-C8 as statements about paired differences, and a rule that gives each a verdict.

A claim is a set of comparisons, each on one network, one dataset and one measure (`measures.MEASURES`):

- *better*: first minus second is positive. It is **for** the claim when the difference is positive and its two-sided
  bootstrap p, corrected by Holm (1979) over all such comparisons of all claims, is below α; **against** when it is
  negative at the same level; else **open**. A claim that names a margin also needs a difference of at least that.
- *alike*: first and second differ by less than a margin. **For** when the whole interval of the difference lies within
  ±margin, **against** when it lies wholly outside, else **open**; the interval has level 1 − 2α/k for k such
  comparisons (two one-sided tests, Bonferroni).

C8 is about the games themselves: *better* is then a ranking of the methods that agrees more with the truth
(`yardsticks.agreement_difference`).

Verdict of a claim about *all* of its comparisons: **contradicted** if one is against it, **reproduced** if all are for
it, else **not resolved**. A claim about *most* of them needs more than half on one side. A claim that needs a method,
dataset or game that the results do not have is **not tested here**; what could be compared is counted all the same.

The number of resamples grows with that of comparisons: p can't be below 2/(resamples + 1), and Holm multiplies it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gweebp.experiment.agreement import agreement_difference
from gweebp.experiment.build import NAMES, Run
from gweebp.experiment.paper import METHODS, STANDS_FOR
from gweebp.experiment.scores import Drawn
from gweebp.experiment.training_seeds import pooled_draws, trainings
from gweebp.games.bootstrap import Difference
from gweebp.methods.names import label_of

__all__ = ["CLAIMS", "Claim", "Comparison", "Finding", "Judged", "holm", "judge"]

TRUTH = "truth"  # in place of a game: `first` and `second` are games, compared by their agreement with the truth
FOR, AGAINST, OPEN = "for", "against", "open"
REPRODUCED, CONTRADICTED, UNRESOLVED, UNTESTED = "reproduced", "contradicted", "not resolved", "not tested here"


@dataclass(frozen=True)
class Comparison:
    """First over second on one of the paper's datasets; alike: no difference; wide: one of at least the margin."""

    game: str
    dataset: str
    network: str
    first: str
    second: str
    alike: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Claim:
    """What the paper says, and how it is checked.

    Attributes:
        key: C1..C8. text: the claim in words. comparisons: what it comes down to.
        most: it is about most of the comparisons, not all of them.
    """

    key: str
    text: str
    comparisons: tuple[Comparison, ...] = ()
    most: bool = False


@dataclass(frozen=True)
class Finding:
    """One comparison as made on one run: its difference, its corrected p (nan where alike), and the side it takes."""

    comparison: Comparison
    run: Run
    difference: Difference
    p: float
    side: str


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict, its findings, and what it lacked."""

    claim: Claim
    verdict: str
    findings: tuple[Finding, ...]
    lacking: tuple[str, ...]

    def count(self, side: str) -> int:
        """How many findings are "for", "against" or "open"."""
        return sum(finding.side == side for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Side -> number of findings on it."""
        return {side: self.count(side) for side in (FOR, AGAINST, OPEN)}

    @property
    def sentence(self) -> str:
        """The verdict and what is behind it, in words."""
        text = f"{self.claim.key} is {self.verdict}"
        if self.lacking:
            text += f" (the results lack {', '.join(self.lacking)})"
        if self.findings:
            counts = f"for it {self.count(FOR)}, against it {self.count(AGAINST)}, open {self.count(OPEN)}"
            text += f"; of the {len(self.findings)} comparisons that can be made, {counts}"
        return text + "."


def _first(
    game: str, dataset: str, network: str, first: str, over: Sequence[str], wide: bool = False
) -> list[Comparison]:
    return [Comparison(game, dataset, network, first, other, wide=wide) for other in over if other != first]


BOTH, DATASETS = ("vgg16", "lcnn9"), ("UoM-SGFS", "CUHK")
TOP = ("gweebp", "xface", "corrrise")
CONTRASTIVE = ("gradcam", "cebp", "tcebp", "xface", "corrrise", "gweebp")  # they see the non-mate
EXTENDED = (("eebp", "ebp"), ("ecebp", "cebp"), ("etcebp", "tcebp"))


def _claims() -> tuple[Claim, ...]:
    rest = [m for m in METHODS if m not in TOP]
    below = [m for m in METHODS if m != "gweebp"]
    c1 = [c for n in BOTH for top in TOP for c in _first("hiding", "UoM-SGFS", n, top, rest)]
    c1 += _first("hiding", "UoM-SGFS", "vgg16", "gweebp", TOP)
    c2 = [c for n in BOTH for c in _first("hiding", "CUHK", n, "gweebp", METHODS)]
    c2 += _first("hiding", "CUHK", "vgg16", "corrrise", below) + _first("hiding", "CUHK", "lcnn9", "ebp", below)
    c3 = [c for n in BOTH for c in _first("inpainting", "UoM-SGFS", n, "gweebp", METHODS, wide=True)]
    c4 = [c for n in BOTH for c in _first("inpainting", "CUHK", n, "gweebp", METHODS)]
    c5 = [Comparison("inpainting", d, "lcnn9", *pair) for d in DATASETS for pair in EXTENDED[1:]]
    c6 = [Comparison("inpainting", d, "vgg16", *pair, alike=True) for d in DATASETS for pair in EXTENDED]
    c7 = [
        Comparison(game, d, n, better, poor)
        for game in ("hiding", "inpainting") for d in DATASETS for n in BOTH
        for poor in ("ebp", "pairwisesim") for better in CONTRASTIVE
    ]  # fmt: skip
    return (
        Claim("C1", "Hiding game, UoM-SGFS: the top three are gweEBP, XFace and CorrRISE on both networks, gweEBP "
              "first on VGG16.", tuple(c1)),
        Claim("C2", "Hiding game, CUHK: gweEBP is first on both networks; second is CorrRISE on VGG16, EBP on LCNN9.",
              tuple(c2)),
        Claim("C3", "Inpainting game, UoM-SGFS: gweEBP is first by a wide margin on both networks.", tuple(c3)),
        Claim("C4", "Inpainting game, CUHK: gweEBP is first on both networks.", tuple(c4)),
        Claim("C5", "Ablation: ecEBP beats cEBP and etcEBP beats tcEBP on LCNN9, on both datasets.", tuple(c5)),
        Claim("C6", "Ablation: no noticeable difference between the two families on VGG16.", tuple(c6)),
        Claim("C7", "EBP and PairwiseSIM, which do not see the non-mate, are poor in general: most contrastive methods "
              "beat them.", tuple(c7), most=True),
        Claim("C8", "The inpainting game is the more reliable of the two: on most networks and datasets its ranking of "
              "the methods is nearer to the truth than the hiding game's.",
              tuple(Comparison(TRUTH, d, n, "inpainting", "hiding") for d in DATASETS for n in BOTH), most=True),
    )  # fmt: skip


#: the eight claims, in the order of methods.md and of the book
CLAIMS = _claims()


def judge(
    runs: Sequence[Run],
    claims: Sequence[Claim] = CLAIMS,
    *,
    inpainting: str = "inpainting-10",
    truth: str = "precision",
    margin: float = 0.05,
    alpha: float = 0.05,
    resamples: int = 2000,
    seed: int = 0,
    seeds: int = 1,
) -> list[Judged]:
    """Give each claim its verdict.

    Args:
        runs: of one build.
        seeds: trainings of each network in that build. A difference is the mean over those that played both methods,
            its interval covers people and trainings (`replicates.pooled`); C8 is judged on the first training.
        claims: default, the paper's eight.
        inpainting: the measure of the inpainting game that decides, a name in `measures.MEASURES`.
        truth: the score of the maps against the true region that both games are compared with, for C8.
        margin: what counts as a noticeable, or wide, difference of a measure.
        alpha: level of all verdicts together, of each kind of comparison.
        resamples: of the bootstrap, at least; seed: of it.
    """
    if not 0 < alpha < 1 or not margin > 0:
        raise ValueError(f"alpha={alpha}, margin={margin}: expected a level between 0 and 1 and a positive margin")
    measure = {"hiding": "hiding", "inpainting": inpainting}
    wanted = [(c, run) for claim in claims for c in claim.comparisons for run in _runs(c, runs)]
    made = list(dict.fromkeys((c, run) for c, run in wanted if _played(c, run)))  # once, where two claims share one
    alike = sum(c.alike for c, _ in made)
    enough = max(resamples, math.ceil(4 * len(made) / alpha))
    differences: dict[tuple[Comparison, Run], Difference] = {}
    # each method once, however many it is compared with
    drawn: dict[tuple[tuple[Run, ...], str, str], Drawn] = {}
    for c, run in made:
        level = 1 - 2 * alpha / alike if c.alike else 1 - alpha
        if c.game == TRUTH:
            games = (inpainting if c.first == "inpainting" else c.first, c.second)
            differences[c, run] = agreement_difference(run, *games, truth, enough, seed, level)
            continue
        own = tuple(r for r in trainings(run, seeds) if _played(c, r))
        for name in (c.first, c.second):
            if (own, c.game, name) not in drawn:
                drawn[own, c.game, name] = pooled_draws(own, measure[c.game], name, resamples=enough, seed=seed)
        differences[c, run] = drawn[own, c.game, c.first].over(drawn[own, c.game, c.second], level)
    tested = [key for key in made if not key[0].alike]
    corrected = dict(zip(tested, holm([differences[key].p for key in tested]), strict=True))
    findings = {
        (c, run): Finding(
            c, run, d, corrected.get((c, run), math.nan), _side(c, d, corrected.get((c, run)), margin, alpha)
        )
        for (c, run), d in differences.items()
    }
    return [_judged(claim, runs, findings) for claim in claims]


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p values of all comparisons together, each at most 1.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p), 0.0
    for done, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - done) * p[i]))
        corrected[i] = largest
    return corrected


def _side(c: Comparison, d: Difference, p: float | None, margin: float, alpha: float) -> str:
    if c.alike:
        if -margin < d.low and d.high < margin:
            return FOR
        return AGAINST if d.low > margin or d.high < -margin else OPEN
    if p is None or p >= alpha or d.value == 0:
        return OPEN
    if d.value < 0:
        return AGAINST
    return FOR if d.value >= margin or not c.wide else OPEN


def _runs(c: Comparison, runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.network == c.network and STANDS_FOR.get(run.dataset) == c.dataset]


def _played(c: Comparison, run: Run) -> bool:
    if c.game == TRUTH:
        return bool(run.games.inpainting)
    return {c.first, c.second} <= set(getattr(run.games, c.game))


def _judged(claim: Claim, runs: Sequence[Run], findings: dict[tuple[Comparison, Run], Finding]) -> Judged:
    own = tuple(findings[c, run] for c in claim.comparisons for run in _runs(c, runs) if (c, run) in findings)
    lacking = _lacking(claim, runs)
    if lacking or not own:
        return Judged(claim, UNTESTED, own, lacking)
    share = {side: sum(f.side == side for f in own) / len(own) for side in (FOR, AGAINST)}
    needed = 0.5 if claim.most else 1 - 1e-9
    if share[AGAINST] > (0.5 if claim.most else 0):
        return Judged(claim, CONTRADICTED, own, ())
    return Judged(claim, REPRODUCED if share[FOR] > needed else UNRESOLVED, own, ())


def _lacking(claim: Claim, runs: Sequence[Run]) -> tuple[str, ...]:
    """Methods, datasets, networks and games that a claim needs and the results do not have."""
    lacking: dict[str, None] = {}
    for c in claim.comparisons:
        matching = _runs(c, runs)
        if not matching:
            lacking[f"{NAMES[c.network]} on a set that stands for {c.dataset}"] = None
        for run in matching:
            game = "inpainting" if c.game == TRUTH else c.game  # the truth is that of the quadruplets
            played = getattr(run.games, game)
            if not played:
                lacking[f"the {game} game of {run.title}"] = None
            elif c.game != TRUTH:
                lacking |= dict.fromkeys(label_of(m) for m in (c.first, c.second) if m not in played)
    return tuple(lacking)
