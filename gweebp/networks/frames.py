"""Frames: where the eyes, the nose and the mouth lie in the images that a network learned on.

A network recognises faces where its training faces were: an image that is cut otherwise is farther from its mate than
one of the same cut. So a network carries its frame, `net.frame`, and its weights' file keeps it.

- `head`, `face`: the whole head with hair and chin, or forehead to chin, in the proportions of the mean of the CUHK
  photographs.
- `arcface`: the five points of ArcFace, for 112x112: MobileFaceNet (foamliu) and IResNet (insightface).
- `lightcnn`: 48 of 128 pixels between the eyes' middle and the mouth's, the eyes at row 40, as LightCNN's authors say.

Sources: Deng et al., "ArcFace", CVPR 2019; Wu et al., "A Light CNN for Deep Face Representation with Noisy Labels",
IEEE TIFS 2018, and the page of its code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["FRAMES", "POINTS", "Frame"]

Point = tuple[float, float]

#: the points that a frame may place; left and right are the image's
POINTS = ("left eye", "right eye", "eyes", "nose", "mouth", "left mouth corner", "right mouth corner")


@dataclass(frozen=True)
class Frame:
    """Where points of a face lie in an aligned image: x, y as shares of its side, 0 its left or upper edge.

    Attributes:
        name: what it is called. points: (name of POINTS, (x, y)), at least two.

    Raises ValueError: fewer than two points, an unknown one, or a place far outside the image.

    >>> FRAMES["face"].target(100)[0].tolist()
    [33.5, 39.5]
    """

    name: str
    points: tuple[tuple[str, Point], ...]

    def __post_init__(self) -> None:
        """Check the points."""
        names = [name for name, _ in self.points]
        if len(set(names)) < 2 or len(set(names)) < len(names) or not set(names) <= set(POINTS):
            raise ValueError(f"a frame places two or more of {', '.join(POINTS)}, each once; got {names}")
        for name, xy in self.points:
            if len(xy) != 2 or not all(isinstance(v, (int, float)) and math.isfinite(v) and -1 <= v <= 2 for v in xy):
                raise ValueError(f"the place of {name!r} in a frame is x, y in shares of the side; got {xy!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """The points that it places, in order."""
        return tuple(name for name, _ in self.points)

    def target(self, size: int) -> Tensor:
        """The points in pixels of an image of `size` pixels a side: float64 (n, 2)."""
        shares = torch.tensor([xy for _, xy in self.points], dtype=torch.float64)
        return shares * size - 0.5  # the edge is half a pixel before the centre of the first

    def record(self) -> dict[str, Any]:
        """The frame as JSON keeps it: its name, and {point: [x, y]}."""
        return {"name": self.name, "points": {name: list(xy) for name, xy in self.points}}

    @classmethod
    def of(cls, record: Any) -> Frame:
        """The frame that `record` is of; ValueError for anything else.

        >>> Frame.of(FRAMES["arcface"].record()) == FRAMES["arcface"]
        True
        """
        if not isinstance(record, Mapping) or not isinstance(record.get("points"), Mapping):
            raise ValueError(f"expected a frame, its name and its points; got {record!r:.80}")
        points = record["points"].items()
        if not all(isinstance(xy, (list, tuple)) for _, xy in points):
            raise ValueError(f"the points of a frame are x, y; got {record['points']!r:.80}")
        return cls(str(record.get("name", "")), tuple((str(name), tuple(xy)) for name, xy in points))


def _pixels(name: str, side: int, **places: Point) -> Frame:
    """A frame that is given in pixels, (0, 0) the centre of the first."""
    shares = {key.replace("_", " "): tuple((v + 0.5) / side for v in xy) for key, xy in places.items()}
    return Frame(name, tuple(shares.items()))  # type: ignore[arg-type]


HEAD = Frame("head", (("left eye", (0.37, 0.46)), ("right eye", (0.63, 0.46)), ("mouth", (0.50, 0.74))))
FACE = Frame("face", (("left eye", (0.34, 0.40)), ("right eye", (0.66, 0.40)), ("mouth", (0.50, 0.74))))
ARCFACE = _pixels(
    "arcface", 112, left_eye=(38.2946, 51.6963), right_eye=(73.5318, 51.5014), nose=(56.0252, 71.7366),
    left_mouth_corner=(41.5493, 92.3655), right_mouth_corner=(70.7299, 92.2041),
)  # fmt: skip
LIGHTCNN = _pixels("lightcnn", 128, eyes=(63.5, 40.0), mouth=(63.5, 88.0))

FRAMES = {frame.name: frame for frame in (HEAD, FACE, ARCFACE, LIGHTCNN)}  #: the frames that have a name
