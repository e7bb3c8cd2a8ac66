"""What a folder of photographs and sketches holds, person by person, before any image is opened.

One reader for each layout makes a `Listing` (datasets.cuhk, cufs, uom_sgfs); what is done with it, reading the faces
(readers.reading) or aligning them (preparation.align), does not ask where it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

__all__ = ["Listing", "Pair", "images_below", "photos_of", "stem"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".ppm.bz2")
DISTRACTORS = "distractors"  # in any folder of pairs: photos of other people


@dataclass(frozen=True)
class Pair:
    """One person's files; `usual` is "train" or "test" of the usual split, hashes are "" where unknown."""

    id: str
    photo: Path | None
    sketch: Path | None
    usual: str = ""
    photo_sha256: str = ""
    sketch_sha256: str = ""


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        name: of the set.
        folder: that was read.
        pairs: one a person, by id; either image may be missing.
        distractors: id -> photo of another person.
        facts: what else is to be recorded, such as how many pairs come from which set.

    Raises:
        ValueError: no pair at all, a person who is listed twice, or whose id can't be the name of a file.

    >>> Listing("mine", Path("x"), (Pair("b", None, None), Pair("a", None, None))).pairs[0].id
    'a'
    """

    name: str
    folder: Path
    pairs: tuple[Pair, ...]
    distractors: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort, and check that everyone is there once."""
        ids = [pair.id for pair in self.pairs]
        if not ids:
            raise ValueError(f"{self.folder} lists no photo and no sketch: it is empty, or is another set")
        if len(set(ids)) < len(ids):
            raise ValueError(f"{self.folder} lists a person twice: {sorted({i for i in ids if ids.count(i) > 1})[:5]}")
        for name in (*ids, *self.distractors):
            if not name or Path(name).name != name or {"\\", "\0"} & set(name):
                raise ValueError(f"{self.folder} lists the id {name!r:.80}, which can't be the name of a file")
        object.__setattr__(self, "pairs", tuple(sorted(self.pairs, key=lambda pair: pair.id)))

    def extended(self, folder: str | Path) -> Listing:
        """The same with all photos below `folder` as distractors, besides those that it has."""
        more = photos_of(folder)
        twice = sorted(more.keys() & self.distractors.keys())
        if twice:
            raise ValueError(f"{folder} holds distractors that {self.folder} has already: {twice[:5]}")
        return replace(self, distractors={**self.distractors, **more})


def stem(path: Path) -> str:
    """The name of an image, the last part of `path`, without its suffix, also where that is .ppm.bz2.

    >>> stem(Path("00002/00002_931230_fa.ppm.bz2"))
    '00002_931230_fa'
    """
    name = path.name
    suffix = max((s for s in SUFFIXES if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(suffix)]


def images_below(folder: Path) -> Iterator[Path]:
    """Image files in `folder` and below, by name, relative to it; hidden ones are none."""
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path.name.lower().endswith(SUFFIXES) and path.is_file():
            yield relative


def photos_of(folder: str | Path) -> dict[str, Path]:
    """All images below `folder` as photos of people: id -> file; the id is the name, subfolders joined with "-".

    Raises FileNotFoundError for a folder that is missing, ValueError for one without images or with equal ids.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: name one that holds photos of other people")
    found: dict[str, Path] = {}
    for path in images_below(folder):
        name = "-".join([*path.parts[:-1], stem(path)])
        if found.setdefault(name, folder / path) != folder / path:
            raise ValueError(f"{found[name]} and {folder / path} have one name: remove one")
    if not found:
        raise ValueError(f"{folder} holds no images: expected photos of other people")
    return found
