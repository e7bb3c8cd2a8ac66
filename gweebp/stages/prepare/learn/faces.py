"""Faces that the networks of preparation learn from: drawn ones, or those of a folder of prepared data."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.datasets import cuhk
from gweebp.preparation import parser_training
from gweebp.preparation.parse import NONE, read_labels

__all__ = ["add_faces", "labelled", "look"]

WORLD = 1000  # drawn people are of the world with this seed (and the next ones): nobody of the book's
TEST = 2  # the code of FaceSet.split


def add_faces(parser: argparse.ArgumentParser, size: int, smallest: str = "") -> None:
    """Add --folder, --people and --size."""
    parser.add_argument(
        "--folder", type=Path, help="prepared photos/ and sketches/; who tests by this --seed is left out"
    )
    parser.add_argument("--people", type=int, default=300, help="to draw of each look, without a folder (default: 300)")
    parser.add_argument("--size", type=int, default=size, help=f"side of the images{smallest} (default: {size})")


def look(options: argparse.Namespace, name: str, world: int = 0) -> Tensor:
    """Images uint8 (n, 3, size, size) of one look: "photo", or a kind of sketch.

    From the folder, all sketches are of one kind. Drawn people differ by `world`.
    """
    if options.folder is None:
        return parser_training.faces(name, options.people, options.size, WORLD + options.seed + world)[0]
    photos, sketches, _ = _read(options)
    return photos if name == "photo" else sketches


def labelled(options: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Images of options.looks, uint8 (n, 3, size, size), with their parts, uint8 (n, size, size), 255 = none.

    In a folder without label maps, no part is known anywhere.
    """
    if options.folder is None:
        drawn = [
            parser_training.faces(name, options.people, options.size, WORLD + options.seed) for name in options.looks
        ]
        images, labels = zip(*drawn, strict=True)
        return torch.cat(images), torch.cat(labels)
    photos, sketches, people = _read(options)
    paths = [options.folder / "parts" / kind / f"{person}.png" for kind in ("photo", "sketch") for person in people]
    return torch.cat([photos, sketches]), torch.stack([_labels(path, options.size) for path in paths])


def _read(options: argparse.Namespace) -> tuple[Tensor, Tensor, list[str]]:
    # the seed decides who tests, as it does in `prepare faces` and `prepare quadruplets`: one seed for all of them
    faces = cuhk.load(options.folder, options.size, options.seed, crop=None)
    rows = (faces.split != TEST).nonzero().flatten()
    return faces.photos[rows], faces.sketches[rows], [faces.ids[row] for row in rows.tolist()]


def _labels(path: Path, size: int) -> Tensor:
    if not path.is_file():
        return torch.full((size, size), NONE, dtype=torch.uint8)
    return F.interpolate(read_labels(path)[None, None], size=(size, size), mode="nearest-exact")[0, 0]
