"""Verdicts follow the rule: in made-up worlds where a sentence is true, false or unsettled, it gets that verdict."""

import itertools

import numpy as np
import pytest

from gweebp.experiment import claims
from gweebp.experiment.claims import at_least, holm, judge
from gweebp.experiment.evidence import Evidence, of_scores
from gweebp.experiment.paper import METHODS
from gweebp.experiment.sentences import (
    AGREEMENT,
    BETTER,
    CLAIMS,
    CONTRASTIVE,
    HIDING,
    INPAINTING,
    NO_GAIN,
    SEE_NONMATE,
    TRUTH,
    WIDE,
    Claim,
    Comparison,
    Sentence,
)

PEOPLE = 60
PAIRS = (("eebp", "ebp"), ("ecebp", "cebp"), ("etcebp", "tcebp"))
EVERY = sorted({*METHODS, *itertools.chain(*PAIRS)})


class World:
    """One training: each method has its own mean, people and the training add noise."""

    def __init__(self, means, title, *, noise=0.1, number=0, agreement=None, seed=0):
        self.means, self.title, self.noise, self.number, self.lead = means, title, noise, number, agreement
        self.seed = seed

    def plays(self, game):
        return set(self.means.get(game, {}))

    def figure(self, game, method, methods):
        rng = np.random.default_rng([self.seed, self.number, sorted(self.means[game]).index(method), len(game)])
        people = self.number * PEOPLE + np.arange(PEOPLE)
        return of_scores(self.means[game][method] + self.noise * rng.normal(size=PEOPLE), people)

    def agreement_lead(self):
        if self.lead is None:
            return None
        rng = np.random.default_rng([self.seed, self.number])
        people = self.number * PEOPLE + np.arange(PEOPLE)
        return of_scores(self.lead + self.noise * rng.normal(size=PEOPLE), people)


def run(means, network="vgg16", dataset="synthetic-composite", trainings=5, **options):
    units = tuple(World(means, f"{network}, {dataset}", number=k, **options) for k in range(trainings))
    return Evidence(network, dataset, units)


def sentence(*pairs, game=HIDING, most=False, asserts=BETTER, cases=None):
    made = [(Comparison(game, "UoM-SGFS", "vgg16", *pair, asserts),) for pair in pairs]
    return Sentence("as written", "4", "as made", tuple(cases or made), most)


def verdict(one, *runs, **options):
    (judged,) = judge(runs, [Claim("C0", "", (one,))], **options)
    return judged.verdict


def test_holm_and_the_partial_conjunction_are_the_textbooks():
    p = [0.005, 0.03, 0.011, 0.02, 0.5]
    assert holm(p) == pytest.approx([0.025, 0.06, 0.044, 0.06, 0.5])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
    assert at_least(1, p) == pytest.approx(5 * 0.005)  # Bonferroni: at least one of five
    assert at_least(5, p) == 0.5  # intersection-union: all of them


@pytest.mark.parametrize("trainings", [1, 5])
def test_clear_evidence_gives_clear_verdicts(trainings):
    found = run({HIDING: {"ebp": 0.3, "cebp": 0.6, "gweebp": 0.9}}, trainings=trainings)
    assert verdict(sentence(("gweebp", "ebp"), ("gweebp", "cebp")), found) == "reproduced"
    assert verdict(sentence(("gweebp", "ebp"), ("ebp", "cebp")), found) == "contradicted"


@pytest.mark.parametrize(("pair", "side"), [(("gweebp", "ebp"), "for"), (("ebp", "gweebp"), "against")])
def test_a_comparison_is_decided_at_half_of_the_level(pair, side):
    """Where the interval of level 1 − α just leaves the bar on one side."""
    found = run({HIDING: {"ebp": 0.5, "gweebp": 0.52}})

    def finding(alpha):
        (judged,) = judge([found], [Claim("C0", "", (sentence(pair),))], alpha=alpha)
        return judged.findings[0]

    p = getattr(finding(0.05), f"p_{side}")
    assert 1e-4 < p < 0.4
    assert [finding(2 * p * near).side for near in (1.01, 0.99)] == [side, "open"]
    assert finding(2 * p).difference[1 if side == "for" else 2] == pytest.approx(0, abs=1e-6)


def test_noise_is_not_resolved_and_one_open_comparison_is_enough():
    found = run({HIDING: {"ebp": 0.5, "cebp": 0.5, "gweebp": 0.9}})
    assert verdict(sentence(("cebp", "ebp")), found) == "not resolved"
    assert verdict(sentence(("gweebp", "ebp"), ("ebp", "cebp")), found) == "not resolved"


def test_all_is_an_intersection_union_test():
    """Each of many true comparisons needs the level of one: more of them cost no evidence."""
    means = {"gweebp": 0.53} | {f"m{k}": 0.5 for k in range(12)}
    options = dict(noise=0.1, trainings=5)
    alone = [verdict(sentence(("gweebp", f"m{k}")), run({HIDING: means}, **options)) for k in range(12)]
    together = verdict(sentence(*(("gweebp", f"m{k}") for k in range(12))), run({HIDING: means}, **options))
    assert (together == "reproduced") == all(one == "reproduced" for one in alone)


def test_one_of_many_against_is_corrected_for_their_number():
    rng_seeds = range(60)
    pairs = tuple(("gweebp", f"m{k}") for k in range(14))
    means = {HIDING: {"gweebp": 0.5} | {f"m{k}": 0.5 for k in range(14)}}
    wrong = sum(verdict(sentence(*pairs), run(means, seed=s)) == "contradicted" for s in rng_seeds)
    raw = sum(
        min(f.p_against for f in judge([run(means, seed=s)], [Claim("C0", "", (sentence(*pairs),))])[0].findings)
        < 0.025
        for s in rng_seeds
    )
    assert wrong <= 6  # α/2 of 60 is 1.5
    assert raw > wrong


def test_a_big_margin_is_tested_by_the_interval():
    def world(lead):
        return run({INPAINTING: {"ebp": 0.5, "gweebp": 0.5 + lead}})

    wide = sentence(("gweebp", "ebp"), game=INPAINTING, asserts=WIDE)
    better = sentence(("gweebp", "ebp"), game=INPAINTING)
    assert verdict(wide, world(0.2)) == "reproduced"
    assert verdict(wide, world(0.05), margin=0.05) == "not resolved"  # the point alone would do
    assert verdict(wide, world(0.02), margin=0.1) == "contradicted"
    assert verdict(better, world(0.08), margin=0.1) == "reproduced"


def test_no_noticeable_gain_is_one_sided():
    def world(gain):
        return run({INPAINTING: {"ebp": 0.5, "eebp": 0.5 + gain}})

    same = sentence(("eebp", "ebp"), game=INPAINTING, asserts=NO_GAIN)
    assert verdict(same, world(0.0), margin=0.05) == "reproduced"
    assert verdict(same, world(-0.3), margin=0.05) == "reproduced"  # a loss is no improvement
    assert verdict(same, world(0.3), margin=0.05) == "contradicted"
    assert verdict(same, world(0.05), margin=0.05) == "not resolved"


def test_most_counts_cases():
    found = run({HIDING: {"ebp": 0.2, "cebp": 0.5, "gweebp": 0.9}})
    for_, against = ("gweebp", "ebp"), ("ebp", "cebp")
    assert verdict(sentence(for_, for_, for_, against, most=True), found) == "reproduced"
    assert verdict(sentence(for_, for_, against, against, most=True), found) == "contradicted"  # half is not most
    open_ = run({HIDING: {"ebp": 0.5, "cebp": 0.5, "gweebp": 0.9}})
    assert verdict(sentence(for_, for_, ("ebp", "cebp"), ("cebp", "ebp"), most=True), open_) == "not resolved"


def test_a_case_holds_if_all_of_it_does():
    found = run({HIDING: {"ebp": 0.2, "cebp": 0.5, "gweebp": 0.9}})

    def pair(first, second):
        return Comparison(HIDING, "UoM-SGFS", "vgg16", first, second)

    first_of_all = (pair("gweebp", "ebp"), pair("gweebp", "cebp"))
    not_first = (pair("cebp", "ebp"), pair("cebp", "gweebp"))
    assert verdict(sentence(cases=(first_of_all, first_of_all, not_first), most=True), found) == "reproduced"
    assert verdict(sentence(cases=(first_of_all, not_first, not_first), most=True), found) == "contradicted"


@pytest.mark.parametrize(
    ("found", "lacks"),
    [
        (run({HIDING: {"gweebp": 0.9}}), "EBP"),
        (run({HIDING: {"ebp": 0.2, "gweebp": 0.9}}, network="lcnn9"), "VGG16 on a set that stands for UoM-SGFS"),
        (run({HIDING: {"ebp": 0.2, "gweebp": 0.9}}, dataset="cuhk"), "VGG16 on a set that stands for UoM-SGFS"),
        (run({INPAINTING: {"ebp": 0.2}}), "the hiding game of vgg16, synthetic-composite"),
    ],
)
def test_what_is_lacking_is_named_and_nothing_is_claimed(found, lacks):
    (judged,) = judge([found], [Claim("C0", "", (sentence(("gweebp", "ebp")),))])
    assert judged.verdict == "not tested here"
    assert judged.lacking == (lacks,)
    assert judged.findings == ()
    assert lacks in judged.text


def test_what_can_be_compared_is_counted_where_a_method_is_lacking():
    one = sentence(("gweebp", "ebp"), ("gweebp", "xface"))
    (judged,) = judge([run({HIDING: {"ebp": 0.2, "gweebp": 0.9}})], [Claim("C0", "", (one,))])
    assert judged.verdict == "not tested here"
    assert judged.counts == {"for": 1, "against": 0, "open": 0}
    assert "lack XFace); of the 1 comparisons made, for it 1, against it 0, open 0." in judged.text


def test_a_claim_names_the_sentence_that_decides_it():
    good, bad = sentence(("gweebp", "ebp")), sentence(("ebp", "gweebp"))
    found = run({HIDING: {"ebp": 0.2, "gweebp": 0.9}})
    (judged,) = judge([found], [Claim("C0", "", (good, bad))])
    assert judged.verdict == "contradicted" and judged.deciding.sentence is bad
    assert "C0 is contradicted by “as written”" in judged.text


def everywhere(means, agreement=0.3):
    """The four runs of the paper, alike."""
    return [
        run(means(network, dataset), network, dataset, agreement=agreement)
        for dataset in ("synthetic-composite", "synthetic-drawn") for network in ("vgg16", "lcnn9")
    ]  # fmt: skip


def as_the_paper_says(network, dataset):
    """A world in which every sentence of the paper is true."""
    hiding = dict.fromkeys(METHODS, 0.3) | {"ebp": 0.2, "pairwisesim": 0.2, "gweebp": 0.9}
    if dataset == "synthetic-composite":
        hiding |= {"xface": 0.8, "corrrise": 0.8} if network == "vgg16" else {"xface": 0.95, "corrrise": 0.95}
    else:
        hiding |= {"corrrise": 0.6} if network == "vgg16" else {"ebp": 0.6}
    inpainting = dict.fromkeys(EVERY, 0.4) | {"ebp": 0.2, "eebp": 0.2, "pairwisesim": 0.2, "gweebp": 0.9}
    if network == "lcnn9":
        inpainting |= {"ecebp": 0.5, "etcebp": 0.5}
    return {HIDING: hiding, INPAINTING: inpainting, TRUTH: dict.fromkeys(METHODS, 0.3) | {"gweebp": 0.5}}


def turned_round(network, dataset):
    """The same world with every order reversed, and a gain of the extended methods on VGG16."""
    found = {g: {m: 1 - v for m, v in row.items()} for g, row in as_the_paper_says(network, dataset).items()}
    if network == "vgg16":
        found[INPAINTING] |= {"eebp": 1.1}
    return found


def flat(network, dataset):
    """No method differs; a gain of the extended methods is neither noticeable nor none."""
    inpainting = dict.fromkeys(EVERY, 0.5) | {"eebp": 0.55, "etcebp": 0.55, "ecebp": 0.55}
    if network == "lcnn9":
        inpainting = dict.fromkeys(EVERY, 0.5)
    return {HIDING: dict.fromkeys(METHODS, 0.5), INPAINTING: inpainting, TRUTH: dict.fromkeys(METHODS, 0.5)}


def test_in_the_papers_world_every_sentence_is_reproduced():
    judged = judge(everywhere(as_the_paper_says))
    assert {(j.claim.key, s.verdict) for j in judged for s in j.sentences} == {(c.key, "reproduced") for c in CLAIMS}


def test_in_the_opposite_world_every_claim_is_contradicted():
    judged = judge(everywhere(turned_round, agreement=-0.3))
    assert {j.claim.key: j.verdict for j in judged} == {c.key: "contradicted" for c in CLAIMS}


def test_where_nothing_differs_no_claim_is_reproduced():
    judged = {j.claim.key: j for j in judge(everywhere(flat, agreement=0.0))}
    assert all(j.verdict != "reproduced" for j in judged.values())
    # a lead that is 0 is a lead below the margin: only sentences that name a margin may be contradicted
    for j in judged.values():
        assert all(s.verdict == "not resolved" or "margin" in s.sentence.ours for s in j.sentences)


def test_the_papers_sentences_are_complete():
    assert [c.key for c in CLAIMS] == [f"C{k}" for k in range(1, 10)]
    paired = {(c.first, c.second, c.network) for c in CLAIMS[4].comparisons}
    assert paired == {("ecebp", "cebp", "lcnn9"), ("etcebp", "tcebp", "lcnn9")}
    assert len(CLAIMS[3].sentences[0].comparisons) == 2 * 7  # gweEBP over seven others on two networks
    assert len(CLAIMS[8].sentences[0].cases) == 8
    for one in (s for c in CLAIMS for s in c.sentences):
        # no sentence asserts a thing and its opposite: some world makes it true
        pairs = {(c.game, c.dataset, c.network, c.first, c.second) for c in one.comparisons}
        assert not any((g, d, n, b, a) in pairs for g, d, n, a, b in pairs)
        assert all(c.first != c.second for c in one.comparisons)
        assert one.words and one.ours and one.where


def test_sentences_are_the_papers_own_words(shared):
    text = " ".join((shared / "paper" / "gweebp-2025.txt").read_text(encoding="utf-8").split()).replace("\u2019", "'")
    for one in (s for c in CLAIMS for s in c.sentences):
        assert one.words in text, one.words


def test_a_mean_of_methods_stands_for_those_that_see_the_nonmate():
    means = dict.fromkeys(SEE_NONMATE, 0.5) | {"gradcam": 0.1, "ebp": 0.4}
    found = run({HIDING: means}, noise=0.0)
    (difference,) = {round(d.value, 3) for d in found.differences(HIDING, CONTRASTIVE, "ebp")}
    assert difference == pytest.approx((5 * 0.5 + 0.1) / 6 - 0.4, abs=1e-3)


def test_another_method_may_stand_in():
    means = {HIDING: {"gweebp": 0.2, "gweebp-paper-code": 0.9, "ebp": 0.5}}
    found = run(means)
    swapped = Evidence(found.network, found.dataset, found.units, {"gweebp": "gweebp-paper-code"})
    assert verdict(sentence(("gweebp", "ebp")), found) == "contradicted"
    assert verdict(sentence(("gweebp", "ebp")), swapped) == "reproduced"


def test_the_detectable_difference_is_mostly_found():
    one = sentence(("gweebp", "ebp"))
    (judged,) = judge([run({HIDING: {"gweebp": 0.5, "ebp": 0.5}})], [Claim("C0", "", (one,))])
    size = np.mean([
        judge([run({HIDING: {"gweebp": 0.5, "ebp": 0.5}}, seed=s)], [Claim("C0", "", (one,))])[0].findings[0].detectable
        for s in range(40)
    ])  # fmt: skip
    hits = [
        verdict(one, run({HIDING: {"gweebp": 0.5 + size, "ebp": 0.5}}, seed=100 + s)) == "reproduced"
        for s in range(100)
    ]
    assert judged.findings[0].detectable > 0
    assert 0.5 < np.mean(hits) < 0.95


def test_agreement_is_judged_on_those_that_have_it():
    games = Comparison(AGREEMENT, "UoM-SGFS", "vgg16", INPAINTING, HIDING)
    (none,) = judge([run({INPAINTING: {"ebp": 0.5}})], [Claim("C8", "", (sentence(cases=[(games,)]),))])
    assert none.verdict == "not tested here"
    assert "the inpainting game of vgg16, synthetic-composite" in none.lacking
    (some,) = judge([run({INPAINTING: {"ebp": 0.5}}, agreement=0.4)], [Claim("C8", "", (sentence(cases=[(games,)]),))])
    assert some.verdict == "reproduced"


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="alpha=1"):
        judge([], alpha=1.5)
    with pytest.raises(ValueError, match="margin"):
        judge([], margin=0.0)
    assert claims.MARGIN == claims.ALPHA == 0.05
