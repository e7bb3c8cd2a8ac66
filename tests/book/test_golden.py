"""The chapters are executed again by nbval, and what they print is held against what was printed before.

A chapter without results must print the same anywhere: its golden notebook is replayed to the letter. The numbers of
those that show results are in tests/golden/figures.json, and compared with a tolerance wherever the same faces are
drawn. Another kind of processor rounds some of their pixels to the next grey level, which training carries to other
numbers. Executed again, every chapter must print what the build has just printed. `make golden` makes both anew.
"""

import os
import subprocess
import sys

import pytest
from chapters import shows_results
from compare import FACES, TIMES, figures, read_figures, report
from execute import QUIET, THREADS
from helpers.replay import CHAPTERS, FIGURES, GOLDEN, KEPT, ROOT, SMOKE, TOLERANCE

WHAT_TO_DO = "\nwhere the change is meant: make golden, and read the diff"


def test_every_chapter_without_results_has_a_golden_notebook():
    assert sorted(path.stem for path in GOLDEN.glob("*.ipynb")) == sorted(KEPT)
    assert {"excitation_backprop", "extended_ebp", "gradient_weighting", "speed"} <= set(KEPT)


def test_every_chapter_with_results_has_golden_numbers():
    held = {name.partition(",")[0] for name in read_figures(FIGURES)}
    assert {chapter for chapter in CHAPTERS if shows_results(chapter)} - held == {TIMES}


@pytest.mark.usefixtures("smoke_book")
def test_the_smoke_build_has_the_numbers_that_are_kept():
    kept, now = read_figures(FIGURES), figures(SMOKE)
    faces = [name for name in kept if name.endswith(FACES)]
    assert len(faces) == 2
    if any(kept[name] != now[name] for name in faces):
        pytest.skip(
            "this processor rounds some pixels of the faces to another grey level: other networks, other numbers"
        )
    text, agree = report(kept, now, TOLERANCE)
    assert agree, text[-6000:] + WHAT_TO_DO


def test_golden_notebooks_hold_no_picture():
    for path in GOLDEN.glob("*.ipynb"):
        assert path.stat().st_size < 200_000, f"{path.name} is large: is there an image in it?"
        assert "<svg" not in path.read_text()
        assert "iVBOR" not in path.read_text()


@pytest.mark.usefixtures("smoke_book")
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_replay(chapter):
    folder = GOLDEN if chapter in KEPT else SMOKE / "chapters"
    compared = "--nbval-lax" if chapter == TIMES else "--nbval"  # its seconds differ in each run
    command = [sys.executable, "-m", "pytest", compared, "--nbval-current-env", "-q", "-p", "no:cacheprovider"]
    command += ["--nbval-sanitize-with", str(GOLDEN / "sanitize.cfg"), str(folder / f"{chapter}.ipynb")]
    environment = os.environ | QUIET | dict.fromkeys(THREADS, "1")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + WHAT_TO_DO
