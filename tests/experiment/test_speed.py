"""The benchmarks' arithmetic, and the figures that the chapter on speed shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gweebp.experiment import speed

ROOT = Path(__file__).parents[2]


class Time:
    """A clock that goes on only when it is told to, in place of the machine's."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def pass_(self, seconds):
        self.now += seconds


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import blackbox, clock

    return {"clock": clock, "blackbox": blackbox}


@pytest.fixture
def time(benchmarks, monkeypatch):
    """The clock of both modules."""
    found = Time()
    for module in benchmarks.values():
        monkeypatch.setattr(module, "time", found)
    return found


def test_ratios_are_of_the_same_round(benchmarks, time):
    clock = benchmarks["clock"]
    seconds = clock.interleaved({"a": lambda: time.pass_(4), "b": lambda: time.pass_(1)}, 3)
    assert seconds == {"a": [4, 4, 4], "b": [1, 1, 1]} and clock.ratio(seconds, "a", "b") == 4
    assert clock.ratio({"a": [2, 30, 4], "b": [1, 10, 1]}, "a", "b") == 3
    assert clock.slope([1, 2, 4], [5, 5, 5]) == 0 and clock.slope([1, 2, 4], [1, 4, 16]) == 2


def test_share_of_the_time_inside_a_network(benchmarks, time):
    class Slow(torch.nn.Module):
        def forward(self, x):
            time.pass_(2)
            return x.flatten(1)

    share = benchmarks["blackbox"].share_inside
    assert share(Slow(), lambda net: net(torch.ones(1, 1, 2, 2))) == 1
    assert share(Slow(), lambda net: (net(torch.ones(1, 1, 2, 2)), time.pass_(6))) == 0.25


def test_games_evaluate_no_blend_twice(benchmarks):
    from gweebp import networks

    net = networks.build("lcnn9", seed=0, width=0.125, size=64).eval()
    rows = {
        (r["what"], r["measure"]): r["value"] for r in benchmarks["blackbox"].games(net, 1, q=2, batch=32, steps=21)
    }
    evaluated = "images evaluated ÷ (steps and references)"
    assert rows["hiding", evaluated] == 1.0
    assert rows["inpainting", evaluated] < 1.0  # blends that differ in no pixel are one


def test_search_is_measured_with_an_index_and_without(benchmarks, monkeypatch):
    """Where FAISS is not installed the table says so; the index's recall of the mate lies in 0..1."""
    from benchmarks import search

    rows = list(search.rows(1, g=600))
    exact = {r["measure"]: r["value"] for r in rows if r["what"] == "exact"}
    assert exact["seconds"] > 0 and exact["time ÷ all distances"] > 0
    by_index = [r for r in rows if r["what"].startswith("FAISS")]
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    (missing,) = search.by_index("", *search.people(600), [1.0], 1)
    assert "not installed" in missing["what"] and missing["value"] != missing["value"]
    assert by_index


def test_the_figures_of_the_book():
    result = speed.measured()
    assert result["rows"] and result["processor"] and result["finished"]
    topics = speed.tables(result)
    for name in ("vgg16", "lcnn9"):
        methods = {row["what"] for row in topics[f"{name}, to the saliency layer"]}
        assert {"ebp", "eebp", "ecebp", "etcebp", "gweebp"} <= methods
    counted = [r for r in result["rows"] if r["measure"] == "operations ÷ forward" and r["target"]]
    assert all(row["value"] <= 1.03 * row["target"] for row in counted)
    assert all(line.endswith(")") for line in speed.missed(result["rows"]))


def test_an_unknown_topic():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "speed"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2 and "lcnn9, vgg16, image" in done.stderr
