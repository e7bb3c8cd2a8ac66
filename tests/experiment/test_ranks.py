"""Ranks and losers: counted against a plain recount."""

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from gweebp.experiment.ranks import losers, ranks
from gweebp.experiment.sentences import AGREEMENT
from gweebp.games.bootstrap import Estimate
from gweebp.methods.names import label_of

NAMES = ("random", "ebp", "cebp", "gweebp", "xface")


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 4), min_size=1))
def test_a_rank_counts_who_is_ahead(values):
    found = {name: Estimate(value / 4, 0, 1) for name, value in values.items()}
    rows = {row["method"]: row["hiding: VGG16"] for row in ranks({"hiding": {"VGG16": found}})}
    for name, value in values.items():
        assert rows[label_of(name)].startswith(f"{1 + sum(other > value for other in values.values())} (")


def test_a_method_that_did_not_play_has_no_rank():
    one = Estimate(0.5, 0.4, 0.6)
    found = {"hiding": {"VGG16": {"ebp": one}, "LCNN9": {"ebp": one, "gweebp": one}}}
    (_, gweebp) = ranks(found)
    assert gweebp["hiding: VGG16"] == "" and gweebp["hiding: LCNN9"] == "1 (.50)"


def finding(first, side, game="hiding"):
    return SimpleNamespace(side=side, comparison=SimpleNamespace(first=first, game=game))


def test_losers_are_those_that_should_lead():
    findings = [finding("xface", "against"), finding("gweebp", "for"), finding("xface", "against")]
    findings += [
        finding("gweebp", "open"),
        finding("ebp", "against", "truth"),
        finding("inpainting", "against", AGREEMENT),
    ]
    assert losers([SimpleNamespace(findings=findings)]) == {"gweEBP": 0, "XFace": 2}
