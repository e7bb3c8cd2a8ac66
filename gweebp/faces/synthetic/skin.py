"""Skin: the outline of the lower face, cheeks and chin, folds, wrinkles, freckles, moles and the beard."""

import torch
from torch import Tensor

from gweebp.faces.synthetic import colours
from gweebp.faces.synthetic.canvas import Canvas
from gweebp.faces.synthetic.capture import extent
from gweebp.faces.synthetic.shapes import bump, cover, ellipse, noise, ridge, superellipse

_MIDDLE = 0.05  # height of the cheekbones: above it the skull, below it the jaw
_TOP = 0.76  # from there to the top of the skull

_MARKS_BOX = (0.53, -0.47, 0.56)  # reach, top and bottom
_BEARD_BOX = (0.56, 0.0, 0.82)

STUBBLE, MOUSTACHE, BEARD, GOATEE = 0.50, 0.62, 0.74, 0.88  # ranges of "beard"; below the first: shaven


def outline(c: Canvas) -> Tensor:
    """Radial distance to the face's outline: half an ellipse above, a tapered superellipse below."""
    y = c.v - _MIDDLE
    k = _norm(c.p, c.a, y).clamp(min=1e-3)
    return (c.u.square() + y.square()).sqrt() * (1 - 1 / k)


def _norm(p: dict[str, Tensor], a: Tensor, y: Tensor) -> Tensor:
    """1 on the outline, less inside; `a` to the side of, `y` below the height of the cheekbones."""
    t = (y / (p["chin_height"] - _MIDDLE)).clamp(0, 2)
    taper = 1 - (1 - p["jaw_width"]) * t * t * (3 - 2 * t).clamp(min=0.6)
    across = a / (p["head_width"] * taper)
    down = torch.where(y > 0, t, y / _TOP)
    return superellipse(across, down, 0.05 + 0.45 * p["jaw_square"])


def points(p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Landmarks 0 to 16, u and v (n, 17): on the outline, from ear over chin to ear, at equal angles."""
    angle = torch.linspace(torch.pi, 0, 17, dtype=torch.float64)
    cos, sin = torch.cos(angle), torch.sin(angle).clamp(min=0)
    low = torch.zeros(len(p["chin_height"]), 1, 17, dtype=torch.float64)
    high = torch.full_like(low, 1.2)
    for _ in range(50):  # bisection: the norm grows along every ray
        radius = (low + high) / 2
        inside = _norm(p, radius * cos.abs(), radius * sin) < 1
        low, high = torch.where(inside, radius, low), torch.where(inside, high, radius)
    return (low * cos).squeeze(1), (low * sin + _MIDDLE).squeeze(1)


def relief(c: Canvas) -> Tensor:
    """Cheekbones, chin and jaw."""
    p = c.p
    cheeks = (0.03 + 0.06 * p["cheekbones"]) * bump(c.a - 0.30, c.v - 0.14, 0.19, 0.20)
    hollow = 0.035 * p["cheekbones"] * bump(c.a - 0.34, c.v - 0.37, 0.13, 0.17)
    chin = (0.04 + 0.03 * p["jaw_square"]) * bump(c.u, c.v - p["chin_height"] + 0.11, 0.17, 0.10)
    return cheeks - hollow + chin


def draw(c: Canvas, edge: Tensor, free: Tensor) -> Tensor:
    """Paint the face on the bust.

    Args:
        c: canvas whose light is known.
        edge: (n, h, w) from `outline`.
        free: (n, h, w), 1 where the skin is no other part's: only there do its own marks show.

    Returns:
        (n, h, w), coverage of the face, 0..1.
    """
    p, k = c.p, c.capture
    face = cover(edge, 0.008 + c.pixel)
    under = cover(0.5 - c.v, 0.2) * cover(edge - 0.05, 0.16) * (1 - face)
    c.darken(0.42 * under * cover(c.a - 0.36, 0.08))  # the jaw's shadow on the neck
    tone = colours.skin(p)
    pores = noise(k.lattice, 2.9 * c.u, 2.9 * c.v) + 0.6 * noise(k.lattice, 7.1 * c.v + 0.3, 7.3 * c.u)
    light = c.light * (1 + 0.022 * pores) * (1 - 0.26 * cover(-edge - 0.03, 0.14))
    warm = 0.045 * bump(c.a - 0.27, c.v - 0.24, 0.2, 0.17) * (0.3 + p["blush"]) + 0.03 * bump(
        c.u, c.v - 0.28, 0.14, 0.14
    )
    flush = 1 + (free * warm)[:, None] * colours.rgb(0.6, -1.6, -1.3)
    c.paint("skin", tone * light[:, None] * flush, face)
    free = free * face
    _marks(c, free)
    _beard(c, free)
    return face


def _marks(c: Canvas, free: Tensor) -> None:
    """Nasolabial folds, lines of the forehead, freckles and a mole."""
    p, k = c.p, c.capture
    rows, columns = extent(k, c.image.shape[-1], *_MARKS_BOX)
    c, free = c.crop(*_MARKS_BOX), free[:, rows, columns]
    t = ((c.v - 0.24) / 0.22).clamp(-0.2, 1.2)
    fold = ridge(c.a - 0.155 - 0.085 * t + 0.03 * t * t, 0.022) * bump(t - 0.45, t * 0, 0.62, 1.0)
    lines = ridge((c.v + 0.40 - 0.05 * c.u.square()).abs() - 0.032, 0.011) + ridge(
        c.v + 0.30 - 0.06 * c.u.square(), 0.010
    )
    lines = lines * bump(c.u, c.v * 0, 0.30, 1.0)
    crow = ridge((c.v - 0.02 - 0.25 * (c.a - 0.36)).abs() - 0.02, 0.010) * bump(c.a - 0.385, c.v, 0.06, 0.09)
    c.darken(free * (0.42 * p["folds"].square() * fold + 0.34 * p["wrinkles"].square() * (lines + 0.8 * crow)))
    if (p["freckles"] > 0.7).any():
        spots = ((noise(k.lattice, 8.3 * c.u + 0.2, 8.3 * c.v) - 0.42) * 3.2).clamp(0, 1)
        zone = bump(c.a - 0.17, c.v - 0.17, 0.34, 0.24)
        c.darken(free * spots * zone * 0.34 * ((p["freckles"] - 0.7) / 0.3).clamp(min=0))
    size = p["mole_size"].clamp(min=1e-3)
    mole = cover((c.u - p["mole_u"]).square().add((c.v - p["mole_v"]).square()).sqrt() - size, 0.012 + c.pixel)
    c.darken(free * mole * 0.7 * (p["mole_size"] > 0.004))


def _beard(c: Canvas, free: Tensor) -> None:
    """Facial hair by zones: cheeks and jaw, chin, upper lip."""
    p, k = c.p, c.capture
    style = p["beard"]
    if not (style > STUBBLE).any():
        return
    rows, columns = extent(k, c.image.shape[-1], *_BEARD_BOX)
    c, free = c.crop(*_BEARD_BOX), free[:, rows, columns]
    q = (c.a / 0.46).square()
    jaw = cover(0.47 - 0.36 * q * q - c.v, 0.10) * cover(0.10 - c.v, 0.18)
    chin = cover(ellipse(c.u, c.v - 0.60, 0.15, 0.13), 0.08)
    droop = c.v - 0.356 - 0.9 * c.u.square()
    lip = cover(droop.abs() - 0.040 + 0.12 * c.a, 0.03) * cover(c.a - 0.19, 0.06)
    stubble = (
        ((style > STUBBLE) & (style <= MOUSTACHE)).float() * torch.maximum(jaw, lip) * (0.16 + 0.2 * p["beard_density"])
    )
    full = ((style > BEARD) & (style <= GOATEE)).float() * jaw
    goatee = (style > GOATEE).float() * chin
    whiskers = (style > MOUSTACHE).float() * lip
    thick = torch.maximum(torch.maximum(full, goatee), whiskers) * (0.55 + 0.37 * p["beard_density"])
    hairs = noise(k.strands, 2.6 * c.u + 0.4 * c.u * c.v, 0.9 * c.v) + 0.5 * noise(k.strands, 5.3 * c.u, 1.7 * c.v)
    alpha = (free * torch.maximum(stubble, thick * (1 + 0.10 * hairs))).clamp(0, 1)
    colour = 0.85 * colours.hair(p["pigment"] + 0.1, p["melanin"])
    c.paint("skin", colour * (0.7 * c.light + 0.30 + 0.12 * hairs)[:, None], alpha)
