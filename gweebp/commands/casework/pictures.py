"""Images of a case: read, aligned where landmarks are at hand, and what the reader should know about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gweebp.networks import EmbeddingNetwork
from gweebp.support import files, images

__all__ = ["Picture", "in_folder", "notes", "printable", "read", "told_apart"]

SMALLEST = 16  # pixels a side: below, no face can be made out
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


@dataclass(frozen=True, eq=False)
class Picture:
    """One image of a case: its file's name, printable; uint8 (3, h, w) RGB; the SHA-256 of the file that it is from.

    notes: what was left out as it was read, such as all but the first picture of an animation. given: the pixels before
    it was aligned, and how it was, in words; None and "" where it was not. path: of the file, as it was named.
    """

    name: str
    pixels: Tensor
    sha256: str = ""
    notes: tuple[str, ...] = ()
    given: Tensor | None = None
    aligned: str = ""
    path: Path | None = None


def printable(text: str) -> str:
    """A text that can be printed, drawn and coded: what can't be (line breaks, bytes that are no UTF-8) is escaped.

    >>> print(printable("a\\n\\x1b[2J\\udcff.png"))
    a\\n\\x1b[2J\\udcff.png
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def read(path: str | Path) -> Picture:
    """Read an image of any 8-bit mode; EXIF rotation is applied, transparency laid over white.

    Raises:
        FileNotFoundError: no such file. ValueError: no image, corrupt, below 16 pixels a side, or of one colour only.
    """
    path = Path(path)
    before = files.sha256(path)
    pixels, said = images.read(path)
    height, width = pixels.shape[1:]
    if min(height, width) < SMALLEST:
        raise ValueError(
            f"{path} has {width}x{height} pixels: too small for a face, expected at least {SMALLEST} a side"
        )
    if (pixels == pixels[:, :1, :1]).all():
        raise ValueError(f"{path} has one colour only: there is no face in it")
    if files.sha256(path) != before:
        raise ValueError(f"{path} was changed while it was read: run again")
    return Picture(printable(path.name), pixels, before, tuple(printable(note) for note in said), path=path)


def told_apart(paths: Sequence[Path]) -> list[str]:
    """Names of files, each with as many folders before it as tell it from other files of that name.

    >>> told_apart([Path("a/1.png"), Path("b/1.png"), Path("b/2.png"), Path("b/1.png")])
    ['a/1.png', 'b/1.png', '2.png', 'b/1.png']
    """
    whole = [path.absolute() for path in paths]

    def short(path: Path) -> str:
        rivals = {other for other in whole if other.name == path.name and other != path}
        for count in range(1, len(path.parts)):
            tail = path.parts[-count:]
            if not any(other.parts[-count:] == tail for other in rivals):
                return "/".join(tail)
        return path.name

    return [printable(short(path)) for path in whole]


def in_folder(folder: str | Path) -> list[Path]:
    """The files in a folder that look like images, by name; FileNotFoundError for no such folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: expected one with images of other people")
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def notes(net: EmbeddingNetwork, probe: Picture, mates: list[Picture], nonmate: Picture) -> Iterator[str]:
    """What the reader should know about these images. Raises ValueError where mate and non-mate are one picture."""
    for mate in mates:
        if torch.equal(mate.pixels, nonmate.pixels):
            raise ValueError(
                f"{mate.name} and {nonmate.name} are the same picture: a triplet needs two different people"
            )
        if torch.equal(mate.pixels, probe.pixels):
            yield f"{probe.name} and {mate.name} are the same picture: their distance says nothing about recognition."
    if torch.equal(probe.pixels, nonmate.pixels):
        yield f"{probe.name} and {nonmate.name} are the same picture."
    for picture in dict.fromkeys((probe, *mates, nonmate)):
        yield from picture.notes
        height, width = picture.pixels.shape[1:]
        if min(height, width) < net.size:
            yield f"{picture.name} has {width}x{height} pixels and was enlarged to {net.size}x{net.size}."
        if abs(height / width - 1) > 0.05:
            yield f"{picture.name} has {width}x{height} pixels and was stretched to a square."
