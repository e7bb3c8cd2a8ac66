"""Two modalities of sketch, made from a rendering: a software composite and a pencil drawing. Sizes are in face units.

The composite is what an operator makes from an eyewitness's words: a smooth grey face (its errors are in the face's
parameters, not here). The drawing is what an artist makes with the photo in view: lines where the picture is darker
than around, hatching where it is dark.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.support.grey import luma


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (n, 1, h, w), cut at 2.5 σ; `sigma` in face units, half an image being 1. Borders are repeated.

    Example:
        >>> blur(torch.ones(1, 1, 8, 8), 0.2).mean().item()
        1.0
    """
    pixels = sigma * image.shape[-1] / 2
    radius = max(1, round(2.5 * pixels))
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.softmax(-0.5 * (x / pixels).square(), 0)
    padded = F.pad(image, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.reshape(1, 1, 1, -1)), kernel.reshape(1, 1, -1, 1))


def composite(photo: Tensor, skin: Tensor | float = 0.6) -> Tensor:
    """A software composite, (n, 3, h, w): grey, smooth, dark complexions half as dark.

    Args:
        photo: (n, 3, h, w) in 0..1, rendered as the eyewitness remembers.
        skin: luma of the complexion, a number or (n, 1, 1, 1).

    Example:
        >>> composite(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 3, 32, 32])
    """
    light = luma(photo) * (0.6 / torch.as_tensor(skin)).sqrt()
    return (0.04 + 0.92 * blur(light, 0.007)).clamp(0, 1).expand(-1, 3, -1, -1)


def _hatching(tone: Tensor, wobble: Tensor) -> Tensor:
    """Coverage by strokes, (n, 1, h, w): one direction in shade, a second across it where it is darker."""
    axis = torch.linspace(-1, 1, tone.shape[-1])
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    along = 2 * math.pi * 21 * (0.8 * x + 0.6 * y) + 1.6 * wobble
    across = 2 * math.pi * 19 * (0.7 * x - 0.7 * y) - 1.6 * wobble
    first = (2.6 * (tone - 0.22) - 0.55 * (1 + torch.sin(along))).clamp(0, 1)
    second = (2.6 * (tone - 0.50) - 0.55 * (1 + torch.sin(across))).clamp(0, 1)
    return torch.maximum(first, second)


def drawing(photo: Tensor, lattice: Tensor, skin: Tensor | float = 0.7) -> Tensor:
    """A pencil drawing, (n, 3, h, w): lines by a difference of Gaussians, hatching by tone, grain of the paper.

    Args:
        photo: (n, 3, h, w) in 0..1.
        lattice: (n, g, g) in -1..1, the capture's: grain and the unsteadiness of the hand.
        skin: luma of the sitter's complexion, a number or (n, 1, 1, 1): the artist keeps skin light, however dark.

    Example:
        >>> drawing(torch.rand(1, 3, 32, 32), torch.zeros(1, 24, 24)).shape
        torch.Size([1, 3, 32, 32])
    """
    light = luma(photo) * (0.72 / skin)
    fine, coarse = blur(light, 0.008), blur(light, 0.026)
    lines = (7.5 * (coarse - fine) / (0.3 + 0.7 * coarse) - 0.10).clamp(0, 1)
    shape = light.shape[-2:]
    wobble = F.interpolate(lattice[:, None], size=shape, mode="bilinear")
    grain = F.interpolate(lattice.repeat(1, 5, 5)[:, None], size=shape, mode="nearest")
    tone = (1 - fine - 0.06).clamp(0, 1)
    strokes = _hatching(tone, wobble) * (0.9 + 0.1 * grain)
    ink = torch.maximum(0.92 * lines, torch.maximum(0.62 * strokes, 0.55 * tone.square()))
    return ((0.97 + 0.015 * grain) * (1 - 0.86 * ink)).clamp(0, 1).expand(-1, 3, -1, -1)
