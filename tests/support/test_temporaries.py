"""What killed runs leave: swept by a later run, and only that."""

import os
import signal
import subprocess
import sys

import pytest

from gweebp.support import files, temporaries

WRITER = """
import os, sys
from gweebp.support import files
with files.atomic(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    sys.stdin.readline()
"""


def writing(path):
    """A program in the middle of writing `path`."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    program = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], text=True, **pipes)
    assert program.stdout.readline() == "writing\n"
    return program


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.promise("files: no original is ever lost")
def test_what_a_killed_run_leaves_is_swept_by_the_next_and_nothing_else(tmp_path, tally):
    others = {
        "out.json": b"old",
        ".0123456789ab.out.json": b"",
        ".gweebp-0123456789ab.new.json": b"x",
        ".gweebp-0123456789ab.lock": b"mine",
        ".gweebp-0123456789ac.lock": b"../out.json",
    }
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    killed, alive = writing(tmp_path / "out.json"), writing(tmp_path / "out.json")
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        tally("kills survived")
        assert len(names(tmp_path)) == len(others) + 4  # each has its temporary file, and its lock
        assert len(temporaries.sweep(tmp_path)) == 1
        assert len(names(tmp_path)) == len(others) + 2
        alive.communicate("\n", timeout=60)
        assert alive.returncode == 0
        others["out.json"] = b"half"
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == others
    finally:
        for program in (killed, alive):
            program.kill()
            program.communicate()


def test_the_first_file_that_a_run_writes_into_a_folder_sweeps_it(tmp_path, monkeypatch):
    program = writing(tmp_path / "a.json")
    program.kill()
    program.communicate()
    monkeypatch.setattr(temporaries, "_swept", set())
    files.write_json(tmp_path / "b.json", 1)
    assert names(tmp_path) == ["b.json"]


@pytest.mark.parametrize("length", [250, 251, 255])
def test_a_file_may_have_the_longest_name_there_is(tmp_path, length):
    path = tmp_path / ("é" * 30 + "x" * (length - 65) + ".json")
    assert len(os.fsencode(path.name)) == length
    files.write_json(path, 1)
    assert names(tmp_path) == [path.name]


def test_folders_that_are_not_there_have_nothing_to_sweep(tmp_path):
    assert temporaries.sweep(tmp_path / "none") == []
    (tmp_path / ".gweebp-0123456789ab.lock").mkdir()
    assert temporaries.sweep(tmp_path) == []
