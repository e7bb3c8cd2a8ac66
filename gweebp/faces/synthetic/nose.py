"""Nose: a ridge that widens to the tip and wings, lit with the face; nostrils and the shadow below."""

import torch
from torch import Tensor

from gweebp.faces.synthetic.canvas import Canvas
from gweebp.faces.synthetic.shapes import bump, cover, ellipse, ridge


def _local(c: Canvas) -> tuple[Tensor, Tensor, Tensor]:
    """Across (bent), share of the length from the root (0) to the base (1), and half width there."""
    p = c.p
    t = c.v / p["nose_length"]
    across = c.u - p["nose_bend"] * (1 - (2 * t - 1).square()).clamp(min=0)
    flare = t.clamp(0, 1.15)
    half = p["nose_bridge"] + (0.8 * p["nose_width"] - p["nose_bridge"]) * flare * flare * flare
    return across, t, half


def points(p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Landmarks 27 to 35, u and v (n, 9): the ridge from root to tip; under it wing, nostril, middle, nostril, wing."""
    down = torch.tensor([0.0, 1 / 3, 2 / 3, 1.0], dtype=torch.float64) * (p["nose_length"] - 0.035)
    bend = p["nose_bend"] * (1 - (2 * down / p["nose_length"] - 1).square()).clamp(min=0)
    across = torch.tensor([-0.8, -0.42, 0.0, 0.42, 0.8], dtype=torch.float64) * p["nose_width"]
    base = p["nose_length"] + torch.tensor([-0.012, 0.008, 0.015, 0.008, -0.012], dtype=torch.float64)
    return torch.cat([bend, across], dim=2).squeeze(1), torch.cat([down, base], dim=2).squeeze(1)


BOX = (0.26, -0.15, 0.44)  # reach, top and bottom of all that is drawn here


def relief(c: Canvas) -> Tensor:
    """Height of the nose: bridge, tip and two wings."""
    p = c.p
    across, t, half = _local(c)
    rise = (t + 0.12).clamp(0, 1)
    fall = cover(t - 1.0, 0.40)
    bridge = (0.05 + 0.10 * rise) * ridge(across, 1.5 * half + 0.012) * cover(-t - 0.05, 0.4) * fall
    tip = 0.055 * bump(across, c.v - p["nose_length"] + 0.035, 1.35 * p["nose_tip"] + 0.02, 0.075)
    wings = 0.04 * bump(across.abs() - 0.72 * p["nose_width"], c.v - p["nose_length"] + 0.018, 0.05, 0.055)
    return p["nose_relief"] * (bridge + tip + wings)


def window(c: Canvas) -> Tensor:
    """(n, h, w): 1 where the skin belongs to the nose, 0 beyond."""
    p = c.p
    across, t, half = _local(c)
    stem = torch.maximum(across.abs() - 1.4 * half - 0.012, torch.maximum(-t - 0.1, t - 1.1) * p["nose_length"])
    wings = ellipse(across, c.v - p["nose_length"] + 0.012, p["nose_width"] * 1.15, 0.062)
    return cover(torch.minimum(stem, wings), 0.025)


def draw(c: Canvas) -> None:
    """Shadows of the wings, nostrils and the shadow on the upper lip; the rest is in the relief."""
    p = c.p
    c = c.crop(*BOX)
    area = window(c)
    c.claim("nose", area)
    across, _, _ = _local(c)
    x, y = across.abs(), c.v - p["nose_length"]
    wing = ellipse(x - 0.62 * p["nose_width"], y + 0.022, 0.36 * p["nose_width"] + 0.008, 0.042)
    outer = cover(0.6 * p["nose_width"] - x, 0.06) * cover(-y - 0.045, 0.05)
    c.darken(area * (0.16 + 0.16 * p["nose_relief"]) * outer * ridge(wing, 0.014))
    c.darken(area * 0.20 * bump(across, y - 0.024, p["nose_width"] * 1.0, 0.03))
    height = 0.008 + 0.2 * p["nose_turn"].clamp(min=0) + 0.004 * p["nostrils"]
    hole = ellipse(x - 0.42 * p["nose_width"], y - 0.002 + 0.3 * p["nose_turn"], 0.24 * p["nose_width"], height)
    c.darken(area * 0.72 * (0.35 + 0.5 * p["nostrils"]) * cover(hole, 0.012 + c.pixel))
    c.darken(area * 0.16 * cover(x - 0.42 * p["nose_tip"] - 0.02, 0.04) * ridge(y + 0.002 - 0.25 * x, 0.012))
