"""What all embedding networks share: features, a head, and the image that they expect.

A network here is a plain `nn.Module`, `head(features(x).flatten(1))`, whose attributes say what a user of it must know:

- `saliency_layer`, `feature_layer`: dotted names of the submodules whose *output* carries the map, for the excitation
  backprop family and for the methods that read the last convolutional map;
- `channels`, `size`: the input is (b, channels, size, size); `embedding`: the output is (b, embedding), not normalised;
- `mean`, `std`: the input is (x - mean)/std of an image x in 0..1;
- `frame`: where the faces that it learned on have eyes and mouth (`frames`), None where that is not known;
- `config`: the keywords that make the same architecture again.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.networks.frames import Frame
from gweebp.support.grey import luma
from gweebp.support.ranges import COUNT, SIDE, WIDTH, Range, whole

__all__ = ["EmbeddingNetwork", "as_input"]

PerChannel = float | tuple[float, ...]


class EmbeddingNetwork(nn.Module):
    """Features, flattened in (c, h, w) order, then a head: images (b, c, h, w) to embeddings (b, d), not normalised.

    It raises ValueError for an input of another size or number of channels.
    """

    saliency_layer: str
    feature_layer: str
    frame: Frame | None = None

    def __init__(self, features: nn.Sequential, head: nn.Sequential, config: dict[str, Any]) -> None:
        """`config` holds "network" and the keywords of the function that made this."""
        super().__init__()
        check_normalisation(config["mean"], config["std"], config["channels"])
        self.features = features
        self.head = head
        self.config = config
        self.size: int = config["size"]
        self.channels: int = config["channels"]
        self.embedding: int = config["embedding"]
        self.mean: PerChannel = config["mean"]
        self.std: PerChannel = config["std"]

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings of images.

        Args:
            x: network inputs (b, channels, size, size).

        Returns:
            (b, d), not normalised.

        Raises:
            ValueError: for an input of another shape.
        """
        expected = (self.channels, self.size, self.size)
        if x.dim() != 4 or tuple(x.shape[1:]) != expected:
            raise ValueError(
                f"{self.config['network']} expects (b, {', '.join(map(str, expected))}), got {tuple(x.shape)}; "
                "networks.as_input makes it from uint8 images"
            )
        return self.head(self.features(x).flatten(1))


def as_input(net: nn.Module, images: Tensor) -> Tensor:
    """Turn images at rest into the input of a network.

    /255; grey by ITU-R 601 where net.channels == 1; antialiased bilinear resize to net.size; (x - net.mean)/net.std.

    Args:
        net: has `size`, `channels`, `mean`, `std` (one number, or one per channel).
        images: uint8 (b, 3, h, w) RGB.

    Returns:
        float (b, net.channels, net.size, net.size), on the device and in the precision of the network's weights.

    Raises:
        TypeError: for images that are not uint8.
        ValueError: for images that are not (b, 3, h, w).

    >>> from gweebp import networks
    >>> net = networks.lcnn9(width=0.125, size=32)
    >>> x = as_input(net, torch.full((2, 3, 48, 40), 255, dtype=torch.uint8))
    >>> x.shape, round(x.max().item(), 4)
    (torch.Size([2, 1, 32, 32]), 1.0)
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8 in 0..255, got {images.dtype}")
    if images.dim() != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise ValueError(f"images must be (b, 3, h, w), got {tuple(images.shape)}")
    network = cast(EmbeddingNetwork, net)  # or any module with the same attributes
    like = next(network.parameters())
    x = images.to(like.device).to(like.dtype) / 255
    if network.channels == 1:
        x = luma(x)
    size = (network.size, network.size)
    if not len(x):  # interpolate refuses an empty batch
        return x.new_zeros(0, x.shape[1], *size)
    if x.shape[2:] != size:
        x = F.interpolate(x, size=size, mode="bilinear", antialias=True)
    return (x - _per_channel(network.mean, x)) / _per_channel(network.std, x)


def _per_channel(value: PerChannel, like: Tensor) -> Tensor:
    values = torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(1, -1, 1, 1)
    if values.shape[1] not in (1, like.shape[1]):
        raise ValueError(f"mean and std need 1 or {like.shape[1]} numbers, got {values.shape[1]}")
    return values


def scaled(channels: int, width: float) -> int:
    """A number of channels times a width, rounded, at least 1.

    Args:
        channels: of the published network.
        width: the factor, above 0 and up to 8.

    Raises:
        ValueError: for a width out of its range.

    >>> scaled(48, 0.5), scaled(48, 0.001)
    (24, 1)
    """
    WIDTH.check("width", width)
    return max(1, round(channels * width))


def check_shape(width: float, size: int, channels: int, embedding: int, smallest: int, *, hidden: int = 0) -> None:
    """Check that a network of these numbers can be built.

    Args:
        width: the factor on the published numbers of channels, above 0 and up to 8.
        size: of the input in pixels, `smallest` to 8192.
        channels: 1 (grey) or 3 (RGB).
        embedding: dimensions of the embedding, at least 1.
        smallest: size that the network can take.
        hidden: dimensions of a further layer, 0 for none.

    Raises:
        ValueError: for a number out of its range; it names the argument.

    >>> check_shape(1.0, 32.5, 3, 128, smallest=32)
    Traceback (most recent call last):
    ValueError: size must be a whole number, 32 to 8192; got 32.5
    """
    WIDTH.check("width", width)
    check_side(size, smallest)
    if channels not in (1, 3) or channels not in COUNT:
        raise ValueError(f"channels must be 1 (grey) or 3 (RGB), got {channels!r}")
    whole(1).check("embedding", embedding)
    COUNT.check("hidden", hidden)


def check_side(size: int, smallest: int = 1) -> None:
    """Check that a number can be the side of a network's input.

    Args:
        size: in pixels, `smallest` to 8192.
        smallest: side that the network can take.

    Raises:
        ValueError: otherwise.

    >>> check_side(112)
    """
    whole(smallest, SIDE.high).check("size", size)


def check_normalisation(mean: PerChannel, std: PerChannel, channels: int) -> None:
    """Check that (x - mean)/std can be computed.

    Args:
        mean: one finite number, or one per channel.
        std: the same, above 0.
        channels: of the input.

    Raises:
        ValueError: otherwise.

    >>> check_normalisation(0.5, (0.2, 0.2, -1.0), 3)
    Traceback (most recent call last):
    ValueError: std must be 1 or 3 numbers, finite and above 0, got (0.2, 0.2, -1.0)
    """
    for name, value, least in (("mean", mean, "finite"), ("std", std, "finite and above 0")):
        numbers = value if isinstance(value, (tuple, list)) else (value,)
        fits = len(numbers) in (1, channels) and all(x in Range() for x in numbers)
        if not fits or (name == "std" and min(numbers) <= 0):
            expected = "1 number" if channels == 1 else f"1 or {channels} numbers"
            raise ValueError(f"{name} must be {expected}, {least}, got {value!r}")
