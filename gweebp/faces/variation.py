"""How the images of a training batch are varied: mirrored, moved, made brighter, given more contrast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["augment"]


def augment(
    x: Tensor,
    generator: torch.Generator,
    *,
    flip: bool = False,
    shift: int = 0,
    brightness: float = 0.0,
    contrast: float = 0.0,
) -> Tensor:
    """Vary each image on its own; with the defaults, nothing is drawn and x is returned.

    Args:
        x: network inputs (b, c, h, w).
        generator: of the draw, on the CPU.
        flip: mirror left and right, with probability 1/2.
        shift: move by up to this many pixels each way; the border is repeated.
        brightness: add a number in ±brightness, in units of the normalised input.
        contrast: scale about the image's mean by a factor in 1 ± contrast.

    Returns:
        (b, c, h, w).

    >>> x = torch.rand(2, 1, 4, 4)
    >>> augment(x, torch.Generator().manual_seed(0), shift=1, brightness=0.1).shape
    torch.Size([2, 1, 4, 4])
    """
    b, _, h, w = x.shape

    def uniform(span: float) -> Tensor:
        return ((2 * torch.rand(b, generator=generator) - 1) * span).to(x).view(b, 1, 1, 1)

    if flip:
        x = torch.where(uniform(1.0) < 0, x.flip(3), x)
    if shift:
        x = F.pad(x, (shift,) * 4, mode="replicate")
        corner = torch.randint(2 * shift + 1, (b, 2), generator=generator).tolist()
        x = torch.stack(
            [image[:, top : top + h, left : left + w] for image, (top, left) in zip(x, corner, strict=True)]
        )
    if contrast:
        mean = x.mean((1, 2, 3), keepdim=True)
        x = mean + (x - mean) * (1 + uniform(contrast))
    return x + uniform(brightness) if brightness else x
