"""The layouts in which real photographs and sketches are read: name -> what lists a folder of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from gweebp.faces.readers import cufs, cuhk, uom_sgfs
from gweebp.faces.readers.listing import Listing

__all__ = ["LAYOUTS", "listing"]

LAYOUTS: dict[str, Callable[[Path], Listing]] = {
    "pairs": cuhk.listing,  # CUHK, aligned faces, or anything laid out like these
    "cufs": cufs.listing,
    "uom-sgfs": partial(uom_sgfs.listing, sketches="A"),  # the paper's
    "uom-sgfs-b": partial(uom_sgfs.listing, sketches="B"),
}


def listing(kind: str, folder: str | Path, distractors_from: str | Path | None = None) -> Listing:
    """What a folder of the layout `kind` holds, with the photos of another folder as distractors if wanted.

    Args:
        kind: name in LAYOUTS.
        folder: holds the set.
        distractors_from: a folder with photos of other people.

    Raises:
        ValueError: the layout is unknown, or two images have one name.
        FileNotFoundError: a folder is missing.

    >>> listing("CUHK", "somewhere")
    Traceback (most recent call last):
    ValueError: unknown layout 'CUHK'; known: pairs, cufs, uom-sgfs, uom-sgfs-b
    """
    if kind not in LAYOUTS:
        raise ValueError(f"unknown layout {kind!r}; known: {', '.join(LAYOUTS)}")
    found = LAYOUTS[kind](Path(folder))
    return found if distractors_from is None else found.extended(distractors_from)
