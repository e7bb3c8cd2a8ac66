"""Networks that steps of the preparation are given by name or file: who parses, inpaints, translates; their digests."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gweebp.commands.arguments import Distinct, to_path
from gweebp.commands.common import add_numbers
from gweebp.faces.faceset import FACES, RECORD, FaceSet
from gweebp.faces.preparation import cyclegan, inpaint, inpainter
from gweebp.faces.preparation.exchange import MARGIN, Fill, Translate, filler
from gweebp.faces.preparation.inpaint import Completion
from gweebp.faces.preparation.parser import Parser
from gweebp.faces.quadruplets import PARTS, Quadruplets
from gweebp.support import files
from gweebp.support.ranges import SHARE

FILL = (
    f"how face parts are filled in: {', '.join(inpaint.PLAIN)}, or an inpainter: weights of `prepare learn`, or a "
    "folder with the two published files"
)
TRANSLATE = "weights of a translator: those of `prepare learn`, or one published generator"
ROUTE = f"fill in sketches by way of photos; {TRANSLATE}"
PARSER = "find hair and skin by a parser: weights of `prepare learn`, or published ones (default: by polygons)"


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Add --parts and --margin."""
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        action=Distinct,
        default=PARTS,
        metavar="PART",
        help="face parts to work on (default: all)",
    )
    add_numbers(parser, margin=(SHARE, MARGIN, "margin around a part, in image heights"))


def to_fill(text: str) -> str:
    """The type of --fill: the name of a plain way, or a path.

    >>> to_fill("telea")
    'telea'
    """
    return text if text in inpaint.PLAIN else str(to_path(text))


SET = (FACES, RECORD, "quadruplets.safetensors")  # the files of a face set with its candidates


def write_set(out: Path, stage: str, faces: FaceSet, quadruplets: Quadruplets) -> None:
    """Write a face set and its candidate quadruplets, which name the set that they belong to."""
    replace(faces, record=faces.record | {"stage": stage}).save(out)
    quadruplets.save(out / SET[-1], {"record": {"stage": stage}}, faces=out / FACES)


def inventor(text: str, device: torch.device) -> tuple[str | Completion, str]:
    """What `inpaint.fill` takes as method, and what decides its fillings: a name, or the digest of its weights.

    >>> inventor("mean", torch.device("cpu"))
    ('mean', 'mean')
    """
    if text in inpaint.PLAIN:
        return text, text
    if not Path(text).exists():
        raise ValueError(f"--fill {text} is neither a file nor one of {', '.join(inpaint.PLAIN)}")
    return inpainter.load(text).to(device), digest(text)


def inventors(fill: str, translate: Path | None, device: torch.device) -> tuple[Fill, Translate | None, dict[str, str]]:
    """Who fills, who translates, and for the record what decides what they do."""
    method, chosen = inventor(fill, device)
    if not translate:
        return filler(method), None, {"fill": chosen}
    return (
        filler(method),
        translator(translate, "sketches", device),
        {"fill": chosen, "translate": digest(translate)},
    )


def parser_of(path: Path | None, device: torch.device) -> Parser | None:
    """A parser whose network lies on the device, or None without a file."""
    if path is None:
        return None
    found = Parser.load(path)
    found.net.to(device)
    return found


def translator(path: Path, way: str, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A function of images, uint8 (n, 3, h, w). way: "sketches", of photos, or "photos", of sketches.

    A published generator goes the way that it was trained for, whichever is asked.
    """
    if path.suffix == ".safetensors":
        return getattr(cyclegan.load(path).to(device), way)
    return partial(cyclegan.translate, cyclegan.published(path).to(device))


def digest(path: str | Path) -> str:
    """SHA-256 of a file, or of each file in a folder, by name."""
    path = Path(path)
    return files.sha256(path) if path.is_file() else " ".join(files.sha256(p) for p in sorted(path.glob("*.pth")))
