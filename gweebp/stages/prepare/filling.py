"""Who invents face parts, and who turns photos into sketches, as the command line names them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gweebp import files
from gweebp.preparation import cyclegan, inpaint, inpainter
from gweebp.preparation.inpaint import Completion

__all__ = ["add_fill", "digest", "filling", "translation"]


def add_fill(parser: argparse.ArgumentParser) -> None:
    """Add --fill."""
    plain = ", ".join(inpaint.PLAIN)
    text = f"who invents: {plain}; a file of `prepare learn inpainter`; or a folder with the published net_E and net_G"
    parser.add_argument("--fill", default="telea", metavar="HOW", help=f"{text} (default: telea)")


def filling(how: str, device: torch.device) -> str | Completion:
    """What `inpaint.fill` takes as its method. Raises ValueError for what is neither a method nor a file."""
    if how in inpaint.PLAIN:
        return how
    if not Path(how).exists():
        raise ValueError(f"--fill {how}: no such file, and none of the methods {', '.join(inpaint.PLAIN)}")
    return inpainter.load(how).to(device)


def translation(path: Path, to: str, device: torch.device, size: int | None = None) -> Callable[[Tensor], Tensor]:
    """A function from uint8 (n, 3, h, w) to the same, into photos or sketches (`to`: "photo" or "sketch").

    Of a translator of ours, the generator that does so, at the size that it learned from; a published file holds one
    generator, which sees the images as they are. `size` overrides both.
    """
    net, learned = cyclegan.generator(path, to)
    net.to(device)
    return lambda images: cyclegan.translate(net, images, size=size or learned)


def digest(path: Path | str) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's .pth files; a name that is neither, as it is."""
    path = Path(path)
    if path.is_dir():
        return " ".join(f"{file.name} {files.sha256(file)}" for file in sorted(path.glob("*.pth")))
    return files.sha256(path) if path.is_file() else str(path)
