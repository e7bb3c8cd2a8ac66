"""A build is read back as it was written; measures and sentences say what the outcomes hold."""

import json

import numpy as np
import pytest
import torch

from gweebp import networks
from gweebp.experiment import examples, network_quality, scores
from gweebp.experiment.build import Run, open_runs
from gweebp.faces.quadruplets import Quadruplets
from gweebp.games.bootstrap import Difference, Estimate
from gweebp.support import files


def outcomes(methods, t=6, q=8, steps=5):
    """hiding: each method holds `k` of the steps; inpainting: succeeds from step `4 - k` on."""
    found = {
        "hiding/subject": torch.arange(t),
        "inpainting/subject": torch.arange(q) % 4,
        "inpainting/part": torch.arange(q) % 3,
        "inpainting/outside": torch.full((q,), 10),
    }
    for k, method in enumerate(methods):
        found[f"hiding/{method}/matched"] = torch.arange(steps).expand(t, -1) <= k
        found[f"inpainting/{method}/success"] = torch.arange(steps).expand(q, -1) >= steps - 1 - k
        found[f"inpainting/{method}/false_positives"] = torch.linspace(0, 10, steps).long().expand(q, -1)
    return found


@pytest.fixture
def build(tmp_path, faces):
    """A build with one run, two groups of methods, and two qualified quadruplets of four."""
    folder = tmp_path / "demo"
    faces.save(folder / "data/noise")
    index, flat = (
        torch.arange(4),
        (50 + torch.arange(4, dtype=torch.uint8)).view(4, 1, 1, 1).expand(4, 3, 32, 32).contiguous(),
    )
    half = torch.zeros(4, 32, 32, dtype=torch.bool)
    half[:, :16] = True
    Quadruplets(flat, flat, flat, flat, half, index, index).save(folder / "data/noise/quadruplets.safetensors")
    net = networks.build("lcnn9", seed=0, width=0.125, size=32)
    networks.save(net, folder / "networks/noise/lcnn9/weights.safetensors")
    chosen = {"probe": [1, 3], "mate": [1, 3], "nonmate": [3, 5]}
    trials = {"hiding": chosen, "inpainting": {"qualified": [2, 0]}}
    files.write_json(folder / "trials/noise/lcnn9.json", trials)
    files.write_tensors(folder / "games/noise/lcnn9/a.safetensors", outcomes(["ebp", "gweebp"]))
    files.write_tensors(folder / "games/noise/lcnn9/b.safetensors", outcomes(["random"]))
    return folder


def test_groups_are_merged_and_trials_looked_up(build, faces):
    (run,) = open_runs(build, "noise", "lcnn9")
    assert run.games.methods == ["ebp", "gweebp", "random"]
    assert list(run.games.inpainting) == ["ebp", "gweebp", "random"]
    assert run.qualified.subject.tolist() == [2, 0]
    assert run.quadruplet(1).op.unique().tolist() == [50]
    probe, mate, nonmate = run.triplet(1)
    assert torch.equal(probe[0], faces.sketches[faces.test[3]])
    assert torch.equal(mate[0], faces.photos[faces.test[3]])
    assert torch.equal(nonmate[0], faces.distractors[5 - 4])
    assert not run.net.training


def test_one_part_keeps_its_own_trials(build):
    (run,) = open_runs(build, "noise", "lcnn9")
    part = run.games.of_part(2)
    assert part.inpainting_part.tolist() == [2, 2]
    assert part.inpainting_subject.tolist() == [2, 1]
    assert len(part.inpainting["ebp"].success) == 2
    assert part.methods == run.games.methods
    assert run.games.of_part(5).inpainting == {}


def test_a_group_of_other_trials_is_refused(build):
    old = outcomes(["center"])
    old["hiding/subject"] = old["hiding/subject"] + 1
    files.write_tensors(build / "games/noise/lcnn9/old.safetensors", old)
    with pytest.raises(ValueError, match="other trials"):
        _ = open_runs(build, "noise", "lcnn9")[0].games
    files.write_tensors(build / "games/noise/lcnn9/old.safetensors", outcomes(["center"], steps=6))
    with pytest.raises(ValueError, match="other trials"):
        _ = open_runs(build, "noise", "lcnn9")[0].games


@pytest.mark.parametrize(
    ("datasets", "names", "error", "match"),
    [
        ("noise", "vgg16", FileNotFoundError, "vgg16 on noise in .*demo: .*PROFILE=demo"),
        ("noise", " , ", ValueError, "nothing to show"),
    ],
)
def test_what_is_not_there_is_named(build, datasets, names, error, match):
    with pytest.raises(error, match=match):
        open_runs(build, datasets, names)


def test_samples_out_of_range_are_named(build):
    (run,) = open_runs(build, "noise", "lcnn9")
    with pytest.raises(ValueError, match="sample=2: there are 2 triplets of LCNN9, noise, 0 to 1"):
        run.triplet(2)
    with pytest.raises(ValueError, match="sample=-1: there are 2 qualified quadruplets"):
        run.quadruplet(-1)


def test_values_are_those_of_the_games(build):
    runs = open_runs(build, "noise", "lcnn9")
    areas = scores.estimates(runs, "hiding", resamples=50)["LCNN9, noise"]
    assert list(areas) == ["random", "ebp", "gweebp"]  # the book's order
    # TPR 1, 0, 0, 0, 0 and 1, 1, 0, 0, 0 on five points: trapezoids of width 1/4
    assert areas["ebp"] == pytest.approx((0.125, 0.125, 0.125))
    assert areas["gweebp"] == pytest.approx((0.375, 0.375, 0.375))
    lead = scores.differences(runs, "hiding", {"ebp": ("gweebp", "ebp"), "no": ("xface", "ebp")}, resamples=50)
    assert list(lead["LCNN9, noise"]) == ["ebp"]
    assert lead["LCNN9, noise"]["ebp"].value == pytest.approx(0.25)
    # gweebp succeeds from step 3 (FAR 0.7) on, ebp at the last step only
    sr = scores.estimates(runs, "inpainting", ["gweebp", "ebp"], resamples=50)["LCNN9, noise"]
    assert sr["gweebp"].value > sr["ebp"].value > 0
    assert scores.estimates(runs, "sr-10", resamples=50)["LCNN9, noise"]["gweebp"].value == 0


def test_curves_have_one_line_a_method(build):
    runs = open_runs(build, "noise", "lcnn9")
    found = scores.curves(runs, "hiding", resamples=50)["LCNN9, noise"]
    np.testing.assert_allclose(found["gweebp"].value, [1, 1, 0, 0, 0])
    assert list(scores.curves(runs, "inpainting", ["ebp"], resamples=50)["LCNN9, noise"]) == ["ebp"]


def test_a_game_that_was_not_played_is_left_out_and_said(build):
    hiding = {k: v for k, v in outcomes(["ebp"]).items() if k.startswith("hiding")}
    for old in (build / "games/noise/lcnn9").iterdir():
        old.unlink()
    files.write_tensors(build / "games/noise/lcnn9/a.safetensors", hiding)
    runs = open_runs(build, "noise", "lcnn9")
    assert scores.estimates(runs, "inpainting") == {}
    assert scores.curves(runs, "inpainting") == {}
    assert scores.leader(runs[0], "inpainting") == "LCNN9, noise: not played, so nothing to compare."
    assert "nothing to compare it with" in scores.leader(runs[0], "hiding")


def test_the_sentence_names_the_highest_and_says_what_is_settled(build):
    (run,) = open_runs(build, "noise", "lcnn9")
    assert scores.leader(run, "hiding", ["ebp", "gweebp"], resamples=50) == (
        "LCNN9, noise: gweEBP is highest with 0.375 [0.375, 0.375], ahead of EBP by +0.250 [+0.250, +0.250], "
        "which the interval separates from zero."
    )
    found = scores.leader(run, "sr-1", resamples=50)  # all 0: a tie is not a lead
    assert found.endswith("which the interval does not separate from zero.")


def test_tables_are_in_the_books_order_and_leave_gaps():
    found = {
        "A": {"gweebp": Estimate(0.5, 0.4, 0.6), "random": Estimate(0.1, 0.0, 0.2)},
        "B": {"random": Difference(-0.1, -0.2, 0.0, 0.05)},
    }
    rows = scores.table(found, digits=1)
    assert [row["method"] for row in rows] == ["random", "gweEBP"]
    assert rows[0] == {"method": "random", "A": "0.1 [0.0, 0.2]", "B": "−0.1 [−0.2, +0.0]"}
    assert rows[1]["B"] == ""


def test_an_unknown_measure_is_named():
    with pytest.raises(ValueError, match="unknown measure 'hidden'; known: hiding, inpainting"):
        scores.find("hidden")


def test_a_run_has_a_title():
    assert Run.__dataclass_params__.frozen
    assert json.dumps(Run("b", "cuhk", "vgg16").title) == '"VGG16, CUHK"'


def test_the_example_is_the_best_kind_that_there_is(build, faces):
    (run,) = open_runs(build, "noise", "lcnn9")
    four, what = examples.quadruplet(run, 1)
    assert four.op.unique().tolist() == [50]
    assert what == "a qualified quadruplet: another hair"
    trials = files.read_json(build / "trials/noise/lcnn9.json")
    files.write_json(build / "trials/noise/lcnn9.json", trials | {"inpainting": {"qualified": []}})
    (run,) = open_runs(build, "noise", "lcnn9")
    four, what = examples.quadruplet(run, 3)
    assert four.op.unique().tolist() == [53]
    assert what == "a candidate (none qualifies by Eq. 7-8): another nose"
    with pytest.raises(ValueError, match="sample=4: there are 4 candidates"):
        examples.quadruplet(run, 4)
    Quadruplets.load(build / "data/noise/quadruplets.safetensors").select(torch.arange(0)).save(
        build / "data/noise/quadruplets.safetensors"
    )
    (run,) = open_runs(build, "noise", "lcnn9")
    four, what = examples.quadruplet(run, 4)
    assert four.op.shape == faces.photos[:1].shape
    assert what == "a drawn quadruplet (this dataset has no doppelgängers): another mouth"
    assert (four.op != four.ip).any()
    with pytest.raises(ValueError, match="sample=6"):
        examples.quadruplet(run, 6)


def test_draws_give_the_differences_of_the_games(build):
    (run,) = open_runs(build, "noise", "lcnn9")
    for name in scores.MEASURES:
        m = scores.find(name)
        first, second = (m.draw(run.games, method, resamples=60, seed=3) for method in ("gweebp", "ebp"))
        assert first.over(second, 0.9) == m.difference(run.games, "gweebp", "ebp", resamples=60, seed=3, level=0.9)


def test_negative_responses_are_counted_and_the_network_left_alone(build):
    (run,) = open_runs(build, "noise", "lcnn9")
    found = examples.negative_shares(run, probes=3)
    x = networks.as_input(run.net, run.faces.sketches[run.faces.test[:3]])
    features = dict(run.net.named_modules())[run.net.saliency_layer]
    assert not features._forward_hooks
    assert found["embedding"] == pytest.approx((run.net(x) < 0).float().mean().item())
    assert 0 < found["saliency layer"] < 1  # MFM lets negative responses through


def test_the_conditions_are_the_distances_of_the_candidates(build):
    (run,) = open_runs(build, "noise", "lcnn9")
    d, kept = network_quality.conditions(run)
    assert kept.tolist() == [True, False, True, False]
    assert all(len(values) == 4 for values in d.values())
    assert d["d(OP, OM)"].max() == 0  # the four images of the fixture are one
    run.candidates.select(torch.arange(0)).save(build / "data/noise/quadruplets.safetensors")
    files.write_json(build / "trials/noise/lcnn9.json", run.trials | {"inpainting": {"qualified": []}})
    (run,) = open_runs(build, "noise", "lcnn9")
    d, kept = network_quality.conditions(run)
    assert d == {}
    assert len(kept) == 0
