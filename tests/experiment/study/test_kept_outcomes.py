"""What data/study holds: single trials are computed again from the kept weights, and give what was kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from gweebp import networks
from gweebp.commands.maps import variant
from gweebp.experiment.study import outcomes, people, playing
from gweebp.experiment.study.evidence import RUNS, of_study
from gweebp.experiment.study.trials import Trials
from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets
from gweebp.faces.synthetic.world import World
from gweebp.support import files

ROOT = next(p for p in Path(__file__).resolve().parents if (p / "pyproject.toml").is_file())
STUDY, KEPT = ROOT / "data/study", ROOT / "data/checkpoints/study"
PLAN = yaml.safe_load((STUDY / "plan.yaml").read_text(encoding="utf-8"))
COUNT = 2
SPOTS = {"white": ("center", "ebp", "gweebp"), "ablation": ("gwebp", "gwe-cosine"), "code": ("ebp-code", "gweebp-blur")}
PLAYED = [(*run, group) for run in RUNS for group in SPOTS if (STUDY / run[0] / f"{run[1]}-0/{group}.npz").is_file()]


def drawn_again(world, kept, found):
    """The first trials of a file of outcomes, by the numbers of their people."""
    pairs = [
        [people.drawn(world, int(number)) for number in kept[f"hiding/{who}"][:COUNT]] for who in ("person", "other")
    ]
    persons = [int(number) for number in kept["inpainting/person"][:COUNT]]
    ids = tuple(f"person-{number:07d}" for number in persons)
    own = [people.drawn(world, number) for number in persons]
    sketches, photos = (torch.cat([one[k] for one in own]) for k in (0, 1))
    faces = FaceSet("again", ids, photos, sketches, torch.full((COUNT,), 2), record={"world": world.record()})
    six = people.quadruplets_of(faces, torch.arange(COUNT))
    four = six.select(torch.tensor([6 * i + int(kept["inpainting/part"][i]) for i in range(COUNT)]))
    four = Quadruplets(**four._tensors() | {"subject": torch.tensor(persons)})
    return Trials(
        probe=torch.cat([x[0] for x in pairs[0]]),
        mate=torch.cat([x[1] for x in pairs[0]]),
        nonmate=torch.cat([x[1] for x in pairs[1]]),
        person=torch.from_numpy(kept["hiding/person"][:COUNT]),
        other=torch.from_numpy(kept["hiding/other"][:COUNT]),
        four=four,
        found=found,
    )


@pytest.mark.parametrize(("dataset", "network", "group"), PLAYED)
def test_single_trials_computed_again_give_what_was_kept(dataset, network, group):
    weights = KEPT / dataset / f"{network}-0.safetensors"
    kept, record = outcomes.read(STUDY / dataset / f"{network}-0" / f"{group}.npz")
    assert files.sha256(weights) == record["weights_sha256"]
    kind = PLAN["datasets"][dataset]
    world = World(kind["kind"], PLAN["size"], PLAN["seed"], kind["error"])
    net = networks.load(weights).to(memory_format=torch.channels_last)
    trials = drawn_again(world, kept, record["found"])
    again, _ = playing.play(
        net,
        trials,
        [variant(m, record["options"].get(m, {})) for m in SPOTS[group]],
        triplets=COUNT,
        quadruplets=COUNT,
        crossed=min(1, PLAN["groups"][group]["crossed"]),
        steps=PLAN["steps"],
    )
    same, bits = 0, 0
    for key, found in again.items():
        before = kept[key][: len(found)]
        if key.startswith("truth/"):
            np.testing.assert_allclose(found, before, atol=1e-3, err_msg=key)
        elif key.endswith(("person", "other", "part", "outside", "outside_changed")):
            np.testing.assert_array_equal(found, before, err_msg=key)
        elif "false" in key:
            np.testing.assert_allclose(found.astype(float), before.astype(float), atol=80, err_msg=key)
        else:
            one, two = outcomes.bits(found), outcomes.bits(before)
            same, bits = same + int((one == two).sum()), bits + one.numel()
    assert same / bits > 0.99  # another processor rounds otherwise, and a decision may hang on that


def test_each_file_is_of_a_piece_of_the_plan_and_says_how_it_was_made():
    found = sorted(STUDY.glob("*/*/*.npz"))
    assert found
    for path in found:
        network, _, training = path.parent.name.rpartition("-")
        assert path.parents[1].name in PLAN["datasets"] and network in PLAN["networks"]
        assert int(training) < PLAN["trainings"]
        group = PLAN["groups"][path.stem]
        arrays, record = outcomes.read(path)
        assert {key.split("/")[1] for key in arrays if key.startswith("truth/")} == set(group["methods"])
        assert record["rules"] and not record["rules"].endswith("+")
        assert record["seed"] == PLAN["seed"] and record["steps"] == PLAN["steps"]
        assert len(arrays["hiding/person"]) <= group["triplets"]
        numbers = (arrays["inpainting/person"] - people.FIRST) % PLAN["trainings"]
        assert set(numbers.tolist()) == {int(training)}  # people of this training alone


def test_the_kept_outcomes_are_evidence():
    runs = of_study(STUDY)
    assert len(runs) == 4  # two networks on two datasets
    for run in runs:
        differences = run.differences("inpainting", "gweebp", "ebp")
        assert differences is not None and len(differences) == len(run.units)
