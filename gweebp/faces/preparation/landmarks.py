"""Facial landmarks: 68 points a face in the iBUG order, which dlib's predictor gives too, and their CSV.

A landmark is (x, y) in pixels of its image: x to the right, y down, (0, 0) the centre of the first pixel. `JAW` ...
`MOUTH` say which points belong to what; left and right are the image's, not the subject's.

The CSV has one row an image: id, kind (photo, sketch or distractor), x0, y0, ..., x67, y67.

Source: Sagonas et al., "300 faces in-the-wild challenge", ICCV Workshops 2013: the order of the points.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from gweebp.support import files
from gweebp.support.tables import read_table

__all__ = [
    "COUNT",
    "KINDS",
    "LANDMARKS",
    "NAMED",
    "centres",
    "check",
    "digest",
    "mean_places",
    "named",
    "read",
    "write",
]

COUNT = 68
KINDS = ("photo", "sketch", "distractor")
LANDMARKS = "landmarks.csv"  # in a folder of prepared data

JAW = slice(0, 17)  # from the ear on the left over the chin to the ear on the right
LEFT_BROW, RIGHT_BROW = slice(17, 22), slice(22, 27)  # left to right
BRIDGE, NOSE_BASE = slice(27, 31), slice(31, 36)  # down to the tip; under it, left to right
LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)  # left corner, upper lid, right corner, lower lid
MOUTH, INNER_MOUTH = slice(48, 60), slice(60, 68)  # left corner, upper lip, right corner, lower lip

#: point of a frame (`gweebp.networks.frames.POINTS`) -> the landmarks whose mean it is
NAMED = {
    "left eye": LEFT_EYE, "right eye": RIGHT_EYE, "eyes": slice(36, 48), "nose": slice(30, 31), "mouth": MOUTH,
    "left mouth corner": slice(48, 49), "right mouth corner": slice(54, 55),
}  # fmt: skip

COLUMNS = ["id", "kind", *(f"{axis}{i}" for i in range(COUNT) for axis in "xy")]


def read(path: str | Path) -> dict[tuple[str, str], Tensor]:
    """Read a CSV of landmarks.

    Returns:
        (kind, id) -> float64 (68, 2), in the order of the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a column is missing, a row is not of 68 finite points, names an unknown kind or comes twice.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "landmarks.csv"
    >>> write(path, {("photo", "a"): torch.arange(136.0).reshape(68, 2)})
    >>> read(path)["photo", "a"][1]
    tensor([2., 3.], dtype=torch.float64)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: expected the CSV of landmarks")
    found: dict[tuple[str, str], Tensor] = {}
    for line, row in read_table(path, COLUMNS):
        key = row["kind"], row["id"]
        where = f"{path}, line {line} ({row['kind']:.20} {row['id']:.80})"
        if key[0] not in KINDS:
            raise ValueError(f"{where}: kind must be one of {', '.join(KINDS)}")
        if key in found:
            raise ValueError(f"{where}: the same image has a row already")
        try:
            points = torch.tensor([float(row[name]) for name in COLUMNS[2:]], dtype=torch.float64)
            found[key] = check(points.reshape(COUNT, 2))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return found


def write(path: str | Path, landmarks: Mapping[tuple[str, str], Tensor]) -> None:
    """Write a CSV of landmarks (kind, id) -> (68, 2), atomically, to a thousandth of a pixel."""
    with files.atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (kind, name), points in landmarks.items():
            writer.writerow([name, kind, *(f"{v:.3f}" for v in check(points).flatten().tolist())])


def check(landmarks: Tensor) -> Tensor:
    """The landmarks as float64 (68, 2); ValueError where they have another shape or are not finite."""
    if tuple(landmarks.shape) != (COUNT, 2):
        raise ValueError(f"landmarks must be ({COUNT}, 2), got {tuple(landmarks.shape)}")
    if not torch.isfinite(landmarks).all():
        raise ValueError("landmarks must be finite, got NaN or infinity")
    return landmarks.to(torch.float64)


def centres(landmarks: Tensor) -> Tensor:
    """Centres of the left eye, the right eye and the mouth: the means of their points.

    Args:
        landmarks: (..., 68, 2).

    Returns:
        (..., 3, 2).

    >>> centres(torch.ones(68, 2)).tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    return torch.stack([landmarks[..., part, :].mean(-2) for part in (LEFT_EYE, RIGHT_EYE, MOUTH)], dim=-2)


def named(landmarks: Tensor, names: Sequence[str]) -> Tensor:
    """The points of a frame, by name: the means of their landmarks.

    Args:
        landmarks: (..., 68, 2). names: k keys of NAMED.

    Returns:
        (..., k, 2).

    >>> named(torch.arange(136.0).view(68, 2), ["nose", "left mouth corner"]).tolist()
    [[60.0, 61.0], [96.0, 97.0]]
    """
    return torch.stack([landmarks[..., NAMED[name], :].mean(-2) for name in names], dim=-2)


def mean_places(shares: Tensor) -> dict[str, list[float]]:
    """Where eyes and mouth lie on average: the points of a frame, by name, to a ten-thousandth.

    Args:
        shares: (n, 68, 2), landmarks as shares of their images' sides.

    >>> mean_places(torch.full((2, 68, 2), 0.5))["mouth"]
    [0.5, 0.5]
    """
    names = ("left eye", "right eye", "mouth")
    return {name: [round(v, 4) for v in xy] for name, xy in zip(names, named(shares.double().mean(0), names).tolist())}


def digest(landmarks: Tensor) -> str:
    """SHA-256 of the points to a thousandth of a pixel, for a manifest's inputs.

    >>> digest(torch.zeros(68, 2)) == digest(torch.full((68, 2), 1e-5))
    True
    """
    thousandths = (1000 * check(landmarks)).round().to(torch.int64)
    return hashlib.sha256(thousandths.numpy().tobytes()).hexdigest()
