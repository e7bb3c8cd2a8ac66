"""The CUHK student set (CUFS): 188 people, one photo and one drawn sketch each, read from a folder that the user has.

Three layouts are read:

- `pairs.csv` with the columns id, photo, sketch and, if wanted, split (the usual train/test), photo_sha256,
  sketch_sha256; paths are relative to the folder. `prepare align` writes such folders.
- `photos/` and `sketches/`: `sketches/<id>-sz1.png` (or `<id>.png`) belongs to `photos/<id>.png`.
- the archives as distributed, unpacked side by side in any depth; `datasets.cufs` says how files are told apart.

Photos in a folder `distractors/` beside them are other people, who enlarge the test gallery.

Source: Wang and Tang, "Face photo-sketch synthesis and recognition", IEEE TPAMI 2009. For research use only: the
images, and figures that show them, are not to be published with this project.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from gweebp.faces.faceset import FaceSet
from gweebp.faces.readers import cufs, reading
from gweebp.faces.readers.listing import DISTRACTORS, Listing, Pair, images_below, photos_of, stem
from gweebp.faces.readers.reading import CROP, Box
from gweebp.support.tables import read_table

__all__ = ["CROP", "listing", "load"]


def load(
    folder: str | Path, size: int, seed: int, *, crop: Box | Literal["auto"] | None = "auto", split: str = "seeded"
) -> FaceSet:
    """Read the pairs, crop the faces, resize them to squares and split the people.

    A pair of which an image is missing, corrupt, changed or not cut out is skipped: it is counted and listed, with the
    reason, in `record["skipped"]`, and a warning says so.

    Args:
        folder: the user's copy of the set.
        size: height and width of the images, in pixels.
        seed: of the split.
        crop: (left, top, right, bottom) in pixels; None keeps the whole image, and resizes it to a square; "auto":
            CROP for the distributed crops of 200x250 pixels, the whole of square (aligned) images.
        split: "seeded", 25 % test at random, or "usual", train/test as listed; 20 % of the rest validate.

    Returns:
        a FaceSet named "cuhk".

    Raises:
        FileNotFoundError: no such folder, or no `photos` and `sketches` in it.
        ValueError: a bad option, no pair that can be read, or an empty split.

    >>> load("no/such/folder", size=64, seed=0)
    Traceback (most recent call last):
    FileNotFoundError: no folder no/such/folder: name the folder that holds photos/ and sketches/
    """
    return reading.read(listing(folder), size, seed, crop=crop, split=split)


def listing(folder: str | Path) -> Listing:
    """All people of a folder of pairs, in any of the three layouts. No image is opened.

    Args:
        folder: holds `pairs.csv`, or `photos/` and `sketches/`, or CUHK's own archives.

    Raises:
        FileNotFoundError: the folder is missing or has none of the three layouts.
        ValueError: a table or a name is wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: name the folder that holds photos/ and sketches/")
    if (folder / "pairs.csv").is_file():
        pairs = _listed(folder)
    elif (folder / "photos").is_dir() and (folder / "sketches").is_dir():
        pairs = _found(folder)
    else:
        pairs = cufs.pairs(folder, sets=("cuhk",))
        if not pairs:
            raise FileNotFoundError(
                f"no folder {folder / 'photos'}: expected photos/ and sketches/, pairs.csv, or CUHK's own archives"
            )
    others = photos_of(folder / DISTRACTORS) if (folder / DISTRACTORS).is_dir() else {}
    return Listing("cuhk", folder, tuple(pairs), others)


def _listed(folder: Path) -> list[Pair]:
    """Pairs of pairs.csv."""
    return [
        Pair(
            id=row["id"],
            photo=folder / row["photo"] if row["photo"] else None,
            sketch=folder / row["sketch"] if row["sketch"] else None,
            usual=row.get("split", ""),
            photo_sha256=row.get("photo_sha256", ""),
            sketch_sha256=row.get("sketch_sha256", ""),
        )
        for _, row in read_table(folder / "pairs.csv", ("id", "photo", "sketch"))
    ]


def _found(folder: Path) -> list[Pair]:
    """Pairs by file name; either may lack the other."""
    sides: list[dict[str, Path]] = []  # photos by id, sketches by id
    for name in ("photos", "sketches"):
        side: dict[str, Path] = {}
        for path in (folder / name / image for image in images_below(folder / name)):
            key = re.sub(r"-sz\d+$", "", stem(path).lower())
            if name == "sketches" and key not in sides[0]:
                key = cufs.person(key)  # the original sketch f2-005-01 is of f-005-01
            if side.setdefault(key, path) != path:
                raise ValueError(f"{side[key]} and {path} are two images of one person: remove one")
        sides.append(side)
    photos, sketches = sides
    return [Pair(id=key, photo=photos.get(key), sketch=sketches.get(key)) for key in photos.keys() | sketches.keys()]
