"""Batches of triplet training: which identities meet in a batch.

A batch holds distinct identities, one sketch and one photo each. A doppelgänger, a training subject with one face part
swapped, is an identity of its own; it enters a batch beside the subject it copies, where it is the hardest negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gweebp.faces.faceset import FaceSet
from gweebp.networks import as_input

__all__ = ["Pool", "batches", "inputs"]


@dataclass(frozen=True, eq=False)
class Pool:
    """Network inputs to train on: `subjects` rows of subjects, then the rows of their doppelgängers.

    Attributes:
        sketches, photos: float16 (subjects + k, c, h, w); row i of both is one identity.
        parent: int64 (k,), the subject's row that each doppelgänger copies.
    """

    sketches: Tensor
    photos: Tensor
    parent: Tensor

    @property
    def subjects(self) -> int:
        """Number of rows that are subjects, not doppelgängers."""
        return len(self.sketches) - len(self.parent)

    def shuffled(self, generator: torch.Generator) -> Pool:
        """The same images with every photo somebody else's.

        >>> images = torch.arange(5.0).view(5, 1, 1, 1)
        >>> mixed = Pool(images, images, torch.arange(0)).shuffled(torch.Generator().manual_seed(0))
        >>> bool((mixed.photos == images).any()), mixed.photos.sum().item()
        (False, 10.0)
        """
        order = torch.randperm(len(self.photos), generator=generator)
        photos = torch.empty_like(self.photos)
        photos[order] = self.photos[order.roll(1)]  # round a random circle: nobody keeps an own photo
        return Pool(self.sketches, photos, self.parent)

    @classmethod
    def training(cls, net: nn.Module, faces: FaceSet, *, doppelgangers: bool) -> Pool:
        """The training subjects of `faces`, with their doppelgängers where asked for."""
        rows = faces.train
        sketches, photos = inputs(net, faces.sketches[rows]), inputs(net, faces.photos[rows])
        if not doppelgangers:
            return cls(sketches, photos, rows[:0])
        if len(faces.doppelganger_of) == 0:
            raise ValueError(f"{faces.name} has no doppelgangers: make it with some, or train with doppelgangers=0")
        row_of = torch.full((len(faces.ids),), -1).scatter(0, rows, torch.arange(len(rows)))
        return cls(
            torch.cat([sketches, inputs(net, faces.doppelganger_sketches)]),
            torch.cat([photos, inputs(net, faces.doppelganger_photos)]),
            row_of[faces.doppelganger_of],
        )


@torch.no_grad()
def inputs(net: nn.Module, images: Tensor, chunk: int = 64) -> Tensor:
    """`networks.as_input`, once for all images, kept as float16 (n, c, h, w): half the memory, 3 significant digits."""
    return torch.cat([as_input(net, part).half() for part in images.split(chunk)])


def batches(
    subjects: int, parent: Tensor, identities: int, doppelgangers: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Draw batches without end: int64 (identities,), distinct rows of a pool.

    Each batch draws its subjects at random, then up to `doppelgangers` of the doppelgängers of those very subjects,
    then more subjects until it is full.

    Args:
        subjects: number of subjects; they are rows 0..subjects-1.
        parent: int64 (k,), the subject of each doppelgänger; doppelgänger j is row subjects + j.
        identities: size of the batch; at most all subjects.
        doppelgangers: of these, at most this many are doppelgängers.
        generator: of the draw, on the CPU.

    >>> draw = batches(9, torch.arange(9), 4, 2, torch.Generator().manual_seed(0))
    >>> first = next(draw)
    >>> len(first), set((first[2:] - 9).tolist()) == set(first[:2].tolist())
    (4, True)
    """
    if subjects < 2:
        raise ValueError(f"triplets need at least 2 training subjects, got {subjects}")
    if identities < 2:
        raise ValueError(f"triplets need at least 2 identities a batch, got {identities}")
    if not 0 <= doppelgangers < identities:
        raise ValueError(
            f"doppelgangers must lie in 0..{identities - 1}, one less than identities; got {doppelgangers}"
        )
    while True:
        order = torch.randperm(subjects, generator=generator)
        chosen = order[: identities - doppelgangers]
        copies = torch.isin(parent, chosen).nonzero().flatten()
        copies = copies[torch.randperm(len(copies), generator=generator)[:doppelgangers]]
        fill = order[len(chosen) : identities - len(copies)]
        yield torch.cat([chosen, fill, subjects + copies])
