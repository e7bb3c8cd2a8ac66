"""A world that the stages make in a second: faces that any network tells apart, and a network of two training steps."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from gweebp.__main__ import main
from gweebp.faces import FaceSet, Quadruplets

RUN = "--threads 1 --device cpu"
SHAPE = "--network lcnn9 --width 0.125 --size 32 --embedding 16"
FILES = {
    "faces": "faces.safetensors",
    "quadruplets": "quadruplets.safetensors",
    "weights": "net/weights.safetensors",
    "shuffled": "shuffled/weights.safetensors",
    "trials": "trials.json",
    "maps": "maps.safetensors",
}
STAGES = {  # stage -> its inputs, its other flags
    "train": (("faces",), f"{SHAPE} --steps 2 --identities 4 --lr 1e-5 {RUN}"),
    "verify": (("faces", "quadruplets", "weights"), f"--fpr 0.3 {RUN}"),
    "prepare export": (("faces", "quadruplets", "trials"), ""),
    "maps": (("faces", "quadruplets", "weights", "trials"), f"--methods center {RUN}"),
    "play": (("faces", "quadruplets", "weights", "trials", "maps"), f"--steps 3 {RUN}"),
    "sanity": (("faces", "quadruplets", "weights", "trials", "shuffled"), f"--methods center --samples 3 {RUN}"),
}


def run(words: list[str]) -> tuple[int, str]:
    """Run a command: its exit status, and what it said on standard error."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = main(words)
    return code, said.getvalue()


def line(stage: str, inputs: Mapping[str, Path], out: Path, *more: str) -> list[str]:
    """The command line of a stage."""
    flags = [word for name, path in inputs.items() for word in (f"--{name}", str(path))]
    return [
        *stage.split(),
        *flags,
        "--root" if stage == "prepare export" else "--out",
        str(out),
        *STAGES[stage][1].split(),
        *more,
    ]


def inputs_of(stage: str, made: Mapping[str, Path]) -> dict[str, Path]:
    """The files of a world that a stage reads."""
    return {kind: made[kind] for kind in STAGES[stage][0]}


def world(folder: Path, faces: FaceSet, seed: int, trained: int) -> dict[str, Path]:
    """Make the files of FILES in a folder: kind -> path.

    faces: whose photos are dealt out anew by `seed`. trained: the seed of the training.
    """
    photos = faces.photos[torch.randperm(len(faces.ids), generator=torch.Generator().manual_seed(seed))]
    other = replace(faces, photos=photos, sketches=photos // 8 * 8)
    other.save(folder)
    op, om = other.sketches[other.test], other.photos[other.test]
    region = torch.zeros(len(op), 32, 32, dtype=torch.bool)
    region[:, :16] = True
    four = Quadruplets(op, om, op.roll(1, 0), om.roll(1, 0), region, other.test, torch.arange(len(op)))
    four.save(folder / FILES["quadruplets"], faces=folder / FILES["faces"])
    made = {kind: folder / path for kind, path in FILES.items()}
    for stage, out, more in (
        ("train", "net", ["--seed", str(trained)]),
        ("train", "shuffled", ["--shuffled", "--seed", str(trained)]),
        ("verify", "trials.json", []),
        ("maps", "maps.safetensors", []),
    ):
        code, said = run(line(stage, inputs_of(stage, made), folder / out, *more))
        assert code == 0, said
    return made
