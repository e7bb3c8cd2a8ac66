"""The triplet loss on a batch of sketches and photos."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["triplet_loss"]


def triplet_loss(
    sketches: Tensor, photos: Tensor, margin: float = 0.2, *, negatives: str = "all", active: bool = True
) -> Tensor:
    """Mean of max(0, d(anchor, positive) − d(anchor, negative) + margin) over the triplets of a batch.

    Every image is an anchor; its positive is the other image of its identity.

    Args:
        sketches, photos: unit embeddings (m, d), row i of both one identity.
        margin: in L2 distance.
        negatives: "all" images of other identities, or those of the "other" modality.
        active: average over the triplets whose loss is not 0; else over all.

    Returns:
        a scalar, 0 where no triplet violates the margin.

    >>> e = torch.eye(2)  # d(anchor, positive) = 0, d(anchor, negative) = √2
    >>> round(triplet_loss(e, e, margin=1.5).item(), 2)
    0.09
    """
    if negatives not in ("all", "other"):
        raise ValueError(f'negatives must be "all" or "other", got {negatives!r}')
    m = len(sketches)
    anchors = torch.cat([sketches, photos])
    # |a − b|² = 2 − 2 a·b of unit vectors; the floor keeps the gradient of the root finite where two images coincide
    d = (2 - 2 * anchors @ anchors.T).clamp(min=1e-6).sqrt()
    image = torch.arange(2 * m, device=d.device)
    positive = d[image, (image + m) % (2 * m)]
    valid = image[:, None] % m != image % m
    if negatives == "other":
        valid = valid & ((image[:, None] < m) != (image < m))
    losses = F.relu(positive[:, None] - d + margin)[valid]
    return losses.sum() / ((losses > 0).sum() if active else torch.tensor(losses.numel())).clamp(min=1)
