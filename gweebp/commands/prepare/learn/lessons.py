"""Faces that the networks of preparation learn from: drawn ones, or those of a folder."""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_numbers
from gweebp.faces.faceset import FaceSet
from gweebp.faces.preparation import landmarks, pairs, parser_training
from gweebp.faces.preparation.parse import NONE, read_labels
from gweebp.faces.preparation.parser import Parser
from gweebp.faces.readers import cuhk, reading
from gweebp.faces.readers.layouts import LAYOUTS, listing
from gweebp.faces.readers.listing import Listing
from gweebp.support.ranges import whole

__all__ = ["add_faces", "labelled", "unpaired"]

WORLD = 1000  # drawn people are of the world with this seed (and the next ones): nobody of the book's
TEST = 2  # the code of FaceSet.split


def add_faces(parser: argparse.ArgumentParser) -> None:
    """Add --folder, --layout and --people."""
    parser.add_argument(
        "--folder",
        type=to_path,
        help="the folder with photos and sketches; people who test by this --seed are left out",
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        help="layout of the folder, as in `prepare faces --kind`; its landmarks give the parts"
        " (default: prepared photos/, sketches/ and, of `prepare parse`, parts/)",
    )
    add_numbers(parser, people=(whole(1, 100_000), 300, "people to draw for each look, where there is no --folder"))


def unpaired(options: argparse.Namespace, kind: str) -> tuple[Tensor, Tensor]:
    """Sketches and photos, uint8 (n, 3, size, size) each; drawn ones are of different people, sketches of this kind."""
    if options.folder is None:
        sketches, photos = _drawn(options, kind), _drawn(options, "photo", world=1)
        return sketches[0], photos[0]
    faces, rows, _ = _people(options)
    return faces.sketches[rows], faces.photos[rows]


def labelled(options: argparse.Namespace, parser: Parser | None = None) -> tuple[Tensor, Tensor]:
    """Images of options.looks, uint8 (n, 3, size, size), with their parts, uint8 (n, size, size), 255 = none.

    From a folder, all looks but "photo" are its sketches. Where nobody knows somebody's parts, there are none.
    """
    if options.folder is None:
        sides = [_drawn(options, name) for name in options.looks]
    else:
        faces, rows, found = _people(options)
        photo, sketch = _parts(options, faces, rows, found, parser)
        sides = [(faces.photos[rows], photo)] if "photo" in options.looks else []
        sides += [(faces.sketches[rows], sketch)] if set(options.looks) - {"photo"} else []
    images, labels = zip(*sides, strict=True)
    return torch.cat(images), torch.cat(labels)


def _drawn(options: argparse.Namespace, name: str, world: int = 0) -> tuple[Tensor, Tensor]:
    """Images of one look with their parts; other people by `world`."""
    return parser_training.faces(name, options.people, options.size, WORLD + options.seed + world)


def _people(options: argparse.Namespace) -> tuple[FaceSet, Tensor, Listing | None]:
    """The folder's faces, the rows of those who don't test, and what lists them where a layout is named."""
    # the seed decides who tests, as it does in `prepare faces` and `prepare quadruplets`: one seed for all of them
    if options.layout is None:
        found, faces = None, cuhk.load(options.folder, options.size, options.seed, crop=None)
    else:
        found = listing(options.layout, options.folder)
        faces = reading.read(found, options.size, options.seed)
    return faces, (faces.split != TEST).nonzero().flatten(), found


def _parts(
    options: argparse.Namespace, faces: FaceSet, rows: Tensor, found: Listing | None, parser: Parser | None
) -> list[Tensor]:
    """Label maps of the photos and of the sketches, by landmarks where a listing was made and has any."""
    parts = [_labels(options, kind, [faces.ids[row] for row in rows.tolist()]) for kind in pairs.KINDS]
    points = pairs.landmarks_of(options.folder) if found else None
    if found and points:
        known = pairs.labelled(faces, found, landmarks.read(points), rows, parser)
        where = torch.isin(rows, known.rows)
        parts[0][where], parts[1][where] = known.photo, known.sketch
    return parts


def _labels(options: argparse.Namespace, kind: str, people: list[str]) -> Tensor:
    """Label maps of `prepare parse`, resized; no part where there are none."""
    size, maps = options.size, torch.full((len(people), options.size, options.size), NONE, dtype=torch.uint8)
    for row, person in enumerate(people):
        path = options.folder / "parts" / kind / f"{person}.png"
        if path.is_file():
            maps[row] = F.interpolate(read_labels(path)[None, None], size=(size, size), mode="nearest-exact")[0, 0]
    return maps
