"""Landmarks of synthetic faces: the 68 points of the iBUG order, exact, from the very curves that are drawn.

Nothing is detected: a corner of an eye is where its two lids meet, the jaw is the outline of the face, and the pose
that moves the picture moves them. `coordinates` in `capture` goes from pixels to the face; `pixels` here goes back.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gweebp.faces.synthetic import eyebrows, eyes, mouth, nose, skin
from gweebp.faces.synthetic.capture import Capture, depth
from gweebp.faces.synthetic.parameters import values

_STEPS = 30  # of a fixed point that contracts by at least 4 a step


def landmarks(latents: Tensor, capture: Capture, size: int) -> Tensor:
    """Where the landmarks of people lie in their pictures.

    Args:
        latents: (n, COUNT) from `parameters.sample`.
        capture: conditions of the n pictures.
        size: height and width of the pictures.

    Returns:
        float64 (n, 68, 2), x and y in pixels, (0, 0) the centre of the first pixel.

    Example:
        >>> from gweebp.faces.synthetic import capture, parameters
        >>> people = torch.arange(2)
        >>> landmarks(parameters.sample(0, people), capture.sample(0, people, "photo"), 64).shape
        torch.Size([2, 68, 2])
    """
    p = {name: value.double() for name, value in values(latents).items()}
    parts = (skin, eyebrows, nose, eyes, mouth)  # jaw, brows, nose, eyes, mouth: iBUG's order
    u, v = (torch.cat(axis, dim=1) for axis in zip(*(part.points(p) for part in parts), strict=True))
    return pixels(capture, u, v, size)


def pixels(capture: Capture, u: Tensor, v: Tensor, size: int) -> Tensor:
    """Face coordinates to pixels: the pose, done (`capture.coordinates` undoes it).

    Args:
        capture: of n pictures.
        u, v: (n, k) face coordinates.
        size: height and width of the pictures.

    Returns:
        float64 (n, k, 2), x and y in pixels.
    """
    roll, shift_u, shift_v, zoom, yaw, pitch = (
        getattr(capture, name)[:, 0].double() for name in ("roll", "shift_u", "shift_v", "zoom", "yaw", "pitch")
    )
    a, b = u.double(), v.double()
    for _ in range(_STEPS):  # before the turn of the head, whose shift depends on where the point was
        d = depth(a, b)
        a, b = u + yaw * d, v + pitch * d
    c, s = zoom * torch.cos(roll), zoom * torch.sin(roll)
    x, y = c * a - s * b + shift_u, s * a + c * b + shift_v - 0.08
    return (torch.stack([x, y], dim=-1) + 1) * size / 2 - 0.5
