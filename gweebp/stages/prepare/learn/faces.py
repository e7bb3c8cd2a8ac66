"""Faces that the networks of preparation learn from: drawn ones, or those of a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.datasets import cuhk, reading
from gweebp.datasets.layouts import LAYOUTS, listing
from gweebp.preparation import landmarks, pairs, parser_training
from gweebp.preparation.parse import NONE, read_labels
from gweebp.preparation.parser import Parser

__all__ = ["add_faces", "labelled", "look"]

WORLD = 1000  # drawn people are of the world with this seed (and the next ones): nobody of the book's
TEST = 2  # the code of FaceSet.split


class Learned(NamedTuple):
    """Of people who don't test: images uint8 (n, 3, size, size), and parts uint8 (n, size, size), 255 = none."""

    photos: Tensor
    sketches: Tensor
    photo_parts: Tensor
    sketch_parts: Tensor


def add_faces(parser: argparse.ArgumentParser) -> None:
    """Add --folder, --layout and --people."""
    parser.add_argument("--folder", type=Path, help="photos and sketches; who tests by this --seed is left out")
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        help="how the folder is laid out, where `prepare faces --kind` reads it; its landmarks tell the parts"
        " (default: prepared photos/, sketches/ and, of `prepare parse`, parts/)",
    )
    parser.add_argument("--people", type=int, default=300, help="to draw of each look, without a folder (default: 300)")


def look(options: argparse.Namespace, name: str, world: int = 0) -> Tensor:
    """Images uint8 (n, 3, size, size) of one look: "photo", or a kind of sketch.

    From the folder, all sketches are of one kind. Drawn people differ by `world`.
    """
    if options.folder is None:
        return parser_training.faces(name, options.people, options.size, WORLD + options.seed + world)[0]
    found = _read(options)
    return found.photos if name == "photo" else found.sketches


def labelled(options: argparse.Namespace, parser: Parser | None = None) -> tuple[Tensor, Tensor]:
    """Images of options.looks, uint8 (n, 3, size, size), with their parts, uint8 (n, size, size), 255 = none.

    From a folder, all looks but "photo" are its sketches. Where nobody knows somebody's parts, there are none.
    """
    if options.folder is None:
        drawn = [
            parser_training.faces(name, options.people, options.size, WORLD + options.seed) for name in options.looks
        ]
        images, labels = zip(*drawn, strict=True)
        return torch.cat(images), torch.cat(labels)
    found = _read(options, parser)
    sides = []
    if "photo" in options.looks:
        sides.append((found.photos, found.photo_parts))
    if set(options.looks) - {"photo"}:
        sides.append((found.sketches, found.sketch_parts))
    images, labels = zip(*sides, strict=True)
    return torch.cat(images), torch.cat(labels)


def _read(options: argparse.Namespace, parser: Parser | None = None) -> Learned:
    # the seed decides who tests, as it does in `prepare faces` and `prepare quadruplets`: one seed for all of them
    found = None if options.layout is None else listing(options.layout, options.folder)
    if found is None:
        faces = cuhk.load(options.folder, options.size, options.seed, crop=None)
    else:
        faces = reading.read(found, options.size, options.seed)
    rows = (faces.split != TEST).nonzero().flatten()
    parts = [_labels(options, kind, [faces.ids[row] for row in rows.tolist()]) for kind in pairs.KINDS]
    points = found and pairs.landmarks_of(options.folder)
    if found and points:
        known = pairs.labelled(faces, found, landmarks.read(points), rows, parser)
        where = torch.isin(rows, known.rows)
        parts[0][where], parts[1][where] = known.photo, known.sketch
    return Learned(faces.photos[rows], faces.sketches[rows], *parts)


def _labels(options: argparse.Namespace, kind: str, people: list[str]) -> Tensor:
    """Label maps of `prepare parse`, resized; no part where there are none."""
    size, maps = options.size, torch.full((len(people), options.size, options.size), NONE, dtype=torch.uint8)
    for row, person in enumerate(people):
        path = options.folder / "parts" / kind / f"{person}.png"
        if path.is_file():
            maps[row] = F.interpolate(read_labels(path)[None, None], size=(size, size), mode="nearest-exact")[0, 0]
    return maps
