"""Embeddings of an image under many masks: all that the black-box methods read of a network.

    x = fill + mask · (image − fill)        mask in [0, 1]: 1 keeps a pixel, 0 puts `fill` in its place

Masks come in chunks, and every chunk is used before the next is made, so memory does not grow with their number. A
forward pass takes one chunk of masks of one image: a batch of images gives what single calls give, at the same cost,
and each chunk of masks is made once for all images. An image that stands in a batch several times (one probe beside
many non-mates) passes once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.layers import embeddings_of
from gweebp.excitation.tensors import unit
from gweebp.support.ranges import whole


def fill_value(net: nn.Module, images: Tensor, fill: float | str, name: str = "fill") -> Tensor:
    """What stands in place of a masked pixel, in the network's own input range.

    Args:
        net: the network, whose `mean` and `std` say what black is, if it has them.
        images: (b, c, h, w).
        fill: a number; or "black", which is (0 − net.mean) / net.std, or 0 for a network without these two.
        name: of the option, for errors.

    Returns:
        (1, 1 or c, 1, 1).

    Raises:
        ValueError: for another text, a number that the images' type cannot hold, or a mean that does not fit the
            images.

    Example:
        >>> net = nn.Flatten()
        >>> net.mean, net.std = 0.5, 0.25
        >>> fill_value(net, torch.rand(1, 3, 4, 4), "black").flatten()
        tensor([-2.])
    """
    if fill != "black":
        if isinstance(fill, str):
            raise ValueError(f"{name}={fill!r}: expected a number in the network's input range, or 'black'")
        if not abs(fill) <= torch.finfo(images.dtype).max:
            raise ValueError(f"{name}={fill!r}: expected a number that {images.dtype} can hold")
        return images.new_full((1, 1, 1, 1), float(fill))
    if not (hasattr(net, "mean") and hasattr(net, "std")):
        return images.new_zeros(1, 1, 1, 1)
    mean, std = (torch.as_tensor(v, dtype=images.dtype, device=images.device) for v in (net.mean, net.std))
    black = (-mean / std).reshape(1, -1, 1, 1)
    if black.shape[1] not in (1, images.shape[1]):
        raise ValueError(f"net.mean and net.std give {black.shape[1]} channels and the images have {images.shape[1]}")
    return black


def distinct(images: Tensor) -> tuple[list[int], list[int]]:
    """Which images of a batch are the same, bit by bit: a probe often stands there once for each non-mate.

    Args:
        images: (b, ...).

    Returns:
        Indices of the first of each kind; and for each image, which of these it is.

    Example:
        >>> distinct(torch.tensor([[1., 2.], [2., 1.], [1., 2.]]))
        ([0, 1], [0, 1, 0])
    """
    first: list[int] = []
    index: list[int] = []
    for i, image in enumerate(images):
        same = next((k for k, j in enumerate(first) if torch.equal(images[j], image)), len(first))
        first += [i] if same == len(first) else []
        index.append(same)
    return first, index


def masked_embeddings(net: nn.Module, images: Tensor, masks: Tensor, fill: Tensor) -> Tensor:
    """Unit embeddings of each image under each mask.

    Args:
        net: the network.
        images: (b, c, h, w).
        masks: (k, h, w), in [0, 1]; 1 keeps a pixel.
        fill: as `fill_value` gives it.

    Returns:
        (b, k, d), float64, each of L2 length 1; one forward pass of k images for each image that differs from those
        before it.

    Example:
        >>> net = nn.Flatten()
        >>> image, masks = torch.ones(1, 1, 1, 2), torch.tensor([[[1., 1.]], [[1., 0.]]])
        >>> masked_embeddings(net, image, masks, torch.zeros(1, 1, 1, 1))[0]
        tensor([[0.7071, 0.7071],
                [1.0000, 0.0000]], dtype=torch.float64)
    """
    weights = masks.to(images)[:, None]
    first, index = distinct(images)
    found = [embeddings_of(net, torch.lerp(fill, images[i], weights), "masked images") for i in first]
    return unit(torch.stack([found[i] for i in index]).double())


def check_positive(**options: object) -> None:
    """Check that options are integers above 0.

    Args:
        options: name → value.

    Raises:
        ValueError: for the first that is not; it names the option.

    Example:
        >>> check_positive(batch=64)
    """
    for name, value in options.items():
        if value not in whole(1):
            raise ValueError(f"{name}={value!r}: expected an integer above 0")
