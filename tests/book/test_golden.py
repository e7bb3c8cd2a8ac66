"""nbval replays the golden notebooks, the executed chapters of the smoke profile, and compares what they print.

A chapter of theory must print the same anywhere. One that shows results prints what a training gave, whose last digits
depend on the processor: it is compared with the golden notebook on the kind of machine that made it, and elsewhere
with the notebook that this build has just executed. `make golden` makes them anew.
"""

import json
import os
import subprocess
import sys

import pytest
from chapters import executed, shows_results
from execute import QUIET, THREADS
from helpers.replay import CHANGING, GOLDEN, ROOT, SMOKE, machine
from profiles import read

REPLAYED = [chapter for chapter in executed(read("smoke")["extra_chapters"]) if chapter not in CHANGING]


def test_every_chapter_has_a_golden_notebook():
    assert sorted(path.stem for path in GOLDEN.glob("*.ipynb")) == sorted(REPLAYED)


def test_golden_notebooks_hold_no_figure():
    for path in GOLDEN.glob("*.ipynb"):
        assert path.stat().st_size < 200_000, f"{path.name} is large: is there an image in it?"
        assert "<svg" not in path.read_text()
        assert "iVBOR" not in path.read_text()


@pytest.mark.usefixtures("smoke_book")
@pytest.mark.parametrize("chapter", REPLAYED)
def test_replay(chapter):
    same_machine = json.loads((GOLDEN / "machine.json").read_text()) == machine()
    comparable = same_machine or not shows_results(chapter)
    notebook = (GOLDEN if comparable else SMOKE / "chapters") / f"{chapter}.ipynb"
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider"]
    command += ["--nbval-sanitize-with", str(GOLDEN / "sanitize.cfg"), str(notebook)]
    environment = os.environ | QUIET | dict.fromkeys(THREADS, "1")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + "\nwhere the change is meant: make golden, and read the diff"
