"""Galleries block by block: embeddings in memory or in a file that is mapped into it, and how exact a product is.

Distances between many embeddings are computed by a product of matrices, which is fast, and where its rounding could
decide, by their differences, which is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gweebp.excitation.tensors import unusable

__all__ = ["Gallery", "margin", "precision", "read"]

Gallery = Tensor | np.ndarray


def read(gallery: Gallery, rows: Any, like: Tensor) -> Tensor:
    """Some rows of a gallery, on the device and in the precision of another tensor.

    Args:
        gallery: embeddings (g, d), a tensor or an array.
        rows: what selects them: a slice, or indices.
        like: the other tensor.
    """
    part = gallery[rows]
    if isinstance(part, np.ndarray):
        part = torch.from_numpy(np.array(part))  # a copy: what is mapped can't be written, and the disk may be slow
    return part.to(like.device, like.dtype)


def precision(dtype: torch.dtype, gallery: Gallery) -> torch.dtype:
    """The precision in which distances are computed: the wider of two, float32 at least.

    Args:
        dtype: of the probes.
        gallery: embeddings (g, d), a tensor or an array.

    Raises:
        TypeError, ValueError: for a gallery that is not a tensor or an array (g, d).

    >>> precision(torch.float16, np.zeros((5, 2), dtype=np.float16))
    torch.float32
    """
    if isinstance(gallery, np.ndarray) and gallery.dtype.kind == "f":
        other = torch.float64 if gallery.dtype == np.float64 else torch.float32
    elif kind := unusable(gallery):
        raise TypeError(f"gallery must be a tensor or an array (g, d) of floating-point numbers, got {kind}")
    else:
        other = torch.float64 if gallery.dtype == torch.float64 else torch.float32
    if gallery.ndim != 2:
        raise ValueError(f"gallery must be (g, d), got {tuple(gallery.shape)}")
    return torch.promote_types(dtype, other)


def margin(embeddings: Tensor) -> float:
    """How far the product of two unit embeddings may be off by rounding, at PyTorch's present setting.

    A sum of d products is off by d eps at most; the unit embeddings themselves, and the distance that is compared with,
    by as much again.

    Args:
        embeddings: (n, d); their type, device and length count.

    >>> margin(torch.eye(4)) == 32 * torch.finfo(torch.float32).eps
    True
    """
    eps = torch.finfo(embeddings.dtype).eps
    if embeddings.dtype == torch.float32:
        eps = {"highest": eps, "high": 2.0**-10, "medium": 2.0**-7}[torch.get_float32_matmul_precision()]
        if embeddings.is_cuda and torch.backends.cuda.matmul.allow_tf32:
            eps = max(eps, 2.0**-10)
    return 4 * (embeddings.shape[1] + 4) * eps
