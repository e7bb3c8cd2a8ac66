"""Drawn faces to practise on: what the small networks of preparation are trained with, and where the truth is known.

Nobody here is in any set of the book: identities start where no set's do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gweebp.datasets import synthetic

__all__ = ["Practice", "draw"]

_FIRST = {"train": 10_000_000, "test": 20_000_000}
NO_PART = 255


@dataclass(frozen=True, eq=False)
class Practice:
    """n people: photos, sketches uint8 (n, 3, size, size); photo_parts, sketch_parts uint8 (n, size, size).

    Parts are indices into datasets.PARTS, 255 where no part shows.
    """

    photos: Tensor
    sketches: Tensor
    photo_parts: Tensor
    sketch_parts: Tensor


def draw(people: int, size: int, kind: str = "drawn", *, split: str = "train", seed: int = 0) -> Practice:
    """Draw people who are in no other set.

    Args:
        people: how many. size: side of the images.
        kind: of sketch, "drawn" or "composite", with its own eyewitness error.
        split: "train" or "test": nobody is in both.
        seed: of the world.

    >>> faces = draw(2, 32)
    >>> faces.sketches.shape, faces.photo_parts.shape, int(faces.photo_parts.max())
    (torch.Size([2, 3, 32, 32]), torch.Size([2, 32, 32]), 255)
    """
    world = synthetic.World(kind, size, seed, synthetic.world.KINDS[kind])
    identities = _FIRST[split] + torch.arange(people)
    latents = world.people(identities)
    photos, sketches = (make(identities, latents, masks=True) for make in (world.photos, world.sketches))
    return Practice(photos.images, sketches.images, _labels(photos.masks), _labels(sketches.masks))


def _labels(masks: Tensor) -> Tensor:
    """Masks bool (n, 6, h, w), of which at most one holds a pixel, as label maps."""
    labels = masks.to(torch.uint8).argmax(1).to(torch.uint8)
    return labels.masked_fill(~masks.any(1), NO_PART)
