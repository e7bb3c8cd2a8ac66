"""Quadruplets from photos and sketches of people: each face part exchanged for one that somebody invents.

The inpainting game needs a sketch OP and its photo OM, and both again with one part replaced (gweEBP paper, Sec. 3.2):

- IN: the part of the photo, filled in by `fill`.
- IP of a sketch that looks like a photo, such as a composite (Sec. 4.4.1): the part of the sketch, filled in alike.
- IP of a drawing (Sec. 4.4.2): IN turned into a drawing by `translate`, whose part goes into the sketch without a seam.

Outside its region IP is OP to the bit, and so are IN and OM. Which of these candidates qualify by Eq. (7)-(8) is the
network's word (`faces.quadruplets.qualified`). This file knows no network: `fill` and `translate` are functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from gweebp.faces.preparation import inpaint
from gweebp.faces.preparation.inpaint import Completion
from gweebp.faces.preparation.parse import dilate
from gweebp.faces.preparation.seams import blend
from gweebp.faces.quadruplets import PARTS, Quadruplets

__all__ = ["MARGIN", "Fill", "Made", "Translate", "exchange", "filler"]

MARGIN = 0.02  # of the image's height: a part's soft edge, its lashes and shadows, belong to what is replaced
_LEAST = 4  # pixels of a part that is worth replacing

Fill = Callable[[Tensor, Tensor, Sequence[int]], Tensor]
"""images uint8 (n, 3, h, w), masks bool (n, h, w), one seed an image -> images, equal outside the masks."""
Translate = Callable[[Tensor], Tensor]
"""photos uint8 (n, 3, h, w) -> sketches of them, the same shape."""


class Made(NamedTuple):
    """Candidate quadruplets, and what was skipped: [{"item": "<subject> <part>", "why": .}]."""

    quadruplets: Quadruplets
    skipped: list[dict[str, str]]


def exchange(
    photos: Tensor,
    sketches: Tensor,
    photo_labels: Tensor,
    sketch_labels: Tensor,
    subject: Tensor,
    fill: Fill,
    *,
    translate: Translate | None = None,
    parts: Sequence[str] = PARTS,
    margin: float = MARGIN,
    seed: int = 0,
    progress: bool = False,
) -> Made:
    """Exchange each part of each person.

    Args:
        photos, sketches: uint8 (n, 3, h, w), one person a row.
        photo_labels, sketch_labels: label maps uint8 (n, h, w) of `preparation.parse`.
        subject: int64 (n,), what `Quadruplets.subject` says of each row.
        fill: invents what masks hide. Photo and sketch of one person and part get one seed.
        translate: None, and sketches are filled as photos are; or photos to sketches, for the route of Sec. 4.4.2.
        parts: names of those to exchange.
        margin: by how much masks are wider than the part, in image heights.
        seed: of everything that `fill` draws: another seed gives other doppelgängers.
        progress: show a bar.

    Returns:
        Made: quadruplets person by person, each with its parts in order; none where nothing could be exchanged. Regions
        are the whole masks: all in them was invented, though a pixel may happen to come out as it was. A part
        that the labels of photo or sketch do not show, that covers a whole image, or that comes out as it was, is
        skipped and listed.

    Raises:
        ValueError: shapes that do not fit, nobody, or an unknown part.

    >>> photos = torch.full((1, 3, 16, 16), 90, dtype=torch.uint8)
    >>> labels = torch.full((1, 16, 16), 255, dtype=torch.uint8)
    >>> labels[:, 4:8, 4:8] = PARTS.index("nose")
    >>> def darker(images, masks, seeds):
    ...     return torch.where(masks[:, None], images // 2, images)
    >>> made = exchange(photos, photos, labels, labels, torch.tensor([7]), darker)
    >>> made.quadruplets.counts()["nose"], len(made.skipped), made.quadruplets.ip[0, 0, 5, 5].item()
    (1, 5, 45)
    """
    _check(photos, sketches, photo_labels, sketch_labels, subject, parts)
    codes = torch.tensor([PARTS.index(part) for part in parts])
    found, skipped = [], []
    for i in tqdm(range(len(photos)), desc="people", disable=None if progress and len(photos) > 1 else True):
        labels = torch.stack([sketch_labels[i], photo_labels[i]])
        masks, usable = _masks(labels, codes, round(margin * labels.shape[1]))
        seeds = [_seed(seed, int(subject[i]), code) for code in codes[usable].tolist()]
        twin, mate = _replaced(photos[i], sketches[i], masks[usable], seeds, fill, translate)
        changed = (twin != sketches[i]).flatten(1).any(1) & (mate != photos[i]).flatten(1).any(1)
        done = usable.masked_scatter(usable, changed)
        k = int(done.sum())
        originals = (image.expand(k, -1, -1, -1) for image in (sketches[i], photos[i]))
        regions, person = masks[done], subject[i].expand(k)
        found.append((*originals, twin[changed], mate[changed], regions[:, 0], person, codes[done], regions[:, 1]))
        for part, shown in zip(parts, usable.tolist(), strict=True):
            if not done[parts.index(part)]:
                why = "it came out as it was" if shown else "photo or sketch show no such part, or nothing else"
                skipped.append({"item": f"{int(subject[i])} {part}", "why": why})
    return Made(Quadruplets(*(torch.cat(column) for column in zip(*found, strict=True))), skipped)


def filler(method: str | Completion) -> Fill:
    """`inpaint.fill` by one method, as `exchange` asks for it.

    >>> filler("mean")(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.eye(4, dtype=torch.bool)[None], [0]).shape
    torch.Size([1, 3, 4, 4])
    """
    return lambda images, masks, seeds: inpaint.fill(images, masks, method, seed=seeds)


def _masks(labels: Tensor, codes: Tensor, grow: int) -> tuple[Tensor, Tensor]:
    """Masks of the parts, (k, 2, h, w), of sketch and photo, grown; and which parts can be exchanged in both, (k,)."""
    exact = labels == codes[:, None, None, None]
    masks = torch.stack([dilate(pair, grow) for pair in exact])
    return masks, (exact.flatten(2).sum(2) >= _LEAST).all(1) & ~masks.flatten(2).all(2).any(1)


def _replaced(
    photo: Tensor, sketch: Tensor, masks: Tensor, seeds: list[int], fill: Fill, translate: Translate | None
) -> tuple[Tensor, Tensor]:
    """IP and IN of one person, (k, 3, h, w) each; masks (k, 2, h, w), of the sketch and of the photo."""
    k = len(seeds)
    if not k:
        return sketch[None][:0], photo[None][:0]
    mate = fill(photo.expand(k, -1, -1, -1).clone(), masks[:, 1], seeds)
    if translate is None:
        return fill(sketch.expand(k, -1, -1, -1).clone(), masks[:, 0], seeds), mate
    fake = translate(mate)
    return torch.stack([blend(sketch, patch, mask) for patch, mask in zip(fake, masks[:, 0], strict=True)]), mate


def _seed(seed: int, subject: int, part: int) -> int:
    """One for each person and part, the same for photo and sketch."""
    return (seed * 1_000_003 + subject) * len(PARTS) + part


def _check(
    photos: Tensor, sketches: Tensor, photo_labels: Tensor, sketch_labels: Tensor, subject: Tensor, parts: Sequence[str]
) -> None:
    n, h, w = len(photos), *photos.shape[-2:]
    for name, tensor, shape in (
        ("photos", photos, (n, 3, h, w)),
        ("sketches", sketches, (n, 3, h, w)),
        ("photo_labels", photo_labels, (n, h, w)),
        ("sketch_labels", sketch_labels, (n, h, w)),
    ):
        if tensor.dtype != torch.uint8 or tuple(tensor.shape) != shape:
            raise ValueError(f"{name} must be uint8 {shape}, got {tensor.dtype} {tuple(tensor.shape)}")
    if subject.shape != (n,):
        raise ValueError(f"subject must be ({n},), got {tuple(subject.shape)}")
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts or not n:
        raise ValueError(f"expected people, {n} given, and parts of {', '.join(PARTS)}; unknown: {unknown}")
