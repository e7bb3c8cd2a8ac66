"""A set of faces, photos and sketches, split by identity; and the candidate quadruplets of the inpainting game."""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from typing import Any

import torch

from gweebp.commands.arguments import to_label, to_path
from gweebp.commands.common import add_numbers, add_optional, add_run, device_of, progress
from gweebp.commands.prepare.tools import FILL, PARSER, ROUTE, SET, digest, inventors, parser_of, to_fill, write_set
from gweebp.faces import synthetic
from gweebp.faces.faceset import FaceSet
from gweebp.faces.preparation import landmarks, pairs
from gweebp.faces.preparation.manifest import MANIFEST
from gweebp.faces.quadruplets import PARTS, Quadruplets
from gweebp.faces.readers import reading
from gweebp.faces.readers.layouts import LAYOUTS, listing
from gweebp.faces.readers.listing import Listing
from gweebp.faces.synthetic.dataset import OTHERS
from gweebp.networks.frames import FRAMES
from gweebp.support import files
from gweebp.support.claim import claim
from gweebp.support.ranges import SHARE, SIDE, Range, whole
from gweebp.support.record import environment

STAGE = "prepare faces"
SYNTHETIC = ("composite", "drawn")
KINDS = (*SYNTHETIC, *LAYOUTS)
COUNTS: dict[str, tuple[Range, int, str]] = {
    "subjects": (whole(0, OTHERS), 0, "people with a photo and a sketch; a quarter of them test"),
    "pretraining": (whole(0, OTHERS), 0, "further people, who train only"),
    "distractors": (whole(0, OTHERS), 0, "other people in the test gallery, with a photo only"),
    "doppelgangers": (whole(0, len(PARTS)), 0, "copies of each training subject in which one face part is exchanged"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    parser.add_argument("--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write")
    parser.add_argument("--dataset", type=to_label, required=True, help="name of the set, for records and captions")
    parser.add_argument(
        "--kind", choices=KINDS, required=True, help="kind of synthetic sketch, or the layout of the pairs in --folder"
    )
    parser.add_argument("--folder", type=to_path, help="photos and sketches, in the layout that --kind names")
    parser.add_argument(
        "--distractors-from", type=to_path, metavar="FOLDER", help="photos of other people, for the gallery"
    )
    add_numbers(parser, size=(SIDE, None, "side of the images in pixels"))
    synthetic_set = parser.add_argument_group("synthetic sets")
    add_numbers(synthetic_set, **COUNTS)
    add_optional(
        synthetic_set,
        error=(
            SHARE,
            "error of the eyewitness whose memory a sketch is drawn from (default: that of the kind)",
        ),
    )
    parser.add_argument(
        "--quadruplets",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="make candidate quadruplets: exact ones of synthetic faces; of pairs, where --folder holds landmarks.csv, "
        "by --fill (default: yes)",
    )
    parser.add_argument("--fill", type=to_fill, default="telea", metavar="WHO", help=f"{FILL} (default: telea)")
    parser.add_argument("--translate", type=to_path, metavar="FILE", help=ROUTE)
    parser.add_argument("--parser", type=to_path, metavar="FILE", help=PARSER)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write faces.safetensors, record.json and quadruplets.safetensors into the folder `out`."""
    inputs = {name: vars(options)[name] for name in ("folder", "distractors_from", "translate", "parser")}
    with claim(options.out, STAGE, inputs=inputs, names=SET):
        _faces(options)


def _faces(options: argparse.Namespace) -> None:
    started = time.perf_counter()
    device = device_of(options)
    faces, quadruplets = _drawn(options) if options.kind in SYNTHETIC else _read(options, device)
    record = faces.record | {"environment": environment(seed=options.seed, started=started)}
    write_set(options.out, STAGE, replace(faces, name=options.dataset, record=record), quadruplets)


def _read(options: argparse.Namespace, device: torch.device) -> tuple[FaceSet, Quadruplets]:
    if options.folder is None:
        raise ValueError(f"--kind {options.kind} reads a folder of photo-sketch pairs: name it with --folder")
    for name in COUNTS:
        if getattr(options, name):
            raise ValueError(f"--{name} counts drawn faces, and --kind {options.kind} reads its people: leave it out")
    found = listing(options.kind, options.folder, options.distractors_from)
    faces = reading.read(found, options.size, options.seed)
    if (options.folder / MANIFEST).is_file():  # who was lost on the way here
        aligned = files.read_record(options.folder / MANIFEST).get("align") or {}
        faces.record["alignment"] = {
            key: value for key, value in aligned.items() if key not in ("items", "environment")
        }
    faces.record["frame"] = _frame(faces, found, options)
    if not options.quadruplets:
        return faces, _none(options.size)
    return _with_doppelgangers(faces, found, options, device)


def _frame(faces: FaceSet, found: Listing, options: argparse.Namespace) -> dict[str, Any] | None:
    """Where eyes and mouth lie in the images: by the alignment that made them, or by landmarks; None: not known."""
    name = faces.record.get("alignment", {}).get("parameters", {}).get("frame")
    if name in FRAMES:
        return FRAMES[name].record()
    points = pairs.landmarks_of(options.folder)
    return None if points is None else pairs.frame_of(faces, found, landmarks.read(points))


def _with_doppelgangers(
    faces: FaceSet, found: Listing, options: argparse.Namespace, device: torch.device
) -> tuple[FaceSet, Quadruplets]:
    """Faces whose record says how the candidates were made, and the candidates; none without landmarks."""
    points = pairs.landmarks_of(options.folder)
    if points is None:
        why = f"no {' or '.join(pairs.LANDMARKS)} in the folder: no face parts, no quadruplets, no inpainting game"
        warnings.warn(why, stacklevel=1)
        how: dict = {"skipped": [{"item": "all", "why": why}]}
        return replace(faces, record=faces.record | {"quadruplets": how}), _none(options.size)

    fill, translate, chosen = inventors(options.fill, options.translate, device)
    parser = parser_of(options.parser, device)
    chosen |= {"parser": digest(options.parser)} if options.parser else {}
    made = pairs.candidates(
        faces,
        found,
        landmarks.read(points),
        fill,
        translate=translate,
        parser=parser,
        seed=options.seed,
        progress=progress(),
    )
    how = {"parameters": chosen, "counts": made.quadruplets.counts(), "skipped": made.skipped}
    return replace(faces, record=faces.record | {"quadruplets": how}), made.quadruplets


def _drawn(options: argparse.Namespace) -> tuple[FaceSet, Quadruplets]:
    if options.folder or options.distractors_from:
        raise ValueError(f"--kind {options.kind} is drawn: leave out --folder and --distractors-from")
    counts = {name: getattr(options, name) for name in COUNTS}
    faces = synthetic.faceset(options.kind, size=options.size, seed=options.seed, error=options.error, **counts)
    return faces, synthetic.doppelgangers(faces) if options.quadruplets else _none(options.size)


def _none(size: int) -> Quadruplets:
    """No quadruplet, of this size."""
    images, index = torch.zeros(0, 3, size, size, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
    return Quadruplets(images, images, images, images, torch.zeros(0, size, size, dtype=torch.bool), index, index)
