"""The pluralistic inpainting network: an encoder, a generator and a critic, with the published checkpoint's key names.

Zheng, Cham and Cai, "Pluralistic image completion", CVPR 2019: the encoder turns an image with a hole into features
and a normal distribution; the generator turns a draw from it, with the features, into pictures of four sizes. `known`
is 1 where the image is known, 0 in the hole; images are in -1..1, RGB. The published networks read 256x256, these any
multiple of 32. A convolution of a block has two keys, by its name and by its place in `model` or `shortcut`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.faces.preparation.pluralistic_blocks import SLOPE, Attention, Decoder, First, Picture, Residual
from gweebp.faces.preparation.spectral import SpectralConv
from gweebp.networks.embedding import scaled

__all__ = ["Discriminator", "Encoder", "Generator", "complete"]

SIZES = 4  # pictures that the generator makes


class Encoder(nn.Module):
    """Images with the hole set to 0, (b, 3, h, w), to five features and the distribution of the hole's content.

    >>> features, mu, sigma = Encoder(width=0.125)(torch.zeros(1, 3, 64, 64))
    >>> [tuple(feature.shape[1:]) for feature in features]
    [(4, 32, 32), (8, 16, 16), (16, 8, 8), (16, 4, 4), (16, 2, 2)]
    >>> mu.shape == sigma.shape == features[-1].shape
    True
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.config = {"width": width}
        a, b, c = (scaled(channels, width) for channels in (32, 64, 128))
        self.block0 = First(3, a)
        for i, (channels, hidden, out) in enumerate([(a, a, b), (b, b, c), (c, c, c), (c, c, c)]):
            self.add_module(f"encoder{i}", Residual(channels, hidden, out, down=True))
        for i in range(6):
            self.add_module(f"infer_prior{i}", Residual(c, c, c))
        self.posterior = Residual(c, c, 2 * c)
        self.prior = Residual(c, c, 2 * c)

    def features(self, x: Tensor) -> list[Tensor]:
        """Five features of x, at 1/2 to 1/32 of its size."""
        if x.shape[2] % 32 or x.shape[3] % 32:
            raise ValueError(f"height and width must be multiples of 32, got {tuple(x.shape[2:])}")
        found = [self.block0(x)]
        for i in range(4):
            found.append(self.get_submodule(f"encoder{i}")(found[-1]))
        return found

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Features of x, mean and standard deviation (b, c, h/32, w/32) of the prior."""
        features = self.features(x)
        hidden = features[-1]
        for i in range(6):
            hidden = self.get_submodule(f"infer_prior{i}")(hidden)
        return features, *_distribution(self.prior(hidden))

    def posterior_of(self, complement: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation that the hole's true content, (1 - known)*image, gives: for training."""
        return _distribution(self.posterior(self.features(complement)[-1]))


class Generator(nn.Module):
    """A draw z and the encoder's last and third features to pictures of 1/8, 1/4, 1/2 and the full size, -1..1.

    >>> z, f_m, f_e = torch.zeros(1, 16, 2, 2), torch.zeros(1, 16, 2, 2), torch.zeros(1, 16, 8, 8)
    >>> [tuple(y.shape) for y in Generator(width=0.125)(z, f_m, f_e, torch.ones(1, 1, 64, 64))]
    [(1, 3, 8, 8), (1, 3, 16, 16), (1, 3, 32, 32), (1, 3, 64, 64)]
    """

    decoder0: Decoder  # to 4; and out1 to 4

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.config = {"width": width}
        a, b, c = (scaled(channels, width) for channels in (32, 64, 128))
        self.generator = Residual(c, c, c)
        out = (c, c, c, b, a)
        for i, channels in enumerate(out):
            below = (c, *out)[i] + (3 if i > 1 else 0)  # from the third on, with the picture so far
            self.add_module(f"decoder{i}", Decoder(below, channels))
            if i:
                self.add_module(f"out{i}", Picture(channels))
            if i == 1:
                self.attn1 = Attention(channels)

    def forward(self, z: Tensor, f_m: Tensor, f_e: Tensor, known: Tensor) -> list[Tensor]:
        """Pictures, smallest first, of z, f_m (b, c, h/32, w/32), f_e (b, c, h/8, w/8) and known (b, 1, h, w)."""
        x = self.decoder0(self.generator(z) + f_m)
        pictures: list[Tensor] = []
        for i in range(1, SIZES + 1):
            x = self.get_submodule(f"decoder{i}")(torch.cat([x, *pictures[-1:]], dim=1))
            if i == 1:
                x = self.attn1(x, f_e, F.interpolate(known, size=x.shape[2:], mode="bilinear", align_corners=True))
            pictures.append(self.get_submodule(f"out{i}")(x))
        return pictures


class Discriminator(nn.Module):
    """Images (b, 3, h, w) in -1..1 to scores (b, 1, h/32 - 2, w/32 - 2): at least 96 pixels.

    >>> Discriminator(width=0.125)(torch.zeros(1, 3, 256, 256)).shape
    torch.Size([1, 1, 6, 6])
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.config = {"width": width}
        a, b, c = (scaled(channels, width) for channels in (32, 64, 128))
        self.block0 = First(3, a)
        self.encoder0 = Residual(a, a, b, down=True)
        self.encoder1 = Residual(b, b, c, down=True)
        self.attn2 = Attention(c)
        self.encoder2 = Residual(c, c, c, down=True)
        self.encoder3 = Residual(c, c, c, down=True)
        self.block1 = Residual(c, c, c)
        self.conv = SpectralConv(c, 1, padding=0)

    def forward(self, x: Tensor) -> Tensor:
        """Score x (b, 3, h, w), -1..1."""
        x = self.attn2.itself(self.encoder1(self.encoder0(self.block0(x))))[0]
        return self.conv(F.leaky_relu(self.block1(self.encoder3(self.encoder2(x))), SLOPE))


def complete(encoder: Encoder, generator: Generator, images: Tensor, known: Tensor, noise: Tensor) -> Tensor:
    """Fill the holes: (b, 3, h, w), -1..1, equal to `images` where `known` is 1.

    Args:
        images: (b, 3, h, w), -1..1.
        known: (b, 1, h, w), 1 = known, 0 = hole.
        noise: (b, c, h/32, w/32), standard normal; other noise gives another plausible content.

    >>> images, known = torch.zeros(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    >>> whole = complete(Encoder(0.125), Generator(0.125), images, known, torch.randn(1, 16, 2, 2))
    >>> torch.equal(whole, images)
    True
    """
    features, mu, sigma = encoder(known * images)
    content = generator(mu + sigma * noise, features[-1], features[2], known)[-1]
    return (1 - known) * content + known * images


def _distribution(raw: Tensor) -> tuple[Tensor, Tensor]:
    mu, sigma = raw.chunk(2, dim=1)
    return mu, F.softplus(sigma)
