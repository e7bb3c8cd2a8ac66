"""The picture of the first page: five steps, every image described, bars as long as their counts."""

import numpy as np
import pytest
from bs4 import BeautifulSoup

from gweebp.figures.abstract import Verdict, _where, abstract

FACE = np.random.default_rng(0).integers(0, 256, (3, 20, 16), dtype=np.uint8)
VERDICTS = [
    Verdict("C1", "the hiding <game>", "not resolved", {"for": 7, "open": 3, "against": 0}, "results.html#c1"),
    Verdict("C2", "nothing compared", "not tested here", {"for": 0, "open": 0, "against": 0}, "results.html#c2"),
]


@pytest.fixture(scope="module")
def page():
    flow = {"conv5": np.eye(4), "image": np.eye(16)}
    shown = abstract([FACE] * 3, (0.2, 0.5), flow, np.eye(4), VERDICTS, network="LCNN9")
    return BeautifulSoup(shown.html, "html.parser")


def test_it_has_five_steps_in_order(page):
    heads = [step.find(class_="head").get_text(" ", strip=True) for step in page.select(".step")]
    assert [head[0] for head in heads] == list("12345")


def test_every_image_is_described_and_none_is_fetched(page):
    images = page.find_all("img")
    assert len(images) == 3 + 2 * 2 + 2  # faces; on the probe each layer, and the map
    assert all(image["alt"] and image["src"].startswith("data:image/png;base64,") for image in images)


def test_claims_are_linked_and_their_bars_are_their_counts(page):
    one, two = page.select(".claims li")
    assert one.a["href"] == "results.html#c1"
    assert "the hiding <game>" in one.a.get_text()
    assert [(i["class"], i["style"]) for i in one.select(".bar i")] == [(["for"], "flex:7"), (["open"], "flex:3")]
    assert one.find(class_="bar")["aria-label"] == "7 for, 3 open, 0 against, of 10 comparisons"
    assert two.select(".bar i") == [] and "not tested here" in two.get_text()


@pytest.mark.parametrize(("near", "far", "told"), [(0.2, 0.5, "mate"), (0.5, 0.2, "non-mate")])
def test_the_network_prefers_the_nearer_one(near, far, told):
    shown = abstract([FACE] * 3, (near, far), {"a": np.eye(2)}, np.eye(4), [], network="LCNN9")
    words = BeautifulSoup(shown.html, "html.parser").get_text()
    assert f"It prefers the {told}." in words


@pytest.mark.parametrize(
    ("place", "words"),
    [((0, 0), "top left"), ((0, 4), "top"), ((4, 4), "centre"), ((8, 8), "bottom right"), ((4, 8), "right")],
)
def test_where_a_map_lies_is_said(place, words):
    values = np.zeros((9, 9))
    values[place] = 1
    assert _where(values) == f"most of it at the {words}."
    assert _where(0 * values) == "empty."
