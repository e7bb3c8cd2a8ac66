"""Colour to grey, in one way everywhere: for networks that read one channel, and under maps."""

from __future__ import annotations

from torch import Tensor

__all__ = ["ITU_R_601", "luma"]

ITU_R_601 = (0.299, 0.587, 0.114)  # weights of R, G, B


def luma(images: Tensor) -> Tensor:
    """Grey by ITU-R BT.601.

    Args:
        images: RGB (b, 3, h, w), floating point.

    Returns:
        (b, 1, h, w), in the same range.

    >>> import torch
    >>> luma(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).item()
    0.29899999499320984
    """
    return (images * images.new_tensor(ITU_R_601).view(1, 3, 1, 1)).sum(1, keepdim=True)
