"""MobileFaceNet: a small face network with depthwise convolutions, batch norm, residual additions and ReLU6.

Architecture: Chen, Liu, Gao and Han, "MobileFaceNets", CCBR 2018, in the variant of the public weights of
foamliu/MobileFaceNet: 112x112 RGB by ImageNet's mean and standard deviation, 1,019,699 numbers, 128-d embedding.
Layers: `features.conv1`, `features.dw_conv`, the bottlenecks `features.0` to `features.14`, `features.conv2`,
`features.gdconv`, `head.conv3`, `head.bn`.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import Tensor, nn

from gweebp.networks.embedding import EmbeddingNetwork, PerChannel, check_shape, scaled

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "mobilefacenet"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# (channels inside, channels out, stride); the residual ones are those that keep channels and size
BOTTLENECKS = (
    *((128, 64, 2), *[(128, 64, 1)] * 4),
    *((256, 128, 2), *[(256, 128, 1)] * 6),
    *((512, 128, 2), *[(256, 128, 1)] * 2),
)


class MobileFaceNet(EmbeddingNetwork):
    """The module that `mobilefacenet` returns. Saliency layer: the 14x14 map after the third halving.

    The map before the last halving has the same size, and shows the stride of what follows as a checkerboard.
    """

    saliency_layer = "features.5"
    feature_layer = "features.conv2"


class Bottleneck(nn.Module):
    """1x1 to more channels, 3x3 of each channel by itself, 1x1 back; added to the input where the shapes allow.

    >>> import torch
    >>> Bottleneck(4, 8, 6, stride=2)(torch.zeros(1, 4, 9, 9)).shape
    torch.Size([1, 6, 5, 5])
    """

    def __init__(self, c: int, hidden: int, out: int, stride: int) -> None:
        super().__init__()
        self.residual = stride == 1 and c == out
        self.conv = nn.Sequential(
            nn.Sequential(nn.Conv2d(c, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()),
            nn.Sequential(_depthwise(hidden, 3, stride), nn.BatchNorm2d(hidden), nn.ReLU6()),
            *(nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features of a map.

        Args:
            x: (b, c, h, w).

        Returns:
            (b, out, h/stride, w/stride).
        """
        return x + self.conv(x) if self.residual else self.conv(x)


def mobilefacenet(
    width: float = 1.0,
    size: int = 112,
    channels: int = 3,
    embedding: int = 128,
    *,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
) -> EmbeddingNetwork:
    """MobileFaceNet; the defaults are the published network (saliency layer 128x14x14).

    Args:
        width: scales every layer's channels (rounded, at least 1).
        size: input height and width, at least 16.
        channels: 1 (grey) or 3 (RGB).
        embedding: dimensions of the output.
        mean, std: of the input normalisation, for images in 0..1 (default: ImageNet's; of grey images, their mean).

    >>> net = mobilefacenet()
    >>> net.saliency_layer, sum(p.numel() for p in net.parameters())
    ('features.5', 999936)
    """
    check_shape(width, size, channels, embedding, smallest=16)
    first, last = scaled(64, width), scaled(512, width)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv1"] = nn.Sequential(nn.Conv2d(channels, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU6())
    layers["dw_conv"] = nn.Sequential(
        OrderedDict(depthwise=_depthwise(first, 3), bn1=nn.BatchNorm2d(first), relu1=nn.ReLU())
        | OrderedDict(pointwise=nn.Conv2d(first, first, 1, bias=False), bn2=nn.BatchNorm2d(first), relu2=nn.ReLU())
    )
    c = first
    for i, (hidden, out, stride) in enumerate(BOTTLENECKS):
        layers[str(i)] = Bottleneck(c, scaled(hidden, width), scaled(out, width), stride)
        c = scaled(out, width)
    layers["conv2"] = nn.Sequential(nn.Conv2d(c, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6())
    whole = nn.Conv2d(last, last, math.ceil(size / 16), groups=last, bias=False)  # the whole map, 7x7 of 112 pixels
    layers["gdconv"] = nn.Sequential(OrderedDict(depthwise=whole, bn=nn.BatchNorm2d(last)))
    head = OrderedDict(conv3=nn.Linear(last, embedding), bn=nn.BatchNorm1d(embedding))
    for module in nn.Sequential(layers).modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    imagenet = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else (sum(IMAGENET_MEAN) / 3, sum(IMAGENET_STD) / 3)
    config = {"network": "mobilefacenet", "width": width, "size": size, "channels": channels, "embedding": embedding}
    config |= {"mean": imagenet[0] if mean is None else mean, "std": imagenet[1] if std is None else std}
    return MobileFaceNet(nn.Sequential(layers), nn.Sequential(head), config)


def _depthwise(c: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Each channel by itself."""
    return nn.Conv2d(c, c, kernel, stride, kernel // 2, groups=c, bias=False)
