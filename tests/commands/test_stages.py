"""The command line: each stage reads what the one before wrote, and writes one whole file with its record."""

from dataclasses import replace
from importlib import import_module

import pytest
import torch

from gweebp.__main__ import STAGES, main
from gweebp.commands.prepare import STEPS
from gweebp.faces import FaceSet, Quadruplets
from gweebp.support.files import read_json, read_tensors

RUN = "--seed 0 --threads 1 --device cpu"
METHODS = "random center gweebp ebp"


def run(line: str) -> int:
    return main(line.split())


@pytest.fixture(scope="module")
def folder(faces, tmp_path_factory):
    """A folder with a set that any network tells apart, and quadruplets whose twin is the next subject."""
    folder = tmp_path_factory.mktemp("stages")
    faces = replace(faces, sketches=faces.photos // 8 * 8)
    faces.save(folder)
    op, om = faces.sketches[faces.test], faces.photos[faces.test]
    region = torch.zeros(len(op), 32, 32, dtype=torch.bool)
    region[:, :16] = True
    Quadruplets(op, om, op.roll(1, 0), om.roll(1, 0), region, faces.test, torch.arange(len(op))).save(
        folder / "quadruplets.safetensors", faces=folder / "faces.safetensors"
    )
    return folder


@pytest.fixture(scope="module")
def played(folder):
    """The same folder after train, verify, maps and play."""
    data = f"--faces {folder}/faces.safetensors --quadruplets {folder}/quadruplets.safetensors"
    trained = f"{data} --weights {folder}/net/weights.safetensors"
    shape = "--network lcnn9 --width 0.125 --size 32 --embedding 16"
    recipe = "--steps 20 --identities 8 --validate-every 10 --no-cosine"
    assert run(f"train --faces {folder}/faces.safetensors --out {folder}/net {shape} {recipe} {RUN}") == 0
    assert run(f"verify {trained} --out {folder}/trials.json --fpr 0.2 {RUN}") == 0
    trials = f"{trained} --trials {folder}/trials.json"
    assert run(f"maps {trials} --out {folder}/maps.safetensors --methods {METHODS} --batch 3 {RUN}") == 0
    assert run(f"play {trials} --maps {folder}/maps.safetensors --out {folder}/games.safetensors --steps 5 {RUN}") == 0
    return folder


def test_training_follows_its_flags(played):
    record = read_json(played / "net/record.json")
    assert record["network"]["width"] == 0.125
    assert record["recipe"]["steps"] == 20
    assert record["recipe"]["cosine"] is False
    assert record["environment"]["threads"] == 1


def test_verification_chooses_the_trials(played, faces):
    trials = read_json(played / "trials.json")
    assert trials["dataset"] == "noise"
    assert trials["network"] == "lcnn9"
    assert trials["gallery"] == len(faces.gallery())
    assert trials["fpr_at_threshold"] <= 0.2
    first = [i for i, rank in enumerate(trials["rank"]) if rank == 1]
    assert trials["hiding"]["probe"] == first == trials["hiding"]["mate"]
    assert not set(zip(trials["hiding"]["mate"], trials["hiding"]["nonmate"], strict=True)) & {(i, i) for i in first}
    assert sum(trials["inpainting"]["qualified_by_part"].values()) == len(trials["inpainting"]["qualified"]) > 0


def test_the_roc_keeps_its_corners_only_and_runs_from_0_to_1(played):
    roc = read_json(played / "trials.json")["roc"]
    assert roc["tpr"][0] == roc["fpr"][0] == 0
    assert roc["tpr"][-1] == 1
    assert roc["tpr"] == sorted(roc["tpr"])
    assert roc["fpr"] == sorted(roc["fpr"])


def test_maps_of_every_method_and_game(played):
    trials = read_json(played / "trials.json")
    maps, metadata = read_tensors(played / "maps.safetensors")
    count = {"hiding": len(trials["hiding"]["probe"]), "inpainting": len(trials["inpainting"]["qualified"])}
    assert set(maps) == {f"{game}/{method}" for game in count for method in METHODS.split()}
    for key, saliency in maps.items():
        assert saliency.shape == (count[key.split("/")[0]], 4, 4)
        assert (saliency >= 0).all()
    torch.testing.assert_close(maps["hiding/center"].sum((1, 2)), torch.ones(count["hiding"]))
    assert set(metadata["record"]["seconds_by_method"]) == set(METHODS.split())


def test_the_record_of_maps_says_how_many_masks_a_tolerance_took(played, tmp_path):
    data = f"--faces {played}/faces.safetensors --quadruplets {played}/quadruplets.safetensors"
    trials = f"{data} --weights {played}/net/weights.safetensors --trials {played}/trials.json"
    options = '{"few":{"method":"corrrise","cells":4,"masks":300,"tolerance":0.9},"corrrise":{"masks":9}}'
    out = tmp_path / "maps.safetensors"
    line = f"maps {trials} --out {out} --methods few corrrise --batch 3 {RUN} --options {options}"
    assert run(line) == 0
    maps, metadata = read_tensors(out)
    spent = metadata["record"]["masks"]
    assert set(spent) == {name for name in maps if name.endswith("/few")}
    assert all(len(spent[name]) == len(maps[name]) and set(spent[name]) <= {256, 300} for name in spent)


def test_games_say_what_became_of_every_trial(played, faces):
    trials = read_json(played / "trials.json")
    games, metadata = read_tensors(played / "games.safetensors")
    subjects = faces.test[torch.tensor(trials["hiding"]["probe"])]
    assert games["hiding/subject"].tolist() == subjects.tolist()
    for method in METHODS.split():
        matched = games[f"hiding/{method}/matched"]
        assert matched.shape == (len(subjects), 5)
        assert matched[:, 0].all()
        assert not matched[:, -1].any()  # all pixels are the non-mate's
        success = games[f"inpainting/{method}/success"]
        assert (
            success.shape == games[f"inpainting/{method}/false_positives"].shape == (len(games["inpainting/part"]), 5)
        )
    assert (games["inpainting/outside"] == 32 * 16).all()
    assert metadata["record"]["steps"] == 5


def test_a_stage_run_again_gives_the_same_bytes_but_for_its_record(played, tmp_path):
    games, _ = read_tensors(played / "games.safetensors")
    inputs = f"--faces {played}/faces.safetensors --quadruplets {played}/quadruplets.safetensors"
    inputs += (
        f" --weights {played}/net/weights.safetensors --trials {played}/trials.json --maps {played}/maps.safetensors"
    )
    assert run(f"play {inputs} --out {tmp_path}/games.safetensors --steps 5 --batch 7 {RUN}") == 0
    again, _ = read_tensors(tmp_path / "games.safetensors")
    assert all(torch.equal(games[key], again[key]) for key in games)


def test_a_set_without_quadruplets_plays_the_hiding_game_only(played, tmp_path):
    images, index = torch.zeros(0, 3, 32, 32, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
    none = Quadruplets(images, images, images, images, torch.zeros(0, 32, 32, dtype=torch.bool), index, index)
    none.save(tmp_path / "none.safetensors", faces=played / "faces.safetensors")
    data = f"--faces {played}/faces.safetensors --quadruplets {tmp_path}/none.safetensors"
    data += f" --weights {played}/net/weights.safetensors"
    assert run(f"verify {data} --out {tmp_path}/trials.json --fpr 0.2 {RUN}") == 0
    assert read_json(tmp_path / "trials.json")["inpainting"]["qualified"] == []
    data += f" --trials {tmp_path}/trials.json"
    assert run(f"maps {data} --out {tmp_path}/maps.safetensors --methods center {RUN}") == 0
    assert (
        run(f"play {data} --maps {tmp_path}/maps.safetensors --out {tmp_path}/games.safetensors --steps 3 {RUN}") == 0
    )
    assert set(read_tensors(tmp_path / "games.safetensors")[0]) == {"hiding/subject", "hiding/center/matched"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "verify --faces {0}/no/faces.safetensors --quadruplets {0}/q --weights {0}/w --out {0}/t --fpr 0.1",
            "no file",
        ),
        (
            "train --faces {0}/faces.safetensors --out {0}/n --network vgg16 --size 9 --embedding 4",
            "size must be a whole number, 32 to 8192; got 9",
        ),
        ("prepare faces --out {0}/new --dataset x --kind pairs --size 32", "name it with --folder"),
        ("prepare faces --out {0}/new --dataset x --kind composite --size 32 --device mps", "no mps device"),
    ],
)
def test_bad_input_is_one_line_and_no_file(line, message, folder, capsys):
    before = set(folder.rglob("*"))
    assert run(line.format(folder)) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {line.partition(' --')[0]}: ")
    assert message in error
    assert set(folder.rglob("*")) == before


def test_an_unknown_method_is_named_with_the_nearest(played, capsys, tmp_path):
    inputs = f"--faces {played}/faces.safetensors --quadruplets {played}/quadruplets.safetensors"
    inputs += f" --weights {played}/net/weights.safetensors --trials {played}/trials.json"
    assert run(f"maps {inputs} --out {tmp_path}/maps.safetensors --methods gwebp {RUN}") == 1
    assert "did you mean 'gweebp'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stage", [*(name for name in STAGES if name != "prepare"), *(f"prepare {s}" for s in STEPS)])
def test_every_stage_explains_itself(stage, capsys):
    with pytest.raises(SystemExit) as done:
        main([*stage.split(), "--help"])
    assert done.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage:")
    says = import_module("gweebp.commands." + stage.replace(" ", ".")).__doc__
    assert " ".join(says.split()[:4]) in " ".join(shown.split())


def test_a_stage_of_several_steps_lists_them(capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    shown = capsys.readouterr().out
    assert all(step in shown for step in STEPS)
    with pytest.raises(SystemExit) as done:
        main(["prepare"])
    assert done.value.code != 0


def test_prepare_writes_a_set_that_loads(tmp_path):
    what = "--dataset synthetic-drawn --kind drawn --subjects 8 --distractors 3 --size 32"
    assert run(f"prepare faces --out {tmp_path} {what} {RUN}") == 0
    faces = FaceSet.load(tmp_path)
    assert faces.name == "synthetic-drawn"
    assert (len(faces.ids), len(faces.distractors)) == (8, 3)
    quadruplets = Quadruplets.load(tmp_path / "quadruplets.safetensors")
    assert set(quadruplets.subject.tolist()) == set(faces.test.tolist())
    assert faces.record["environment"]["seed"] == 0


def test_sanity_asks_network_people_and_labels(played, tmp_path):
    data = f"--faces {played}/faces.safetensors --quadruplets {played}/quadruplets.safetensors"
    data += f" --weights {played}/net/weights.safetensors --trials {played}/trials.json"
    shape = "--network lcnn9 --width 0.125 --size 32 --embedding 16"
    recipe = "--steps 2 --identities 4 --shuffled"
    assert run(f"train --faces {played}/faces.safetensors --out {tmp_path}/net {shape} {recipe} {RUN}") == 0
    line = f"sanity {data} --samples 4 --methods center ebp {RUN}"
    assert run(f"{line} --out {tmp_path}/plain.safetensors") == 0
    assert run(f"{line} --shuffled {tmp_path}/net/weights.safetensors --out {tmp_path}/labels.safetensors") == 0
    plain, _ = read_tensors(tmp_path / "plain.safetensors")
    found, metadata = read_tensors(tmp_path / "labels.safetensors")
    assert set(found) - set(plain) == {"center/labels", "ebp/labels"}
    n = len(found["subject"])
    assert found["ebp/cascade"].shape == (len(metadata["layers"]), n)
    assert found["ebp/labels"].shape == found["ebp/identity"].shape == (n,)
    assert (found["center/labels"] > 0.999).all()
    assert not (found["ebp/labels"] > 0.999).all()


def test_a_mistyped_command_is_named_with_the_nearest(capsys):
    assert main(["trian", "--seed", "0"]) == 2
    assert capsys.readouterr().err == "error: unknown command 'trian'; did you mean 'train'?\n"
