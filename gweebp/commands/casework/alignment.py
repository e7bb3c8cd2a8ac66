"""Images of a case, aligned as they are read: eyes and mouth where the network's training faces had theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from gweebp.commands.casework import pictures
from gweebp.commands.casework.pictures import Picture
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.align import FRAMES, align
from gweebp.faces.preparation.predictor import Predictor

__all__ = ["Aligner"]

FOLDERS = {"photos": ["photo"], "sketches": ["sketch"], "distractors": ["distractor"]}


class Aligner:
    """Reads an image as `pictures.read` does and aligns it: a function of its path.

    Landmarks are looked up in a CSV by the file's name without its suffix (and without CUHK's "-sz1"), or found by
    dlib's predictor, given its model file (.dat). A CSV that has an image both as photo and as sketch is asked for the
    kind that the image's folder, photos/ or sketches/, says.

    Args:
        source: the CSV, or the model. size: side of the aligned image in pixels. frame: a key of `align.FRAMES`.

    Raises:
        FileNotFoundError, ValueError: no such file, or no landmarks in it; when called, no landmarks of that image.
    """

    def __init__(self, source: str | Path, size: int, frame: str = "head") -> None:
        self.source, self.size, self.frame = Path(source), size, FRAMES[frame]
        is_model = self.source.suffix == ".dat"
        self.finder = Predictor(self.source) if is_model else landmarks.read(self.source)

    def __call__(self, path: str | Path) -> Picture:
        """The aligned image, uint8 (3, size, size)."""
        picture = pictures.read(path)
        try:
            aligned, _ = align(picture.pixels, self._points(Path(path), picture.pixels), self.size, self.frame)
        except ValueError as error:
            raise ValueError(f"{path} can't be aligned: {error}") from error
        return replace(picture, pixels=aligned)

    def kinds(self, path: Path) -> list[str]:
        """What its folder or name says the image is, a photo or a sketch: where this decides which landmarks it has."""
        return [] if isinstance(self.finder, Predictor) else list(dict.fromkeys(kind for kind, _ in _keys(path)))

    def _points(self, path: Path, pixels: Tensor) -> Tensor:
        if isinstance(self.finder, Predictor):
            return self.finder(pixels)
        keys = [key for key in _keys(path) if key in self.finder]
        if not keys:
            raise ValueError(f"{self.source.name} has no landmarks of {path.stem}")
        if len(keys) > 1:
            raise ValueError(
                f"{self.source.name} has landmarks of {keys[0][1]} as {' and as '.join(kind for kind, _ in keys)}: "
                "put the image into a folder photos/ or sketches/, which says what it is"
            )
        return self.finder[keys[0]]


def _keys(path: Path) -> Iterator[tuple[str, str]]:
    """(kind, id) under which the landmarks of an image may be listed."""
    stem = re.sub(r"-sz\d+$", "", path.stem)
    told = ["sketch"] if stem != path.stem else FOLDERS.get(path.resolve().parent.name, landmarks.KINDS)
    for name in dict.fromkeys((path.stem, stem)):
        yield from ((kind, name) for kind in told)
