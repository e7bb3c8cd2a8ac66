"""Candidate quadruplets of prepared photos and sketches: each face part of each test person, exchanged.

Reads a folder of aligned photos/<id>.png and sketches/<id>.png (`prepare align`) with label maps (`prepare parse`).
--fill says who invents the new part. A person that was done with the same images and options is not done again.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp import files
from gweebp.datasets import cuhk, inpainting_game
from gweebp.datasets.faceset import FaceSet
from gweebp.datasets.quadruplets import PARTS, Quadruplets
from gweebp.preparation import inpaint
from gweebp.preparation.manifest import Manifest
from gweebp.preparation.parse import read_labels
from gweebp.preparation.quadruplets import MARGIN, exchange, filler
from gweebp.record import environment
from gweebp.stages.common import add_run, device_of

KINDS = {"photo": "photos", "sketch": "sketches"}  # kind -> folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--folder", type=Path, required=True, help="prepared photos/ and sketches/")
    parser.add_argument("--labels", type=Path, metavar="FOLDER", help="the folder with parts/ (default: --folder)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--dataset", required=True, help="name of the set, for records and captions")
    parser.add_argument("--fill", choices=inpaint.PLAIN, default="telea", help="who invents (default: telea)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help="(default: all)")
    parser.add_argument(
        "--margin", type=float, default=MARGIN, help=f"around a part, in image heights (default: {MARGIN})"
    )
    parser.add_argument("--size", type=int, help="side of the images in pixels (default: as they are)")
    parser.add_argument("--split", choices=("seeded", "usual"), default="seeded", help="who tests (default: seeded)")
    parser.add_argument("--layout", type=Path, metavar="ROOT", help="write them in the authors' layout, too")
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write quadruplets.safetensors, faces.safetensors and record.json into the folder `out`."""
    started = time.perf_counter()
    device_of(options)
    options.size = options.size or _side(options.folder)
    faces = cuhk.load(options.folder, options.size, options.seed, crop=None, split=options.split)
    quadruplets, section = _exchanged(options, faces)
    if options.layout:
        inpainting_game.write(options.layout, options.dataset, "candidates", quadruplets, faces.ids)
    quadruplets.save(options.out / "quadruplets.safetensors")
    made = {key: section[key] for key in ("parameters", "counts", "skipped")}
    record = faces.record | {"quadruplets": made, "environment": environment(seed=options.seed, started=started)}
    replace(faces, name=options.dataset, record=record).save(options.out)


def _exchanged(options: argparse.Namespace, faces: FaceSet) -> tuple[Quadruplets, dict]:
    """All candidates, and the manifest's section; one file a person, in people/."""
    names = ("size", "fill", "margin", "split", "seed")
    parameters = {name: getattr(options, name) for name in names} | {"parts": list(options.parts)}
    manifest = Manifest(options.out, "quadruplets", source=options.folder, parameters=parameters)
    done = []
    for row in faces.test.tolist():
        person = faces.ids[row]
        path = options.out / "people" / f"{person}.safetensors"
        maps = {kind: (options.labels or options.folder) / "parts" / kind / f"{person}.png" for kind in KINDS}
        images = {name: options.folder / name / f"{person}.png" for name in KINDS.values()}
        inputs = {"row": str(row)} | maps | images
        try:
            if not manifest.has(person, inputs):
                _one(options, faces, row, [maps[kind] for kind in KINDS], path)
                manifest.add(person, inputs, [path])
            done.append(Quadruplets.load(path))
            for item in files.read_tensors(path)[1]["skipped"]:
                manifest.skip(f"{person} {item['item'].partition(' ')[2]}", item["why"])
        except (OSError, ValueError) as error:
            manifest.skip(person, error)
    section = manifest.finish()
    return Quadruplets.joined(done), section


def _one(options: argparse.Namespace, faces: FaceSet, row: int, maps: list[Path], path: Path) -> None:
    labels = [_labels(path, options.size)[None] for path in maps]
    photo, sketch, subject = faces.photos[row][None], faces.sketches[row][None], torch.tensor([row])
    chosen = {"parts": options.parts, "margin": options.margin, "seed": options.seed}
    made = exchange(photo, sketch, labels[0], labels[1], subject, filler(options.fill), **chosen)
    made.quadruplets.save(path, {"skipped": made.skipped})


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
