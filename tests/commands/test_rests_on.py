"""No stage takes inputs that were not made from one another: small worlds, mixed in every way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers.small_world import FILES, STAGES, inputs_of, line, run, world
from hypothesis import given, settings
from hypothesis import strategies as st

from gweebp.faces import FaceSet
from gweebp.support import files
from gweebp.support.rests_on import digest, recorded

pytestmark = pytest.mark.promise("stages: inputs that do not belong together are refused")

FACES = {"a": 1, "b": 2, "c": 1}  # world -> the seed of its faces; c has those of a, and another network
TRAINED = {"a": 1, "b": 2, "c": 3}  # world -> the seed of its training
MIXED = [stage for stage in STAGES if stage != "train"]


def call(stage: str, inputs: dict[str, Path], out: Path) -> tuple[int, str]:
    """Run a stage: its exit status, and what it said."""
    return run(line(stage, inputs, out))


@pytest.fixture(scope="module")
def worlds(faces, tmp_path_factory) -> dict[str, dict[str, Path]]:
    """World -> kind of file -> the file."""
    return {name: world(tmp_path_factory.mktemp(name), faces, seed, TRAINED[name]) for name, seed in FACES.items()}


def fits(chosen: dict[str, str]) -> bool:
    """Whether files of these worlds belong together."""
    one_set = len({FACES[world] for world in chosen.values()}) == 1
    bound = {world for kind, world in chosen.items() if kind in ("trials", "maps")}  # to a network, by its trials
    if "weights" in chosen and bound:
        bound.add(chosen["weights"])
    return one_set and len(bound) <= 1


@pytest.mark.parametrize("stage", MIXED)
@settings(max_examples=40)
@given(data=st.data())
def test_inputs_of_different_worlds_are_refused(worlds, tmp_path_factory, stage, data):
    chosen = {kind: data.draw(st.sampled_from(sorted(worlds)), label=kind) for kind in STAGES[stage][0]}
    inputs = {kind: worlds[world][kind] for kind, world in chosen.items()}
    out = tmp_path_factory.mktemp("out") / "result"
    code, said = call(stage, inputs, out)
    assert (code == 0) == fits(chosen), said
    if code:
        assert said.startswith(f"error: {stage}: ")
        named = [path for path in inputs.values() if str(path) in said]
        assert len(named) == 2 and "was made from other" in said
        assert any(
            f"make it again with `gweebp {recorded(path).get('stage', 'prepare faces')}`" in said for path in named
        )
        assert not list(out.parent.iterdir())


def changed(path: Path, data: st.DataObject) -> None:
    """Change one value in a file, and leave its record as it is."""
    if path.suffix == ".json":
        trials = files.read_json(path)
        game = data.draw(st.sampled_from(["hiding", "inpainting"]))
        rows = trials[game]["probe" if game == "hiding" else "qualified"]
        rows.remove(data.draw(st.sampled_from(rows)))
        return files.write_json(path, trials)
    tensors, metadata = files.read_tensors(path)
    tensor = tensors[data.draw(st.sampled_from(sorted(name for name, x in tensors.items() if x.numel())))]
    place = data.draw(st.integers(0, tensor.numel() - 1))
    tensor.view(-1)[place] = ~tensor.view(-1)[place] if tensor.dtype == torch.bool else tensor.view(-1)[place] + 1
    return files.write_tensors(path, tensors, metadata)


@pytest.mark.parametrize("kind", ["faces", "quadruplets", "weights", "trials"])
@settings(max_examples=15)
@given(data=st.data())
def test_a_file_that_was_changed_is_another_file(worlds, tmp_path_factory, kind, data):
    """Its record still says what it was made from; what was made from it does not fit any more."""
    folder = tmp_path_factory.mktemp("changed")
    inputs = inputs_of("play", worlds["a"])
    copy = folder / inputs[kind].name
    shutil.copy(inputs[kind], copy)
    if kind == "faces":
        shutil.copy(inputs[kind].with_name("record.json"), folder)
    assert call("play", inputs | {kind: copy}, folder / "same.safetensors")[0] == 0
    changed(copy, data)
    code, said = call("play", inputs | {kind: copy}, folder / "games.safetensors")
    assert code == 1
    assert str(copy) in said and "was made from other" in said
    assert not (folder / "games.safetensors").exists()


@pytest.mark.parametrize("kind", ["quadruplets", "trials", "maps"])
@pytest.mark.parametrize("record", [None, {}, [], {"rests_on": None}, {"rests_on": {}}, {"rests_on": {"faces": 3}}])
def test_a_file_that_does_not_say_what_it_was_made_from(worlds, tmp_path, kind, record):
    inputs = inputs_of("play", worlds["a"])
    copy = tmp_path / inputs[kind].name
    if kind == "trials":
        files.write_json(copy, files.read_json(inputs[kind]) | {"record": record})
    else:
        files.write_tensors(copy, files.read_tensors(inputs[kind])[0], {"record": record})
    code, said = call("play", inputs | {kind: copy}, tmp_path / "games.safetensors")
    assert code == 1
    assert str(copy) in said and "made from" in said


def test_weights_that_learned_on_other_faces_are_named_as_such(worlds, tmp_path):
    inputs = inputs_of("verify", worlds["a"]) | {"weights": worlds["b"]["weights"]}
    code, said = call("verify", inputs, tmp_path / "trials.json")
    assert code == 1 and "--trained-elsewhere" in said
    assert run(line("verify", inputs, tmp_path / "trials.json", "--trained-elsewhere"))[0] == 0


def test_a_stage_run_again_makes_a_file_of_the_same_digest(worlds, tmp_path):
    """Of equal content; its record, with the time that it took, differs."""
    for stage, kind in (("verify", "trials"), ("maps", "maps")):
        out = tmp_path / FILES[kind]
        assert call(stage, inputs_of(stage, worlds["a"]), out)[0] == 0
        assert digest(out) == digest(worlds["a"][kind])
    assert run(line("train", inputs_of("train", worlds["a"]), tmp_path / "net", "--seed", "1"))[0] == 0
    assert (tmp_path / FILES["weights"]).read_bytes() == worlds["a"]["weights"].read_bytes()


def test_records_name_what_a_file_rests_on(worlds):
    a = worlds["a"]
    for kind, others in {
        "quadruplets": ["faces"],
        "weights": ["faces"],
        "trials": ["faces", "quadruplets", "weights"],
        "maps": ["faces", "quadruplets", "weights", "trials"],
    }.items():
        assert recorded(a[kind])["rests_on"] == {other: digest(a[other]) for other in others}
    training = json.loads(a["weights"].with_name("record.json").read_text())
    assert training["rests_on"] == {"faces": digest(a["faces"])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hiding": None}, "holds no trials"),
        ({"threshold": "0.3"}, "holds no trials"),
        ({"hiding": {"probe": [0], "mate": [0], "nonmate": [99]}}, "hiding/nonmate must list rows 0 to 6"),
        ({"hiding": {"probe": [-1], "mate": [0], "nonmate": [1]}}, "hiding/probe must list rows 0 to 3"),
        ({"inpainting": {"qualified": [0.5]}}, "inpainting/qualified must list rows 0 to 3"),
        ({"inpainting": {}}, "inpainting/qualified must list rows"),
    ],
)
def test_trials_that_are_none(worlds, tmp_path, change, message):
    inputs = inputs_of("maps", worlds["a"])
    files.write_json(tmp_path / "trials.json", files.read_json(inputs["trials"]) | change)
    code, said = call("maps", inputs | {"trials": tmp_path / "trials.json"}, tmp_path / "maps.safetensors")
    assert code == 1 and message in said


def test_a_face_set_is_the_file_that_was_named(worlds, tmp_path):
    """Not one that lies beside it."""
    shutil.copy(worlds["b"]["faces"], tmp_path / "other.safetensors")
    for name in ("faces.safetensors", "record.json"):
        shutil.copy(worlds["a"]["faces"].with_name(name), tmp_path)
    loaded = FaceSet.load(tmp_path / "other.safetensors")
    assert torch.equal(loaded.photos, FaceSet.load(worlds["b"]["faces"]).photos)
