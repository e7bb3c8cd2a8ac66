"""A set of faces, photos and sketches, split by identity; and the candidate quadruplets of the inpainting game."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from gweebp.datasets import reading, synthetic
from gweebp.datasets.faceset import FaceSet
from gweebp.datasets.layouts import LAYOUTS, listing
from gweebp.datasets.quadruplets import Quadruplets
from gweebp.record import environment
from gweebp.stages.common import add_run, device_of

SYNTHETIC = ("composite", "drawn")
KINDS = (*SYNTHETIC, *LAYOUTS)
COUNTS = {
    "subjects": "people with a photo and a sketch, a quarter of them for the test",
    "pretraining": "training subjects on top of these",
    "distractors": "other people in the test gallery, photos only",
    "doppelgangers": "part-swapped copies of each training subject, 0 to 6",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--dataset", required=True, help="name of the set, for records and captions")
    parser.add_argument("--kind", choices=KINDS, required=True, help="synthetic sketches, or pairs read from --folder")
    parser.add_argument("--folder", type=Path, help="photo-sketch pairs, laid out as --kind says")
    parser.add_argument(
        "--distractors-from", type=Path, metavar="FOLDER", help="photos of other people, for the gallery"
    )
    parser.add_argument("--size", type=int, required=True, help="side of the images in pixels")
    synthetic_set = parser.add_argument_group("synthetic sets")
    for name, text in COUNTS.items():
        synthetic_set.add_argument(f"--{name}", type=int, default=0, metavar="N", help=text)
    synthetic_set.add_argument("--error", type=float, help="of the eyewitness, 0..1 (default: the kind's own)")
    parser.add_argument("--quadruplets", action=argparse.BooleanOptionalAction, default=True)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write quadruplets.safetensors, faces.safetensors and record.json into the folder `out`."""
    started = time.perf_counter()
    device_of(options)
    faces = _faces(options)
    quadruplets = synthetic.doppelgangers(faces) if options.quadruplets else _none(options.size)
    quadruplets.save(options.out / "quadruplets.safetensors")
    record = faces.record | {"environment": environment(seed=options.seed, started=started)}
    replace(faces, name=options.dataset, record=record).save(options.out)


def _faces(options: argparse.Namespace) -> FaceSet:
    if options.kind not in SYNTHETIC:
        if options.folder is None:
            raise ValueError(f"--kind {options.kind} reads a folder of photo-sketch pairs: name it with --folder")
        return reading.read(listing(options.kind, options.folder, options.distractors_from), options.size, options.seed)
    if options.folder or options.distractors_from:
        raise ValueError(f"--kind {options.kind} is drawn: leave out --folder and --distractors-from")
    counts = {name: getattr(options, name) for name in COUNTS}
    return synthetic.faceset(options.kind, size=options.size, seed=options.seed, error=options.error, **counts)


def _none(size: int) -> Quadruplets:
    """Real people have no exact doppelgänger: an empty set."""
    images, index = torch.zeros(0, 3, size, size, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
    return Quadruplets(images, images, images, images, torch.zeros(0, size, size, dtype=torch.bool), index, index)
