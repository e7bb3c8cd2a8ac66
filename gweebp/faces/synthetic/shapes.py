"""Signed distances and soft edges: the vocabulary in which faces are drawn.

Every function is elementwise in the pixels and broadcasts over a batch of faces. A distance is negative inside. All
profiles have compact support: beyond their radius they are exactly zero, so that a part changes no pixel outside its
mask, to the last bit. (A Gaussian or a sigmoid would leak everywhere.)
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def cover(distance: Tensor, width: Tensor | float) -> Tensor:
    """Coverage of a shape whose edge is `width` wide: 1 inside, 0 outside, smooth (cubic) between.

    With the size of a pixel as width this is antialiasing; with more, a soft edge.

    Example:
        >>> cover(torch.tensor([-1.0, 0.0, 1.0]), 0.5).tolist()
        [1.0, 0.5, 0.0]
    """
    t = (0.5 - distance / width).clamp(0, 1)
    return t * t * (3 - 2 * t)


def bump(u: Tensor, v: Tensor, radius_u: Tensor | float, radius_v: Tensor | float) -> Tensor:
    """Smooth hill (1 − (u/ru)² − (v/rv)²)₊², 1 at the origin and 0 beyond the ellipse.

    Example:
        >>> bump(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 0.0]), 1.0, 1.0).tolist()
        [1.0, 0.0]
    """
    return (1 - (u / radius_u).square() - (v / radius_v).square()).clamp(min=0).square()


def ridge(distance: Tensor, radius: Tensor | float) -> Tensor:
    """Smooth ridge (1 − (d/r)²)₊² along the zero line of an unsigned or signed distance.

    Example:
        >>> ridge(torch.tensor([0.0, 0.1]), 0.1).tolist()
        [1.0, 0.0]
    """
    return (1 - (distance / radius).square()).clamp(min=0).square()


def ellipse(u: Tensor, v: Tensor, radius_u: Tensor | float, radius_v: Tensor | float) -> Tensor:
    """Signed distance, to first order, to an ellipse at the origin: k·(k − 1) / |∇k²/2| with k² = (u/ru)² + (v/rv)².

    Example:
        >>> ellipse(torch.tensor([2.0]), torch.tensor([0.0]), 1.0, 1.0).tolist()
        [1.0]
    """
    a, b = u / radius_u, v / radius_v
    k = (a.square() + b.square()).sqrt()
    slope = ((a / radius_u).square() + (b / radius_v).square()).sqrt()
    return k * (k - 1) / slope.clamp(min=1e-6)


def superellipse(a: Tensor, b: Tensor, square: Tensor | float) -> Tensor:
    """Norm between an ellipse's (square = 0) and a rounded rectangle's (1): (1 − s)·(a² + b²)^½ + s·(a⁴ + b⁴)^¼.

    Only square roots: torch's `pow` rounds differently in the last elements of an array, and a face must not depend on
    its place in a batch.

    Example:
        >>> superellipse(torch.tensor([1.0]), torch.tensor([0.0]), 0.3).tolist()
        [1.0]
    """
    a, b = a.square(), b.square()
    return (1 - square) * (a + b).sqrt() + square * (a.square() + b.square()).sqrt().sqrt()


def noise(lattice: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Value noise: a random lattice read bilinearly at (u, v), periodic by reflection.

    Args:
        lattice: (n, gh, gw), one for each face.
        u, v: (n, h, w), where [-1, 1] spans the lattice once.

    Returns:
        (n, h, w) within the lattice's range.
    """
    grid = torch.stack([u, v], dim=-1)
    return F.grid_sample(lattice[:, None], grid, padding_mode="reflection", align_corners=False)[:, 0]
