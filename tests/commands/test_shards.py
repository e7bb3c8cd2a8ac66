"""A table of cases in parts: whatever is run, stopped and run again, the end is what one run gives."""

import csv
import json
import os
from pathlib import Path

import pytest
from helpers import fast_page
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gweebp import networks
from gweebp.__main__ import main
from gweebp.commands.casework import Examiner, read_table, run_table, writing
from gweebp.commands.casework.summary import tables_of


@pytest.fixture(scope="module")
def desk(tmp_path_factory, faces):
    """An examiner, and the folder of its pictures."""
    folder = tmp_path_factory.mktemp("desk")
    for i in range(3):
        Image.fromarray(faces.photos[i].permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    net = networks.build("lcnn9", seed=0, width=0.125, size=32, embedding=16).eval()
    networks.save(net, folder / "net.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "_drawn", fast_page.drawn)
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield folder, Examiner(net)


def table(folder, count, bad):
    """A CSV of cases; those in `bad` lack their picture."""
    lines = [f"c{i},{9 if i in bad else i % 3}.png,1.png,2.png" for i in range(count)]
    path = folder / "cases.csv"
    path.write_text("\n".join(["id,probe,mate,nonmate", *lines]) + "\n")
    return read_table(path)


def outcome(out, shard=None):
    """What the table says, without what differs from one run to another."""
    rows = json.loads(tables_of(out, shard)[1].read_text())
    return [{key: value for key, value in row.items() if key != "seal"} for row in rows]


@settings(max_examples=12)
@given(st.data())
def test_parts_in_any_order_and_a_last_run_give_what_one_run_gives(tmp_path_factory, desk, data):
    folder, examiner = desk
    count = data.draw(st.integers(2, 6))
    bad = set(data.draw(st.lists(st.integers(1, count - 1), max_size=1)))
    cases = table(folder, count, bad)
    base = tmp_path_factory.mktemp("out")
    whole, parted = base / "whole", base / "parted"
    run_table(examiner, cases, whole, {})
    n = data.draw(st.integers(1, 4))
    for i in data.draw(st.permutations(range(1, n + 1))):
        rows = run_table(examiner, cases, parted, {}, shard=(i, n))
        assert [row["id"] for row in rows] == list(cases)[i - 1 :: n]
        assert outcome(parted, (i, n)) == [row for row in outcome(whole) if row["id"] in {r["id"] for r in rows}]
        assert not (parted / "results.csv").exists()
    before = {path: path.stat().st_mtime_ns for path in parted.glob("c*")}
    run_table(examiner, cases, parted, {})
    assert outcome(parted) == outcome(whole)
    assert {path.name for path in parted.iterdir()} == {path.name for path in whole.iterdir()}
    assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing is computed twice


def test_two_parts_at_one_time_do_not_meet(desk, tmp_path, monkeypatch):
    """The second part runs whole in the midst of the first."""
    folder, examiner = desk
    cases, seen = table(folder, 4, ()), []
    examine = Examiner.examine

    def nested(self, case):
        if not seen:
            seen.append(case)
            run_table(examiner, cases, tmp_path / "out", {}, shard=(2, 2))
        return examine(self, case)

    monkeypatch.setattr(Examiner, "examine", nested)
    run_table(examiner, cases, tmp_path / "out", {}, shard=(1, 2))
    found = [outcome(tmp_path / "out", (i, 2)) for i in (1, 2)]
    assert [[row["id"] for row in rows] for rows in found] == [["c0", "c2"], ["c1", "c3"]]
    assert all(row["outcome"] != "error" for rows in found for row in rows)


def test_only_tables_of_parts_that_we_wrote_are_removed(desk, tmp_path):
    folder, examiner = desk
    out, cases = tmp_path / "out", table(folder, 2, ())
    run_table(examiner, cases, out, {}, shard=(1, 2))
    kept = {out / "results-2-of-2.csv": "mine", out / "results-of-mine.csv": "mine", out / "results-3.json": "{}"}
    for path, text in kept.items():
        path.write_text(text)
    run_table(examiner, cases, out, {})
    assert not (out / "results-1-of-2.csv").exists() and not (out / "results-1-of-2.json").exists()
    assert {path: path.read_text() for path in kept} == kept


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3", "", "1 / 2"])
def test_what_is_no_part_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        main(["explain", "--batch", "cases.csv", f"--shard={text}", "--weights", "w", "--out", "o"])
    assert "expected a part and how many there are, such as 2/4" in capsys.readouterr().err


def test_a_part_on_the_command_line(desk, tmp_path, monkeypatch, capsys):
    folder, _ = desk
    table(folder, 3, ())
    monkeypatch.chdir(folder)
    words = ["explain", "--batch", "cases.csv", "--weights", "net.safetensors", "--out", str(tmp_path / "out")]
    assert main([*words, "--shard", "2/2"]) == 0
    assert "1 case: " in capsys.readouterr().out
    assert [row["id"] for row in csv.DictReader((tmp_path / "out/results-2-of-2.csv").read_text().splitlines())] == [
        "c1"
    ]
    assert main(["explain", "0.png", "1.png", "2.png", *words[3:5], "--out", "x.png", "--shard", "1/2"]) == 1
    assert "--shard parts a table of cases" in capsys.readouterr().err
    Path("named.csv").write_text("id,probe,mate,nonmate\nresults-1-of-2,0.png,1.png,2.png\nok,0.png,1.png,2.png\n")
    assert main([*words[:2], "named.csv", *words[3:]]) == 1
    assert "results-1-of-2.json is the table of the results of a part" in capsys.readouterr().err
