"""A small vision transformer for faces: patches as tokens, attention between them, the mean token as the embedding.

Architecture: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, with layer norm before each block, learned
places, and the mean over the tokens in place of a class token, which keeps all probability on places of the image.
Layers: `features.patches`, `features.places`, the blocks `features.0`, `features.1`, ..., `features.norm`; `head.fc`.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.networks.embedding import EmbeddingNetwork, PerChannel, check_shape, scaled

__all__ = ["vit"]

HEAD = 32  # channels of one attention head


class VisionTransformer(EmbeddingNetwork):
    """The module that `vit` returns. Saliency layer: the patch embedding, the last map before tokens mix."""

    saliency_layer = "features.patches"
    feature_layer = "features.patches"


class Places(nn.Module):
    """A map (b, c, h, w) as tokens (b, h·w, c), each with a learned vector of its place added.

    >>> Places(4, 2, 3)(torch.zeros(1, 4, 2, 3)).shape
    torch.Size([1, 6, 4])
    """

    def __init__(self, c: int, h: int, w: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(1, h * w, c) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of a map.

        Args:
            x: (b, c, h, w).

        Returns:
            (b, h·w, c).
        """
        return x.flatten(2).transpose(1, 2) + self.vectors


class Attention(nn.Module):
    """Multi-head self-attention between the tokens (b, n, c).

    >>> Attention(64)(torch.zeros(1, 5, 64)).shape
    torch.Size([1, 5, 64])
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        self.heads = max(1, c // HEAD)
        self.qkv, self.out = nn.Linear(c, 3 * c), nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens mixed by attention.

        Args:
            x: tokens (b, n, c).

        Returns:
            (b, n, c).
        """
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(b, n, c))


class Block(nn.Module):
    """Attention and a network of two layers per token, each behind a layer norm and added to its input.

    >>> Block(64)(torch.zeros(1, 5, 64)).shape
    torch.Size([1, 5, 64])
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(c), Attention(c)
        self.norm2, self.mlp = nn.LayerNorm(c), nn.Sequential(nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens after one block.

        Args:
            x: tokens (b, n, c).

        Returns:
            (b, n, c).
        """
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class MeanToken(nn.Module):
    """The mean over the tokens: (b, n, c) to (b, c).

    >>> MeanToken()(torch.ones(1, 5, 2)).tolist()
    [[1.0, 1.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """The mean over tokens.

        Args:
            x: tokens (b, n, c).

        Returns:
            (b, c).
        """
        return x.mean(1)


def vit(
    width: float = 1.0,
    size: int = 112,
    channels: int = 3,
    embedding: int = 512,
    *,
    patch: int = 8,
    depth: int = 6,
    mean: PerChannel = 0.5,
    std: PerChannel = 0.5,
) -> EmbeddingNetwork:
    """A vision transformer of 384 channels; a small one by default, for faces of 112 pixels (saliency layer 14x14).

    Args:
        width: scales the channels of the tokens, rounded to whole attention heads of 32.
        size: input height and width, at least 16.
        channels: 1 (grey) or 3 (RGB).
        embedding: dimensions of the output.
        patch: side of a patch in pixels.
        depth: number of blocks.
        mean, std: of the input normalisation, for images in 0..1.

    Raises:
        ValueError: for numbers of which no network can be built.

    >>> net = vit(width=0.2, size=64)
    >>> net(torch.zeros(1, 3, 64, 64)).shape, net.saliency_layer
    (torch.Size([1, 512]), 'features.patches')
    """
    check_shape(width, size, channels, embedding, smallest=16)
    if not 2 <= patch <= size or depth < 1:
        raise ValueError(
            f"expected 2 <= patch <= size and depth >= 1, got patch={patch!r}, size={size}, depth={depth!r}"
        )
    c = max(1, round(scaled(384, width) / HEAD)) * HEAD
    side = math.ceil(size / patch)
    short = side * patch - size  # the last patch of a row may reach over the border
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        border=nn.ZeroPad2d((0, short, 0, short)),
        patches=nn.Conv2d(channels, c, patch, patch),
        places=Places(c, side, side),
    )
    layers |= {str(i): Block(c) for i in range(depth)}
    layers |= {"norm": nn.LayerNorm(c), "mean": MeanToken()}
    config = {"network": "vit", "width": width, "size": size, "channels": channels, "embedding": embedding}
    config |= {"patch": patch, "depth": depth, "mean": mean, "std": std}
    return VisionTransformer(nn.Sequential(layers), nn.Sequential(OrderedDict(fc=nn.Linear(c, embedding))), config)
