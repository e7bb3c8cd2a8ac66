"""Mouth: two lips, the line between them, its corners and the shadow below."""

import torch
from torch import Tensor

from gweebp.faces.synthetic import colours
from gweebp.faces.synthetic.canvas import Canvas
from gweebp.faces.synthetic.shapes import bump, cover, ridge


def _local(c: Canvas) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Across in mouth widths, down from the line between the lips, and the heights of the upper and lower lip."""
    p = c.p
    across = c.u / p["mouth_width"]
    arch = (1 - across.square()).clamp(min=0)
    down = (
        c.v
        - p["mouth_height"]
        - p["mouth_skew"] * across.clamp(-1, 1)
        + p["mouth_corners"] * across.square().clamp(max=1.3)
    )
    upper, lower = _lips(p, across, arch)
    return across, down, upper, lower


def _lips(p: dict[str, Tensor], across: Tensor, arch: Tensor) -> tuple[Tensor, Tensor]:
    """Heights of the upper and the lower lip; `arch` is 1 − across², not below 0."""
    dip = p["lip_bow"] * (0.34 * ridge(across, 0.3) - 0.16 * ridge(across.abs() - 0.33, 0.33))
    upper = p["lip_upper"] * arch.sqrt() * (0.55 + 0.45 * arch) * (1 - dip)
    lower = p["lip_lower"] * arch.sqrt() * (0.4 + 0.6 * arch)
    return upper, lower


def points(p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Landmarks 48 to 67, u and v (n, 20): clockwise around the lips, then along the line between them (it is shut)."""
    top = torch.tensor([-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1], dtype=torch.float64)
    inner = torch.tensor([-0.8, -0.4, 0, 0.4, 0.8], dtype=torch.float64)
    across = torch.cat([top, top[1:-1].flip(0), inner, inner[1:-1].flip(0)])
    upper, lower = _lips(p, across, 1 - across.square())
    down = torch.cat([-upper[..., :7], lower[..., 7:12], torch.zeros_like(upper[..., 12:])], dim=2)
    v = down + p["mouth_height"] + p["mouth_skew"] * across - p["mouth_corners"] * across.square()
    return (across * p["mouth_width"]).squeeze(1), v.squeeze(1)


BOX = (0.30, 0.24, 0.58)  # reach, top and bottom of all that is drawn here


def relief(c: Canvas) -> Tensor:
    """Fullness of the lips."""
    p = c.p
    across, down, _, _ = _local(c)
    top = bump(across, down + 0.45 * p["lip_upper"], 1.0, p["lip_upper"] + 0.02)
    bottom = bump(across, down - 0.5 * p["lip_lower"], 0.9, p["lip_lower"] + 0.02)
    return 0.022 * top + 0.035 * bottom


def window(c: Canvas) -> Tensor:
    """(n, h, w): 1 on the lips and their rim, 0 beyond."""
    across, down, upper, lower = _local(c)
    rim = torch.maximum(-down - upper, down - lower)
    return cover(rim - 0.018, 0.025) * cover((across.abs() - 1.1) * c.p["mouth_width"], 0.03)


def draw(c: Canvas) -> None:
    """Paint the lips on the shaded skin."""
    p = c.p
    c = c.crop(*BOX)
    area = window(c)
    c.claim("mouth", area)
    across, down, upper, lower = _local(c)
    skin = colours.skin(p)
    tint = torch.lerp(
        skin * colours.rgb(0.86, 0.62, 0.60), colours.rgb(0.70, 0.20, 0.22), 0.55 * p["lip_colour"][:, None].square()
    )
    soft = 0.008 + c.pixel
    top = cover(torch.maximum(-down - upper, down), soft) * cover(across.abs() - 1, 0.05)
    bottom = cover(torch.maximum(-down, down - lower), soft) * cover(across.abs() - 1, 0.05)
    shine = 0.12 * bump(across, down - 0.45 * p["lip_lower"], 0.55, 0.55 * p["lip_lower"])
    c.paint("mouth", tint * (0.86 * c.light)[:, None], 0.9 * top)
    c.paint("mouth", (tint * (1.04 * c.light)[:, None] + shine[:, None]), 0.85 * bottom)
    reach = cover(across.abs() - 1.02, 0.12)
    c.darken(area * 0.68 * reach * ridge(down, 0.0075 + 0.4 * c.pixel))
    c.darken(area * 0.35 * bump(across.abs() - 1.0, down, 0.14, 0.028))
    c.darken(area * 0.26 * cover(across.abs() - 0.6, 0.5) * ridge(down - lower - 0.012, 0.02))
