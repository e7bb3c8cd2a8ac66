"""IResNet: the residual networks of ArcFace, with a batch norm before each first convolution and PReLU activations.

`iresnet18se` has gates besides: squeeze and excitation (Hu, Shen and Sun, CVPR 2018) at the end of each block, before
the addition, as in the "IR-SE" networks of ArcFace.

Architecture: Duta, Liu, Zhu and Shao, "Improved Residual Networks", ICPR 2020, in the variant of the public ArcFace
weights (Deng et al., CVPR 2019; insightface's `arcface_torch`): 112x112 RGB in -1..1, 512-d embedding. Layers:
`features.conv1`, `features.bn1`, `features.prelu`, the stages `features.layer1` to `features.layer4`, each of which
halves the map, `features.bn2`, `head.fc`, `head.bn`.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import Tensor, nn

from gweebp.networks.embedding import EmbeddingNetwork, PerChannel, check_shape, scaled

__all__ = ["BLOCKS", "iresnet18", "iresnet18se", "iresnet50"]

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3)}  #: depth → residual blocks per stage
#: depth → saliency layer: the finest one whose map of a uniform image is uniform. The map of IResNet-50 after its third
#: halving is 14x14; in IResNet-18 too few convolutions follow there to hide the next stride, so its map is 7x7
LAYERS = {18: "features.layer4", 50: "features.layer3.0"}
CHANNELS = (64, 128, 256, 512)  # of the four stages
SQUEEZE = 16  # channels per number that a gate is computed from


class IResNet(EmbeddingNetwork):
    """The module that `iresnet18` and `iresnet50` return. Saliency layer: see LAYERS."""

    feature_layer = "features.layer4"


class Gate(nn.Module):
    """Squeeze and excitation: each channel times a number in 0..1, computed from the means of all channels.

    >>> import torch
    >>> Gate(32)(torch.ones(1, 32, 3, 3)).shape
    torch.Size([1, 32, 3, 3])
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        hidden = max(4, c // SQUEEZE)
        self.squeeze, self.excite = nn.Linear(c, hidden), nn.Linear(hidden, c)

    def forward(self, x: Tensor) -> Tensor:
        """Features (b, c, h, w) of x (b, c, h, w)."""
        gate = self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()
        return x * gate[:, :, None, None]


class Block(nn.Module):
    """Batch norm, 3x3, batch norm, PReLU, 3x3 with the stride, batch norm; added to the input or to its projection.

    With a gate where one is asked for, before the addition.

    >>> import torch
    >>> Block(4, 6, stride=2)(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 6, 4, 4])
    """

    def __init__(self, c: int, out: int, stride: int, gated: bool = False) -> None:
        super().__init__()
        self.gate = Gate(out) if gated else None
        self.bn1, self.conv1 = nn.BatchNorm2d(c), nn.Conv2d(c, out, 3, 1, 1, bias=False)
        self.bn2, self.prelu = nn.BatchNorm2d(out), nn.PReLU(out)
        self.conv2, self.bn3 = nn.Conv2d(out, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.downsample = (
            nn.Sequential(nn.Conv2d(c, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            if stride != 1 or c != out
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features of a map.

        Args:
            x: (b, c, h, w).

        Returns:
            (b, out, h/stride, w/stride).
        """
        inner = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        inner = inner if self.gate is None else self.gate(inner)
        return inner + (x if self.downsample is None else self.downsample(x))


def iresnet18(
    width: float = 1.0,
    size: int = 112,
    channels: int = 3,
    embedding: int = 512,
    *,
    mean: PerChannel = 0.5,
    std: PerChannel = 0.5,
) -> EmbeddingNetwork:
    """IResNet-18; the defaults are the published network (saliency layer 512x7x7).

    Args:
        width: scales every layer's channels (rounded, at least 1).
        size: input height and width, at least 16.
        channels: 1 (grey) or 3 (RGB).
        embedding: dimensions of the output.
        mean, std: of the input normalisation, for images in 0..1.

    >>> sum(p.numel() for p in iresnet18().parameters())
    24025600
    """
    return _iresnet(18, width, size, channels, embedding, mean, std)


def iresnet50(
    width: float = 1.0,
    size: int = 112,
    channels: int = 3,
    embedding: int = 512,
    *,
    mean: PerChannel = 0.5,
    std: PerChannel = 0.5,
) -> EmbeddingNetwork:
    """IResNet-50, of the same family as `iresnet18` with more blocks per stage.

    Args:
        width, size, channels, embedding, mean, std: as of `iresnet18`.

    Raises:
        ValueError: for a number out of its range.

    >>> iresnet50(width=0.125, size=32).config["network"]
    'iresnet50'
    """
    return _iresnet(50, width, size, channels, embedding, mean, std)


def iresnet18se(
    width: float = 1.0,
    size: int = 112,
    channels: int = 3,
    embedding: int = 512,
    *,
    mean: PerChannel = 0.5,
    std: PerChannel = 0.5,
) -> EmbeddingNetwork:
    """IResNet-18 with a gate in each block (squeeze and excitation).

    Args:
        width, size, channels, embedding, mean, std: as of `iresnet18`.

    Raises:
        ValueError: for a number out of its range.

    >>> iresnet18se(width=0.125, size=32).config["network"]
    'iresnet18se'
    """
    return _iresnet(18, width, size, channels, embedding, mean, std, gated=True)


def _iresnet(
    depth: int,
    width: float,
    size: int,
    channels: int,
    embedding: int,
    mean: PerChannel,
    std: PerChannel,
    gated: bool = False,
) -> EmbeddingNetwork:
    check_shape(width, size, channels, embedding, smallest=16)
    c = scaled(CHANNELS[0], width)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(channels, c, 3, 1, 1, bias=False), bn1=nn.BatchNorm2d(c), prelu=nn.PReLU(c)
    )
    for stage, (blocks, published) in enumerate(zip(BLOCKS[depth], CHANNELS), start=1):
        out = scaled(published, width)
        layers[f"layer{stage}"] = nn.Sequential(
            Block(c, out, 2, gated), *(Block(out, out, 1, gated) for _ in range(1, blocks))
        )
        c = out
    layers["bn2"] = nn.BatchNorm2d(c)
    side = math.ceil(size / 16)
    fc, bn = nn.Linear(c * side * side, embedding), nn.BatchNorm1d(embedding)
    bn.weight.requires_grad_(False)  # the published weights keep it at 1: its scale cancels in the unit embedding
    for module in nn.Sequential(layers).modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    name = f"iresnet{depth}" + ("se" if gated else "")
    config = {"network": name, "width": width, "size": size, "channels": channels, "embedding": embedding}
    config |= {"mean": mean, "std": std}
    net = IResNet(nn.Sequential(layers), nn.Sequential(OrderedDict(fc=fc, bn=bn)), config)
    net.saliency_layer = LAYERS[depth]
    return net
