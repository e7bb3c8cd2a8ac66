import json
import re
from pathlib import Path

import pytest
import torch

from gweebp.support import record


def test_environment_says_what_ran(monkeypatch):
    here = str(Path.cwd() / "gweebp" / "__main__.py")
    monkeypatch.setattr("gweebp.support.record.time.perf_counter", lambda: 105.0)
    monkeypatch.setattr("sys.argv", [here, "train", f"--out={Path.cwd() / '_build' / 'x'}", "--lr", "0.1"])
    made = record.environment(seed=7, started=100.0)
    assert made["seed"] == 7
    assert made["seconds"] == 5
    assert made["threads"] == torch.get_num_threads()
    assert made["versions"]["torch"] == torch.__version__
    assert made["peak_memory_mib"] > 50  # torch alone takes more
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["finished"])
    assert made["command"] == "gweebp/__main__.py train --out=_build/x --lr 0.1"
    assert str(Path.cwd()) not in json.dumps(made)


@pytest.mark.parametrize("folder", ["plain", "with a space", "with é", "a/b"])
def test_no_path_of_this_machine_is_recorded(monkeypatch, tmp_path, folder):
    here = tmp_path / folder
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    out, other = here / "out put", tmp_path / "other folder/x"
    monkeypatch.setattr(
        "sys.argv", [str(here / "run"), str(out), f"--out={out}", "--weights", str(other), f"a={out} b"]
    )
    command = record.environment()["command"]
    up = "/".join(".." for _ in Path(folder).parts)
    assert command == f"run out put --out=out put --weights {up}/other folder/x a=out put b"


def test_commit_is_this_repositorys_or_none(monkeypatch, tmp_path):
    record._commit.cache_clear()
    commit = record.environment()["commit"]
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", commit)
    # a copy outside a checkout, or inside another project's, has no commit to name
    monkeypatch.setattr(record, "__file__", str(tmp_path / "record.py"))
    record._commit.cache_clear()
    assert record.environment()["commit"] is None
    record._commit.cache_clear()
