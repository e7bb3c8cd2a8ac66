"""Sliders: the data that they hold is the game's own; without the script their first state is seen."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from gweebp.experiment.sliders import replaced_at
from gweebp.figures import layer_slider, threshold_slider, walk_slider
from gweebp.games import inpainting
from gweebp.games.stepped import SteppedGame

K = 6


def pixels(uri: str) -> np.ndarray:
    assert uri.startswith("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


@pytest.fixture(scope="module")
def trial():
    """Random images of 8 pixels, a map of 4, and the game that a network of pixels plays with them."""
    g = torch.Generator().manual_seed(0)
    op, ip = torch.rand(2, 1, 1, 8, 8, generator=g)
    saliency = torch.rand(1, 4, 4, generator=g)
    region = torch.zeros(1, 8, 8, dtype=torch.bool)
    region[:, :4] = True
    outcome = inpainting.play(lambda x: x.flatten(1), op, op, ip, ip, region, saliency, steps=K)
    far, sr = inpainting.pooled(outcome)
    steps = replaced_at(saliency[0], (8, 8), K)
    played = SteppedGame(saliency[0], steps, outcome.success[0].tolist(), list(far), list(far), list(sr))
    return op[0], ip[0], region[0], played, outcome


def test_pixels_join_the_mask_at_the_step_at_which_the_game_takes_them(trial):
    _, _, region, played, outcome = trial
    for k in range(K):
        mask = played.steps <= k
        assert int((mask & ~region.numpy()).sum()) == int(outcome.false_positives[0, k])
        assert int((mask & region.numpy()).sum()) == int(outcome.true_positives[0, k])


def test_the_threshold_slider_holds_the_game(trial):
    op, ip, region, played, outcome = trial
    page = BeautifulSoup(threshold_slider(op, ip, region, {"gweebp": played}, count=1).html, "html.parser")
    held = json.loads(page.script.text)["methods"]["gweEBP"]
    assert held["matched"] == outcome.success[0].int().tolist()
    assert held["sr"] == pytest.approx(played.sr, abs=1e-4)
    np.testing.assert_array_equal(pixels(held["steps"]), played.steps)


def test_without_the_script_the_first_state_is_seen(trial):
    op, ip, region, played, _ = trial
    page = BeautifulSoup(threshold_slider(op, ip, region, {"gweebp": played}, count=1).html, "html.parser")
    start = int(page.find("input")["value"])
    blend = pixels(page.select(".stack")[1].img["src"])[..., 0] / 255
    expected = np.where(played.steps <= start, ip[0], op[0])
    np.testing.assert_allclose(blend, expected, atol=1 / 255)
    says = page.find(class_="says").text
    assert f"matched to {'IN' if played.matched[start] else 'OM'}" in says
    assert f"SR {played.sr[start]:.1%}" in says
    assert page.find(class_="controls").has_attr("hidden")


def test_two_sliders_of_the_same_game_are_the_same_bytes(trial):
    op, ip, region, played, _ = trial
    one, two = (threshold_slider(op, ip, region, {"gweebp": played}, count=1).html for _ in range(2))
    assert one == two


def test_methods_of_different_steps_are_refused(trial):
    op, ip, region, played, _ = trial
    other = played._replace(sr=list(played.sr)[:-1])
    with pytest.raises(ValueError, match="expected the same"):
        threshold_slider(op, ip, region, {"gweebp": played, "ebp": other}, count=1)


def test_the_layer_slider_starts_where_it_is_told():
    layers = {"conv2": (np.eye(2), np.eye(2), "two"), "conv1": (np.eye(4), np.ones((4, 4)), "<one>")}
    page = BeautifulSoup(layer_slider(np.zeros((1, 8, 8)), layers, ("a", "b"), "conv1").html, "html.parser")
    assert page.find("input")["value"] == "1"
    assert page.find(class_="says").text == "conv1: <one>"
    assert [len(row["maps"]) for row in json.loads(page.script.text)] == [2, 2]
    assert pixels(page.select(".stack img")[3]["src"]).shape == (4, 4, 4)


def test_the_walk_slider_shows_a_layer_more_at_each_step():
    toy = {"": ([[1.0], [0.7, 0.3], [0.2, 0.8]], [[[0.7, 0.3]], [[0.1, 0.9], [0.5, 0.5]]])}
    page = BeautifulSoup(walk_slider(toy, ["head", "hidden", "pixels"], ["a", "<b>", "c"]).html, "html.parser")
    steps = json.loads(page.script.text)
    assert [step["name"] for step in steps] == ["head", "hidden", "pixels"]
    ink = [(pixels(step["frame"])[..., :3] < 100).all(2).sum() for step in steps]
    assert ink[0] < ink[1] < ink[2]
    assert page.img["src"] == steps[2]["frame"] and page.find(class_="says").text == "pixels: c"


def test_a_walk_needs_a_sentence_for_each_layer():
    with pytest.raises(ValueError, match="2 sentences for 1 layers"):
        walk_slider({"": ([[1.0]], [])}, ["head"], ["a", "b"])
