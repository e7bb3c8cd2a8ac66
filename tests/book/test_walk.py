"""Walking a profile: what is made small, and what keeps its size."""

from __future__ import annotations

import json

import profiles
import pytest
import values
import walk

from gweebp.support.files import write_json


@pytest.mark.parametrize("name", ["paper", "uom_sgfs", "cuhk"])
def test_a_walk_changes_counts_and_no_size(name):
    whole = profiles.read(name) | {"profile": name}
    few = walk.reduced(whole)
    assert few["networks"] == whole["networks"] and few["maps"] == whole["maps"] and few["games"] == whole["games"]
    for key, dataset in few["datasets"].items():
        kept = {k: v for k, v in dataset.items() if k not in ("subjects", "pretraining", "distractors", "fpr")}
        assert kept == {k: v for k, v in whole["datasets"][key].items() if k in kept}
    recipes = [r for of in few["training"].values() for r in of.values()]
    assert all(r["steps"] == r["validate_every"] == 2 for r in recipes) and few["sanity"]["steps"] == 2
    assert all(few["invention"].get(learner, {"steps": 2})["steps"] == 2 for learner in profiles.LEARNERS)
    assert whole == profiles.read(name) | {"profile": name}  # as it was
    own = {k: v for k, v in few.items() if k != "profile"}
    assert not list(profiles.differences(own, profiles.read("book"))) and not list(values.wrong_values(own))


def test_a_walk_goes_to_the_last_stage_of_each_run_the_smallest_networks_first():
    few = walk.reduced(profiles.read("paper") | {"profile": "paper"})
    found = walk.runs(few)
    assert (
        found[0] == ("synthetic-composite", "lcnn9") and found[-1] == ("synthetic-drawn", "vgg16") and len(found) == 4
    )
    groups = few["maps"]["groups"]
    assert walk.last(few, "d", "n")[-2:] == [
        f"_build/walk_paper/games/d/n/{list(groups)[-1]}.safetensors",
        "_build/walk_paper/sanity/d/n.safetensors",
    ]


@pytest.mark.parametrize("found", [0, 9])
def test_a_handful_of_trials_is_left_or_filled_in(tmp_path, found):
    numbers = list(range(10, 10 + found))
    trials = {"hiding": dict.fromkeys(("probe", "mate", "nonmate"), numbers), "record": {"stage": "verify"}}
    trials["inpainting"] = {"candidates": 30, "qualified": numbers}
    write_json(tmp_path / "t.json", trials)
    walk.few(tmp_path / "t.json")
    left = json.loads((tmp_path / "t.json").read_text())
    assert all(len(values) == 3 for values in left["hiding"].values()) and len(left["inpainting"]["qualified"]) == 3
    assert all(a != b for a, b in zip(left["hiding"]["mate"], left["hiding"]["nonmate"])) or found
    assert left["record"] == {"stage": "verify"}


def test_what_stages_took_is_a_table(monkeypatch, tmp_path):
    ran = walk.collect.__globals__["Ran"](
        "train", "d, lcnn9", {"seconds": 12.34, "peak_memory_mib": 890.1, "threads": 1}
    )
    monkeypatch.setattr(walk, "collect", lambda build: [ran])
    assert "| train | d, lcnn9 | 12.3 | 890 | 1 |" in walk.table(tmp_path)
