"""UoM-SGFS: composite sketches of 600 people of Color FERET, and their photos, from the folders as distributed.

The database (version 2) holds, for each subject, a sketch made with EFIT-V (Set A) and the same sketch edited by hand
(Set B). It names the photos that they were made from, but does not contain them: they are in Color FERET, by subject.

    folder/
      UoM-SGFS-v2/Sketches/Set A/Images/00002.bmp          five digits: the subject of Color FERET
      UoM-SGFS-v2/Sketches/Set B/Images/00002.bmp
      UoM-SGFS-v2/Photos/..., UoM-SGFS-v2/Additional Data  lists of photos (text, csv or xlsx)
      colorferet/dvd1/data/images/00002/00002_931230_fa.ppm.bz2
      distractors/...                                      more photos of other people, if wanted

Only the names "Set A" and "Set B" and the file names count; how deep they lie does not. The photo of a subject is the
one that UoM-SGFS's lists name; without a list it is the earliest frontal one, `fa` (neutral) before `fb`, not of the
session of August 1993, of which UoM-SGFS uses no photo. That is right for most subjects and wrong for some: put the
lists there. Full images are preferred to `smaller` and `thumbnails`. Frontal photos of subjects who have no sketch are
distractors.

Sources: Galea and Farrugia, "Matching software-generated sketches to face photos with a very deep CNN, morphed faces,
and transfer learning", IEEE TIFS 2018; Phillips et al., "The FERET evaluation methodology for face-recognition
algorithms", IEEE TPAMI 2000.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Container, Iterable
from pathlib import Path

from gweebp.faces.faceset import FaceSet
from gweebp.faces.readers import reading
from gweebp.faces.readers.listing import DISTRACTORS, Listing, Pair, images_below, photos_of, stem

__all__ = ["listing", "load"]

# subject, date, pose (fa: regular expression, fb: another one), variant (glasses, another hair-do)
_PHOTO = re.compile(r"(?<!\d)(\d{5})_(\d{6})_(f[ab])(_[a-z])?(?![a-z0-9_])")
_UNUSED = "930831"  # a session
MOST_BYTES = 2**26  # of a workbook, unpacked
_SIZES = ("images", "", "smaller", "thumbnails")  # folders of Color FERET, best first; "": any other folder


def load(folder: str | Path, size: int, seed: int, *, sketches: str = "A") -> FaceSet:
    """Sketches of Set A or B and their photos as a FaceSet named "uom-sgfs-a" or "-b"; see `readers.reading.read`.

    Color FERET's photos are not square: they are read after `prepare align`, from the folder that it writes.

    Args:
        folder: holds UoM-SGFS and Color FERET.
        size: side of the square images in pixels.
        seed: of the split into people to train on and people to test.
        sketches: "A" or "B", the set.

    Raises:
        FileNotFoundError: a folder or a file is missing.
        ValueError: a table or an image cannot be read as described.

    >>> load("no/such/folder", size=64, seed=0)
    Traceback (most recent call last):
    FileNotFoundError: no folder no/such/folder: name the folder that holds UoM-SGFS and Color FERET
    """
    return reading.read(listing(folder, sketches=sketches), size, seed)


def listing(folder: str | Path, *, sketches: str = "A") -> Listing:
    """Every subject who has a sketch, and the photo of it. No image is opened.

    Args:
        folder: that holds UoM-SGFS and Color FERET.
        sketches: "A" or "B", the set.

    Returns:
        a Listing; `facts` say which set, and how many photos UoM-SGFS's lists name.

    Raises:
        FileNotFoundError: no such folder, or no folder "Set A" ("Set B") with sketches in it.
        ValueError: two sketches of one subject, or lists that disagree on a photo.
    """
    folder = Path(folder)
    if sketches not in ("A", "B"):
        raise ValueError(f'sketches must be "A" or "B", got {sketches!r}')
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: name the folder that holds UoM-SGFS and Color FERET")
    images = {path: None for path in images_below(folder) if path.parts[0] != DISTRACTORS}  # a set in order
    drawn = _sketches(folder, images, sketches)
    photos = _photos(images)
    named = _named(folder, images, drawn)
    pairs = []
    for subject, sketch in drawn.items():
        found = photos.get(subject, {})
        # a photo that is named and is not there is missing: another one would not be what the sketch was made from
        name = named.get(subject) or next(iter(found), None)
        photo = None if name is None else folder / found.get(name, Path(f"{name}.ppm"))
        pairs.append(Pair(subject, photo, folder / sketch))
    others = {
        next(iter(found)): folder / next(iter(found.values()))
        for subject, found in photos.items()
        if subject not in drawn
    }
    if (folder / DISTRACTORS).is_dir():
        others |= photos_of(folder / DISTRACTORS)
    facts = {"sketch_set": sketches, "photos_named": len(named.keys() & drawn.keys())}
    return Listing(f"uom-sgfs-{sketches.lower()}", folder, tuple(pairs), others, facts)


def _sketches(folder: Path, images: Iterable[Path], wanted: str) -> dict[str, Path]:
    """Subject -> sketch of the wanted set."""
    found: dict[str, Path] = {}
    for path in images:
        in_set = any(re.fullmatch(rf"set[ _-]?{wanted}", part, re.IGNORECASE) for part in path.parts[:-1])
        subject = re.match(r"\d{5}(?!\d)", path.name)
        if in_set and subject and found.setdefault(subject[0], path) != path:
            raise ValueError(f"{found[subject[0]]} and {path} are two sketches of one subject: remove one")
    if not found:
        raise FileNotFoundError(f'no sketches in {folder}: expected a folder "Set {wanted}" with 00002.bmp and so on')
    return found


def _photos(images: Iterable[Path]) -> dict[str, dict[str, Path]]:
    """Subject -> name -> file, of Color FERET's frontal photos; the best name first, of each the best file."""
    ranked = []
    for path in images:
        match = _PHOTO.fullmatch(stem(path))
        if match:
            subject, date, pose, variant = match.groups()
            sizes = [_SIZES.index(part) for part in path.parts[:-1] if part in _SIZES]
            ranked.append((subject, pose, date == _UNUSED, date, variant or "", max(sizes, default=1), path))
    found: dict[str, dict[str, Path]] = {}
    for subject, *_, path in sorted(ranked):
        found.setdefault(subject, {}).setdefault(stem(path), path)
    return found


def _named(folder: Path, images: Container[Path], drawn: dict[str, Path]) -> dict[str, str]:
    """Subject -> name of the photo, from the names and contents of files in Photos and Additional Data."""
    roots = {folder.joinpath(*path.parts[: _set_at(path)]).parent for path in drawn.values()}
    listed = [
        file
        for root in roots
        for beside in root.iterdir()
        if beside.is_dir() and re.match(r"photos|additional", beside.name, re.IGNORECASE)
        for file in sorted(beside.rglob("*"))
        if file.is_file() and file.relative_to(folder) not in images
    ]
    named: dict[str, str] = {}
    for file in listed:
        for match in _PHOTO.finditer(f"{stem(file)} {_text(file)}"):
            if named.setdefault(match[1], match[0]) != match[0]:
                raise ValueError(f"{file} names {match[0]}, another list {named[match[1]]}: keep one of the lists")
    return named


def _set_at(path: Path) -> int:
    """Position of "Set A" in a sketch's path; the folder above it is "Sketches"."""
    return next(i for i, part in enumerate(path.parts) if re.fullmatch(r"set[ _-]?[AB]", part, re.IGNORECASE))


def _text(file: Path) -> str:
    """The text of a list; of a workbook its strings; of anything else nothing."""
    if file.suffix.lower() in (".txt", ".csv"):
        return file.read_text(encoding="utf-8", errors="replace")
    if file.suffix.lower() == ".xlsx" and zipfile.is_zipfile(file):
        try:
            with zipfile.ZipFile(file) as book:
                sheets = [entry for entry in book.infolist() if entry.filename.endswith(".xml")]
                if sum(entry.file_size for entry in sheets) > MOST_BYTES:
                    raise ValueError(f"it unpacks to more than {MOST_BYTES} bytes")
                return "\n".join(book.read(entry).decode("utf-8", "replace") for entry in sheets)
        except (ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as error:  # damaged, or locked
            raise ValueError(f"{file} can't be read as a workbook ({error}): repair it, or take it away") from error
    return ""
