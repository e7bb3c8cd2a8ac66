"""Hair: an outline around the skull, an opening for the face, and strands that fall from the parting."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gweebp.faces.synthetic import colours
from gweebp.faces.synthetic.canvas import Canvas
from gweebp.faces.synthetic.shapes import cover, noise, ridge, superellipse

# One row a style, from men's to women's: (top, sides) thickness over the skull; (front, back) height down to which it
# falls before and behind the face; fringe: how far it hangs over the forehead; sweep: slope of the hairline away from
# the parting; opening: half width of the face's opening in head widths; waves, and curls of the outline; bun.
COLUMNS = ("top", "sides", "front", "back", "fringe", "sweep", "opening", "waves", "curls", "bun")
STYLES: dict[str, tuple[float, ...]] = {
    "receding": (0.015, 0.010, 0.00, 0.08, -0.16, 0.00, 0.96, 0.00, 0.003, 0.0),
    "crop": (0.05, 0.015, -0.02, 0.08, 0.00, 0.00, 0.90, 0.00, 0.004, 0.0),
    "quiff": (0.16, 0.010, -0.02, 0.08, -0.03, 0.08, 0.90, 0.01, 0.012, 0.0),
    "side parting": (0.10, 0.030, 0.00, 0.08, 0.03, 0.20, 0.89, 0.01, 0.004, 0.0),
    "curls": (0.16, 0.120, 0.24, 0.34, 0.03, 0.00, 0.89, 0.02, 0.040, 0.0),
    "tied": (0.04, 0.005, -0.04, 0.06, -0.03, 0.10, 0.90, 0.01, 0.002, 1.0),
    "bob": (0.08, 0.090, 0.46, 0.50, 0.17, 0.05, 0.84, 0.01, 0.003, 0.0),
    "long waves": (0.11, 0.110, 0.88, 1.20, 0.05, 0.22, 0.85, 0.04, 0.006, 0.0),
    "long": (0.07, 0.060, 0.92, 1.20, 0.00, 0.30, 0.86, 0.01, 0.003, 0.0),
}
_TABLE = torch.tensor(list(STYLES.values()))


@dataclass(frozen=True)
class Hair:
    """What both passes share: the style's row, distance to the outline, brightness, colour, raggedness of the ends."""

    style: dict[str, Tensor]
    outer: Tensor
    tone: Tensor
    colour: Tensor
    ragged: Tensor


def comb(c: Canvas) -> Hair:
    """Work out the hair of everyone on the canvas; paints nothing."""
    s, p = _style(c), c.p
    colour = colours.hair(p["pigment"] + p["hair_tint"], p["melanin"], p["hair_red"], p["hair_grey"])
    ragged = 0.03 * noise(c.capture.strands, 2.1 * c.u, c.u * 0) + 0.9 * (c.a - 0.42).clamp(min=0).square()
    return Hair(s, _outer(c, s), _strands(c, s), colour, ragged)


def behind(c: Canvas, hair: Hair) -> None:
    """Paint the hair that hangs behind neck and ears."""
    alpha = cover(hair.outer, 0.014 + c.pixel) * cover(c.v - hair.style["back"] + hair.ragged, 0.06)
    c.paint("hair", hair.colour * (0.62 * hair.tone)[:, None], alpha)


def before(c: Canvas, hair: Hair, face: Tensor) -> None:
    """Paint the hair on the skull and beside the face, and its shadow on the `face` (n, h, w)."""
    opening = _opening(c, hair.style)
    locks = 0.010 * noise(c.capture.strands, 1.7 * c.u, c.u * 0) + 0.008 * noise(
        c.capture.strands, 4.9 * c.u, c.u * 0 + 0.5
    )
    ends = c.v - hair.style["front"] + hair.ragged
    alpha = cover(hair.outer, 0.014 + c.pixel) * cover(-opening - locks, 0.012 + c.pixel) * cover(ends, 0.05)
    c.darken(0.34 * cover(-opening - 0.05, 0.11) * cover(ends - 0.02, 0.10) * (1 - alpha) * face)
    depth = torch.minimum(cover(0.03 - opening, 0.12), cover(hair.outer + 0.04, 0.12))
    c.paint("hair", hair.colour * (hair.tone * (0.70 + 0.30 * depth))[:, None] + 0.015, alpha)


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
    above = line - c.v
    tuck = s["opening"] + 0.05 * ((c.v + 0.1) / 0.3).clamp(-1, 1)
    beside = c.a - p["head_width"] * tuck
    return 0.5 * (above + beside + ((above - beside).square() + 0.03).sqrt()) - 0.02


def _strands(c: Canvas, s: dict[str, Tensor]) -> Tensor:
    """Brightness of the hair, (n, h, w): strands that fall from the parting, a ring of gloss, light from the side."""
    p, k = c.p, c.capture
    x, y = c.u - 0.26 * p["hair_parting"], c.v + 0.98
    radius = (x.square() + y.square()).sqrt()
    across = x / (0.30 + 0.75 * radius) + s["waves"] * 0.35 * torch.sin(9 * radius + 2 * x)
    locks = noise(k.strands, 1.3 * across, 0.3 * radius)
    lines = 0.6 * locks + noise(k.strands, 6.7 * across, 0.6 * radius + 0.3)
    frizz = 1.2 * noise(k.lattice, 3.1 * c.u, 3.1 * c.v) + noise(k.lattice, 6.3 * c.v, 6.1 * c.u)
    lines = torch.lerp(lines, frizz, (s["curls"] * 25).clamp(max=1))
    ring = ridge(radius - 0.44 - 0.10 * x.square() - 0.04 * locks, 0.26) * (0.7 + 0.3 * lines)
    lit = 1 + 0.30 * k.light_u * (c.u / 0.6) - 0.12 * c.a
    return k.exposure * lit * (0.84 + 0.12 * lines + 0.34 * ring)
