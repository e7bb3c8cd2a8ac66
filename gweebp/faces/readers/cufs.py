"""CUFS: 606 people with a photo and a drawn sketch: 188 of the CUHK student set, 123 of AR and 295 of XM2VTS.

CUFS is distributed as archives of sketches and of CUHK's photos; the photos of AR and XM2VTS come from the owners of
those sets. Unpacked anywhere in one folder, files are told apart by their names:

    CUHK     photo f-005-01   sketch f-005-01-sz1 or F2-005-01-sz1
    AR       photo m-002-1    sketch Mp-002-1-sz1
    XM2VTS   photo 000_1_1    sketch 000_1_1_sz1

A name that begins with its set (`ar_001`, `xm2vts-0001`) belongs to it whatever follows. An image is a sketch if a
folder above it has "sketch" in its name, or the image has "-sz1"; it is a photo if a folder has "photo". A folder
with "train" or "test" in its name gives the usual split, and where someone has both, images below "cropped" are
preferred to the originals. Whatever else lies there (XM2VTS has eight photos of each client) is ignored.

Source: Wang and Tang, "Face photo-sketch synthesis and recognition", IEEE TPAMI 2009.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gweebp.faces.faceset import FaceSet
from gweebp.faces.readers import reading
from gweebp.faces.readers.listing import DISTRACTORS, Listing, Pair, images_below, photos_of, stem

__all__ = ["SETS", "listing", "load", "pairs", "person"]

SETS = {"cuhk": 188, "ar": 123, "xm2vts": 295}
_NAMES = {"cuhk": r"[fm]1?-\d{3}-01", "ar": r"[mw]-\d{3}-1", "xm2vts": r"\d{3}_1_1"}
_PREFIX = re.compile(rf"({'|'.join(SETS)})[-_ ]")

Images = dict[str, dict[bool, Path]]  # person -> cropped? -> file


def load(folder: str | Path, size: int, seed: int) -> FaceSet:
    """The 606 pairs as a FaceSet named "cufs"; see `readers.reading.read`.

    Args:
        folder: holds CUFS as it is distributed.
        size: side of the square images in pixels.
        seed: of the split into people to train on and people to test.

    Raises:
        FileNotFoundError: the folder is missing.
        ValueError: a person has two images of one kind, or no person can be read.

    >>> load("no/such/folder", size=64, seed=0)
    Traceback (most recent call last):
    FileNotFoundError: no folder no/such/folder: name the folder that holds the photos and sketches of CUFS
    """
    return reading.read(listing(folder), size, seed)


def listing(folder: str | Path) -> Listing:
    """Everyone of CUFS whom a folder holds; ids begin with the set. No image is opened.

    `facts["listed_by_set"]` counts them; SETS says how many a whole CUFS has.

    Args:
        folder: holds CUFS as it is distributed.

    Raises:
        FileNotFoundError: the folder is missing.
        ValueError: a person has two images of one kind.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: name the folder that holds the photos and sketches of CUFS")
    found = [
        Pair(f"{name}-{pair.id}", pair.photo, pair.sketch, pair.usual)
        for name in SETS
        for pair in pairs(folder, sets=(name,))
    ]
    others = photos_of(folder / DISTRACTORS) if (folder / DISTRACTORS).is_dir() else {}
    counts = Counter(pair.id.partition("-")[0] for pair in found)
    return Listing("cufs", folder, tuple(found), others, {"listed_by_set": {name: counts[name] for name in SETS}})


def pairs(folder: Path, sets: Sequence[str] = tuple(SETS)) -> list[Pair]:
    """Pairs of the named sets below a folder; either image may be missing.

    Args:
        folder: is searched with its subfolders.
        sets: names in SETS.

    Raises:
        ValueError: a person has two photos, or two sketches, of one kind; the message names both files.
    """
    photos: Images = {}
    sketches: Images = {}
    split: dict[str, str] = {}
    for path in images_below(folder):
        above = " ".join(path.parts[:-1]).lower()
        drawn = "sketch" in above or re.search(r"[-_]sz\d+$", stem(path)) is not None
        which, name = _who(stem(path))
        if which not in sets or not (drawn or "photo" in above) or path.parts[0] == DISTRACTORS:
            continue
        mine = (sketches if drawn else photos).setdefault(name, {})
        cropped = "crop" in above
        if mine.setdefault(cropped, folder / path) != folder / path:
            raise ValueError(f"{mine[cropped]} and {folder / path} are two images of one person: remove one")
        split[name] = "train" if "train" in above else "test" if "test" in above else split.get(name, "")
    everyone = sorted(photos.keys() | sketches.keys())
    return [Pair(name, *_chosen(photos.get(name, {}), sketches.get(name, {})), split[name]) for name in everyone]


def person(name: str) -> str:
    """The id of the person in an image: the sketch f2-005-01-sz1 is of f-005-01, Mp-002-1 of m-002-1.

    Args:
        name: the image's file name without suffix.

    >>> [person(name) for name in ("F2-005-01-sz1", "Mp-002-1-sz1", "000_1_1_sz1", "f1-001-01")]
    ['f-005-01', 'm-002-1', '000_1_1', 'f1-001-01']
    """
    name = re.sub(r"[-_]sz\d+$", "", name.lower())
    name = re.sub(r"^([fm])2(?=-\d{3}-01$)", r"\1", name)
    return re.sub(r"^([mw])p(?=-\d{3}-1$)", r"\1", name)


def _who(name: str) -> tuple[str, str]:
    """Set ("" for none) and person."""
    name = person(name)
    prefix = _PREFIX.match(name)
    if prefix:
        return prefix[1], person(name[prefix.end() :])
    return next((which for which, pattern in _NAMES.items() if re.fullmatch(pattern, name)), ""), name


def _chosen(photos: dict[bool, Path], sketches: dict[bool, Path]) -> tuple[Path | None, Path | None]:
    """Both cropped, else both original, else what there is."""
    for cropped in (True, False):
        if cropped in photos and cropped in sketches:
            return photos[cropped], sketches[cropped]
    return next(iter(photos.values()), None), next(iter(sketches.values()), None)
