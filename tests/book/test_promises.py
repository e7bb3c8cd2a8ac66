"""The counts on the page about reliability: taken from the tests themselves, none forgotten."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import promises

TESTS = Path(__file__).parents[1]

SUITE = """
import hypothesis, hypothesis.strategies as st, pytest
from hypothesis.stateful import RuleBasedStateMachine, rule

pytestmark = pytest.mark.promise("files: kept")

@pytest.mark.parametrize("n", range(3))
def test_cases(n, tally):
    tally("kills survived", 2)

@pytest.mark.promise("errors: clear")
@hypothesis.settings(max_examples=7, derandomize=True)
@hypothesis.example(-1)
@hypothesis.given(st.integers())
def test_generated(tally, n):
    tally("files read")

@pytest.mark.promise("files: kept")
def test_named_twice():
    pytest.skip("not here")

@pytest.mark.promise("errors: wrong")
def test_fails():
    raise ValueError
"""


@pytest.fixture
def counted(tmp_path):
    """What a small suite of its own is counted as."""
    (tmp_path / "test_small.py").write_text(SUITE)
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\nfrom helpers import promises\nfrom helpers.promises import tally\n\n"
        "def pytest_configure(config):\n"
        "    config.addinivalue_line('markers', promises.MARKER)\n"
        "    config.pluginmanager.register(promises.Promises(Path('made/counts.json')), 'promises')\n"
    )
    command = [sys.executable, "-m", "pytest", "--strict-markers", "-p", "no:cacheprovider", "--rootdir", ".", "-q"]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 4 passed, 1 skipped" in done.stdout
    return json.loads((tmp_path / "made/counts.json").read_text())


def test_cases_generated_inputs_and_tallies_are_counted(counted):
    assert counted["promises"] == {
        "errors: clear": {"tests": 1, "cases": 1, "inputs": 8, "files read": 8},
        "errors: wrong": {"failed": 1},
        "files: kept": {
            "tests": 2, "cases": 4, "inputs": 8, "files read": 8, "kills survived": 6, "skipped": 1, "failed": 1,
        },
    }  # fmt: skip


def test_a_run_that_failed_is_not_kept_and_what_it_left_out_is_named(counted, tmp_path, monkeypatch):
    monkeypatch.setattr(promises, "named_in", lambda folder: {"install: any day", "errors: clear"})
    page = tmp_path / "page.md"
    page.write_text(f"before\n{promises.BEGIN}\nold\n{promises.END}\nafter\n")
    with pytest.raises(ValueError, match=r"failed or skipped: \['errors: wrong', 'files: kept'\]"):
        promises.keep(page, counted)
    assert "old" in page.read_text()
    made = counted | {"promises": {"errors: clear": counted["promises"]["errors: clear"]}}
    promises.keep(page, made)
    assert page.read_text().startswith(f"before\n{promises.BEGIN}\n| what")
    assert page.read_text().endswith(f"{promises.END}\nafter\n")
    assert "Not in that run: install: any day." in page.read_text()
    assert "| *errors*: clear | 1 | 1 | 8 | 8 files read |" in page.read_text()


def test_the_page_shows_what_a_run_counted():
    """Each row is a promise that tests are marked with. (What was marked since that run is not on it yet.)"""
    page = next((promises.ROOT / "book").rglob("reliability.md")).read_text(encoding="utf-8")
    kept = page.partition(promises.BEGIN)[2].partition(promises.END)[0]
    rows = [line.split("|")[1].strip().replace("*", "") for line in kept.splitlines() if line.startswith("| *")]
    assert len(rows) > 5
    assert set(rows) <= promises.named_in(TESTS)
    assert "in one run: " in kept
