"""From a listing to a set of faces: images read, cut to squares, resized, split by person.

A person of whom an image is missing, corrupt, changed or not cut out is skipped, counted and listed with the reason.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.faces.faceset import FaceSet, split_identities
from gweebp.faces.readers.listing import Listing, Pair
from gweebp.support import files

__all__ = ["CROP", "Box", "box_of", "read"]

Box = tuple[int, int, int, int]
CUT = (200, 250)  # width and height of the crops that CUFS is distributed in
CROP: Box = (32, 66, 168, 202)  # left, top, right, bottom in these: the face, without background and clothes


def read(
    listing: Listing, size: int, seed: int, *, crop: Box | Literal["auto"] | None = "auto", split: str = "seeded"
) -> FaceSet:
    """Read the images that a listing names.

    Args:
        listing: of people and files.
        size: height and width of the images, in pixels.
        seed: of the split.
        crop: (left, top, right, bottom) in pixels; None keeps the whole image, and resizes it to a square; "auto":
            CROP for images of 200x250 pixels, the whole of square ones; others have to be aligned first.
        split: "seeded", 25 % test at random, or "usual", train/test as listed; 20 % of the rest validate.

    Returns:
        a FaceSet named as the listing; its record has the seed, parameters, sizes, and `skipped` with the reasons.

    Raises:
        ValueError: a bad option, no pair that can be read, or an empty split.
    """
    _check_options(size, crop, split)
    pairs, folder = listing.pairs, listing.folder
    codes = _split(pairs, seed, split)  # of everyone listed, so that a bad file moves nobody else to another split
    images: dict[str, tuple[Tensor, Tensor]] = {}
    others: list[Tensor] = []
    skipped: list[dict[str, str]] = []

    def skip(item: str, error: Exception) -> None:
        # the folder's own name stays out of the record, which may be published
        skipped.append({"item": item, "why": str(error).replace(f"{folder}/", "")})

    for pair in pairs:
        try:
            photo = _face(pair.photo, pair.photo_sha256, crop, size, "photo")
            images[pair.id] = photo, _face(pair.sketch, pair.sketch_sha256, crop, size, "sketch")
        except (OSError, ValueError) as error:
            skip(pair.id, error)
    for name, path in listing.distractors.items():
        try:
            others.append(_face(path, "", crop, size, "photo"))
        except (OSError, ValueError) as error:
            skip(f"distractor {name}", error)
    _report(skipped, len(images), len(pairs) + len(listing.distractors), folder)
    faces = FaceSet(
        name=listing.name,
        ids=tuple(images),
        photos=torch.stack([photo for photo, _ in images.values()]),
        sketches=torch.stack([sketch for _, sketch in images.values()]),
        split=torch.tensor([code for pair, code in zip(pairs, codes.tolist(), strict=True) if pair.id in images]),
        distractors=torch.stack(others) if others else torch.zeros(0, 3, size, size, dtype=torch.uint8),
        record={
            "seed": seed,
            "parameters": {"size": size, "crop": list(crop) if isinstance(crop, tuple) else crop, "split": split},
            "sizes": {"listed": len(pairs), "read": len(images), "skipped": len(skipped)},
            "skipped": skipped,
            **listing.facts,
        },
    )
    # an empty split raises here, where the folder is at hand, and not in the middle of a training
    faces.record["sizes"].update(
        train=len(faces.train), validation=len(faces.validation), test=len(faces.test), distractors=len(others)
    )
    return faces


def _check_options(size: int, crop: Box | str | None, split: str) -> None:
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    if isinstance(crop, tuple) and not (0 <= crop[0] < crop[2] and 0 <= crop[1] < crop[3]):
        raise ValueError(f"crop must be (left, top, right, bottom) with left < right and top < bottom, got {crop}")
    if split not in ("seeded", "usual"):
        raise ValueError(f'split must be "seeded" or "usual", got {split!r}')


def _split(pairs: tuple[Pair, ...], seed: int, split: str) -> Tensor:
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


def _face(path: Path | None, sha256: str, crop: Box | str | None, size: int, side: str) -> Tensor:
    """One image, cropped and resized (antialiased bilinear): uint8 (3, size, size)."""
    if path is None:
        raise FileNotFoundError(f"it has no {side}")
    image = files.read_image(path)
    if sha256 and files.sha256(path) != sha256:
        raise ValueError(f"{path} is not the file that pairs.csv lists: its sha256 differs")
    height, width = image.shape[1:]
    box = box_of(path, width, height) if isinstance(crop, str) else crop
    if box is not None:
        left, top, right, bottom = box
        if right > width or bottom > height:
            raise ValueError(f"{path} has {width}x{height} pixels, less than the crop {box} reaches")
        image = image[:, top:bottom, left:right]
    resized = F.interpolate(image[None].float(), size=(size, size), mode="bilinear", antialias=True)[0]
    return resized.round().clamp(0, 255).to(torch.uint8)


def box_of(path: Path, width: int, height: int) -> Box | None:
    """The box (left, top, right, bottom) in pixels that "auto" cuts out of an image; None: the image is taken whole.

    Args:
        path: of the image, for the message.
        width, height: of the image in pixels.

    Raises:
        ValueError: the image is neither square nor of 200x250 pixels.

    >>> box_of(Path("m-001.png"), 200, 250)
    (32, 66, 168, 202)
    """
    if (width, height) == CUT:
        return CROP
    if width == height:
        return None
    raise ValueError(
        f"{path} has {width}x{height} pixels: faces are cut out of images of 200x250 pixels, as CUFS has them, and "
        "square images are taken whole; align others first (python -m gweebp prepare align)"
    )


def _report(skipped: list[dict[str, str]], read: int, listed: int, folder: Path) -> None:
    if not skipped:
        return
    first = "; ".join(f"{item['item']}: {item['why']}" for item in skipped[:3])
    if not read:
        raise ValueError(f"none of {listed} people in {folder} can be read; first: {first}")
    warnings.warn(f"skipped {len(skipped)} of {listed} people in {folder}; first: {first}", stacklevel=4)
