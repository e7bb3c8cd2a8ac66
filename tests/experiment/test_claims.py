"""Verdicts follow the rule: each kind of evidence, made by hand, gives the verdict that it must."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gweebp.experiment import claims
from gweebp.experiment.claims import Claim, Comparison, holm, judge
from gweebp.games.bootstrap import Difference
from gweebp.games.inpainting import Outcome

STEPS, TRIALS = 11, 40


def run(scores, game="hiding", network="vgg16", dataset="synthetic-composite", spread=0.0):
    """A run in which a method of score s holds (hiding) or succeeds (inpainting) in a share s of the steps.

    spread: half of the trials get that much more, half as much less; not the same half for every method.
    """
    found = {}
    for k, (method, score) in enumerate(scores.items()):
        rng = np.random.default_rng(k)
        shares = score + spread * rng.permutation(np.repeat([-1.0, 1.0], TRIALS // 2))
        found[method] = torch.from_numpy(np.arange(STEPS) / (STEPS - 1) <= shares[:, None])
    far = torch.arange(STEPS).expand(TRIALS, -1) * 10
    played = {m: Outcome(hits.flip(1), far, torch.full((TRIALS,), 100)) for m, hits in found.items()}
    games = SimpleNamespace(
        hiding=found if game == "hiding" else {},
        inpainting=played if game == "inpainting" else {},
        hiding_subject=torch.arange(TRIALS),
        inpainting_subject=torch.arange(TRIALS),
    )
    return FakeRun(games, network, dataset)


class FakeRun(SimpleNamespace):
    def __init__(self, games, network, dataset):
        super().__init__(games=games, network=network, dataset=dataset, title=f"{network}, {dataset}")

    __hash__ = object.__hash__


def claim(*pairs, game="hiding", most=False, **options):
    return Claim("C0", "", tuple(Comparison(game, "UoM-SGFS", "vgg16", *pair, **options) for pair in pairs), most)


def verdict(claim, *runs, **options):
    (judged,) = judge(runs, [claim], **{"inpainting": "inpainting"} | options)
    return judged.verdict


def test_holm_is_the_textbook_procedure():
    # Holm by its definition: the i-th smallest of m is multiplied by m - i + 1, then made monotone
    p = [0.005, 0.03, 0.011, 0.02, 0.5]
    assert holm(p) == pytest.approx([0.025, 0.06, 0.044, 0.06, 0.5])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_clear_evidence_gives_clear_verdicts():
    found = run({"ebp": 0.3, "cebp": 0.6, "gweebp": 0.9})
    assert verdict(claim(("gweebp", "ebp"), ("gweebp", "cebp")), found) == "reproduced"
    assert verdict(claim(("gweebp", "ebp"), ("ebp", "cebp")), found) == "contradicted"


def test_noise_is_not_resolved():
    found = run({"ebp": 0.5, "gweebp": 0.5}, spread=0.3)
    assert verdict(claim(("gweebp", "ebp")), found) == "not resolved"
    assert verdict(claim(("ebp", "gweebp")), found) == "not resolved"


def test_one_open_comparison_keeps_all_from_being_reproduced():
    found = run({"ebp": 0.5, "cebp": 0.5, "gweebp": 0.9}, spread=0.1)
    assert verdict(claim(("gweebp", "ebp"), ("ebp", "cebp")), found) == "not resolved"


def test_most_needs_more_than_half():
    found = run({"ebp": 0.2, "cebp": 0.5, "gweebp": 0.9})
    for_, against = ("gweebp", "ebp"), ("ebp", "cebp")
    assert verdict(claim(for_, for_, ("cebp", "ebp"), against, most=True), found) == "reproduced"
    assert verdict(claim(for_, against, most=True), found) == "not resolved"
    assert verdict(claim(for_, against, ("ebp", "gweebp"), most=True), found) == "contradicted"


def test_a_wide_margin_must_be_wide():
    found = run({"ebp": 0.5, "gweebp": 0.6})
    assert verdict(claim(("gweebp", "ebp")), found, margin=0.5) == "reproduced"
    assert verdict(claim(("gweebp", "ebp"), wide=True), found, margin=0.5) == "not resolved"
    assert verdict(claim(("gweebp", "ebp"), wide=True), found, margin=0.05) == "reproduced"


def test_alike_needs_the_whole_interval_within_the_margin():
    near = run({"ebp": 0.5, "eebp": 0.51}, game="inpainting")
    apart = run({"ebp": 0.2, "eebp": 0.9}, game="inpainting")
    noisy = run({"ebp": 0.5, "eebp": 0.5}, game="inpainting", spread=0.4)
    same = claim(("eebp", "ebp"), game="inpainting", alike=True)
    assert verdict(same, near, margin=0.1) == "reproduced"
    assert verdict(same, apart, margin=0.1) == "contradicted"
    assert verdict(same, noisy, margin=0.02) == "not resolved"


@pytest.mark.parametrize(
    ("found", "lacks"),
    [
        (run({"gweebp": 0.9}), "EBP"),
        (run({"ebp": 0.2, "gweebp": 0.9}, network="lcnn9"), "VGG16 on a set that stands for UoM-SGFS"),
        (run({"ebp": 0.2, "gweebp": 0.9}, dataset="cuhk"), "VGG16 on a set that stands for UoM-SGFS"),
        (run({"ebp": 0.2, "gweebp": 0.9}, game="inpainting"), "the hiding game of vgg16, synthetic-composite"),
    ],
)
def test_what_is_lacking_is_named_and_nothing_is_claimed(found, lacks):
    (judged,) = judge([found], [claim(("gweebp", "ebp"))])
    assert judged.verdict == "not tested here"
    assert judged.lacking == (lacks,)
    assert judged.findings == ()
    assert lacks in judged.sentence


def test_what_can_be_compared_is_counted_where_a_method_is_lacking():
    (judged,) = judge([run({"ebp": 0.2, "gweebp": 0.9})], [claim(("gweebp", "ebp"), ("gweebp", "xface"))])
    assert judged.verdict == "not tested here"
    assert (judged.count("for"), judged.count("against"), judged.count("open")) == (1, 0, 0)
    assert "lack XFace); of the 1 comparisons that can be made, for it 1, against it 0, open 0." in judged.sentence


def test_a_correction_over_many_comparisons_costs_evidence():
    found = run({"a": 0.45, "b": 0.55}, spread=0.25)
    names = {f"m{k}": 0.5 for k in range(60)}
    crowd = run(names | {"a": 0.45, "b": 0.55}, spread=0.25)
    one = judge([found], [claim(("b", "a"))])[0].findings[0]
    many = judge([crowd], [claim(("b", "a"), *((m, "m0") for m in names if m != "m0"))])[0].findings[0]
    assert many.p >= one.p
    assert many.p == pytest.approx(min(1, 60 * many.difference.p), rel=0.5)


def test_p_can_be_small_enough_however_many_comparisons_there_are():
    found = run({f"m{k}": k / 40 for k in range(40)} | {"gweebp": 1.0})
    (judged,) = judge([found], [claim(*(("gweebp", f"m{k}") for k in range(40)))], resamples=10)
    assert judged.verdict == "reproduced"


def test_the_papers_claims_are_complete():
    assert [c.key for c in claims.CLAIMS] == [f"C{k}" for k in range(1, 9)]
    c5 = claims.CLAIMS[4].comparisons
    assert {(c.first, c.second, c.network) for c in c5} == {("ecebp", "cebp", "lcnn9"), ("etcebp", "tcebp", "lcnn9")}
    assert len(claims.CLAIMS[3].comparisons) == 2 * 7  # gweEBP over seven others on two networks
    for c in (c for one in claims.CLAIMS for c in one.comparisons):
        assert c.first != c.second


@pytest.mark.parametrize(
    ("leads", "expected"),
    [
        ([0.5, 0.5, 0.5, 0.5], "reproduced"),
        ([0.5, 0.5, 0.5, -0.5], "reproduced"),
        ([0.5, 0.5, -0.5, -0.5], "not resolved"),
        ([-0.5, -0.5, -0.5, 0.5], "contradicted"),
    ],
)
def test_the_games_themselves_are_judged_by_their_agreement_with_the_truth(monkeypatch, leads, expected):
    found = [
        run({"ebp": 0.5}, "inpainting", network, dataset)
        for dataset in ("synthetic-composite", "synthetic-drawn") for network in ("vgg16", "lcnn9")
    ]  # fmt: skip
    asked = []

    def agreement(one, first, second, score, resamples, seed, level):
        asked.append((first, second, score))
        lead = leads[[id(each) for each in found].index(id(one))]
        return Difference(lead, lead - 0.1, lead + 0.1, 2 / (resamples + 1))

    monkeypatch.setattr(claims, "agreement_difference", agreement)
    (c8,) = judge(found, claims.CLAIMS[7:], inpainting="sr-10", truth="energy")
    assert c8.verdict == expected
    assert set(asked) == {("sr-10", "hiding", "energy")}
    (c8,) = judge([run({"ebp": 0.5})], claims.CLAIMS[7:])
    assert c8.verdict == "not tested here"
    assert "the inpainting game of vgg16, synthetic-composite" in c8.lacking


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="alpha=1"):
        judge([], alpha=1.5)
    with pytest.raises(ValueError, match="margin"):
        judge([], margin=0.0)
    assert math.isnan(judge([run({"ebp": 0.5, "eebp": 0.5})], [claim(("eebp", "ebp"), alike=True)])[0].findings[0].p)
