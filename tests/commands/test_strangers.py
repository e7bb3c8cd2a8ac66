"""How much a difference of distances means: the rule, its sources, and what is said and drawn by it."""

import math
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gweebp.commands.casework.explanation import Explanation
from gweebp.commands.casework.strangers import FEWEST, Strangers, of_dimensions, of_distances, of_record, quantiles

FOUND = Explanation(torch.tensor([[0.7, 0.1], [0.1, 0.1]]), 0.5, 0.9, None, "lcnn9", "gweebp")
DISTANCES = st.lists(st.floats(0, 2, width=32), min_size=FEWEST, max_size=40)


@settings(max_examples=50)
@given(DISTANCES, st.floats(0, 2), st.floats(0, 2))
def test_the_share_is_that_of_the_pairs_and_falls_with_the_difference(distances, one, two):
    source = of_distances(torch.tensor(distances), "the gallery")
    small, large = sorted((one, two))
    assert 0 <= source.share(0, large) <= source.share(0, small) <= 1
    pairs = [abs(a - b) for i, a in enumerate(distances) for b in distances[:i]]
    # quantiles are read off between the values: by no more than one pair, and by the ties
    below = sum(x < small - 1e-6 for x in pairs) / len(pairs)
    above = sum(x > small + 1e-6 for x in pairs) / len(pairs)
    assert above - 1 / (len(pairs) - 1) - 2e-3 <= source.share(0, small) <= 1 - below + 1 / (len(pairs) - 1) + 2e-3


def test_without_anything_known_the_share_is_that_of_random_directions():
    generator = torch.Generator().manual_seed(0)
    p, a, b = torch.nn.functional.normalize(torch.randn(3, 20_000, 64, generator=generator), dim=-1)
    near, far = ((p - x).norm(dim=1) for x in (a, b))
    cosines = ((near**2 - far**2) / 2).abs()
    for far_at in (1.4, 1.5, 1.6):
        wanted = (cosines >= (far_at**2 - 1.3**2) / 2).double().mean().item()
        assert of_dimensions(64).share(1.3, far_at) == pytest.approx(wanted, abs=0.02)


def test_too_few_strangers_tell_nothing():
    assert of_distances(torch.rand(FEWEST - 1), "few") is None


@pytest.mark.parametrize("bad", [{}, [], {"differences": [0.2, 0.1]}, {"differences": [0.1]}, {"differences": "x"},
                                 {"differences": [0.0, math.nan]}, {"differences": [0.0, 3.0]},
                                 {"differences": [True, False]}])  # fmt: skip
def test_a_file_that_holds_something_else_is_refused(bad):
    with pytest.raises(ValueError, match="not ascending quantiles"):
        of_record(bad)


def test_what_verify_writes_is_read_back():
    levels = quantiles(torch.rand(50, generator=torch.manual_seed(0)))
    assert of_record({"differences": levels}).levels == tuple(levels)
    assert of_record(None) is None and of_record({"differences": []}) is None


EVEN = Strangers(tuple(i / 100 for i in range(101)), "the trials")  # differences spread evenly over 0..1


@pytest.mark.parametrize(
    ("far", "strength", "faded", "said"),
    [
        (0.507, "none", True, "next to nothing"),
        (0.70, "none", True, "80 % of the pairs"),
        (1.10, "small", True, "which is small"),
        (1.47, "clear", False, "3 % of the pairs"),
        (1.6, "clear", False, "less than 1 %"),
    ],
)
def test_a_difference_that_strangers_have_too_is_called_small_and_faded(far, strength, faded, said):
    found = replace(FOUND, nonmate_distance=far, strangers=EVEN)
    assert (found.strength, found.faded) == (strength, faded) and said in found.effect
    assert ("may be chance" in found.sentence) == faded
    adverb = {"none": "hardly nearer", "small": "slightly nearer", "clear": "probe nearer"}[strength]
    assert adverb in found.sentence


def test_what_holds_of_any_network_can_call_a_difference_small_but_never_clear():
    """A gain of .007 between two strangers must not look like a match, whatever is known of the network."""
    little = replace(FOUND, mate_distance=1.2, nonmate_distance=1.207, strangers=of_dimensions(512))
    assert little.strength == "none" and little.faded and "says little" in little.effect
    large = replace(FOUND, mate_distance=0.2, nonmate_distance=1.4, strangers=of_dimensions(512))
    assert large.strength == "unknown" and not large.faded and "is not known" in large.effect
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


def test_how_much_of_the_map_is_this_candidates_own_is_said():
    assert FOUND.specificity == ""
    for shared, word in ((0.9, "hardly specific: 90%"), (0.6, "partly"), (0.2, "largely")):
        assert word in replace(FOUND, shared=shared, compared=8).specificity
    assert "At least 99 %" in replace(FOUND, off_the_map=0.0).on_the_map
    assert "80%" in replace(FOUND, off_the_map=0.2).on_the_map
