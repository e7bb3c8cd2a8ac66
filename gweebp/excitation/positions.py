"""Where the cells of a layer look in the image, found from the network itself."""

from __future__ import annotations

from torch import Tensor, nn

from gweebp.excitation.layers import eager, forward_of, named_layer
from gweebp.excitation.taps import looked
from gweebp.support.positions import Positions

__all__ = ["Positions", "positions"]


def positions(
    net: nn.Module, image: Tensor, layer: str | nn.Module | None = None, *, axes: str | None = None
) -> Positions:
    """Where the cells of a layer's map look in the image: the centres of the windows that they see.

    How it works. One forward pass up to the layer carries, with each tensor, the centre of what its entries look at. An
    average of entries looks at the mean of their centres; a copy looks where its original looks; a sum looks at the
    mean of its terms, without those that look at much more of the image. The result does not depend on weights or
    pixels, except for kernels that the network holds fixed.

    Args:
        net: any network, left unchanged.
        image: (b, c, h, w), as the network takes it; only its size matters.
        layer: the submodule or its dotted name; "input"; None: the network's `saliency_layer`.
        axes: what the axes of its output are, where that is not found, see `explain`.

    Returns:
        Positions on the image as the network takes it; on the plain grid, with a note, where an operation below the
        layer hides where it looks.

    Raises:
        ValueError: for an unknown layer, or an image that the network does not take.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(32, 3))
        >>> found = positions(net, torch.zeros(1, 1, 8, 8), "0")
        >>> found.first, found.step
        ((0.0, 0.0), (2.0, 2.0))
    """
    net = eager(net)
    name = named_layer(net, layer, "saliency_layer", image[:1], axes)
    with forward_of("image", image):
        return looked(net, image, name)[1]
