"""The book as jobs of a cluster: by SLURM as far as without one, by a fake scheduler to the end."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import build
import pytest
import torch
from profiles import ProfileError, load

from gweebp.support import files

ROOT = Path(__file__).parents[2]
SUBMIT = """#!/bin/bash
# A scheduler of one place: runs what it is given at once, but for its first training, which it loses.
script="${@: -1}"
echo "$script $*" >> "$LOG"
if [[ "$script" == *train* && ! -e "$LOG.lost" ]]; then touch "$LOG.lost"; exit 1; fi
bash "$script" >> "$LOG.output" 2>&1 &
echo $!
"""


@pytest.fixture
def tiny():
    """The smoke profile with very few faces, in a build folder of its own that goes with the test."""
    profile = load("smoke") | {"profile": f"cluster-test-{os.getpid()}", "device": "auto"}
    sizes = {"subjects": 16, "pretraining": 0, "distractors": 2, "quadruplets": False, "size": 32}
    profile["datasets"] = {name: values | sizes for name, values in profile["datasets"].items()}
    profile["networks"] = {"lcnn9": profile["networks"]["lcnn9"] | {"size": 32}}
    profile["replicates"] = profile["replicates"] | {"networks": ["lcnn9"]}
    for recipes in profile["training"].values():
        recipes["lcnn9"] = recipes["lcnn9"] | {"steps": 2, "identities": 4, "doppelgangers": 0, "validate_every": 1}
    yield profile
    shutil.rmtree(ROOT / "_build" / profile["profile"], ignore_errors=True)


def run(command, **environment):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment)


def test_the_whole_book_can_be_sent_to_slurm(tiny):
    command = build.snakemake(tiny, 1, ["html"], build.cluster_folder("slurm"))
    done = run([*command[:-2], "--dry-run", *command[-2:]])
    assert done.returncode == 0, done.stderr
    jobs = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    assert int(jobs["train"]) >= 2 and int(jobs["maps"]) >= 4 and jobs["html"] == "1"


def test_a_fake_scheduler_gets_through_and_a_lost_training_is_sent_again(tiny, tmp_path):
    submit, log = tmp_path / "submit", tmp_path / "log"
    submit.write_text(SUBMIT)
    submit.chmod(0o755)
    (tmp_path / "config.yaml").write_text(
        f"executor: cluster-generic\ncluster-generic-submit-cmd: {submit}"
        " {resources.mem_mb} {resources.runtime} {resources.gpu}\n"
        "default-resources: {mem_mb: 1000, runtime: 5, gpu: 0}\njobs: 2\n"
        "latency-wait: 20\nseconds-between-status-checks: 1\nkeep-going: true\n"
    )
    target = f"_build/{tiny['profile']}/networks/synthetic-drawn/lcnn9/weights.safetensors"
    done = run(build.snakemake(tiny, 1, [target], build.cluster_folder(str(tmp_path))), LOG=str(log))
    output = (tmp_path / "log.output").read_text() if (tmp_path / "log.output").exists() else ""
    assert done.returncode == 0, done.stderr + output
    sent = log.read_text().splitlines()
    assert ["train" in line for line in sent] == [False, True, True]
    # memory, minutes, GPUs; the second attempt asks for more memory
    asked = [line.split()[1:4] for line in sent]
    assert asked == [["8000", "240", "0"], ["16000", "1440", "1"], ["32000", "1440", "1"]]
    weights, _ = files.read_tensors(ROOT / target)
    assert all(torch.isfinite(w).all() for w in weights.values())
    assert files.read_json((ROOT / target).with_name("record.json"))["environment"]["threads"] == tiny["threads"]


def test_a_cluster_that_is_none():
    with pytest.raises(ProfileError, match="known: generic, slurm"):
        build.cluster_folder("slrum")
