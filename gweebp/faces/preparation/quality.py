"""How good a filling or a translation is, in numbers, on faces whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.faces.preparation.cyclegan import Translator
from gweebp.networks.verification import embed, rank_k, ranks
from gweebp.support.grey import luma

__all__ = ["appearance", "hole_error", "identity_change", "rank1", "translated"]


def hole_error(filled: Tensor, truth: Tensor, masks: Tensor) -> float:
    """Mean absolute error of the masked pixels, in grey levels.

    Args:
        filled, truth: uint8 (n, 3, h, w). masks: bool (n, h, w).

    >>> truth, masks = torch.zeros(1, 3, 2, 2, dtype=torch.uint8), torch.ones(1, 2, 2, dtype=torch.bool)
    >>> hole_error(truth + 5, truth, masks)
    5.0
    """
    return float((filled.float() - truth.float()).abs().mean(1)[masks].mean())


def identity_change(net: nn.Module, originals: Tensor, filled: Tensor) -> Tensor:
    """How far fillings moved faces, to a network: distances (n,) between the embeddings of each face before and after.

    Eq. (7)-(8) ask that it exceeds the threshold τ of verification.

    Args:
        net: an embedding network. originals, filled: uint8 (n, 3, h, w).
    """
    before, after = embed(net, originals), embed(net, filled)
    return (before - after).norm(dim=1)


def appearance(images: Tensor, cells: int = 24) -> Tensor:
    """A face as plain as can be: its grey picture at cells x cells, mean 0 and norm 1; (n, cells²).

    Knows nothing of sketches or photos, so how well it matches one kind with the other tells how alike they look.

    >>> appearance(torch.randint(256, (2, 3, 48, 48), dtype=torch.uint8)).shape
    torch.Size([2, 576])
    """
    small = F.interpolate(luma(images.float()), size=(cells, cells), mode="bilinear", antialias=True).flatten(1)
    return F.normalize(small - small.mean(1, keepdim=True))


def rank1(probes: Tensor, gallery: Tensor, describe: Callable[[Tensor], Tensor] = appearance) -> float:
    """Share of probes whose nearest image of the gallery is their own, 0..1.

    Args:
        probes: uint8 (t, 3, h, w). gallery: uint8 (g, 3, h, w), whose row i is probe i's own, the rest others.
        describe: images to unit vectors; `lambda images: embed(net, images)` asks a network.

    >>> faces = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.manual_seed(0))
    >>> rank1(faces[:2] // 2, faces)
    1.0
    """
    return float(rank_k(ranks(describe(probes), describe(gallery), torch.arange(len(probes))), 1))


def translated(translator: Translator, sketches: Tensor, photos: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Sketches and the photos to find among, uint8 (t, 3, h, w) each: as they are, and with either side translated.

    >>> images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    >>> from gweebp.faces.preparation.cyclegan import build
    >>> list(translated(build(width=0.125, blocks=0, size=32), images, images))
    ['as they are', 'drawings as photographs', 'photographs as drawings']
    """
    return {
        "as they are": (sketches, photos),
        "drawings as photographs": (translator.photos(sketches), photos),
        "photographs as drawings": (sketches, translator.sketches(photos)),
    }
