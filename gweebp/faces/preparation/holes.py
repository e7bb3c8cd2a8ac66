"""Holes to learn inpainting from: face parts, and boxes anywhere."""

from __future__ import annotations

import torch
from torch import Tensor

from gweebp.faces.preparation.parse import NONE, dilate

__all__ = ["holes"]


def holes(labels: Tensor, generator: torch.Generator, widest: int = 3) -> Tensor:
    """Draw a hole for each face: with probability one half a face part, widened by 0..widest pixels, else a box.

    Args:
        labels: uint8 (n, h, w), 255 = no part. A face of which no part shows gets a box.

    Returns:
        bool (n, h, w). Boxes have sides of 1/8 to 1/2 of the image's.

    >>> labels = torch.full((6, 32, 32), 255, dtype=torch.uint8)
    >>> 16 <= int(holes(labels, torch.Generator().manual_seed(0)).sum((1, 2)).min())
    True
    """
    return torch.stack([_hole(face, generator, widest) for face in labels])


def _hole(labels: Tensor, generator: torch.Generator, widest: int) -> Tensor:
    parts = labels.unique()
    parts = parts[parts != NONE]
    if len(parts) and torch.rand((), generator=generator) < 0.5:
        part = parts[torch.randint(len(parts), (), generator=generator)]
        reach = int(torch.randint(widest + 1, (), generator=generator))
        return dilate((labels == part)[None], reach)[0]
    mask = torch.zeros(labels.shape, dtype=torch.bool)
    sides = [int(n * (0.125 + 0.375 * torch.rand((), generator=generator))) for n in labels.shape]
    top, left = (
        int(torch.randint(n - s + 1, (), generator=generator)) for n, s in zip(labels.shape, sides, strict=True)
    )
    mask[top : top + sides[0], left : left + sides[1]] = True
    return mask
