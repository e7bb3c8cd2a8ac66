"""What the study's chapter says of the outcomes it finds, and why a map can fall below a random order."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from gweebp.experiment.claims import CLAIMS, judge
from gweebp.experiment.evidence import Evidence, of_scores
from gweebp.experiment.study import fills, summary
from gweebp.experiment.study.evidence import VIEWS
from gweebp.methods.corrrise import corrrise


def unit(number, means):
    rng = np.random.default_rng(number)
    people = 100 * number + np.arange(40)
    values = {m: of_scores(mean + 0.05 * rng.normal(size=40), people) for m, mean in means.items()}
    return SimpleNamespace(
        title="VGG16, drawn", plays=lambda game: set(means), figure=lambda game, m, methods: values[m],
        agreement_lead=lambda: None,
    )  # fmt: skip


@pytest.fixture
def study():
    units = tuple(unit(k, {"random": 0.2, "ebp": 0.4, "gweebp": 0.7} | ({"xface": 0.1} if k else {})) for k in range(3))
    return [Evidence("vgg16", "synthetic-drawn", units)]


def test_figures_are_means_over_trainings_of_what_all_played(study):
    found = summary.estimates(study, "hiding")["VGG16, drawn"]
    assert list(found) == ["random", "ebp", "gweebp"]
    by_hand = [u.figure("hiding", "ebp", []).value for u in study[0].units]
    assert found["ebp"].value == pytest.approx(np.mean(by_hand))
    assert 0 < found["ebp"].low < found["ebp"].value < found["ebp"].high < 1
    assert list(summary.estimates(study, "hiding", ["ebp"])["VGG16, drawn"]) == ["ebp"]


def test_differences_are_of_the_trainings_that_played_both(study):
    pairs = {"weighting": ("gweebp", "ebp"), "rival": ("gweebp", "xface"), "absent": ("gweebp", "corrrise")}
    found = summary.differences(study, "hiding", pairs)["VGG16, drawn"]
    assert set(found) == {"weighting", "rival"}
    assert found["weighting"].low > 0.2 and found["weighting"].p < 0.05


def test_what_is_missing_is_said(study):
    text = summary.missing(study, ["gweebp", "xface", "corrrise"])
    assert "VGG16, drawn has 3 of 5 trainings" in text
    assert "CorrRISE not played yet" in text
    complete = [Evidence("vgg16", "synthetic-drawn", study[0].units[1:] * 3)]
    assert summary.missing(complete, ["gweebp", "xface"]) == ""


def test_a_method_that_few_trainings_played_is_missing_too(study):
    units = study[0].units[1:] * 3
    first = set(units[0].plays("inpainting"))

    class Without:
        def __init__(self, unit):
            self.plays = lambda game: unit.plays(game) - {"xface"}

    assert "xface" in first
    few = [Evidence("vgg16", "synthetic-drawn", [units[0], units[1], *(Without(unit) for unit in units[2:])])]
    assert summary.missing(few, ["gweebp", "xface"]) == "XFace played in 2 of 5 trainings"


def test_every_sentence_has_a_row(study):
    rows = summary.sentences(judge(study))
    assert len(rows) == sum(len(c.sentences) for c in CLAIMS)
    assert {row["verdict"] for row in rows} <= {"reproduced", "contradicted", "not resolved", "not tested here"}


def test_the_kept_study_has_a_verdict_under_every_view(kept_study):
    found = summary.views(kept_study)
    assert list(found) == list(VIEWS)
    assert all(len(verdicts) == len(CLAIMS) for verdicts in found.values())


@pytest.fixture
def kept_study(request):
    return request.config.rootpath / "data/study"


class Probe(nn.Module):
    """Embeds an image as its left and its right half."""

    def forward(self, x):
        return torch.stack([x[..., :4].mean((1, 2, 3)), x[..., 4:].mean((1, 2, 3))], 1)


def triplet():
    left = torch.zeros(1, 1, 8, 8)
    left[..., :4] = 1.0
    return left + 0.01, left, left.flip(3)


def test_the_signed_map_is_corrrises_own_where_the_fill_is():
    net, (probe, mate, nonmate) = Probe(), triplet()
    own = corrrise(net, probe, net(mate), net(nonmate), masks=200, negative="minimum")
    signed = fills.correlation(net, (probe, mate, nonmate), lambda k: torch.zeros(()), 200)
    torch.testing.assert_close((signed - signed.amin((1, 2), keepdim=True)).float(), own, atol=2e-4, rtol=0)


def test_masks_that_show_the_games_fill_find_what_the_game_exchanges():
    """Mate and non-mate differ in one corner only: the order that hides it last keeps the match for longest."""
    torch.manual_seed(0)
    net, mate = nn.Flatten(), torch.rand(1, 1, 8, 8) + 0.5
    nonmate = mate.clone()
    nonmate[..., :4, :4] = 0.2
    images = mate.clone(), mate, nonmate
    signed = fills.correlation(net, images, lambda k: nonmate[k], 400)
    assert signed[0, :4, :4].mean() > signed[0, 4:, 4:].mean() + 0.2
    area, tpr = fills.curve(net, images, signed - signed.amin((1, 2), keepdim=True))
    assert tpr[0] == 1.0 and tpr[-1] == 0.0
    assert area > fills.curve(net, images, signed.amax((1, 2), keepdim=True) - signed)[0] + 0.3
    found = fills.orders(net, images, masks=50)
    assert found["the same, fading to the game's own fill"] > found["random, blocks of 1 pixels"]
    assert all(0 <= value <= 1 for value in found.values())
    assert fills.share_tied(signed) == pytest.approx(float((signed <= 0).double().mean()))
