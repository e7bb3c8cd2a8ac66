"""Faces of the synthetic world as files: photos, sketches, their exact landmarks and parts, and distractors.

The folder is laid out like one of `prepare align`, so every other step can be tried on it without any data.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable

import torch
from torch import Tensor

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_numbers, add_optional, add_run, device_of
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.manifest import Manifest
from gweebp.faces.preparation.parse import NONE
from gweebp.faces.readers.listing import DISTRACTORS
from gweebp.faces.synthetic.dataset import OTHERS
from gweebp.faces.synthetic.world import KINDS, Drawn, World
from gweebp.support import files
from gweebp.support.ranges import SHARE, whole
from gweebp.support.record import environment

FOLDERS = {"photo": "photos", "sketch": "sketches", "distractor": DISTRACTORS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--kind", choices=KINDS, required=True, help="kind of sketch")
    add_numbers(
        parser,
        subjects=(whole(1, OTHERS), None, "people with a photo and a sketch"),
        distractors=(whole(0, OTHERS), 0, "other people, photos only"),
        size=(whole(16, 8192), None, "side of the images in pixels"),
    )
    add_optional(
        parser,
        error=(
            SHARE,
            "error of the eyewitness whose memory a sketch is drawn from (default: that of the kind)",
        ),
    )
    parser.add_argument("--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write")
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write photos/, sketches/, distractors/, parts/, pairs.csv, landmarks.csv and manifest.json into `out`."""
    started = time.perf_counter()
    device_of(options)
    world = World(
        options.kind, options.size, options.seed, KINDS[options.kind] if options.error is None else options.error
    )
    manifest = Manifest(options.out, "draw", source=None, parameters=world.record())
    people, others = torch.arange(options.subjects), OTHERS + torch.arange(options.distractors)
    points = _write(manifest, "photo", people, world.photos, world.photo_landmarks, world)
    points |= _write(manifest, "sketch", people, world.sketches, world.sketch_landmarks, world)
    points |= _write(manifest, "distractor", others, world.photos, world.photo_landmarks, world)
    landmarks.write(options.out / landmarks.LANDMARKS, points)
    with (
        files.atomic(options.out / "pairs.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "photo", "sketch"])
        writer.writerows([[n, f"photos/{n}.png", f"sketches/{n}.png"] for n in map(_name, people.tolist())])
    manifest.finish(environment=environment(seed=options.seed, started=started))


def _write(
    manifest: Manifest,
    kind: str,
    people: Tensor,
    draw: Callable[..., Drawn],
    locate: Callable[..., Tensor],
    world: World,
) -> dict[tuple[str, str], Tensor]:
    """Images and label maps of one kind, of those who are missing; the landmarks of all."""
    missing = torch.tensor(
        [not manifest.has(f"{kind} {_name(i)}", {"identity": str(i)}) for i in people.tolist()], dtype=torch.bool
    )
    chosen = people[missing]
    drawn = draw(chosen, world.people(chosen), masks=kind != "distractor")
    for row, i in enumerate(chosen.tolist()):
        image = manifest.folder / FOLDERS[kind] / f"{_name(i)}.png"
        made = {image: drawn.images[row]}
        if kind != "distractor":
            made[manifest.folder / "parts" / kind / image.name] = _labels(drawn.masks[row])
        for path, pixels in made.items():
            files.write_image(path, pixels)
        manifest.add(f"{kind} {_name(i)}", {"identity": str(i)}, made)
    places = locate(people, world.people(people))
    return {(kind, _name(i)): xy for i, xy in zip(people.tolist(), places, strict=True)}


def _labels(masks: Tensor) -> Tensor:
    """Masks (6, h, w), of which at most one holds at a pixel, as a label map (h, w)."""
    return torch.where(masks.any(0), masks.to(torch.uint8).argmax(0), NONE).to(torch.uint8)


def _name(identity: int) -> str:
    return f"person-{identity:07d}"
