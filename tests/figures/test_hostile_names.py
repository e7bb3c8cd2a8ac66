"""Names that come from outside (methods, layers, chapters, profiles) are text on a page, whatever stands in them."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from parameters import table

from gweebp.figures import layer_slider, threshold_slider
from gweebp.games.stepped import SteppedGame

MARKUP = ["</script>", "<script>", "<!--", "-->", "]]>", "<img src=x onerror=y>", "&lt;", "&", '"', "'", "</td>", "`"]
# line breaks and the like are another matter: a parser of HTML may turn one into another
NAMES = st.lists(
    st.one_of(st.sampled_from(MARKUP), st.text(st.characters(exclude_categories=["C", "Z"]))), min_size=1
).map("".join)


def two_layers(name: str, other: str) -> str:
    maps = np.eye(2), np.eye(2)
    return layer_slider(np.zeros((1, 4, 4)), {name: (*maps, other)}, (name, other), name).html


def two_methods(name: str, other: str) -> str:
    k = 3
    game = SteppedGame(np.eye(4), np.ones((4, 4), int), [False] * k, [0.0] * k, [0.0] * k, [0.0] * k)
    played = {name: game, other: game}
    return threshold_slider(np.zeros((1, 4, 4)), np.ones((1, 4, 4)), np.eye(4) > 0, played, count=1, first=name).html


def parameters_of_a_chapter(name: str, other: str) -> str:
    def cell(tag: str, source: str) -> dict:
        return {"source": source, "metadata": {"tags": [tag]}}

    comment = other.replace("`", "'")  # which would make code of what stands between two
    cells = [
        cell("parameters", f"steps = 1\nname = {name!r}  # {comment}"),
        cell("injected-parameters", f"name = {other!r}"),
    ]
    return table({"cells": cells}, name, {other: 1.0})


def elements(html: str) -> list[tuple[str, list[str]]]:
    """The tags of a page in order, each with the names of its attributes."""
    return [(tag.name, sorted(tag.attrs)) for tag in BeautifulSoup(html, "html.parser").find_all(True)]


@pytest.mark.promise("pages: a name is text, whatever stands in it")
@pytest.mark.parametrize("draw", [two_layers, two_methods, parameters_of_a_chapter])
@settings(max_examples=60)
@given(name=NAMES, other=NAMES)
def test_a_name_is_text_and_never_markup(draw: Callable[[str, str], str], name: str, other: str) -> None:
    other = other + " 2" * (name == other)
    html = draw(name, other)
    assert elements(html) == elements(draw("a", "b"))
    page = BeautifulSoup(html, "html.parser")
    if page.script is not None:
        assert not set("<>&") & set(page.script.text)
        held = json.loads(page.script.text)
        assert [row["name"] for row in held] == [name] if draw is two_layers else set(held["methods"]) == {name, other}
        assert all(option["value"] in held["methods"] for option in page.find_all("option"))
    else:
        assert name in page.text and other in page.text


def test_the_layer_slider_says_what_it_was_told():
    page = BeautifulSoup(two_layers("conv<1>", "a & b"), "html.parser")
    assert page.find(class_="says").text == "conv<1>: a & b"
