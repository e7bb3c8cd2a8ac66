"""Eyebrows: two tapered strokes of hair."""

import torch
from torch import Tensor

from gweebp.faces.synthetic import colours
from gweebp.faces.synthetic.canvas import Canvas
from gweebp.faces.synthetic.shapes import cover, noise


def _local(c: Canvas) -> tuple[Tensor, Tensor]:
    """Along the brow, 0 inner end to 1 outer end, and down from its middle line, in face units."""
    p = c.p
    along = (c.a - p["brow_gap"]) / p["brow_length"]
    return along, c.v + p["brow_height"] - p["brow_skew"] * c.side + _rise(p, along.clamp(-0.3, 1.3))


def _rise(p: dict[str, Tensor], t: Tensor) -> Tensor:
    """Of the middle line over the height of its end."""
    return p["brow_arch"] * (1 - ((t - 0.62) / 0.62).square()) + p["brow_slant"] * p["brow_length"] * (t - 0.5) * 0.6


def points(p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Landmarks 17 to 26, u and v (n, 10): along the middle line of each brow, left to right."""
    inwards = torch.linspace(1, 0, 5, dtype=torch.float64)
    along, side = torch.cat([inwards, inwards.flip(0)]), torch.tensor([-1.0, 1.0]).repeat_interleave(5)
    u = side * (p["brow_gap"] + along * p["brow_length"])
    v = p["brow_skew"] * side - p["brow_height"] - _rise(p, along)
    return u.squeeze(1), v.squeeze(1)


BOX = (0.34, -0.38, -0.02)  # reach, top and bottom of all that is drawn here


def draw(c: Canvas) -> None:
    """Paint both eyebrows: hairs lie along the stroke and thin out at its ends."""
    p, c = c.p, c.crop(*BOX)
    along, down = _local(c)
    t = along.clamp(0, 1)
    half = p["brow_thickness"] * (0.55 + 0.45 * (1 - (t / 0.3 - 1).clamp(max=0).square())) * (1 - 0.72 * t.square())
    hairs = noise(c.capture.strands, 3.0 * down + 0.8 * along * c.side, 0.5 * along)
    edge = down.abs() - half + 0.004 * hairs
    ends = torch.maximum(-along, along - 1) * p["brow_length"]
    alpha = cover(torch.maximum(edge, ends), 0.022 + c.pixel)
    alpha = alpha * (0.35 + 0.62 * p["brow_density"]) * (1 - 0.25 * hairs.abs() * (1 - p["brow_density"]))
    colour = 0.72 * colours.hair(0.3 + 0.7 * p["pigment"] + p["brow_tint"], p["melanin"])
    c.paint("eyebrows", colour * (0.85 + 0.3 * c.light[:, None]), alpha.clamp(0, 1))
