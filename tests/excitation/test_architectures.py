"""No architecture of the sweep is refused: its parts on a small trunk, and some networks of torchvision."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

import gweebp

ROOT = next(p for p in Path(__file__).resolve().parents if (p / "benchmarks").is_dir())
sys.path.insert(0, str(ROOT))

from benchmarks.architectures import libraries, parts, report, sweep  # noqa: E402

LONG = ("LSTM,", "GRU,", "RNN,", "LSTM with")  # over all places: beside their cells in test_rules and test_spellings
PARTS = {name: subject for name, subject in parts.subjects().items() if not name.startswith(LONG)}


def checked(name, net, image):
    row = sweep.row(name, net, image, rounds=0)
    assert row["refused"] is None and row["note"] == ""
    assert all(-1e-5 <= kept <= 1 + 1e-4 for kept in row["kept"].values())
    assert row["kept"]["eebp"] > 0.3
    return row


@pytest.mark.filterwarnings("ignore::gweebp.LostMassWarning")
@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_explained_and_a_batch_is_what_single_calls_are(name):
    torch.manual_seed(0)
    net = PARTS[name].build()
    images = torch.rand(2, 3, PARTS[name].side, PARTS[name].side)
    row = checked(name, net, images[:1])
    assert (row["first"], row["step"]) == ((0.0, 0.0), (4.0, 4.0))
    _, mate, nonmate = sweep.triplet(net, images[:1])
    one, both = (
        gweebp.mwp(
            net, given, mate.expand(len(given), -1), nonmate.expand(len(given), -1), layer="stem", weighted=False
        )
        for given in (images[1:], images)
    )
    torch.testing.assert_close(both[1:], one, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5", "vit (small)"])
def test_a_network_of_torchvision_is_explained(name):
    torch.manual_seed(0)
    subject = libraries.torchvision()[name]
    row = checked(name, subject.build(), torch.rand(1, 3, subject.side, subject.side))
    assert row["default"] == name.startswith("vit") and report.line(row).startswith(name)


def test_what_is_refused_stands_in_the_table():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 4))
    net[1].forward = lambda x: x.flatten(1).cumsum(1)
    row = sweep.row("cumulative", net, torch.rand(1, 3, 8, 8), rounds=0)
    assert "cumsum" in row["refused"] and "refused: UnsupportedOperation" in report.line(row)


def test_the_table_of_the_book_is_made_of_the_kept_results():
    folder = ROOT / "benchmarks/architectures"
    result = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert (folder / "table.md").read_text(encoding="utf-8") == report.page(result)
    assert not [row["name"] for row in result["rows"] if row["refused"]]
