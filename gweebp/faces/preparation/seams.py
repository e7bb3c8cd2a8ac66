"""A patch in a picture without a seam: Poisson image editing (Pérez, Gangnet, Blake 2003).

The paper cuts a face part from a fake sketch and puts it into the real one (Sec. 4.4.2). Pasted as it is, paper and
pencil differ in tone, and the edge shows: a saliency method, or a network, could find the edge instead of the part.
Here the patch gives its gradients, the picture its values around the hole, and the part between is what fits both best:

    Δf = div v inside the mask, with v the patch's gradients;    f = picture on the border.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gweebp.support.extras import extra

__all__ = ["blend"]

Array = np.ndarray[Any, Any]
_STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def blend(picture: Tensor, patch: Tensor, mask: Tensor) -> Tensor:
    """Put the patch into the picture where the mask says so.

    Args:
        picture, patch: uint8 (3, h, w).
        mask: bool (h, w).

    Returns:
        uint8 (3, h, w), equal to `picture` to the bit outside the mask. A mask that covers the whole picture gives the
        patch.

    Raises:
        TypeError, ValueError: images or masks of another kind or shape.

    Source: P. Pérez, M. Gangnet, A. Blake, Poisson image editing, ACM Transactions on Graphics 22 (2003), Eq. (7).

    >>> picture, patch = torch.full((2, 3, 6, 6), 100, dtype=torch.uint8)
    >>> patch = patch + 50  # another tone, the same (no) content: nothing to see afterwards
    >>> mask = torch.zeros(6, 6, dtype=torch.bool)
    >>> mask[2:4, 2:4] = True
    >>> blend(picture, patch, mask).unique()
    tensor([100], dtype=torch.uint8)
    """
    _check(picture, patch, mask)
    if mask.all() or not mask.any():
        return (patch if mask.any() else picture).clone()
    known, guide = (image.permute(1, 2, 0).numpy().astype(np.float64) for image in (picture, patch))
    result = picture.clone()
    solved = _poisson(known, guide, mask.numpy()).clip(0, 255).round().astype(np.uint8)
    result[:, mask] = torch.from_numpy(solved.T)
    return result


def _poisson(known: Array, guide: Array, inside: Array) -> Array:
    """Eq. (7) for (h, w, c) arrays: the m pixels inside, (m, c), in the order of numpy.nonzero."""
    with extra("inpaint"):  # here: steps that blend nothing do without it
        from scipy.sparse import coo_array
        from scipy.sparse.linalg import splu
    y, x = np.nonzero(inside)
    pixel, there_y, there_x = _neighbours(y, x, inside.shape)
    there = there_y, there_x
    border = ~inside[there]
    right = np.zeros((len(y), known.shape[2]))
    np.add.at(right, pixel, guide[y[pixel], x[pixel]] - guide[there])  # the patch's gradients
    np.add.at(right, pixel[border], known[there][border])  # the picture's values
    number = np.zeros(inside.shape, dtype=np.int64)
    number[y, x] = diagonal = np.arange(len(y))
    rows, columns = (np.concatenate(pair) for pair in ((diagonal, pixel[~border]), (diagonal, number[there][~border])))
    values = np.concatenate([np.bincount(pixel, minlength=len(y)), -np.ones(int((~border).sum()))])
    return splu(coo_array((values, (rows, columns))).tocsc()).solve(right)


def _neighbours(y: Array, x: Array, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Every pair of a pixel (its number in y, x) and a neighbour (row, column) that lies in the image."""
    pixel = np.tile(np.arange(len(y)), len(_STEPS))
    there_y, there_x = (np.concatenate([axis + step[i] for step in _STEPS]) for i, axis in ((0, y), (1, x)))
    valid = (there_y >= 0) & (there_y < shape[0]) & (there_x >= 0) & (there_x < shape[1])
    return pixel[valid], there_y[valid], there_x[valid]


def _check(picture: Tensor, patch: Tensor, mask: Tensor) -> None:
    if {picture.dtype, patch.dtype} != {torch.uint8} or mask.dtype != torch.bool:
        raise TypeError(f"expected uint8 images and a bool mask, got {picture.dtype}, {patch.dtype} and {mask.dtype}")
    if picture.shape != patch.shape or picture.dim() != 3 or len(picture) != 3 or mask.shape != picture.shape[1:]:
        raise ValueError(
            f"expected picture and patch (3, h, w) and mask (h, w), got {tuple(picture.shape)}, {tuple(patch.shape)} "
            f"and {tuple(mask.shape)}"
        )
