"""The paper's claims, sentence by sentence: its own words, and the comparisons that they come down to here.

Source: Wang, Kannappan, Bai, Gibson and Solomon, "Extended excitation backprop with gradient weighting", Pattern
Recognition Letters 192 (2025): abstract, Sec. 1, 4.3, 4.4, 4.5 and 4.6. The paper prints curves and no numbers: the
area under TPR stands for a curve of the hiding game, the mean SR up to FAR 10 % for one of the inpainting game ("high
SR at low FAR", Sec. 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gweebp.experiment.paper import METHODS

HIDING, INPAINTING = "hiding", "inpainting"
TRUTH, AGREEMENT = "truth", "agreement"  #: no game: the maps themselves; how well the two games rank the methods
BETTER, WIDE, NO_GAIN = "better", "wide", "no gain"
CONTRASTIVE = "contrastive"  #: in place of a method: the mean of those that see the non-mate

BOTH, DATASETS = ("vgg16", "lcnn9"), ("UoM-SGFS", "CUHK")
TOP = ("gweebp", "xface", "corrrise")
SEE_NONMATE = ("gradcam", "cebp", "tcebp", "xface", "corrrise", "gweebp")
EXTENDED = (("eebp", "ebp"), ("ecebp", "cebp"), ("etcebp", "tcebp"))
OTHERS = tuple(m for m in METHODS if m != "gweebp")


@dataclass(frozen=True)
class Comparison:
    """First against second, on one of the paper's datasets and one network.

    Attributes:
        game: HIDING, INPAINTING, TRUTH (scores of the maps against what was changed), or AGREEMENT, where first and
            second are games and the figure is how well they rank the methods.
        asserts: BETTER, first minus second is above 0; WIDE, it is above the margin; NO_GAIN, it is below the margin.
    """

    game: str
    dataset: str
    network: str
    first: str
    second: str
    asserts: str = BETTER


@dataclass(frozen=True)
class Sentence:
    """A sentence of the paper.

    Attributes:
        words: the paper's own. where: section. ours: what is compared here, in words.
        cases: groups of comparisons; a case holds if all of its comparisons do.
        most: the sentence is about most of its cases ("in general", "in most cases"), not all.
    """

    words: str
    where: str
    ours: str
    cases: tuple[tuple[Comparison, ...], ...]
    most: bool = False

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Those of all cases."""
        return tuple(c for case in self.cases for c in case)


@dataclass(frozen=True)
class Claim:
    """Sentences about one thing. key: C1 to C9. text: what it is about."""

    key: str
    text: str
    sentences: tuple[Sentence, ...]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Those of all sentences."""
        return tuple(c for sentence in self.sentences for c in sentence.comparisons)


def over(
    game: str, dataset: str, networks: Iterable[str], first: str, seconds: Sequence[str], asserts: str = BETTER
) -> tuple[Comparison, ...]:
    """First against each of the others, on each network."""
    return tuple(
        Comparison(game, dataset, n, first, second, asserts) for n in networks for second in seconds if second != first
    )


def _all(*comparisons: Comparison) -> tuple[tuple[Comparison, ...], ...]:
    """Each a case of its own."""
    return tuple((c,) for c in comparisons)


def _hiding() -> tuple[Claim, ...]:
    rest = [m for m in METHODS if m not in TOP]
    uom = "UoM-SGFS"
    second = over(HIDING, "CUHK", ["vgg16"], "corrrise", [m for m in OTHERS if m != "corrrise"])
    second += over(HIDING, "CUHK", ["lcnn9"], "ebp", [m for m in OTHERS if m != "ebp"])
    return (
        Claim("C1", "Hiding game, UoM-SGFS", (
            Sentence("For both networks, the top-3 best methods are gweEBP, xFace and CorrRISE", "4.3.1",
                     "each of the three is better than each of the five others, on both networks",
                     _all(*(c for top in TOP for c in over(HIDING, uom, BOTH, top, rest)))),
            Sentence("gweEBP performs slightly better than the other two for VGG16", "4.3.1",
                     "gweEBP is better than XFace and than CorrRISE, on VGG16, by whatever amount",
                     _all(*over(HIDING, uom, ["vgg16"], "gweebp", TOP))),
            Sentence("xFace and CorrRISE are better than gweEBP for LCNN9", "4.3.1",
                     "XFace and CorrRISE are each better than gweEBP, on LCNN9",
                     _all(*(c for top in TOP[1:] for c in over(HIDING, uom, ["lcnn9"], top, ["gweebp"])))),
        )),
        Claim("C2", "Hiding game, CUHK", (
            Sentence("The gweEBP method is superior over the others", "4.3.2",
                     "gweEBP is better than each of the seven others, on both networks",
                     _all(*over(HIDING, "CUHK", BOTH, "gweebp", OTHERS))),
            Sentence("The second best method for VGG16 and LCNN9 is CorrRISE and EBP, respectively", "4.3.2",
                     "CorrRISE on VGG16 and EBP on LCNN9 are better than each of the six others that are not gweEBP",
                     _all(*second)),
        )),
    )  # fmt: skip


def _inpainting() -> tuple[Claim, ...]:
    first = {d: over(INPAINTING, d, BOTH, "gweebp", OTHERS) for d in DATASETS}
    wide = {d: over(INPAINTING, d, BOTH, "gweebp", OTHERS, WIDE) for d in DATASETS}
    accurate = [c for d in DATASETS for c in over(TRUTH, d, BOTH, "gweebp", OTHERS)]
    ablation = [Comparison(INPAINTING, d, "lcnn9", first, second) for d in DATASETS for first, second in EXTENDED[1:]]
    no_gain = [
        Comparison(INPAINTING, d, "vgg16", first, second, NO_GAIN) for d in DATASETS for first, second in EXTENDED
    ]
    return (
        Claim("C3", "Inpainting game, UoM-SGFS", (
            Sentence("the gweEBP method outperforms the other methods", "4.4.1",
                     "gweEBP is better than each of the seven others, on both networks", _all(*first["UoM-SGFS"])),
            Sentence("by a big margin", "4.4.1",
                     "its lead over each of them is above the margin, on both networks", _all(*wide["UoM-SGFS"])),
            Sentence("regardless of networks and datasets", "4.4.1",
                     "its lead over each of them is above the margin on the other dataset too", _all(*wide["CUHK"])),
        )),
        Claim("C4", "Inpainting game, CUHK", (
            Sentence("gweEBP performs the best on both the networks", "4.4.2",
                     "gweEBP is better than each of the seven others, on both networks", _all(*first["CUHK"])),
            Sentence("gweEBP is often more accurate than the other competitors regardless of datasets and networks",
                     "4.4.2", "in most pairs of a competitor and a network on a dataset, gweEBP's maps have a higher "
                     "average precision for what was changed", _all(*accurate), most=True),
        )),
        Claim("C5", "Ablation, LCNN9", (
            Sentence("the ecEBP and etcEBP outperform their respective counterparts cEBP and tcEBP for LCNN9 on both "
                     "datasets", "4.5", "each extended method is better than its counterpart, on both datasets",
                     _all(*ablation)),
        )),
        Claim("C6", "Ablation, VGG16", (
            Sentence("no noticeable improvements are observed for VGG16", "4.5",
                     "each extended method's lead over its counterpart is below the margin, on both datasets",
                     _all(*no_gain)),
        )),
    )  # fmt: skip


def _general() -> tuple[Claim, ...]:
    runs = [(game, d, n) for game in (HIDING, INPAINTING) for d in DATASETS for n in BOTH]
    poor = [Comparison(game, d, n, CONTRASTIVE, m) for game, d, n in runs for m in ("ebp", "pairwisesim")]
    games = [Comparison(AGREEMENT, d, n, INPAINTING, HIDING) for d in DATASETS for n in BOTH]
    best = tuple(over(game, d, [n], "gweebp", OTHERS) for game, d, n in runs)
    return (
        Claim("C7", "EBP and PairwiseSIM", (
            Sentence("EBP and PairwiseSIM perform poorly in general", "4.6",
                     "in most cases of a game, a network and a dataset, each is worse than the mean of the six methods "
                     "that see the non-mate", _all(*poor), most=True),
        )),
        Claim("C8", "The two games", (
            Sentence("the inpainting game is a more reliable metric than the hiding game", "1",
                     "on most networks and datasets, the inpainting game's ranking of the methods agrees better with "
                     "the known truth than that of the hiding game on the same trials", _all(*games), most=True),
        )),
        Claim("C9", "The abstract", (
            Sentence("the proposed method outperforms the competing methods in both games in most cases", "abstract",
                     "in most of the eight cases of a game, a network and a dataset, gweEBP is better than each of the "
                     "seven others", best, most=True),
        )),
    )  # fmt: skip


#: the paper's claims, in its order; C9 is the abstract's
CLAIMS = (*_hiding(), *_inpainting(), *_general())
