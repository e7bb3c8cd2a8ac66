"""The case that comes with the package: as typed, in any folder, and what it says of itself."""

import json
import re
from pathlib import Path

import pytest

from gweebp import networks
from gweebp.__main__ import main
from gweebp.commands.casework.demo import FILES, FOLDER, NAME
from gweebp.support import files


def test_the_demo_works_as_typed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "--demo"]) == 0
    said = capsys.readouterr().out
    document = json.loads(Path(f"{NAME}.json").read_text())
    assert (
        document["outcome"] == "explained" and document["sentence"] in said and document["effect"]["sentence"] in said
    )
    assert "nearer to the candidate" in said and "at the threshold" in said
    assert document["effect"]["strength"] == "clear" and "these were" not in document["threshold_conditions"]
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".html", ".json"}
    assert main(["explain", "--demo"]) == 0  # its own files are replaced
    assert main(["explain", "--demo", "--html", "mine.html"]) == 0 and Path("mine.html").is_file()


@pytest.mark.parametrize("more", ["a.png b.png c.png", "--weights x", "--batch x.csv", "--gallery x", "--threshold 1",
                                  "--align", "--trials x", "--landmarks x", "--mate x"])  # fmt: skip
def test_the_demo_takes_no_files_of_the_user(tmp_path, monkeypatch, capsys, more):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "--demo", *more.split()]) == 1
    assert "leave out" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_the_demo_says_how_it_was_made_and_how_well_its_network_recognises():
    trials, weights = files.read_json(FOLDER / FILES["trials"]), FOLDER / FILES["weights"]
    assert weights.stat().st_size < 2_000_000 and files.sha256(weights) == trials["weights_sha256"]
    assert trials["rank_k"]["1"] > 0.8 and trials["probes"] >= 50 and trials["pairs"]["impostor"] > 1000
    assert re.match(r"gweebp train --network lcnn9 ", trials["commands"]["train"])
    assert networks.load(weights).frame.record() == trials["alignment"]
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 2_000_000
