"""Soundness and provenance: intervals by hand, targets that are missed are said, records of all stages are found."""

from types import SimpleNamespace

import pytest
import torch

from gweebp.experiment import network_quality, provenance
from gweebp.support import files


def run(**changes):
    """A run of LCNN9 on the composite set that meets every target."""
    trials = {
        "rank": [1] * 6 + [2] * 4,
        "rank_k": {"1": 0.6, "5": 1.0},
        "gallery": 500,
        "threshold": 0.5,
        "fpr_at_threshold": 0.05,
        "tpr_at_threshold": 0.9,
        "hiding": {"probe": [0, 1]},
        "inpainting": {
            "candidates": 900,
            "qualified": list(range(150)),
            "qualified_by_part": {"hair": 140, "nose": 10},
        },
    }
    trials = {**trials, **changes}
    return SimpleNamespace(trials=trials, dataset="synthetic-composite", network="lcnn9", title="LCNN9, composite")


def test_wilson_agrees_with_the_printed_example():
    # Agresti and Coull (1998): 0 of 10 has the 95 % interval 0 to 0.278
    assert network_quality.wilson(0, 10) == pytest.approx((0, 0, 0.2775), abs=1e-4)
    found = network_quality.wilson(5, 10)
    assert found.low == pytest.approx(1 - found.high)
    with pytest.raises(ValueError, match="11 hits of 10"):
        network_quality.wilson(11, 10)


def test_identification_rates_count_the_ranks():
    found = network_quality.identification_rates(run())
    assert (found[1].value, found[5].value) == (0.6, 1.0)


def test_all_targets_met():
    assert {row["met"] for row in network_quality.checks(run())} == {"yes"}
    text = network_quality.quality_in_words(run())
    assert "0.600 [0.313, 0.832] in a gallery of 500, against the paper’s 0.573 in one of 1871" in text
    assert text.endswith("all targets are met.")


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"rank_k": {"1": 0.8}}, "rank-1"),
        ({"rank_k": {"1": 0.39}}, "rank-1"),
        ({"fpr_at_threshold": 0.051}, "FPR at τ"),
    ],
)
def test_a_missed_target_is_named(change, missed):
    assert [row["target"] for row in network_quality.checks(run(**change)) if row["met"] == "no"] == [missed]
    assert f"targets missed: {missed}." in network_quality.quality_in_words(run(**change))


def test_too_few_quadruplets_are_named_with_their_part():
    few = {"candidates": 900, "qualified": list(range(149)), "qualified_by_part": {"hair": 140, "nose": 9}}
    missed = [row for row in network_quality.checks(run(inpainting=few)) if row["met"] == "no"]
    assert [(row["target"], row["found"]) for row in missed] == [
        ("qualified quadruplets", "149"),
        ("of each part", "9 (nose)"),
    ]


def test_a_set_without_paper_and_targets_says_less():
    other = run(inpainting={"candidates": 0, "qualified": [], "qualified_by_part": {}})
    other.dataset = "mine"
    assert network_quality.checks(other) == []
    assert (
        network_quality.quality_in_words(other)
        == "LCNN9, composite: rank-1 is 0.600 [0.313, 0.832] in a gallery of 500."
    )
    found = network_quality.beside_the_paper(other)
    assert found["inpainting game, quadruplets"] == "not played"
    assert "paper" not in " ".join(found.values())


def test_records_of_every_stage_are_found_in_the_order_of_the_pipeline(tmp_path):
    record = {"commit": "0123456789abcdef", "seconds": 60.0, "peak_memory_mib": 100.0, "seed": 0, "threads": 1}
    files.write_json(tmp_path / "data/d/record.json", {"environment": record})
    files.write_json(tmp_path / "aligned/d/manifest.json", {"parse": {}, "align": {"environment": record}})
    files.write_json(tmp_path / "networks/d/n/record.json", {"environment": record | {"seconds": 120.0}})
    files.write_json(tmp_path / "trials/d/n.json", {"record": record})
    files.write_json(tmp_path / "chapters/results.json", record | {"commit": "0123456789abcdef-dirty", "seed": None})
    for folder in ("maps", "games"):
        files.write_tensors(tmp_path / folder / "d/n/all.safetensors", {"x": torch.zeros(1)}, {"record": record})
    found = provenance.collect(tmp_path)
    assert [r.stage for r in found] == ["align", "prepare", "train", "verify", "maps", "play", "chapter"]
    assert [r.what for r in found[:3]] == ["d", "d", "d/n"]
    assert found[2].row()["seconds"] == "120.0"
    assert found[6].row()["commit"] == "01234567-dirty"
    assert found[6].row()["seed"] == ""
    lines = provenance.summary(found)
    assert lines[0] == "7 runs took 8.0 minutes in all, the longest 2.0 (train d/n)."
    assert "Commit: 0123456789abcdef, 0123456789abcdef-dirty (the runs differ)." in lines
    assert "CPU threads: 1." in lines
    assert "Device: not recorded." in lines
    assert provenance.seconds_by_stage(found)["train"] == 120


def test_a_build_without_records_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="build the book first"):
        provenance.collect(tmp_path)
