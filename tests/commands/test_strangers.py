"""How much a difference of distances means: the rule, its sources, and what is said and drawn by it."""

import math
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gweebp.commands.casework.explanation import Explanation
from gweebp.commands.casework.strangers import (
    CHANCE,
    FEWEST,
    Strangers,
    of_dimensions,
    of_distances,
    of_record,
    quantiles,
)

FOUND = Explanation(torch.tensor([[0.7, 0.1], [0.1, 0.1]]), 0.5, 0.9, None, "lcnn9", "gweebp")
DISTANCES = st.lists(st.floats(0, 2, width=32), min_size=FEWEST, max_size=40)


@settings(max_examples=50)
@given(DISTANCES, st.floats(0, 2), st.floats(0, 2))
def test_the_share_is_that_of_the_strangers_and_grows_with_the_distance(distances, one, two):
    source = of_distances(torch.tensor(distances), "the gallery")
    near, far = sorted((one, two))
    n = len(distances)
    assert 1 / (n + 1) - 1e-9 <= source.share(near) <= source.share(far) <= 1
    least = sum(x < near - 1e-6 for x in distances)
    most = sum(x <= near + 1e-6 for x in distances)
    # read off between the quantiles: by no more than one stranger
    assert (least - 1) / (n + 1) - 2e-3 <= source.share(near) <= (most + 2) / (n + 1) + 2e-3
    assert 0 <= source.spread <= max(distances) - min(distances) + 1e-6


def test_without_anything_known_the_share_is_that_of_random_directions():
    generator = torch.Generator().manual_seed(0)
    p, a = torch.nn.functional.normalize(torch.randn(2, 50_000, 64, generator=generator), dim=-1)
    distances = (p - a).norm(dim=1)
    for at in (1.2, 1.3, 1.4, 1.5):
        wanted = (distances <= at).double().mean().item()
        assert of_dimensions(64).share(at) == pytest.approx(wanted, abs=0.01)
    inner = distances.quantile(torch.tensor([0.05, 0.95])).diff().item()
    assert of_dimensions(64).spread == pytest.approx(inner, abs=0.01)


def test_too_few_strangers_tell_nothing():
    assert of_distances(torch.rand(FEWEST - 1), "few") is None
    assert of_distances(torch.rand(FEWEST), "enough").share(-1) <= CHANCE  # so that a difference can be clear at all


LEVELS = [0.0, 1.0]


@pytest.mark.parametrize("bad", [{}, [], {"distances": [0.2, 0.1], "count": 30}, {"distances": [0.1], "count": 30},
                                 {"distances": "x", "count": 30}, {"distances": [0.0, math.nan], "count": 30},
                                 {"distances": [0.0, 3.0], "count": 30}, {"distances": [True, False], "count": 30},
                                 {"distances": LEVELS}, {"distances": LEVELS, "count": 0},
                                 {"distances": LEVELS, "count": "30"}])  # fmt: skip
def test_a_file_that_holds_something_else_is_refused(bad):
    with pytest.raises(ValueError, match="not their count and ascending quantiles"):
        of_record(bad)


def test_what_verify_writes_is_read_back():
    levels = quantiles(torch.rand(50, generator=torch.manual_seed(0)))
    assert of_record({"distances": levels, "count": 50}).levels == tuple(levels)
    assert "50 pairs" in of_record({"distances": levels, "count": 50}).source
    assert of_record(None) is None and of_record({"distances": levels, "count": FEWEST - 1}) is None


EVEN = Strangers(tuple(1 + i / 100 for i in range(101)), 10_000, "the trials")  # spread evenly over 1..2


@pytest.mark.parametrize(
    ("near", "far", "strength", "said"),
    [
        (1.2, 1.207, "small", "20% are as near"),  # two strangers
        (1.2, 1.9, "small", "20% are as near"),  # one of them far away: the candidate is as near as strangers are
        (0.50, 0.507, "small", "less than 0.1% are as near"),  # a person and a double
        (0.50, 0.58, "small", "may be chance"),
        (0.50, 0.60, "clear", "the difference is clear"),
        (1.04, 1.5, "clear", "4.0% are as near"),
        (1.06, 1.5, "small", "6.0% are as near"),
        (1.5, 1.04, "clear", "50% are as near"),  # towards the alternative
    ],
)
def test_a_difference_is_clear_by_a_rule_and_the_map_of_a_small_one_is_faded(near, far, strength, said):
    found = replace(FOUND, mate_distance=near, nonmate_distance=far, strangers=EVEN)
    assert (found.strength, found.faded) == (strength, strength == "small") and said in found.effect
    assert ("slightly nearer" in found.sentence) == (strength == "small")
    assert "may be chance" in found.sentence or strength == "clear"


def test_what_holds_of_any_network_can_call_a_difference_small_but_never_clear():
    """A gain of .007 between two strangers must not look like a match, whatever is known of the network."""
    little = replace(FOUND, mate_distance=1.2, nonmate_distance=1.207, strangers=of_dimensions(512))
    assert little.strength == "small" and little.faded and "small" in little.effect
    large = replace(FOUND, mate_distance=0.2, nonmate_distance=1.4, strangers=of_dimensions(512))
    assert large.strength == "unknown" and not large.faded and "(--gallery) tell more." in large.effect
    assert replace(FOUND, strangers=None).effect == ""


@settings(max_examples=40)
@given(st.floats(0, 2), st.floats(0, 2), st.sampled_from([None, EVEN, of_dimensions(64)]), st.booleans(),
       st.sampled_from([("candidate", "alternative"), ("Ms. A", "Mr. B"), ("mate", "non-mate")]))  # fmt: skip
def test_without_a_map_no_sentence_speaks_of_colour(near, far, strangers, has_map, words):
    found = replace(FOUND, mate_distance=near, nonmate_distance=far, strangers=strangers, words=words, shared=None,
                    off_the_map=0.2, saliency=FOUND.saliency if has_map and near < far else None)  # fmt: skip
    text = " ".join((*found.said, *found.limits))
    assert bool(re.search("colour", text)) == (found.saliency is not None)
    assert words[0] in found.sentence and words[1] in found.sentence


WORD = st.sampled_from(["candidate", "the suspect", "a visitor", "Ms. A", "Herr Müller", "person 2", "№ 7", "x"])


@settings(max_examples=60)
@given(WORD, WORD, st.floats(0, 2), st.floats(0, 2), st.sampled_from([None, EVEN, of_dimensions(64)]), st.booleans())
def test_a_name_has_no_article_and_a_noun_has_one(one, two, near, far, strangers, judged):
    found = replace(FOUND, mate_distance=near, nonmate_distance=far, strangers=strangers, words=(one, two),
                    threshold=1.0 if judged else None, saliency=FOUND.saliency if near < far else None)  # fmt: skip
    text = " ".join(found.said)
    for word in (one, two):
        before = set(re.findall(rf"(\S+) {re.escape(word)}(?!\w)", text))
        assert before and ("the" in before if word in ("candidate", "person 2", "x") else not before & {"the", "this"})


@settings(max_examples=60)
@given(DISTANCES, st.floats(0, 2, width=32), st.floats(0, 2, width=32))
def test_of_few_strangers_the_number_is_said_and_it_is_right(distances, near, far):
    counted = of_distances(torch.tensor(distances), "the gallery")
    found = replace(FOUND, mate_distance=near, nonmate_distance=far, strangers=counted)
    said = re.search(r"the gallery, (none|\d+) (is|are) as near .*?, and (none|\d+) as near", found.effect)
    assert (said[2] == "is") == (said[1] in ("none", "1"))
    for number, distance in ((said[1], near), (said[3], far)):
        number = 0 if number == "none" else int(number)
        assert sum(x < distance - 1e-2 for x in distances) <= number <= sum(x <= distance + 1e-2 for x in distances)


@settings(max_examples=60)
@given(st.floats(0, 2), st.floats(0, 2), st.integers(2, 4096))
def test_a_share_that_is_only_imagined_is_no_bound(near, far, dimensions):
    """It was once "at least less than 0.1%"."""
    found = replace(FOUND, mate_distance=near, nonmate_distance=far, strangers=of_dimensions(dimensions))
    assert "at least" not in found.effect and "If strangers were spread evenly" in found.effect
    assert found.effect.count("%") == 2 and found.effect.endswith(".") and ".." not in found.effect


def test_how_much_of_the_map_is_this_candidates_own_is_said():
    assert FOUND.specificity == ""
    for shared, word in ((0.9, "hardly specific: 90%"), (0.6, "partly"), (0.2, "largely")):
        assert word in replace(FOUND, shared=shared, compared=8).specificity
    assert "At least 99%" in replace(FOUND, off_the_map=0.0).on_the_map
    assert "80%" in replace(FOUND, off_the_map=0.2).on_the_map
