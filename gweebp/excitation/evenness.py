"""Does a layer give a uniform image a uniform map? Where it does not, a pattern in a map may be the layer's own.

A convolution of stride 2 reads some cells of its input more often than others. The map of a layer just below it shows
that as a checkerboard, on every image, which reads as features. A layer just above a stride has passed it.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from gweebp.excitation.layers import embeddings_of
from gweebp.excitation.propagation import mwp

__all__ = ["UNEVEN", "every_other"]

UNEVEN = 0.1  #: a share of the mass on every other row or column that is further than this from their share of the map


@torch.no_grad()
def every_other(net: nn.Module, image: Tensor, layer: str) -> float:
    """How far the mass on every other row or column of a uniform image's map is from the share that they take up.

    Args:
        net: the network. image: (b, c, h, w), whose mean the uniform image has.
        layer: dotted name of a layer with a map.

    Returns:
        0 where the map is even, up to 0.5 where only every other row or column has mass; 0 for maps of fewer than 6
        cells along an axis. The quarter of the map at each border is left out: windows are cut off there.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> layers = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 1, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        >>> net, image = nn.Sequential(*layers), torch.ones(1, 1, 16, 16)
        >>> round(every_other(net, image, "0"), 2), round(every_other(net, image, "1"), 2)
        (0.5, 0.0)
    """
    grey = image[:1].mean((2, 3), keepdim=True).expand(1, *image.shape[1:]).contiguous()
    embedding = embeddings_of(net, grey)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mass that is lost on the way, which is not the question
        p = mwp(net, grey, embedding, -embedding, layer=layer, weighted=False)[0].sum(0)
    found = [0.0]
    for axis in (0, 1):
        n = p.shape[axis]
        inner = p.narrow(axis, n // 4, n - 2 * (n // 4)).sum(1 - axis)
        if n >= 6 and inner.sum() > 0:
            found.append(abs(float(inner[1::2].sum() / inner.sum()) - len(inner[1::2]) / len(inner)))
    return max(found)
