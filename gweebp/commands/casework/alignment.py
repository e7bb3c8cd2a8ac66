"""Images of a case, aligned as they are read: eyes and mouth where the network's training faces had theirs.

Without alignment, landmarks still tell whether a face lies where the network expects it: `misplaced` says in words
what is off, by the bounds `TURNED`, `SCALED`, `SHIFTED` and `ASIDE`. Where they come from: MobileFaceNet finds aligned
photographs of CUHK, turned by 5, 10 and 25 degrees, 0.23, 0.44 and 1.09 from themselves; of the 376 pictures of CUHK,
all frontal, none has its nose farther to the side than 0.154, in the unit of `ASIDE`. The network of the demo finds a
face turned by 10 degrees, enlarged by 1.1 and moved by a twentieth of the side 0.66, 0.66 and 0.70 from itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from gweebp.commands.casework import pictures
from gweebp.commands.casework.pictures import Picture
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.align import align, similarity
from gweebp.faces.preparation.predictor import Predictor
from gweebp.networks.frames import FRAMES, Frame

__all__ = ["Aligner", "misplaced", "same_frame"]

FOLDERS = {"photos": ["photo"], "sketches": ["sketch"], "distractors": ["distractor"]}

TURNED = 10.0  # degrees in the image's plane
SCALED = 1.1  # times larger or smaller
SHIFTED = 0.05  # of the side
ASIDE = 0.35  # of half the distance of the eyes, from their middle to the nose: a face that looks to the side
NEAR = 0.02  # of the side: frames whose points differ by less are one


class Aligner:
    """Reads an image as `pictures.read` does and aligns it: a function of its path.

    Landmarks are looked up in a CSV by the file's name without its suffix (and without CUHK's "-sz1"), or found by
    dlib's predictor, given its model file (.dat), or that of the extra "dlib". A CSV that has an image both as photo
    and as sketch is asked for the kind that the image's folder, photos/ or sketches/, says.

    Args:
        source: the CSV, or the model; None: the extra's model. size: side of the aligned image in pixels. frame: the
            frame, or a key of FRAMES.

    Raises:
        FileNotFoundError, ValueError: no such file, or no landmarks in it; when called, no landmarks of that image.
        ModuleNotFoundError: dlib is needed and not installed.
    """

    def __init__(self, source: str | Path | None, size: int, frame: str | Frame = "head") -> None:
        self.size, self.frame = size, FRAMES[frame] if isinstance(frame, str) else frame
        is_model = source is None or Path(source).suffix == ".dat"
        self.finder = Predictor(source) if is_model or source is None else landmarks.read(source)
        self.source = self.finder.model if isinstance(self.finder, Predictor) else Path(str(source))

    @property
    def how(self) -> str:
        """What was done, in words."""
        by = "found by dlib" if isinstance(self.finder, Predictor) else f"of {pictures.printable(self.source.name)}"
        return f"aligned to the frame {self.frame.name!r} by landmarks {by}"

    def __call__(self, path: str | Path) -> Picture:
        """The aligned image, uint8 (3, size, size)."""
        picture = pictures.read(path)
        try:
            points = self._points(Path(path), picture.pixels)
            aligned, _ = align(picture.pixels, points, self.size, self.frame)
        except ValueError as error:
            raise ValueError(f"{path} can't be aligned: {error}") from error
        aside = tuple(f"{picture.name}: {text}." for text in looks_aside(points))
        return replace(picture, pixels=aligned, given=picture.pixels, aligned=self.how, notes=picture.notes + aside)

    def kinds(self, path: Path) -> list[str]:
        """What its folder or name says the image is, a photo or a sketch: where this decides which landmarks it has."""
        return [] if isinstance(self.finder, Predictor) else list(dict.fromkeys(kind for kind, _ in _keys(path)))

    def _points(self, path: Path, pixels: Tensor) -> Tensor:
        if isinstance(self.finder, Predictor):
            return self.finder(pixels)
        keys = [key for key in _keys(path) if key in self.finder]
        if not keys:
            raise ValueError(f"{self.source.name} has no landmarks of {path.stem}")
        if len(keys) > 1:
            raise ValueError(
                f"{self.source.name} has landmarks of {keys[0][1]} as {' and as '.join(kind for kind, _ in keys)}: "
                "put the image into a folder photos/ or sketches/, which says what it is"
            )
        return self.finder[keys[0]]


def misplaced(points: Tensor, width: int, height: int, frame: Frame) -> list[str]:
    """What is off about a face in an image that is stretched to a square, beside the frame that a network expects.

    Args:
        points: landmarks (68, 2) in pixels of the image.

    Returns:
        such as ["turned by 25 degrees"]; empty where it lies as it should.

    >>> face = torch.zeros(68, 2)
    >>> for part, x in ((landmarks.LEFT_EYE, 37.0), (landmarks.RIGHT_EYE, 63.0)):
    ...     face[part] = torch.tensor([x, 46.0])
    >>> face[landmarks.MOUTH] = torch.tensor([50.0, 74.0])
    >>> face[30] = torch.tensor([50.0, 60.0])
    >>> misplaced(face, 100, 100, FRAMES["head"]), misplaced(face / 2 + 25, 100, 100, FRAMES["head"])
    ([], ['2.0 times smaller than it should be'])
    """
    shares = (landmarks.check(points) + 0.5) / torch.tensor([width, height], dtype=torch.float64)
    own, wanted = landmarks.named(shares, frame.names), frame.target(1) + 0.5
    matrix = similarity(own, wanted)  # from where the face is to where it should be
    turn = math.degrees(math.atan2(float(matrix[1, 0]), float(matrix[0, 0])))
    scale = float(torch.det(matrix[:, :2]).abs().sqrt())
    shift = (own.mean(0) - wanted.mean(0)).norm().item()
    found = []
    if abs(turn) > TURNED:
        found.append(f"turned by {abs(turn):.0f} degrees")
    if max(scale, 1 / scale) > SCALED:
        found.append(f"{max(scale, 1 / scale):.1f} times {'smaller' if scale > 1 else 'larger'} than it should be")
    if shift > SHIFTED:
        found.append(f"{shift:.0%} of the side away from its place")
    return found + looks_aside(points)


def looks_aside(points: Tensor) -> list[str]:
    """["looks to the side"] where the nose is not between the eyes, else []."""
    left, right, nose = landmarks.named(landmarks.check(points), ("left eye", "right eye", "nose"))
    across = right - left
    place = ((nose - (left + right) / 2) @ across / (across @ across)).item() * 2
    return ["the face looks to the side, which no alignment turns back"] if abs(place) > ASIDE else []


def same_frame(one: Frame, other: Frame) -> bool:
    """The points that both place lie at the same place.

    >>> same_frame(FRAMES["head"], FRAMES["head"]), same_frame(FRAMES["head"], FRAMES["face"])
    (True, False)
    """
    first, second = dict(one.points), dict(other.points)
    both = first.keys() & second.keys()
    return bool(both) and all(math.dist(first[name], second[name]) <= NEAR for name in both)


def _keys(path: Path) -> Iterator[tuple[str, str]]:
    """(kind, id) under which the landmarks of an image may be listed."""
    stem = re.sub(r"-sz\d+$", "", path.stem)
    told = ["sketch"] if stem != path.stem else FOLDERS.get(path.resolve().parent.name, landmarks.KINDS)
    for name in dict.fromkeys((path.stem, stem)):
        yield from ((kind, name) for kind in told)
