"""Eyes: lids, sclera, iris, lashes, crease, bags, and glasses."""

import torch
from torch import Tensor

from gweebp.faces.synthetic import colours
from gweebp.faces.synthetic.canvas import Canvas
from gweebp.faces.synthetic.shapes import bump, cover, ellipse, ridge, superellipse

GLASSES_FROM = 0.85  # share of people without glasses


def _local(c: Canvas) -> tuple[Tensor, Tensor]:
    """Coordinates of the nearer eye, in eye widths outwards and face units down."""
    p = c.p
    out = c.a - p["eye_gap"]
    down = c.v - p["eye_height"] * 0.5 * c.side + p["eye_slant"] * out
    return out / p["eye_width"], down


def relief(c: Canvas) -> Tensor:
    """Sockets (the same for everyone) and the ball of the eye under its lids."""
    out, down = _local(c)
    sockets = bump(c.a - 0.21, c.v + 0.02, 0.19, 0.15)
    ball = bump(out, down, 1.2, 0.075)
    return 0.03 * ball - 0.05 * sockets


BOX = (0.53, -0.20, 0.20)  # reach, top and bottom of all that is drawn here


def window(c: Canvas) -> Tensor:
    """(n, h, w): 1 where the skin belongs to the eyes (lids, crease, bags), 0 beyond."""
    out, down = _local(c)
    return cover(ellipse(out * c.p["eye_width"], down - 0.004, c.p["eye_width"] * 1.35, 0.088), 0.03)


def _lids(p: dict[str, Tensor], out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Heights of the upper lid, lower lid and crease over `out`; (1 − out²) is an almond."""
    arch = 1 - out.square()
    full = arch.clamp(min=-0.6) * (1 + 0.18 * out)
    upper = -p["eye_open"] * full
    lower = 0.62 * p["eye_open"] * arch.clamp(min=-0.6) * (1 + 0.25 * out)
    crease = -(p["eye_open"] * 1.05 + 0.014) * (1 - 0.62 * out.square())
    return upper, lower, crease


def points(p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Landmarks 36 to 47, u and v (n, 12): of each eye, clockwise from its left corner along both lids."""
    right = torch.tensor([-1, -1 / 3, 1 / 3, 1, 1 / 3, -1 / 3], dtype=torch.float64)
    out, side = torch.cat([-right, right]), torch.tensor([-1.0, 1.0]).repeat_interleave(6)
    upper, lower, _ = _lids(p, out)
    below = torch.tensor([False, False, False, False, True, True]).repeat(2)
    aside = out * p["eye_width"]
    v = torch.where(below, lower, upper) + p["eye_height"] * 0.5 * side - p["eye_slant"] * aside
    return (side * (p["eye_gap"] + aside)).squeeze(1), v.squeeze(1)


def draw(c: Canvas) -> None:
    """Paint both eyes on the shaded skin."""
    p, skin = c.p, colours.skin(c.p)
    c = c.crop(*BOX)
    area = window(c)
    c.claim("eyes", area)
    out, down = _local(c)
    upper, lower, crease = _lids(p, out)
    near = cover(out.abs() - 1.12, 0.2)
    c.darken(area * 0.10 * bump(out, down + 0.5 * p["eye_open"], 1.3, 0.085))  # the hollow under the brow
    c.darken(area * near * (0.12 + 0.38 * p["eye_crease"]) * ridge(down - crease, 0.013))
    bag = lower + 0.03 + 0.012 * p["eye_bags"]
    c.darken(area * 0.34 * p["eye_bags"] * cover(out.abs() - 0.75, 0.5) * ridge(down - bag, 0.018))
    opening = torch.maximum(upper - down, down - lower)
    inside = cover(opening, 0.006 + 0.6 * c.pixel) * cover(out.abs() - 1, 0.06)
    ball = colours.rgb(0.93, 0.91, 0.89) * (0.62 + 0.38 * skin.mean(1, keepdim=True))
    shade = (0.6 + 0.75 * (down - upper) / (lower - upper).clamp(min=1e-3)).clamp(0.55, 1.0) - 0.12 * out.square()
    c.paint("eyes", ball * shade[:, None], inside)
    _iris(c, out, down, inside)
    lash = (0.006 + 0.008 * p["eye_lashes"]) * (1 + 0.25 * out) + 0.35 * c.pixel
    line = near * ridge(down - upper + 0.003, lash) * (0.55 + 0.4 * p["eye_lashes"])
    c.paint("eyes", colours.rgb(0.09, 0.06, 0.05), line)
    c.darken(area * near * 0.42 * ridge(down - lower, 0.007 + 0.3 * c.pixel))
    c.paint("eyes", colours.rgb(0.72, 0.42, 0.38), 0.5 * inside * bump(out + 0.93, down, 0.14, 0.02))
    _glasses(c)


def _iris(c: Canvas, out: Tensor, down: Tensor, inside: Tensor) -> None:
    p = c.p
    x, y = out * p["eye_width"], down + 0.12 * p["eye_open"]
    radius = (x.square() + y.square()).sqrt() / p["iris_size"]
    disc = inside * cover(radius - 1, 0.12 + c.pixel / p["iris_size"])
    tone = (0.75 + 0.55 * (y / p["iris_size"]).clamp(-1, 1)) * (1 - 0.6 * cover(0.86 - radius, 0.3))
    c.paint("eyes", colours.iris(p) * 1.15 * tone[:, None], disc)
    c.paint("eyes", colours.rgb(0.02, 0.02, 0.02), inside * cover(radius - 0.42, 0.1 + c.pixel / p["iris_size"]))
    glint = bump(c.u - c.side * p["eye_gap"] - 0.012, y + 0.013, 0.011 + 0.5 * c.pixel, 0.011 + 0.5 * c.pixel)
    c.paint("eyes", colours.rgb(1.0, 1.0, 1.0), 0.9 * inside * glint)


def _glasses(c: Canvas) -> None:
    """A frame around each eye, its bridge and temples, and a faint reflection."""
    p = c.p
    worn = (p["glasses"] > GLASSES_FROM).float()
    if not worn.any():
        return
    thick = 0.007 + 0.05 * (p["glasses"] - GLASSES_FROM).clamp(min=0) + 0.25 * c.pixel
    x, y = c.a - p["eye_gap"] - 0.005, c.v - 0.012
    rim_u, rim_v = 0.15 + 0.01 * p["glasses_shape"], 0.13 - 0.03 * p["glasses_shape"]
    rim = (superellipse(x / rim_u, y / rim_v, p["glasses_shape"]) - 1) * rim_v
    bridge = torch.maximum(
        (c.v + 0.012 + 0.12 * c.u.square()).abs() - 0.6 * thick, c.a - (p["eye_gap"] - rim_u + 0.012)
    )
    temple = torch.maximum((c.v + 0.03).abs() - 0.7 * thick, (p["eye_gap"] + rim_u - c.a).clamp(min=-1))
    temple = torch.maximum(temple, c.a - p["head_width"] * 0.985)
    frame = torch.minimum(torch.minimum(rim.abs() - thick, bridge), temple)
    lens = worn * cover(rim, 0.01)
    c.claim("eyes", lens)
    c.paint("eyes", colours.rgb(1.0, 1.0, 1.0), lens * (0.05 + 0.16 * ridge(x - y - 0.04, 0.05)))
    dark = 0.06 + 0.3 * p["glasses_shape"][:, None] * (p["glasses"][:, None] > 0.94)
    c.paint("eyes", dark * colours.rgb(1.0, 0.85, 0.75), worn * cover(frame, 0.004 + c.pixel))
