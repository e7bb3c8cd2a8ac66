"""VGG16 with an embedding: the convolutional part of VGG-16 (no batch norm), flatten, one fully connected layer.

Architecture: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
configuration D, as torchvision's `vgg16().features`; head of the gweEBP paper, Sec. 4.2.1: 25088 -> 1024.
Layers are named as in the papers: `features.conv1_1`, `features.relu1_1`, ..., `features.pool5`, `head.fc`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

from torch import nn

from gweebp.networks.embedding import EmbeddingNetwork, PerChannel, check_shape, scaled

__all__ = ["vgg16"]

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # (channels, convolutions); each block ends in a max-pool


class VGG16(EmbeddingNetwork):
    """The module that `vgg16` returns. Saliency layer: pool4's output; feature layer: relu5_3."""

    saliency_layer = "features.pool4"
    feature_layer = "features.relu5_3"


def vgg16(
    width: float = 1.0,
    size: int = 224,
    channels: int = 3,
    embedding: int = 1024,
    *,
    hidden: int = 0,
    mean: PerChannel = 0.5,
    std: PerChannel = 0.25,
) -> EmbeddingNetwork:
    """VGG16 with an embedding; the defaults are the paper's network (saliency layer 512x14x14).

    Args:
        width: scales every convolution's channels (rounded, at least 1).
        size: input height and width, at least 32; pools round down, so a multiple of 32 loses no border.
        channels: 1 (grey) or 3 (RGB).
        embedding: dimensions of the output.
        hidden: units of a fully connected layer between pool5 and the embedding, both with ReLU, as in VGG-Face: its
            descriptor has hidden=4096, embedding=4096. 0: the paper's network, without either.
        mean, std: of the input normalisation, for images in 0..1.

    >>> net = vgg16(width=0.125, size=64, embedding=32)
    >>> net.saliency_layer, sum(p.numel() for p in net.parameters())
    ('features.pool4', 238792)
    """
    check_shape(width, size, channels, embedding, smallest=32, hidden=hidden)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    depth = channels
    for block, (full, convolutions) in enumerate(BLOCKS, start=1):
        for i in range(1, convolutions + 1):
            layers[f"conv{block}_{i}"] = nn.Conv2d(depth, scaled(full, width), 3, padding=1)
            layers[f"relu{block}_{i}"] = nn.ReLU()
            depth = scaled(full, width)
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    flat = depth * (size // 32) ** 2
    # before the features are initialised: the order in which a seed is spent is part of what it gives
    head: OrderedDict[str, nn.Module] = OrderedDict(fc=nn.Linear(flat, embedding))
    if hidden:
        first, second = nn.Linear(flat, hidden), nn.Linear(hidden, embedding)
        head = OrderedDict(fc6=first, relu6=nn.ReLU(), fc7=second, relu7=nn.ReLU())
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d):
            # He initialisation: without batch norm, 13 layers of any other scale do not train from scratch
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    for layer in head.values():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=math.sqrt(1 / layer.in_features))
            nn.init.zeros_(layer.bias)
    config: dict[str, Any] = {
        "network": "vgg16",
        "width": width,
        "size": size,
        "channels": channels,
        "embedding": embedding,
    }
    config |= {"mean": mean, "std": std} | ({"hidden": hidden} if hidden else {})
    return VGG16(nn.Sequential(layers), nn.Sequential(head), config)
