"""Candidate quadruplets of pairs that are read as they are: parts by polygons through the landmarks of the originals.

For sets whose faces lie alike already, such as CUHK's crops: nothing is aligned or written in between. The landmarks
are those of the original images; they move with the cut and the size that `datasets.reading` gave the faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gweebp.datasets.faceset import FaceSet
from gweebp.datasets.listing import Listing
from gweebp.datasets.reading import Box, box_of
from gweebp.preparation.parse import polygons
from gweebp.preparation.quadruplets import Fill, Made, exchange

__all__ = ["LANDMARKS", "candidates", "landmarks_of", "moved"]

LANDMARKS = ("landmarks.csv", "landmarks68.csv")  # names under which a folder of pairs may hold them


def landmarks_of(folder: str | Path) -> Path | None:
    """The CSV of landmarks that a folder of pairs holds; None where it holds none.

    >>> landmarks_of("no/such/folder") is None
    True
    """
    return next((path for name in LANDMARKS if (path := Path(folder) / name).is_file()), None)


def moved(landmarks: Tensor, box: Box, size: int) -> Tensor:
    """Landmarks (68, 2) of an image in the square that was cut out of it and resized to `size` pixels.

    >>> corner = torch.tensor([[32.0, 66.0]])  # the first pixel of the cut, 4 of which become 1
    >>> moved(corner, (32, 66, 168, 202), 34).tolist()
    [[-0.375, -0.375]]
    """
    left, top, right, bottom = box
    scale = torch.tensor([size / (right - left), size / (bottom - top)], dtype=landmarks.dtype)
    # a pixel's number is that of its centre
    return (landmarks + 0.5 - torch.tensor([left, top])) * scale - 0.5


def candidates(
    faces: FaceSet,
    listing: Listing,
    points: Mapping[tuple[str, str], Tensor],
    fill: Fill,
    *,
    seed: int = 0,
    progress: bool = False,
) -> Made:
    """Exchange each part of each test person who has landmarks.

    Args:
        faces: what `reading.read` made of `listing`, cut as it chooses.
        points: (kind, id) -> (68, 2) in pixels of the originals, as `landmarks.read` gives.
        fill: invents what masks hide; see `quadruplets.exchange`. seed: of what it draws. progress: show a bar.

    Returns:
        Made; test people without landmarks are among the skipped.
    """
    paths = {pair.id: {"photo": pair.photo, "sketch": pair.sketch} for pair in listing.pairs}
    size, rows, labels, skipped = faces.photos.shape[-1], [], [], []
    for row in faces.test.tolist():
        person = faces.ids[row]
        try:
            labels.append([_labels(paths[person][kind], points, kind, person, size) for kind in ("photo", "sketch")])
            rows.append(row)
        except ValueError as error:
            skipped.append({"item": person, "why": str(error)})
    if not rows:
        raise ValueError(f"none of {len(faces.test)} test people has landmarks: are they those of another set?")
    photo, sketch = (torch.stack(maps) for maps in zip(*labels, strict=True))
    index = torch.tensor(rows)
    images = faces.photos[index], faces.sketches[index]
    made = exchange(*images, photo, sketch, index, fill, seed=seed, progress=progress)
    return Made(made.quadruplets, skipped + made.skipped)


def _labels(path: Path | None, points: Mapping[tuple[str, str], Tensor], kind: str, person: str, size: int) -> Tensor:
    if path is None or (kind, person) not in points:
        raise ValueError(f"its {kind} has no landmarks")
    with Image.open(path) as image:
        width, height = image.size
    return polygons(moved(points[kind, person], box_of(path, width, height) or (0, 0, width, height), size), size)
