"""Hair: an outline around the skull, an opening for the face, and strands that fall from the parting."""

import torch
from torch import Tensor

from gweebp.datasets.synthetic import colours
from gweebp.datasets.synthetic.canvas import Canvas
from gweebp.datasets.synthetic.shapes import cover, noise, ridge, superellipse

# One row a style: (top, sides) thickness over the skull; (front, back) height down to which it falls before and behind the
# face; fringe: how far it hangs over the forehead; sweep: slope of the hairline away from the parting; opening: half width
# of the face's opening in head widths; waves and curls of the outline; bun.
COLUMNS = ("top", "sides", "front", "back", "fringe", "sweep", "opening", "waves", "curls", "bun")
STYLES: dict[str, tuple[float, ...]] = {
    "crop": (0.05, 0.015, -0.02, 0.25, 0.00, 0.00, 0.90, 0.00, 0.004, 0.0),
    "side parting": (0.11, 0.030, 0.00, 0.25, 0.03, 0.20, 0.89, 0.01, 0.004, 0.0),
    "quiff": (0.17, 0.010, -0.02, 0.25, -0.03, 0.08, 0.90, 0.01, 0.012, 0.0),
    "bob": (0.08, 0.090, 0.46, 0.50, 0.17, 0.05, 0.84, 0.01, 0.003, 0.0),
    "long": (0.07, 0.060, 0.92, 1.20, 0.00, 0.30, 0.86, 0.01, 0.003, 0.0),
    "long waves": (0.11, 0.110, 0.88, 1.20, 0.05, 0.22, 0.85, 0.04, 0.006, 0.0),
    "curls": (0.17, 0.130, 0.16, 0.40, 0.03, 0.00, 0.89, 0.02, 0.026, 0.0),
    "receding": (0.015, 0.010, 0.00, 0.22, -0.17, 0.00, 0.96, 0.00, 0.003, 0.0),
    "tied": (0.04, 0.005, -0.04, 0.10, -0.03, 0.10, 0.90, 0.01, 0.002, 1.0),
}
_TABLE = torch.tensor(list(STYLES.values()))


def _style(c: Canvas) -> dict[str, Tensor]:
    """The style's row with this person's volume, length and wave: column -> (n, 1, 1)."""
    p = c.p
    row = _TABLE[p["hair_style"].flatten().long().clamp(0, len(STYLES) - 1)]
    s = {name: row[:, i, None, None] for i, name in enumerate(COLUMNS)}
    grow = 0.7 + 0.6 * p["hair_volume"]
    s["top"], s["sides"] = s["top"] * grow, s["sides"] * grow
    fall = (p["hair_length"] - 0.5) * 0.22 * (s["front"] > 0.3)
    s["front"], s["back"] = s["front"] + fall, s["back"] + fall
    s["waves"] = s["waves"] * (0.5 + p["hair_wave"])
    return s


def _outer(c: Canvas, s: dict[str, Tensor]) -> Tensor:
    """Signed distance to the outline of all hair: the skull, thickened, falling straight below the cheekbones."""
    y = c.v + 0.02
    up = y.clamp(max=0)
    radius = (c.u.square() + up.square()).sqrt().clamp(min=1e-3)
    lumps = s["curls"] * noise(c.capture.lattice, 0.9 * c.u / radius, 0.9 * up / radius + 1.5 * (y - up))
    wave = s["waves"] * 0.5 * torch.sin(13 * c.v + c.side)
    half = c.p["head_width"] + 0.01 + s["sides"] + 0.10 * s["sides"].sqrt() * y.clamp(min=0)
    tall = 0.71 + s["top"]
    k = superellipse(c.a / half, up / tall, 0.35).clamp(min=1e-3)
    skull = radius * (1 - 1 / k)
    bun = (c.u.square() + (c.v + 0.84).square()).sqrt() - 0.17
    return torch.minimum(skull, bun + 9 * (1 - s["bun"])) + lumps + wave


def _opening(c: Canvas, s: dict[str, Tensor]) -> Tensor:
    """Signed distance to the face's opening, negative inside: hairline above, temples beside."""
    p = c.p
    part = 0.26 * p["hair_parting"]
    arch = (c.u / 0.45).square()
    line = -0.50 + 0.035 * p["hair_line"] + s["fringe"] + s["sweep"] * (c.u - part).abs().clamp(max=0.5) + 0.05 * arch
    comb = 0.012 * noise(c.capture.strands, 1.7 * c.u, c.u * 0) + 0.010 * noise(c.capture.strands, 4.9 * c.u, c.u * 0 + 0.5)
    above = line + comb - c.v
    tuck = s["opening"] + 0.05 * ((c.v + 0.1) / 0.3).clamp(-1, 1)
    beside = c.a - p["head_width"] * tuck
    return 0.5 * (above + beside + ((above - beside).square() + 0.03).sqrt()) - 0.02


def _strands(c: Canvas, s: dict[str, Tensor], depth: Tensor) -> Tensor:
    """Brightness of the hair, (n, h, w): strands along lines from the parting, a ring of gloss, and light from the side."""
    p, k = c.p, c.capture
    x, y = c.u - 0.26 * p["hair_parting"], c.v + 0.98
    radius = (x.square() + y.square()).sqrt()
    across = x / (0.30 + 0.75 * radius) + s["waves"] * 0.6 * torch.sin(11 * radius) + 4 * s["curls"] * torch.sin(31 * c.v) * torch.sin(29 * c.u)
    lines = noise(k.strands, 2.3 * across, 0.5 * radius) + 0.7 * noise(k.strands, 6.1 * across, 0.8 * radius + 0.3)
    ring = ridge(radius - 0.42 - 0.10 * x.square(), 0.22) * (0.6 + 0.4 * lines)
    lit = 1 + 0.30 * k.light_u * (c.u / 0.6) - 0.12 * c.a
    return k.exposure * lit * (0.86 + 0.13 * lines + 0.30 * ring) * (0.72 + 0.28 * depth)


def behind(c: Canvas) -> None:
    """The hair that hangs behind neck and ears."""
    s = _style(c)
    ragged = 0.03 * noise(c.capture.strands, 2.1 * c.u, c.u * 0)
    alpha = cover(_outer(c, s), 0.014 + c.pixel) * cover(c.v - s["back"] + ragged, 0.06)
    colour = colours.hair(c.p["pigment"] + c.p["hair_tint"], c.p["melanin"], c.p["hair_red"], c.p["hair_grey"])
    tone = 0.62 * _strands(c, s, torch.ones_like(alpha))
    c.paint("hair", colour * tone[:, None], alpha)


def before(c: Canvas, face: Tensor) -> None:
    """The hair on the skull and beside the face, and its shadow on the `face` (n, h, w)."""
    s = _style(c)
    opening = _opening(c, s)
    ragged = 0.03 * noise(c.capture.strands, 2.1 * c.u, c.u * 0)
    ends = c.v - s["front"] + ragged
    alpha = cover(_outer(c, s), 0.014 + c.pixel) * cover(-opening, 0.012 + c.pixel) * cover(ends, 0.05)
    shadow = cover(-opening - 0.05, 0.11) * cover(ends - 0.02, 0.10) * (1 - alpha)
    c.darken(0.34 * shadow * face)
    thickness = torch.minimum(cover(0.03 - opening, 0.12), cover(_outer(c, s) + 0.04, 0.12))
    colour = colours.hair(c.p["pigment"] + c.p["hair_tint"], c.p["melanin"], c.p["hair_red"], c.p["hair_grey"])
    c.paint("hair", colour * _strands(c, s, thickness)[:, None] + 0.015, alpha)
