"""The six face parts of an aligned face, as a label map: from 68 landmarks by polygons, or by a network.

A label map is uint8 (h, w): 0..5, the index of a part in `datasets.PARTS`, or `NONE`. `polygons` needs no network; it
knows where features lie, not how they look: its hair is where hair usually is. `parser.Parser` looks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from gweebp.faces.preparation import landmarks as lm
from gweebp.faces.quadruplets import PARTS
from gweebp.support import images

__all__ = ["NONE", "combined", "dilate", "miou", "polygons", "read_labels"]

NONE = 255  # the label of what belongs to no part: background, neck, ears, clothes
HAIR, BROWS, EYES, NOSE, MOUTH, SKIN = range(len(PARTS))

# Lengths are in units of d, the distance between the eyes, where nothing else is said.
_BROW = 0.18  # thickness: the points lie on the middle of the brow
_EYE, _NOSE, _MOUTH = 0.16, 0.09, 0.05  # margins around the points
_FOREHEAD = 0.80  # from brows to hairline, in lengths from brows to the nose's base (thirds of a face; hair hangs over)
_HAIR, _BESIDE = 0.65, 0.22  # thickness of the hair above the hairline, and beside the face
_TEMPLES = (2, 14)  # points of the jaw: hair beside the face ends at their height
_FINE = 5  # drawn so many times as large: Pillow's edges are a pixel thick

Points = np.ndarray


def polygons(landmarks: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Parts by polygons through 68 landmarks.

    Brows: a stroke along their points. Eyes, nose and mouth: the hull of their points and a margin. Skin: the jaw line,
    closed over the forehead by half an ellipse that ends where a hairline usually is, less those. Hair: what lies
    between this outline and a larger one, above and beside it down to the cheeks. Neck, ears and long hair: no part.

    Args:
        landmarks: (68, 2), x and y in pixels of the image, as in `preparation.landmarks`.
        size: height and width, or both as one number.

    Returns:
        label map, uint8 (h, w); 0..5 in the order of PARTS, or NONE.

    Raises:
        ValueError: not (68, 2), not finite, or both eyes in one place.

    >>> polygons(torch.zeros(5, 2), 64)
    Traceback (most recent call last):
    ValueError: landmarks must be (68, 2), got (5, 2)
    """
    h, w = (size, size) if isinstance(size, int) else size
    # to Pillow's pixels on the enlarged sheet; there as here their centres are whole numbers
    points = _FINE * (lm.check(landmarks).numpy() + 0.5) - 0.5
    left, right = points[lm.LEFT_EYE].mean(0), points[lm.RIGHT_EYE].mean(0)
    d = float(np.linalg.norm(right - left))
    if d < 1:
        raise ValueError("both eyes lie in one place: these are no landmarks of a face")
    across = (right - left) / d
    up = np.array([across[1], -across[0]])
    sheet = Image.new("L", (_FINE * w, _FINE * h), NONE)
    draw = ImageDraw.Draw(sheet)
    face, hair = _outlines(points, up, d)
    _shape(draw, hair, HAIR)
    _shape(draw, face, SKIN)
    for brow in (lm.LEFT_BROW, lm.RIGHT_BROW):
        _stroke(draw, points[brow], BROWS, _BROW * d)
    root = points[lm.BRIDGE][:1]
    for part, group, margin in (
        (EYES, points[lm.LEFT_EYE], _EYE),
        (EYES, points[lm.RIGHT_EYE], _EYE),
        (NOSE, np.concatenate([root, points[lm.NOSE_BASE]]), _NOSE),
        (MOUTH, points[lm.MOUTH], _MOUTH),
    ):
        _shape(draw, group, part)
        _stroke(draw, np.concatenate([group, group[:1]]), part, 2 * margin * d)
    middle = slice(_FINE // 2, None, _FINE)
    return torch.from_numpy(np.array(sheet)[middle, middle].copy())


def _outlines(points: Points, up: Points, d: float) -> tuple[Points, Points]:
    """Outlines of the face and of face and hair, (k, 2) each."""
    first, last = points[lm.JAW][[0, -1]]
    middle, half = (first + last) / 2, (last - first) / 2
    brows = np.concatenate([points[lm.LEFT_BROW], points[lm.RIGHT_BROW]]).mean(0)
    base = points[lm.NOSE_BASE].mean(0)
    height = float((brows - middle) @ up + _FOREHEAD * (brows - base) @ up)
    angle = np.linspace(0, np.pi, 40)[:, None]

    def arch(wider: float, higher: float) -> Points:
        """Half an ellipse over the forehead, from the last point of the jaw to the first."""
        aside = half * (1 + wider / np.linalg.norm(half))
        return middle + np.cos(angle) * aside + np.sin(angle) * (height + higher) * up

    outer = arch(_BESIDE * d, _HAIR * d)
    temples = points[list(_TEMPLES)]
    drop = temples + np.array([-1.0, 1.0])[:, None] * _BESIDE * d * half / np.linalg.norm(half)
    face = np.concatenate([points[lm.JAW], arch(0.0, 0.0)])
    return face, np.concatenate([outer, drop[:1], temples, drop[1:]])


def _shape(draw: ImageDraw.ImageDraw, points: Points, label: int) -> None:
    draw.polygon([tuple(p) for p in points.tolist()], fill=label)


def _stroke(draw: ImageDraw.ImageDraw, points: Points, label: int, width: float) -> None:
    """A line of this width with round ends."""
    pixels = max(1, round(width))
    draw.line([tuple(p) for p in points.tolist()], fill=label, width=pixels, joint="curve")
    for x, y in points.tolist():
        draw.circle((x, y), (pixels - 1) / 2, fill=label)


def combined(seen: Tensor, drawn: Tensor) -> Tensor:
    """Hair and skin as a parser saw them, brows, eyes, nose and mouth where polygons put them.

    A parser follows a head of hair that polygons can only guess; good landmarks know small parts better than a small
    network. What the parser took for another of the small parts is skin.

    Args:
        seen, drawn: label maps uint8 (h, w), by a parser and by `polygons`.

    >>> seen, drawn = torch.tensor([[0, 2, 255, 5]]), torch.tensor([[5, 5, 1, 0]])
    >>> combined(seen.to(torch.uint8), drawn.to(torch.uint8)).tolist()
    [[0, 5, 1, 5]]
    """
    small = [BROWS, EYES, NOSE, MOUTH]
    ground = seen.masked_fill(torch.isin(seen, torch.tensor(small, dtype=seen.dtype)), SKIN)
    return torch.where(torch.isin(drawn, torch.tensor(small, dtype=drawn.dtype)), drawn, ground)


def read_labels(path: str | Path) -> Tensor:
    """Read a label map, grey or palette: uint8 (h, w). Of a palette the indices count, not the colours.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no image, in colour, or with other values than 0..5 and NONE.

    >>> import tempfile
    >>> from gweebp.support import files
    >>> path = Path(tempfile.mkdtemp()) / "anna.png"
    >>> files.write_image(path, torch.tensor([[0, 5], [255, 2]], dtype=torch.uint8))
    >>> read_labels(path).tolist()
    [[0, 5], [255, 2]]
    """
    with images.opened(path) as image:
        mode, labels = image.mode, torch.from_numpy(np.array(image))
    if mode not in ("L", "P"):
        raise ValueError(f"{path} is {mode}, no label map: expected one grey or palette channel")
    bad = sorted(set(labels.unique().tolist()) - {*range(len(PARTS)), NONE})
    if bad:
        raise ValueError(
            f"{path} holds the labels {bad[:5]}; expected 0..{len(PARTS) - 1} ({', '.join(PARTS)}) or {NONE}"
        )
    return labels


def dilate(masks: Tensor, pixels: int) -> Tensor:
    """Masks bool (n, h, w), grown by so many pixels each way (a disc).

    >>> one = torch.zeros(1, 5, 5, dtype=torch.bool)
    >>> one[0, 2, 2] = True
    >>> dilate(one, 1).sum().item()
    5
    """
    if pixels < 0:
        raise ValueError(f"pixels must not be negative, got {pixels}")
    axis = torch.arange(-pixels, pixels + 1)
    disc = (axis.square() + axis[:, None].square() <= pixels * pixels).float()
    return F.conv2d(masks[:, None].float(), disc[None, None], padding=pixels)[:, 0] > 0.5


def miou(found: Tensor, true: Tensor) -> dict[str, float]:
    """Intersection over union of each part, over all images together, and their mean, "mean".

    Args:
        found, true: label maps uint8 (n, h, w).

    Returns:
        part -> 0..1; parts that are in neither are left out.

    >>> true = torch.tensor([[[0, 0], [1, 255]]], dtype=torch.uint8)
    >>> miou(torch.tensor([[[0, 1], [1, 255]]], dtype=torch.uint8), true)
    {'hair': 0.5, 'eyebrows': 0.5, 'mean': 0.5}
    """
    if found.shape != true.shape:
        raise ValueError(f"label maps of one shape, please: {tuple(found.shape)} and {tuple(true.shape)}")
    rows = {}
    for label, part in enumerate(PARTS):
        a, b = found == label, true == label
        union = int((a | b).sum())
        if union:
            rows[part] = int((a & b).sum()) / union
    return rows | {"mean": sum(rows.values()) / len(rows)} if rows else {}
