"""The CUHK student set (CUFS): 188 people, one photo and one drawn sketch each, read from a folder that the user has.

The folder holds `photos/` and `sketches/`, aligned crops of 200x250 pixels, and, where it has one, `pairs.csv` with
the columns id, photo, sketch and, if wanted, split (the usual train/test), photo_sha256, sketch_sha256. Without
`pairs.csv`, `sketches/<id>-sz1.png` (or `<id>.png`) belongs to `photos/<id>.png`.

Source: Wang and Tang, "Face photo-sketch synthesis and recognition", IEEE TPAMI 2009. For research use only: the
images, and figures that show them, are not to be published with this project.
"""

from __future__ import annotations

import csv
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp import files
from gweebp.datasets.faceset import FaceSet, split_identities

__all__ = ["CROP", "load"]

CROP = (32, 66, 168, 202)  # left, top, right, bottom: the face, without the background and the clothes
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Pair:
    """One person's files; `usual` is "train" or "test" of the usual split, hashes are "" where unknown."""

    id: str
    photo: Path | None
    sketch: Path | None
    usual: str = ""
    photo_sha256: str = ""
    sketch_sha256: str = ""


def load(folder: str | Path, size: int, seed: int, *, crop: Box | None = CROP, split: str = "seeded") -> FaceSet:
    """Read the pairs, crop the faces, resize them to squares and split the people.

    A pair of which an image is missing, corrupt, changed or smaller than the crop is skipped: it is counted and listed,
    with the reason, in `record["skipped"]`, and a warning says so.

    Args:
        folder: the user's copy of the set.
        size: height and width of the images, in pixels.
        seed: of the split.
        crop: (left, top, right, bottom) in pixels; None keeps the whole image, and resizes it to a square.
        split: "seeded", 25 % test at random, or "usual", train/test as in pairs.csv; 20 % of the rest validate.

    Returns:
        a FaceSet named "cuhk", without distractors.

    Raises:
        FileNotFoundError: no such folder, or no `photos` and `sketches` in it.
        ValueError: a bad option, no pair that can be read, or an empty split.

    >>> load("no/such/folder", size=64, seed=0)
    Traceback (most recent call last):
    FileNotFoundError: no folder no/such/folder: name the folder that holds photos/ and sketches/
    """
    folder = Path(folder)
    _check_options(size, crop, split)
    pairs = _pairs(folder)
    codes = _split(pairs, seed, split)  # of everyone listed, so that a bad file moves nobody else to another split
    images: dict[str, tuple[Tensor, Tensor]] = {}
    skipped: list[dict[str, str]] = []
    for pair in pairs:
        try:
            photo = _face(pair.photo, pair.photo_sha256, crop, size, "photo")
            sketch = _face(pair.sketch, pair.sketch_sha256, crop, size, "sketch")
            images[pair.id] = photo, sketch
        except (FileNotFoundError, ValueError) as error:
            # the folder's own name stays out of the record, which may be published
            skipped.append({"item": pair.id, "why": str(error).replace(f"{folder}/", "")})
    _report(skipped, len(pairs), folder)
    faces = FaceSet(
        name="cuhk",
        ids=tuple(images),
        photos=torch.stack([photo for photo, _ in images.values()]),
        sketches=torch.stack([sketch for _, sketch in images.values()]),
        split=torch.tensor([code for pair, code in zip(pairs, codes.tolist(), strict=True) if pair.id in images]),
        record={
            "seed": seed,
            "parameters": {"size": size, "crop": list(crop) if crop else None, "split": split},
            "sizes": {"listed": len(pairs), "read": len(images), "skipped": len(skipped)},
            "skipped": skipped,
        },
    )
    # an empty split raises here, where the folder is at hand, and not in the middle of a training
    faces.record["sizes"].update(train=len(faces.train), validation=len(faces.validation), test=len(faces.test))
    return faces


def _check_options(size: int, crop: Box | None, split: str) -> None:
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    if crop is not None and not (0 <= crop[0] < crop[2] and 0 <= crop[1] < crop[3]):
        raise ValueError(f"crop must be (left, top, right, bottom) with left < right and top < bottom, got {crop}")
    if split not in ("seeded", "usual"):
        raise ValueError(f'split must be "seeded" or "usual", got {split!r}')


def _pairs(folder: Path) -> list[Pair]:
    """Everyone the folder lists, by id."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: name the folder that holds photos/ and sketches/")
    pairs = _listed(folder) if (folder / "pairs.csv").is_file() else _found(folder)
    if not pairs:
        raise ValueError(f"{folder} lists no photo and no sketch: it is empty, or is another set")
    ids = [pair.id for pair in pairs]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{folder} lists a person twice: {sorted({i for i in ids if ids.count(i) > 1})[:5]}")
    return sorted(pairs, key=lambda pair: pair.id)


def _listed(folder: Path) -> list[Pair]:
    """Pairs of pairs.csv."""
    with (folder / "pairs.csv").open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = {"id", "photo", "sketch"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{folder / 'pairs.csv'} lacks the columns {sorted(missing)}; it has {reader.fieldnames}")
        return [
            Pair(
                id=row["id"],
                photo=folder / row["photo"] if row["photo"] else None,
                sketch=folder / row["sketch"] if row["sketch"] else None,
                usual=row.get("split") or "",
                photo_sha256=row.get("photo_sha256") or "",
                sketch_sha256=row.get("sketch_sha256") or "",
            )
            for row in reader
        ]


def _found(folder: Path) -> list[Pair]:
    """Pairs by file name; either may lack the other."""
    sides: list[dict[str, Path]] = []  # photos by id, sketches by id
    for name in ("photos", "sketches"):
        if not (folder / name).is_dir():
            raise FileNotFoundError(f"no folder {folder / name}: expected photos/ and sketches/, or pairs.csv")
        side: dict[str, Path] = {}
        for path in sorted((folder / name).iterdir()):
            if path.suffix.lower() in SUFFIXES:
                key = re.sub(r"-sz\d+$", "", path.stem.lower())
                if side.setdefault(key, path) != path:
                    raise ValueError(f"{side[key]} and {path} are two images of one person: remove one")
        sides.append(side)
    photos, sketches = sides
    return [Pair(id=key, photo=photos.get(key), sketch=sketches.get(key)) for key in photos.keys() | sketches.keys()]


def _split(pairs: list[Pair], seed: int, split: str) -> Tensor:
    """Codes 0 train, 1 validation, 2 test, int64 (len(pairs),)."""
    if split == "seeded":
        return split_identities(len(pairs), seed)
    bad = sorted({pair.usual for pair in pairs} - {"train", "test"})
    if bad:
        raise ValueError(f'split="usual" needs pairs.csv with train or test in its column split, got {bad}')
    test = torch.tensor([pair.usual == "test" for pair in pairs])
    codes = torch.where(test, 2, 0)
    codes[~test] = split_identities(int((~test).sum()), seed, test=0.0)
    return codes


def _face(path: Path | None, sha256: str, crop: Box | None, size: int, side: str) -> Tensor:
    """One image, cropped and resized (antialiased bilinear): uint8 (3, size, size)."""
    if path is None:
        raise FileNotFoundError(f"it has no {side}")
    image = files.read_image(path)
    if sha256 and files.sha256(path) != sha256:
        raise ValueError(f"{path} is not the file that pairs.csv lists: its sha256 differs")
    if crop is not None:
        left, top, right, bottom = crop
        height, width = image.shape[1:]
        if right > width or bottom > height:
            raise ValueError(f"{path} has {width}x{height} pixels, less than the crop {crop} reaches")
        image = image[:, top:bottom, left:right]
    resized = F.interpolate(image[None].float(), size=(size, size), mode="bilinear", antialias=True)[0]
    return resized.round().clamp(0, 255).to(torch.uint8)


def _report(skipped: list[dict[str, str]], listed: int, folder: Path) -> None:
    if not skipped:
        return
    first = "; ".join(f"{item['item']}: {item['why']}" for item in skipped[:3])
    if len(skipped) == listed:
        raise ValueError(f"none of {listed} pairs in {folder} can be read; first: {first}")
    warnings.warn(f"skipped {len(skipped)} of {listed} pairs in {folder}; first: {first}", stacklevel=3)
