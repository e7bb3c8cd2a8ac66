"""LCNN9: LightCNN-9, nine convolutions with max-feature-map (MFM) activations and no batch norm.

Architecture: Wu, He, Sun and Tan, "A light CNN for deep face representation with noisy labels", IEEE TIFS 2018.
MFM keeps, of two maps that compete, the larger response at each place; it halves the channels.
Layers: `features.conv1`, `features.mfm1`, `features.pool1`, `features.conv2a`, ..., `features.pool4`, `head.fc1`.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from gweebp.networks.embedding import EmbeddingNetwork, PerChannel, check_shape, scaled

__all__ = ["MaxFeatureMap", "lcnn9"]

# (name, channels after MFM, kernel); None is a 2x2 max-pool that rounds up
LAYERS = (
    *(("1", 48, 5), None),
    *(("2a", 48, 1), ("2", 96, 3), None),
    *(("3a", 96, 1), ("3", 192, 3), None),
    *(("4a", 192, 1), ("4", 128, 3), ("5a", 128, 1), ("5", 128, 3), None),
)


class MaxFeatureMap(nn.Module):
    """Elementwise maximum of the first and the second half of the channels: (b, 2c, ...) to (b, c, ...).

    >>> MaxFeatureMap()(torch.tensor([[1.0, -2.0, 0.5, 3.0]]))
    tensor([[1., 3.]])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Maximum of the two halves of dimension 1.

        Args:
            x: (b, 2c, ...).

        Returns:
            (b, c, ...).
        """
        first, second = x.chunk(2, dim=1)
        return torch.max(first, second)


class LCNN9(EmbeddingNetwork):
    """The module that `lcnn9` returns. Saliency layer: pool3's output; feature layer: the MFM after conv5."""

    saliency_layer = "features.pool3"
    feature_layer = "features.mfm5"


def lcnn9(
    width: float = 1.0,
    size: int = 128,
    channels: int = 1,
    embedding: int = 256,
    *,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
) -> EmbeddingNetwork:
    """LightCNN-9; the defaults are the paper's network: 5,480,864 parameters, saliency layer 192x16x16.

    Args:
        width: scales every convolution's channels (rounded after MFM, at least 1).
        size: input height and width, any; pools round up.
        channels: 1 (grey) or 3 (RGB).
        embedding: dimensions of the output.
        mean, std: of the input normalisation, for images in 0..1.

    >>> net = lcnn9()
    >>> net.saliency_layer, sum(p.numel() for p in net.parameters())
    ('features.pool3', 5480864)
    """
    check_shape(width, size, channels, embedding, smallest=1)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    depth, side, pools = channels, size, 0
    for layer in LAYERS:
        if layer is None:
            pools, side = pools + 1, math.ceil(side / 2)
            layers[f"pool{pools}"] = nn.MaxPool2d(2, ceil_mode=True)
        else:
            name, full, kernel = layer
            layers[f"conv{name}"] = nn.Conv2d(depth, 2 * scaled(full, width), kernel, padding=kernel // 2)
            layers[f"mfm{name}"] = MaxFeatureMap()
            depth = scaled(full, width)
    head = OrderedDict(fc1=nn.Linear(depth * side**2, 2 * embedding), mfm_fc1=MaxFeatureMap())
    for module in (*layers.values(), head["fc1"]):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            # the mean square of the larger of two equal normals is that of one: gain 1 keeps the scale through MFM
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    config = {"network": "lcnn9", "width": width, "size": size, "channels": channels, "embedding": embedding}
    return LCNN9(nn.Sequential(layers), nn.Sequential(head), {**config, "mean": mean, "std": std})
