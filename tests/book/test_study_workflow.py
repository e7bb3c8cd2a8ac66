"""`make study`: what it computes, in which order, and that it goes on from what the repository holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import study
import yaml
from chapters import reads_study
from study import Piece

from gweebp.experiment.study import outcomes
from gweebp.methods import METHODS
from gweebp.saliency import check_options, find_method

ROOT = Path(__file__).parents[2]
PLAN = yaml.safe_load((ROOT / "data/study/plan.yaml").read_text(encoding="utf-8"))


def test_the_plan_names_what_exists():
    for name, group in PLAN["groups"].items():
        for method in group["methods"]:
            options = dict(group.get("options", {}).get(method, {}))
            found = find_method(options.pop("method", method))
            options.pop("layer", None)
            check_options(found, options)
        assert all(group[key] >= 0 for key in ("triplets", "quadruplets", "crossed")), name
    for entry in PLAN["order"]:
        assert entry["group"] in PLAN["groups"]
        assert set(entry["networks"]) <= set(PLAN["networks"]) and set(entry["datasets"]) <= set(PLAN["datasets"])
        assert max(entry["trainings"]) < PLAN["trainings"]
    white = set(PLAN["groups"]["white"]["methods"]) | set(PLAN["groups"]["black"]["methods"])
    assert {m for m in METHODS if m in outcomes_of_the_paper()} <= white


def outcomes_of_the_paper():
    from gweebp.experiment.paper import METHODS as PAPERS

    return set(PAPERS)


def test_pieces_come_once_and_the_most_valuable_first():
    found = list(study.pieces(PLAN))
    assert len(found) == len(set(found))
    assert found[0] == Piece("white", "synthetic-composite", "lcnn9", 0)
    assert str(found[0].path) == "data/study/synthetic-composite/lcnn9-0/white.npz"
    # all runs get a training before any gets the next
    assert [p.training for p in found[:8]] == [0, 0, 0, 0, 1, 1, 1, 1]
    runs = {(p.dataset, p.network) for p in found if p.group == "white" and p.network in ("lcnn9", "vgg16")}
    assert all(sum(p[:3] == ("white", *run) for p in found) == PLAN["trainings"] for run in runs)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "ROOT", tmp_path)
    return tmp_path


def test_time_left_is_that_of_pieces_of_the_kind(folder):
    for piece, seconds in ((Piece("white", "d", "lcnn9", 0), 100.0), (Piece("white", "e", "lcnn9", 1), 200.0)):
        outcomes.write(folder / piece.path, {"x": np.zeros(1)}, {"seconds": seconds})
    known = study.seconds([Piece("white", "d", "lcnn9", 0), Piece("white", "e", "lcnn9", 1)])
    assert known == {("white", "lcnn9"): 150.0}
    todo = [Piece("white", "d", "lcnn9", 2)] * 24 + [Piece("black", "d", "lcnn9", 0)]
    assert study.left(todo, known) == "about 1 h 10 min left, trainings aside"


def test_weights_are_kept_once_played_and_put_back_where_they_lack(folder):
    weights = folder / "_build/study/networks/d/lcnn9-0/weights.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"trained")
    study.keep(PLAN)
    assert not (folder / study.KEPT).exists()  # nothing rests on them yet
    outcomes.write(folder / Piece("white", "d", "lcnn9", 0).path, {"x": np.zeros(1)}, {})
    study.keep(PLAN)
    kept = folder / study.KEPT / "d/lcnn9-0.safetensors"
    assert kept.read_bytes() == b"trained"
    weights.unlink()
    study.restore()
    assert weights.read_bytes() == b"trained"
    weights.write_bytes(b"newer")
    study.restore()
    assert weights.read_bytes() == b"newer"


def dry_run(where, *targets):
    """The jobs that Snakemake would run, as a list of rules."""
    config = where / "study.json"
    config.write_text(json.dumps({"plan": PLAN, "build": "_build/study", "device": "cpu", "rules": "abc"}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "book/workflow/study.smk")]
    command += [
        "--configfile",
        str(config),
        "--cores",
        "1",
        "--nolock",
        "--rerun-triggers",
        "mtime",
        "-n",
        "-d",
        str(where),
    ]
    done = subprocess.run([*command, "--", *targets], capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.partition("Job stats:")[2].split("total")[0].splitlines()
    return {
        line.split()[0]: int(line.split()[1]) for line in table if len(line.split()) == 2 and line.split()[1].isdigit()
    }


def test_a_piece_from_nothing_and_from_what_is_kept(tmp_path):
    piece = Piece("black", "synthetic-drawn", "vgg16", 0)
    everything = {"people", "faces", "train", "trials", "budget", "play"}
    assert set(dry_run(tmp_path, str(piece.path))) == everything
    for kept in (ROOT / study.KEPT).glob("*/vgg16-0.safetensors"):
        place = tmp_path / "_build/study/networks" / kept.parent.name / "vgg16-0/weights.safetensors"
        place.parent.mkdir(parents=True)
        shutil.copy(kept, place)
    assert set(dry_run(tmp_path, str(piece.path))) == everything - {"faces", "train"}
    outcomes.write(tmp_path / piece.path, {"x": np.zeros(1)}, {})
    assert "play" not in dry_run(tmp_path, str(piece.path))


def test_it_runs_in_a_fresh_clone_whose_link_leads_nowhere_yet(folder):
    (folder / ".snakemake").symlink_to("_build/.snakemake")
    study.command([Piece("white", "d", "lcnn9", 0)], folder / "study.json", 1, None)
    assert (folder / ".snakemake").is_dir()


def test_chapters_that_read_the_study_are_made_again_as_it_grows():
    """What the Snakefile asks `reads_study` for: each has the parameter, so that a profile can leave the study out."""
    using = {p.stem for p in (ROOT / "notebooks").glob("*.py") if "of_study" in p.read_text(encoding="utf-8")}
    assert {name for name in using | {"speed", "masks"} if reads_study(name)} == using >= {"study", "results"}


def test_the_rules_are_files_of_the_repository():
    assert all((ROOT / path).is_file() for path in study.RULES)
