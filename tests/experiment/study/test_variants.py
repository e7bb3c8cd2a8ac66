"""Variants of methods: their names are those of the plan, and a difference of differences is what it says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from gweebp.experiment.evidence import Evidence, of_scores
from gweebp.experiment.study import variants

MEANS = {"gweebp": 0.6, "ebp": 0.5, "gweebp-blur": 0.65, "ebp-blur": 0.3, "gwebp": 0.55}


def unit(number):
    rng = np.random.default_rng(number)
    shared = rng.normal(size=30)  # of a person: falls out of every difference
    people = 100 * number + np.arange(30)
    values = {m: of_scores(v + 0.3 * shared + 0.01 * rng.normal(size=30), people) for m, v in MEANS.items()}
    return SimpleNamespace(
        title="VGG16, drawings", plays=lambda game: set(MEANS), figure=lambda game, m, methods: values[m],
        agreement_lead=lambda: None,
    )  # fmt: skip


@pytest.fixture
def study():
    return [Evidence("vgg16", "synthetic-drawn", tuple(unit(k) for k in range(4)))]


def test_every_variant_is_played_by_the_plan(request):
    plan = yaml.safe_load((request.config.rootpath / "data/study/plan.yaml").read_text(encoding="utf-8"))
    played = {m for group in plan["groups"].values() for m in group["methods"]}
    assert set(variants.ABLATIONS.values()) <= played
    wanted = {variants.variant_of(m, way) for m in ("gweebp", *variants.RIVALS) for way in variants.WAYS}
    assert wanted <= played


def test_ablations_and_leads_of_what_was_played(study):
    found = variants.ablations(study, "hiding")["VGG16, drawings"]
    assert list(found) == ["no negative responses (gwEBP)", "smoothed as released"]
    assert found["no negative responses (gwEBP)"].value == pytest.approx(0.05, abs=0.01)
    leads = variants.leads(study, "hiding")
    assert list(leads) == ["equations", "equations, released smoothing"]
    assert leads["equations"]["VGG16, drawings"]["EBP"].value == pytest.approx(0.1, abs=0.01)


def test_what_a_way_adds_is_the_difference_of_two_leads(study):
    way = "equations, released smoothing"
    found = variants.added(study, "hiding", way)["VGG16, drawings"]
    leads = variants.leads(study, "hiding")
    by_hand = leads[way]["VGG16, drawings"]["EBP"].value - leads["equations"]["VGG16, drawings"]["EBP"].value
    assert list(found) == ["EBP"] and found["EBP"].value == pytest.approx(by_hand)
    assert found["EBP"].low > 0.2 and found["EBP"].high < 0.3  # what people share has fallen out
    assert variants.added(study, "hiding", "released code") == {}
