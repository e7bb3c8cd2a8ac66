"""Candidate quadruplets of prepared photos and sketches: each face part of each test person, exchanged.

Reads a folder of aligned photos/<id>.png and sketches/<id>.png (`prepare align`) with label maps (`prepare parse`).
--fill says who invents the new part. A person that was done with the same images and options is not done again.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.commands.arguments import to_label, to_path
from gweebp.commands.common import add_optional, add_run, device_of
from gweebp.commands.prepare import tools
from gweebp.faces.faceset import FaceSet
from gweebp.faces.preparation.exchange import exchange
from gweebp.faces.preparation.manifest import Manifest
from gweebp.faces.preparation.parse import read_labels
from gweebp.faces.quadruplets import Quadruplets
from gweebp.faces.readers import cuhk
from gweebp.support import files
from gweebp.support.claim import claim
from gweebp.support.ranges import SIDE
from gweebp.support.record import environment

STAGE = "prepare quadruplets"
KINDS = {"photo": "photos", "sketch": "sketches"}  # kind -> folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--folder", type=to_path, required=True, help="the folder with prepared photos/ and sketches/")
    parser.add_argument("--labels", type=to_path, metavar="FOLDER", help="the folder with parts/ (default: --folder)")
    parser.add_argument("--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write")
    parser.add_argument("--dataset", type=to_label, required=True, help="name of the set, for records and captions")
    parser.add_argument(
        "--fill", type=tools.to_fill, default="telea", metavar="WHO", help=f"{tools.FILL} (default: telea)"
    )
    parser.add_argument("--translate", type=to_path, metavar="FILE", help=tools.ROUTE)
    tools.add_parts(parser)
    add_optional(parser, size=(SIDE, "side of the images in pixels (default: as they are)"))
    how = "test people: a quarter drawn by --seed, or those that the set itself lists (default: seeded)"
    parser.add_argument("--split", choices=("seeded", "usual"), default="seeded", help=how)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write faces.safetensors, record.json and quadruplets.safetensors into the folder `out`."""
    inputs = {name: vars(options)[name] for name in ("folder", "labels", "translate")}
    with claim(options.out, STAGE, inputs=inputs, names=tools.SET):
        _quadruplets(options)


def _quadruplets(options: argparse.Namespace) -> None:
    started = time.perf_counter()
    device = device_of(options)
    options.size = options.size or _side(options.folder)
    faces = cuhk.load(options.folder, options.size, options.seed, crop=None, split=options.split)
    quadruplets, section = _exchanged(options, faces, device)
    made = {key: section[key] for key in ("parameters", "counts", "skipped")}
    record = faces.record | {"quadruplets": made, "environment": environment(seed=options.seed, started=started)}
    tools.write_set(options.out, STAGE, replace(faces, name=options.dataset, record=record), quadruplets)


def _exchanged(options: argparse.Namespace, faces: FaceSet, device: torch.device) -> tuple[Quadruplets, dict[str, Any]]:
    """All candidates, and the manifest's section; one file a person, in people/."""
    fill, translate, chosen = tools.inventors(options.fill, options.translate, device)
    settings: dict[str, Any] = {"parts": list(options.parts), "margin": options.margin, "seed": options.seed}
    parameters = settings | chosen | {"size": options.size, "split": options.split}
    manifest = Manifest(options.out, "quadruplets", source=options.folder, parameters=parameters)
    done = []
    for row in faces.test.tolist():
        name, i = faces.ids[row], slice(row, row + 1)
        path = options.out / "people" / f"{name}.safetensors"
        maps = {kind: (options.labels or options.folder) / "parts" / kind / f"{name}.png" for kind in KINDS}
        inputs = {"row": str(row)} | maps | {x: options.folder / x / f"{name}.png" for x in KINDS.values()}
        try:
            if not manifest.has(name, inputs):
                photo, sketch = (_labels(maps[kind], options.size)[None] for kind in KINDS)
                person = faces.photos[i], faces.sketches[i], photo, sketch, torch.tensor([row])
                made = exchange(*person, fill, translate=translate, **settings)
                made.quadruplets.save(path, {"skipped": made.skipped})
                manifest.add(name, inputs, [path])
            done.append(Quadruplets.load(path))
            for item in files.read_tensors(path)[1]["skipped"]:
                manifest.skip(f"{name} {item['item'].partition(' ')[2]}", item["why"])
        except (OSError, ValueError) as error:
            manifest.skip(name, error)
    section = manifest.finish()
    return Quadruplets.joined(done), section


def _labels(path: Path, size: int) -> Tensor:
    """A label map of this size; by nearest neighbour: labels can't be averaged."""
    labels = read_labels(path)
    if labels.shape[0] != labels.shape[1]:
        raise ValueError(
            f"{path} has {labels.shape[1]}x{labels.shape[0]} pixels: expected the square of an aligned face"
        )
    return F.interpolate(labels[None, None], size=(size, size), mode="nearest-exact")[0, 0]


def _side(folder: Path) -> int:
    """Side of the prepared images, by the first."""
    first = next(iter(sorted((folder / "photos").glob("*.png"))), None)
    if first is None:
        raise FileNotFoundError(f"no photos/*.png in {folder}: name a folder of `prepare align`")
    return int(files.read_image(first).shape[1])
