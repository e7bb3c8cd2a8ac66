"""The benchmarks' arithmetic, and the figures that the chapter on speed shows."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from gweebp import speed

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import blackbox, clock

    return {"clock": clock, "blackbox": blackbox}


def test_ratios_are_of_the_same_round(benchmarks):
    clock = benchmarks["clock"]
    seconds = clock.interleaved({"a": lambda: time.sleep(0.004), "b": lambda: time.sleep(0.001)}, 3)
    assert {len(x) for x in seconds.values()} == {3} and clock.ratio(seconds, "a", "b") > 1
    assert clock.ratio({"a": [2, 30, 4], "b": [1, 10, 1]}, "a", "b") == 3
    assert clock.slope([1, 2, 4], [5, 5, 5]) == 0 and clock.slope([1, 2, 4], [1, 4, 16]) == 2


def test_share_inside_a_network_that_takes_all_the_time(benchmarks):
    class Slow(torch.nn.Module):
        def forward(self, x):
            time.sleep(0.02)
            return x.flatten(1)

    share = benchmarks["blackbox"].share_inside
    assert share(Slow(), lambda net: net(torch.ones(1, 1, 2, 2))) > 0.9
    assert share(Slow(), lambda net: (net(torch.ones(1, 1, 2, 2)), time.sleep(0.06))) < 0.5


def test_games_evaluate_no_blend_twice(benchmarks):
    from gweebp import networks

    net = networks.build("lcnn9", seed=0, width=0.125, size=64).eval()
    rows = {
        (r["what"], r["measure"]): r["value"] for r in benchmarks["blackbox"].games(net, 1, q=2, batch=32, steps=21)
    }
    evaluated = "images evaluated ÷ (steps and references)"
    assert rows["hiding", evaluated] == 1.0
    assert rows["inpainting", evaluated] < 1.0  # blends that differ in no pixel are one


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
