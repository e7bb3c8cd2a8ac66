"""Where a stage writes: alone, where it may, onto nothing that it did not write; what fails leaves whole files."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.small_world import RUN, inputs_of, line, run, world
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from gweebp.support import files
from gweebp.support.claim import sole
from gweebp.support.rests_on import digest

OUT = {"verify": "trials.json", "maps": "maps.safetensors", "play": "games.safetensors", "sanity": "sanity.safetensors"}
INTO = {"train": ("weights.safetensors", "record.json")}  # stages that write into a folder
DRAWN = f"prepare faces --dataset tiny --kind drawn --subjects 8 --size 16 {RUN}"
SET = ("faces.safetensors", "record.json", "quadruplets.safetensors")


@pytest.fixture(scope="module")
def made(faces, tmp_path_factory) -> dict[str, Path]:
    """The files of a world: kind -> path."""
    return world(tmp_path_factory.mktemp("world"), faces, 1, 1)


def command(stage: str, made: dict[str, Path], out: Path) -> tuple[list[str], list[Path]]:
    """The command line of a stage, and the files that it writes."""
    if stage == "prepare faces":
        return [*DRAWN.split(), "--out", str(out)], [out / name for name in SET]
    if stage == "prepare learn translator":
        words = f"{stage} --size 32 --blocks 0 --people 1 --width 0.0625 --steps 1 --batch 1 {RUN} --out {out}"
        return words.split(), [out]
    return line(stage, inputs_of(stage, made), out), [out / name for name in INTO.get(stage, ())] or [out]


WRITING = ["train", *OUT, "prepare faces", "prepare learn translator"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


KINDS = ["bytes", "json", "tensors", "ours"]


def foreign(path: Path, kind: str, content: bytes) -> None:
    """Write a file that no stage wrote."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "bytes":
        path.write_bytes(content)
    elif kind == "json":
        path.write_text(json.dumps({"record": content.hex(), "stage": [content.hex()]}))
    elif kind == "tensors":
        save_file({"x": torch.zeros(len(content))}, path)
    else:  # a file of another stage
        files.write_tensors(path, {"x": torch.zeros(len(content))}, {"record": {"stage": "explain"}})


@pytest.mark.promise("files: no original is ever lost")
@pytest.mark.parametrize("stage", WRITING)
@settings(max_examples=12)
@given(
    kind=st.sampled_from(["bytes", "json", "tensors", "ours"]), content=st.binary(max_size=40), which=st.integers(0, 2)
)
def test_a_file_of_the_users_is_not_replaced(made, tmp_path_factory, stage, kind, content, which):
    folder = tmp_path_factory.mktemp("users")
    words, outputs = command(stage, made, folder / "place")
    foreign(outputs[which % len(outputs)], kind, content)
    before = contents(folder)
    code, said = run(words)
    assert code == 1
    assert "was not written by `gweebp" in said and str(outputs[which % len(outputs)]) in said
    assert contents(folder) == before


@pytest.mark.promise("files: no original is ever lost")
@pytest.mark.parametrize("stage", list(OUT))
def test_an_input_is_not_an_output(made, tmp_path, stage):
    inputs = inputs_of(stage, made)
    for name, path in inputs.items():
        before = path.read_bytes()
        (tmp_path / name).symlink_to(path)
        for out in (path, path.parent / "." / path.name, tmp_path / name):
            code, said = run(line(stage, inputs, out))
            assert code == 1
            assert f"is also the --{name}: name another file" in said
            assert path.read_bytes() == before


@pytest.mark.promise("files: no original is ever lost")
def test_training_into_the_folder_of_the_faces_is_refused(made):
    """Both have a record.json."""
    folder = made["faces"].parent
    before = contents(folder)
    code, said = run(line("train", inputs_of("train", made), folder))
    assert code == 1
    assert "record.json is there and was not written by `gweebp train`" in said
    assert contents(folder) == before


@pytest.mark.promise("files: no original is ever lost")
@pytest.mark.parametrize(
    "step", ["draw --kind drawn --subjects 1 --size 16", "parse --folder {0}/faces", "inpaint --folder {0}/faces"]
)
def test_prepared_faces_do_not_go_into_a_folder_of_the_users(tmp_path, step):
    for name in ("photos", "sketches"):
        files.write_image(tmp_path / f"faces/{name}/a.png", torch.zeros(3, 16, 16, dtype=torch.uint8))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    before = contents(tmp_path)
    for place in ("mine", "faces"):
        code, said = run(f"prepare {step.format(tmp_path)} --out {tmp_path}/{place} {RUN}".split())
        assert code == 1
        assert "name a new folder with --out" in said or "where your originals are: name another folder" in said
        assert contents(tmp_path) == before


@pytest.mark.promise("stages: two runs never write one place at once")
@pytest.mark.parametrize("stage", WRITING)
def test_a_second_run_into_one_place_is_refused(made, tmp_path, stage):
    words, outputs = command(stage, made, tmp_path / "place")
    with sole(tmp_path / "place", folder=len(outputs) > 1):
        code, said = run(words)
        assert code == 1
        assert f"another run writes {tmp_path}/place: wait until it has ended" in said
    assert list(tmp_path.iterdir()) == []
    assert run(words)[0] == 0
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(outputs)


def start(words: list[str]) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-m", "gweebp", *words], stderr=subprocess.PIPE, text=True, env=environment
    )


def until(true: Callable[[], bool], process: subprocess.Popen) -> None:
    while not true():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@pytest.mark.promise("stages: two runs never write one place at once")
def test_two_trainings_at_once_and_one_that_was_killed(made, tmp_path, tally):
    """The second is refused while the first one works; once that is killed, the next one runs and nothing is left."""
    out = tmp_path / "net"
    first = start(line("train", inputs_of("train", made), out, "--seed", "1", "--steps", "1000000"))
    until(lambda: out.is_dir() and any(out.iterdir()), first)
    code, said = run(line("train", inputs_of("train", made), out, "--seed", "2"))
    assert code == 1 and "another run writes" in said
    first.send_signal(signal.SIGKILL)
    first.wait()
    tally("kills survived")
    assert run(line("train", inputs_of("train", made), out, "--seed", "2"))[0] == 0
    assert sorted(path.name for path in out.iterdir()) == ["record.json", "weights.safetensors"]
    assert files.read_json(out / "record.json")["recipe"]["seed"] == 2
    assert files.read_tensors(out / "weights.safetensors")[1]["record"]["recipe"]["seed"] == 2


@pytest.mark.promise("files: a place that can't be written is refused before the work")
@pytest.mark.parametrize("stage", WRITING)
def test_a_read_only_place(made, tmp_path, stage):
    if os.geteuid():
        place = tmp_path / "place"
        place.mkdir(mode=0o555)
    elif (place := Path("/sys/kernel")).is_dir():  # nobody may write there, root neither
        pass
    else:
        pytest.skip("no folder here that root can't write")
    words, _ = command(stage, made, place / "new")
    code, said = run(words)
    assert code == 1
    assert said.startswith("error: ") and f"can't write into {place}" in said
    assert said.count("\n") == 1


def in_a_child(words: list[str], what: int, limit: int) -> tuple[int, str]:
    """Run a command in a process that has only so much of something."""
    here, there = multiprocessing.Pipe(duplex=False)

    def work() -> None:
        resource.setrlimit(what, (limit, limit))
        there.send(run(words))

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    there.close()
    found = here.recv()
    child.join()
    return found


@pytest.mark.promise("files: a full disk leaves whole files, and an error of ours")
@pytest.mark.parametrize("stage", WRITING)
@settings(max_examples=8)
@given(share=st.floats(0, 0.9))
def test_a_full_disk(made, tmp_path_factory, stage, share):
    """Files can't grow beyond some bytes: each is the old one or the new one, and nothing else stays."""
    folder = tmp_path_factory.mktemp("full")
    words, outputs = command(stage, made, folder / "place")
    assert run(words)[0] == 0
    before = contents(folder)
    largest = max(map(len, before.values()))
    code, said = in_a_child([*words, "--seed", "3"], resource.RLIMIT_FSIZE, int(share * largest))
    assert code == 1
    assert said.startswith("error: ") and said.count("\n") == 1
    after = contents(folder)
    assert after.keys() == before.keys()
    for path in outputs:
        digest(path)  # whole, old or new
    assert any(after[name] == before[name] for name in before)
    assert run(words)[0] == 0  # with room again, all is made


@pytest.mark.promise("errors: what does not fit into memory is an error of ours")
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="the memory of a process is read from /proc")
def test_not_enough_memory(tmp_path):
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    words = f"prepare faces --dataset big --kind drawn --subjects 400 --size 512 {RUN} --out {tmp_path}/set".split()
    code, said = in_a_child(words, resource.RLIMIT_AS, now + 2**27)
    assert code == 1
    assert said.startswith("error: prepare faces: not enough memory for this") and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_an_older_version_wrote_is_made_again(made, tmp_path):
    """Its record does not name the stage, but the command."""
    out = tmp_path / "trials.json"
    trials = files.read_json(made["trials"])
    del trials["record"]["stage"]
    files.write_json(out, trials | {"record": trials["record"] | {"command": "gweebp/__main__.py verify --faces x"}})
    assert run(line("verify", inputs_of("verify", made), out))[0] == 0
    files.write_json(out, trials | {"record": trials["record"] | {"command": "gweebp/__main__.py maps --faces x"}})
    assert run(line("verify", inputs_of("verify", made), out))[0] == 1
