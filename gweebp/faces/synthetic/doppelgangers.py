"""Doppelgängers: the same person, the same picture, one face part replaced. The ground truth of the inpainting game.

OP and OM are a test subject's sketch and photo; IP and IN are the sketch and the photo of a doppelgänger, who has
another person's part. The four share the eyewitness's errors, pose, light and texture, so that outside the region OP
and IP agree to the bit (as OM and IN do outside theirs): the region is exact, as no inpainting network can promise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets
from gweebp.faces.synthetic import draws, parameters
from gweebp.faces.synthetic.parameters import PARTS
from gweebp.faces.synthetic.world import Drawn, World

_CHOICES = 4


def substitutes(world: World, identities: Tensor, latents: Tensor, part: Tensor, stream: str) -> Tensor:
    """Latents of a doppelgänger of each person: part number `part` replaced by another person's.

    Of four people, the one whose part differs most (L2 distance of the part's latents) lends it: a doppelgänger that
    nobody can tell apart is no question to ask.

    Args:
        world: of the faces.
        identities: (n,) int64.
        latents: (n, COUNT), what they look like.
        part: (n,) int64, which part each exchanges.
        stream: what for: another stream draws other people.

    Returns:
        (n, COUNT).
    """
    swapped = latents.clone()
    for code, name in enumerate(PARTS):
        rows, columns = (part == code).nonzero().flatten(), parameters.MEMBERS[name]
        drawn = draws.normal(world.seed, identities[rows], f"{stream} {name}", _CHOICES * len(columns))
        lenders = drawn.reshape(-1, _CHOICES, len(columns))
        own = latents[rows][:, columns]
        farthest = (lenders - own[:, None]).square().sum(2).argmax(1)
        swapped[rows[:, None], columns] = lenders[torch.arange(len(rows)), farthest]
    return swapped


def doppelgangers(faces: FaceSet, subjects: Tensor | None = None, seed: int | None = None) -> Quadruplets:
    """Candidate quadruplets: each subject with each of the six parts replaced; not yet filtered by Eq. (7)-(8).

    The region of a quadruplet holds the pixels that show the part in OP or in IP (mask at least one half), and every
    other pixel in which they differ (a shadow cast, a soft edge). `mate_region` is the same for OM and IN: there the
    part lies elsewhere, by another pose or the eyewitness's error.

    Args:
        faces: from `faceset`.
        subjects: (s,) int64 rows of `faces`; None: its test subjects.
        seed: of the parts that replace; None: the world's own.

    Returns:
        6·s quadruplets, subject by subject, each with PARTS in order.

    Raises:
        ValueError: `faces` is not synthetic: real people have no exact doppelgängers.

    Example:
        >>> from gweebp.faces import synthetic
        >>> faces = synthetic.faceset("composite", subjects=8, distractors=0, size=32, doppelgangers=0)
        >>> four = doppelgangers(faces)
        >>> len(four), bool(((four.op != four.ip).any(1) & ~four.region).any())
        (12, False)
    """
    if "world" not in faces.record:
        raise ValueError(f"{faces.name} is no synthetic set (its record names no world): it has no exact doppelgängers")
    world = World(**faces.record["world"])
    rows = faces.test if subjects is None else subjects
    part = torch.arange(len(PARTS)).repeat(len(rows))
    people = torch.tensor([int(faces.ids[row].removeprefix("person-")) for row in rows.tolist()])
    repeated = people.repeat_interleave(len(PARTS))
    latents = world.people(people)
    stream = f"test {world.seed if seed is None else seed}"
    twins = substitutes(world, repeated, latents.repeat_interleave(len(PARTS), 0), part, stream)
    op, ip, region = _pair(world.sketches, people, latents, repeated, twins, part)
    om, in_, mate_region = _pair(world.photos, people, latents, repeated, twins, part)
    return Quadruplets(op, om, ip, in_, region, rows.repeat_interleave(len(PARTS)), part, mate_region)


def _pair(
    draw: Callable[..., Drawn], people: Tensor, latents: Tensor, repeated: Tensor, twins: Tensor, part: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Originals, doppelgängers as `draw` shows them, and regions: the part in either, and whatever else changed."""
    own, other = draw(people, latents, masks=True), draw(repeated, twins, masks=True)
    original = own.images.repeat_interleave(len(PARTS), 0)
    row = torch.arange(len(part))
    before, after = own.masks[row // len(PARTS), part], other.masks[row, part]
    return original, other.images, before | after | (original != other.images).any(1)
