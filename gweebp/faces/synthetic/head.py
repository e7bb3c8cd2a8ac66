"""The base on which the parts sit, and which no swap changes: backdrop, garment, neck, ears, the head's light."""

import torch
from torch import Tensor

from gweebp.faces.synthetic import colours
from gweebp.faces.synthetic.canvas import Canvas
from gweebp.faces.synthetic.shapes import bump, cover, ellipse, ridge


def dome(c: Canvas) -> Tensor:
    """Height of the bare head: an ellipsoid."""
    q = (c.u / 0.57).square() + ((c.v - 0.06) / 0.86).square()
    return 0.62 * (1.12 - q).clamp(min=0.03).sqrt()


def shade(c: Canvas) -> Tensor:
    """Light on the relief, (n, h, w), about 0.4 to 1.2: Lambert's cosine law and a gloss, by the height's gradient."""
    z, k = c.relief, c.capture
    dz_u = torch.zeros_like(z)
    dz_v = torch.zeros_like(z)
    dz_u[..., 1:-1] = (z[..., 2:] - z[..., :-2]) / (2 * c.pixel)
    dz_v[:, 1:-1] = (z[:, 2:] - z[:, :-2]) / (2 * c.pixel)
    length = (1 + dz_u.square() + dz_v.square()).sqrt()
    tilt = (1 + k.light_u.square() + k.light_v.square()).sqrt()
    cosine = ((1 - k.light_u * dz_u - k.light_v * dz_v) / (length * tilt)).clamp(min=0)
    gloss = cosine.square().square().square().square()
    return k.exposure * (k.fill + (1.08 - k.fill) * cosine + 0.05 * gloss)


def _hue(hue: Tensor) -> Tensor:
    """A muted colour cast, (n, 3, 1, 1), from a number in -1..1."""
    angle = 3.14159 * hue[:, None] + torch.tensor([0.0, 2.094, 4.189]).reshape(1, 3, 1, 1)
    return 1 + 0.05 * torch.cos(angle)


def backdrop(c: Canvas) -> None:
    """A wall, lighter behind the lit side of the head."""
    k = c.capture
    glow = 0.12 * k.light_u * c.u - 0.10 * c.v + 0.14 * bump(c.u, c.v, 1.6, 1.6)
    c.image.copy_(((k.backdrop + glow)[:, None] * _hue(k.backdrop_hue)).clamp(0, 1))


def bust(c: Canvas) -> None:
    """Neck, shoulders, garment and ears, in front of the hair that falls behind them."""
    _neck(c.crop(9.0, 0.25, 9.0))
    _ears(c.crop(0.64, -0.12, 0.23))


def _neck(c: Canvas) -> None:
    p, k = c.p, c.capture
    half = 0.27 + 0.03 * (1 - p["femininity"]) + 0.8 * (c.v - 0.70).clamp(min=0).square()
    neck = cover(c.a - half, 0.01 + c.pixel) * cover(0.3 - c.v, 0.05)
    side = 1 - 0.30 * (c.u / 0.32).clamp(-1.2, 1.2).square() + 0.16 * k.light_u * c.u / 0.32
    tone = k.exposure * side * (0.80 - 0.10 * ridge(c.a - 0.13 + 0.1 * (c.v - 0.7), 0.08) * cover(0.72 - c.v, 0.2))
    c.paint("base", colours.skin(p) * tone[:, None], neck)
    collar = 0.86 + 0.06 * (1 - (c.u / 0.30).square()).clamp(min=-3) - c.v
    cloth = k.garment * (1 + 0.35 * k.light_u * c.u - 0.25 * c.a) - 0.05 * ridge(collar, 0.03)
    c.paint("base", cloth[:, None] * _hue(k.garment_hue), cover(collar, 0.01 + c.pixel))


def _ears(c: Canvas) -> None:
    p, k = c.p, c.capture
    u, v = c.a - p["head_width"] - 0.005, c.v - 0.055
    ear = ellipse(u - 0.10 * v.abs() + 0.08 * v, v, 0.058, 0.125 * p["ear_size"])
    fold = 0.22 * ridge(ear + 0.026, 0.016) + 0.25 * bump(u, v - 0.02, 0.03, 0.07)
    lit = k.exposure * (0.86 + 0.22 * k.light_u * c.side) * (1 - fold)
    c.paint("base", colours.skin(p) * colours.rgb(1.0, 0.92, 0.90) * lit[:, None], cover(ear, 0.008 + c.pixel))
