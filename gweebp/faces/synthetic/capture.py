"""How a picture was taken: pose, light, background and the camera's noise, none of which says who it shows.

A capture is drawn by (seed, identity, stream): a person's photo, and the sketch made of it, keep theirs when a part of
the face is swapped.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gweebp.faces.synthetic import draws

_CELLS = 24


@dataclass(frozen=True)
class Capture:
    """The conditions of n pictures. All (n, 1, 1), except the two lattices of random numbers.

    roll: radians; shift_u, shift_v, yaw, pitch: face units; zoom: factor; light_u, light_v: direction of the light
    (positive: from the picture's right, from below); fill: share of light without direction; exposure, warmth: of the
    camera; backdrop: grey of the wall.
    """

    roll: Tensor
    shift_u: Tensor
    shift_v: Tensor
    zoom: Tensor
    yaw: Tensor
    pitch: Tensor
    light_u: Tensor
    light_v: Tensor
    fill: Tensor
    exposure: Tensor
    warmth: Tensor
    backdrop: Tensor
    backdrop_hue: Tensor
    garment: Tensor
    garment_hue: Tensor
    lattice: Tensor  # (n, 24, 24), in [-1, 1]: texture of skin and paper, which a doppelgänger keeps
    strands: Tensor  # (n, 8, 96), in [-1, 1]: hair

    def __len__(self) -> int:
        return len(self.roll)

    def __getitem__(self, index: slice) -> "Capture":
        return Capture(**{name: value[index] for name, value in vars(self).items()})


_RANGES = {  # mean and half-range at jitter 1
    "roll": (0.0, 0.07),
    "shift_u": (0.0, 0.03),
    "shift_v": (0.0, 0.03),
    "zoom": (1.1, 0.04),
    "yaw": (0.0, 0.05),
    "pitch": (0.0, 0.02),
    "light_u": (0.0, 0.75),
    "light_v": (-0.28, 0.28),
    "fill": (0.52, 0.12),
    "exposure": (0.97, 0.10),
    "warmth": (0.0, 0.05),
    "backdrop": (0.52, 0.16),
    "backdrop_hue": (0.0, 1.0),
    "garment": (0.35, 0.3),
    "garment_hue": (0.0, 1.0),
}


def sample(seed: int, identities: Tensor, stream: str, jitter: float = 1.0) -> Capture:
    """Conditions of one picture of each identity.

    Args:
        seed: of the world.
        identities: (n,) int64.
        stream: which picture ("photo", "sketch").
        jitter: 0 (all as in a studio) to 1 (full range).

    Example:
        >>> len(sample(0, torch.arange(3), "photo"))
        3
    """
    u = 2 * draws.uniform(seed, identities, f"capture {stream}", len(_RANGES)) - 1
    drawn = {
        name: (mean + half * jitter * u[:, i])[:, None, None] for i, (name, (mean, half)) in enumerate(_RANGES.items())
    }
    n = len(identities)
    lattice = 2 * draws.uniform(seed, identities, f"skin {stream}", _CELLS * _CELLS) - 1
    strands = 2 * draws.uniform(seed, identities, f"strands {stream}", 8 * 96) - 1
    return Capture(**drawn, lattice=lattice.reshape(n, _CELLS, _CELLS), strands=strands.reshape(n, 8, 96))


def coordinates(capture: Capture, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Face coordinates of every pixel: the pose, undone.

    Returns:
        u (right) and v (down), (n, size, size), 0 between the eyes, 1 half an image; the size of a pixel, (n, 1, 1).
    """
    axis = (2 * torch.arange(size, dtype=torch.float32) + 1) / size - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    x, y = x - capture.shift_u, y + 0.08 - capture.shift_v
    c, s = torch.cos(capture.roll) / capture.zoom, torch.sin(capture.roll) / capture.zoom
    u, v = c * x + s * y, c * y - s * x
    near = depth(u, v)
    return u - capture.yaw * near, v - capture.pitch * near, 2 / (size * capture.zoom)


def depth(u: Tensor, v: Tensor) -> Tensor:
    """How near the camera a point of the head is, 0 (the ears and beyond) to 1: the nose moves most when it turns."""
    return (1 - (u / 0.62).square() - ((v - 0.1) / 0.9).square()).clamp(min=0)


def extent(capture: Capture, size: int, reach: float, top: float, bottom: float) -> tuple[slice, slice]:
    """Rows and columns that hold every pixel with |u| <= reach and top <= v <= bottom, in any of the pictures."""
    u = torch.tensor([-reach, reach, -reach, reach])
    v = torch.tensor([top, top, bottom, bottom])
    roll, zoom = capture.roll[:, :, 0], capture.zoom[:, :, 0]
    x = zoom * (torch.cos(roll) * u - torch.sin(roll) * v) + capture.shift_u[:, :, 0]
    y = zoom * (torch.sin(roll) * u + torch.cos(roll) * v) + capture.shift_v[:, :, 0] - 0.08
    slack_x, slack_y = (1.2 * float(t.abs().max()) + 3 / size for t in (capture.yaw, capture.pitch))

    def span(low: Tensor, high: Tensor, slack: float) -> slice:
        first, last = ((float(edge) + sign * slack + 1) * size / 2 for edge, sign in ((low, -1), (high, 1)))
        return slice(min(max(0, int(first)), size - 1), max(1, min(size, int(last) + 1)))

    return span(y.min(), y.max(), slack_y), span(x.min(), x.max(), slack_x)
