"""Colours of skin, hair and eyes from pigment: curves through three colours chosen by eye, light to dark, RGB 0..1."""

import torch
from torch import Tensor

_SKIN = ((0.93, 0.75, 0.65), (0.84, 0.58, 0.43), (0.30, 0.17, 0.12))
_HAIR = ((0.86, 0.70, 0.44), (0.36, 0.21, 0.11), (0.055, 0.045, 0.045))
_IRIS = ((0.40, 0.56, 0.70), (0.42, 0.42, 0.24), (0.17, 0.09, 0.05))


def rgb(red: float, green: float, blue: float) -> Tensor:
    """A fixed colour as (1, 3, 1, 1).

    Example:
        >>> rgb(0.5, 0.5, 0.5).shape
        torch.Size([1, 3, 1, 1])
    """
    return torch.tensor([red, green, blue]).reshape(1, 3, 1, 1)


def _curve(points: tuple[tuple[float, float, float], ...], t: Tensor) -> Tensor:
    """Bézier curve through colour space: (n, 1, 1) in 0..1 -> (n, 3, 1, 1)."""
    a, b, c = (rgb(*point) for point in points)
    t = t.clamp(0, 1)[:, None]
    return (1 - t).square() * a + 2 * t * (1 - t) * b + t.square() * c


def skin(p: dict[str, Tensor]) -> Tensor:
    """Complexion, (n, 3, 1, 1)."""
    tone = _curve(_SKIN, p["melanin"])
    return tone + (p["redness"][:, None] - 0.5) * rgb(0.05, -0.015, -0.04)


def hair(pigment: Tensor, melanin: Tensor, red: Tensor | float = 0.0, grey: Tensor | float = 0.0) -> Tensor:
    """Colour of hair, (n, 3, 1, 1): dark skin goes with dark hair; a few people are red, a few grey.

    Args:
        pigment: (n, 1, 1), 0 blond to 1 black.
        melanin: (n, 1, 1) of the skin.
        red, grey: (n, 1, 1) in 0..1; show above 0.8.
    """
    colour = _curve(_HAIR, torch.maximum(pigment.clamp(0, 1), 1.3 * melanin - 0.25))
    red, grey = (((torch.as_tensor(x) - 0.8) * 5).clamp(0, 1) for x in (red, grey))
    colour = colour + (red[:, None] if red.ndim else red) * rgb(0.16, 0.02, -0.03)
    return torch.lerp(colour, rgb(0.68, 0.68, 0.69), 0.8 * (grey[:, None] if grey.ndim else grey))


def iris(p: dict[str, Tensor]) -> Tensor:
    """Colour of the iris, (n, 3, 1, 1): blue or green only beside light skin."""
    colour = _curve(_IRIS, torch.maximum(p["iris_melanin"], 1.6 * p["melanin"] - 0.2))
    return colour + (p["iris_hue"][:, None] - 0.5) * rgb(-0.06, 0.06, -0.06)
