"""Face parts and candidate quadruplets of pairs that are read as they are, by the landmarks of the originals.

For sets whose faces lie alike already, such as CUHK's crops: nothing is aligned or written in between. The landmarks
are those of the original images; they move with the cut and the size that `readers.reading` gave the faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gweebp.faces.faceset import FaceSet
from gweebp.faces.preparation.exchange import Fill, Made, Translate, exchange
from gweebp.faces.preparation.landmarks import mean_places
from gweebp.faces.preparation.parse import combined, polygons
from gweebp.faces.preparation.parser import Parser
from gweebp.faces.readers.listing import Listing
from gweebp.faces.readers.reading import Box, box_of
from gweebp.support import images

__all__ = ["LANDMARKS", "Labelled", "candidates", "frame_of", "labelled", "landmarks_of", "moved"]

LANDMARKS = ("landmarks.csv", "landmarks68.csv")  # names under which a folder of pairs may hold them
KINDS = ("photo", "sketch")


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


def frame_of(faces: FaceSet, listing: Listing, points: Mapping[tuple[str, str], Tensor]) -> dict[str, Any] | None:
    """Where the faces of a set lie in their images, on average: the record of a `networks.Frame`.

    Args: as of `labelled`. Returns None where no image has landmarks.
    """
    found = []
    paths = {pair.id: {"photo": pair.photo, "sketch": pair.sketch} for pair in listing.pairs}
    for person in faces.ids:
        for kind in KINDS:
            path = paths[person][kind]
            if path is not None and (kind, person) in points:
                found.append(_in_square(path, points[kind, person], 1) + 0.5)
    if not found:
        return None
    return {"name": f"faces of {faces.name}", "points": mean_places(torch.stack(found))}


class Labelled(NamedTuple):
    """People whose parts are known: rows int64 (k,) of a FaceSet, and the label maps of photo and sketch of each, uint8
    (k, h, w). skipped: the others, [{"item": subject, "why": .}].
    """

    rows: Tensor
    photo: Tensor
    sketch: Tensor
    skipped: list[dict[str, str]]


def labelled(
    faces: FaceSet,
    listing: Listing,
    points: Mapping[tuple[str, str], Tensor],
    rows: Tensor,
    parser: Parser | None = None,
) -> Labelled:
    """The parts of some people, by their landmarks.

    Args:
        faces: what `reading.read` made of `listing`, cut as it chooses.
        points: (kind, id) -> (68, 2) in pixels of the originals, as `landmarks.read` gives.
        rows: int64 (n,), whose.
        parser: finds hair and skin, see `parse.combined`; None: all parts are polygons.
    """
    paths = {pair.id: {"photo": pair.photo, "sketch": pair.sketch} for pair in listing.pairs}
    size = faces.photos.shape[-1]
    known, drawn, skipped = [], [], []
    for row in rows.tolist():
        person = faces.ids[row]
        try:
            drawn.append([_polygons(paths[person][kind], points, kind, person, size) for kind in KINDS])
            known.append(row)
        except ValueError as error:
            skipped.append({"item": person, "why": str(error)})
    index = torch.tensor(known, dtype=torch.int64)
    maps = [torch.stack(column) for column in zip(*drawn, strict=True)] or [faces.photos.new_zeros(0, size, size)] * 2
    if parser is not None:
        seen = (parser.labels(images[index]) for images in (faces.photos, faces.sketches))
        maps = [combined(found, polygon) for found, polygon in zip(seen, maps, strict=True)]
    return Labelled(index, maps[0], maps[1], skipped)


def candidates(
    faces: FaceSet,
    listing: Listing,
    points: Mapping[tuple[str, str], Tensor],
    fill: Fill,
    *,
    translate: Translate | None = None,
    parser: Parser | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Made:
    """Exchange each part of each test person who has landmarks.

    Args:
        faces, listing, points, parser: as in `labelled`.
        fill, translate: invent what masks hide, and carry it into drawings; see `quadruplets.exchange`.
        seed: of what `fill` draws. progress: show a bar.

    Returns:
        Made; test people without landmarks are among the skipped.
    """
    found = labelled(faces, listing, points, faces.test, parser)
    if not len(found.rows):
        raise ValueError(f"none of {len(faces.test)} test people has landmarks: are they those of another set?")
    images = faces.photos[found.rows], faces.sketches[found.rows]
    made = exchange(
        *images, found.photo, found.sketch, found.rows, fill, translate=translate, seed=seed, progress=progress
    )
    return Made(made.quadruplets, found.skipped + made.skipped)


def _polygons(path: Path | None, points: Mapping[tuple[str, str], Tensor], kind: str, person: str, size: int) -> Tensor:
    if path is None or (kind, person) not in points:
        raise ValueError(f"its {kind} has no landmarks")
    return polygons(_in_square(path, points[kind, person], size), size)


def _in_square(path: Path, landmarks: Tensor, size: int) -> Tensor:
    """Landmarks (68, 2) of an image, in the square of `size` pixels that `reading.read` makes of it."""
    width, height = images.size_of(path)
    return moved(landmarks, box_of(path, width, height) or (0, 0, width, height), size)
