"""Landmarks found in images: dlib's face detector and its predictor of 68 landmarks.

Both are an extra, `pip install "gweebp[dlib]"`: dlib as a wheel (`dlib-bin`), and its model file in the package
`face-recognition-models`; a model file of one's own does as well. The model was trained on data whose licence excludes
commercial use (300-W), so it does not come with this package.

Source: King, "Dlib-ml: a machine learning toolkit", JMLR 2009; Kazemi and Sullivan, "One millisecond face alignment
with an ensemble of regression trees", CVPR 2014.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.faces.preparation.landmarks import COUNT, check
from gweebp.support.extras import extra

__all__ = ["Predictor", "installed"]

PACKAGE, MODEL = "face_recognition_models", "shape_predictor_68_face_landmarks.dat"
_LARGER = 1  # the detector sees faces of 80 pixels and more; the image is doubled once, for those of 40


def installed() -> Path:
    """The model file that the extra brings; ModuleNotFoundError where it is not installed."""
    found = _in_package()
    if found is None:
        with extra("dlib"):
            raise ModuleNotFoundError("no model", name=PACKAGE)
    return found


def _in_package() -> Path | None:
    """The model file in the installed package; the package itself is not run: it needs an old setuptools."""
    spec = find_spec(PACKAGE)
    found = [Path(place) / "models" / MODEL for place in (spec.submodule_search_locations or [] if spec else [])]
    return next((path for path in found if path.is_file()), None)


class Predictor:
    """Finds the 68 landmarks of the largest face in an image.

    Args:
        model: dlib's shape predictor for 68 landmarks (.dat); None: that of the extra.

    Attributes:
        model: the file.

    Raises:
        FileNotFoundError: no such model; or None, and the extra's is not installed.
        ModuleNotFoundError: dlib is not installed.
        ValueError: the file is no shape predictor.

    >>> Predictor("no/such.dat")
    Traceback (most recent call last):
    FileNotFoundError: no file no/such.dat: expected dlib's shape_predictor_68_face_landmarks.dat
    """

    def __init__(self, model: str | Path | None = None) -> None:
        model = self.model = installed() if model is None else Path(model)
        if not Path(model).is_file():
            raise FileNotFoundError(f"no file {model}: expected dlib's shape_predictor_68_face_landmarks.dat")
        with extra("dlib"):
            import dlib  # an extra, and slow to import
        self._detect = dlib.get_frontal_face_detector()
        try:
            self._predict = dlib.shape_predictor(str(model))
        except RuntimeError as error:
            raise ValueError(f"{model} is no shape predictor of dlib ({error})") from error

    @staticmethod
    def available() -> bool:
        """Whether the extra is installed: dlib, and its model."""
        return ("dlib" in sys.modules or find_spec("dlib") is not None) and _in_package() is not None

    def __call__(self, image: Tensor) -> Tensor:
        """Landmarks of the largest face in an image.

        The detector wants an upright face and some room around it. Where it finds none, it looks again with the border
        repeated outwards, and then at the image turned by quarters.

        Args:
            image: uint8 (3, h, w) RGB.

        Returns:
            float64 (68, 2), x and y in pixels.

        Raises:
            ValueError: no face in the image, or a model of another number of points.
        """
        height, width = image.shape[1:]
        found = self._upright(image)
        if found is not None:
            return found
        room = max(height, width) // 3
        roomy = F.pad(image[None].float(), [room] * 4, mode="replicate")[0].to(torch.uint8)
        for quarters in range(4):
            found = self._upright(torch.rot90(roomy, quarters, (1, 2)))
            if found is not None:
                return turned_back(found, quarters, width + 2 * room, height + 2 * room) - room
        raise ValueError("no face found in it")

    def _upright(self, image: Tensor) -> Tensor | None:
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        faces = list(self._detect(pixels, _LARGER))
        if not faces:
            return None
        shape = self._predict(pixels, max(faces, key=lambda face: face.area()))
        if shape.num_parts != COUNT:
            raise ValueError(f"the model predicts {shape.num_parts} points, expected {COUNT}: it is another predictor")
        points = [(shape.part(i).x, shape.part(i).y) for i in range(COUNT)]
        return check(torch.tensor(points, dtype=torch.float64))


def turned_back(xy: Tensor, quarters: int, width: int, height: int) -> Tensor:
    """Points (n, 2) of an image that was turned by `torch.rot90`, in the image of `width` by `height` that it was.

    >>> turned_back(torch.tensor([[0.0, 2.0]]), 1, 3, 4).tolist()
    [[0.0, 0.0]]
    """
    for turn in reversed(range(quarters)):
        wide = width if turn % 2 == 0 else height  # of the image before this quarter
        x, y = xy.unbind(-1)
        xy = torch.stack([wide - 1 - y, x], dim=-1)
    return xy
