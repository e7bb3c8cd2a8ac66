"""Landmarks found in images: dlib's face detector and its predictor of 68 landmarks, with a model file of the user's.

dlib is an extra (`pip install "gweebp[dlib]"`), and its model, `shape_predictor_68_face_landmarks.dat`, is the user's:
it was trained on data whose licence excludes commercial use, so it does not come with this package.

Source: King, "Dlib-ml: a machine learning toolkit", JMLR 2009; Kazemi and Sullivan, "One millisecond face alignment
with an ensemble of regression trees", CVPR 2014.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gweebp.faces.preparation.landmarks import COUNT, check
from gweebp.support.extras import extra

__all__ = ["Predictor"]

_LARGER = 1  # the detector sees faces of 80 pixels and more; the image is doubled once, for those of 40


class Predictor:
    """Finds the 68 landmarks of the largest face in an image.

    Args:
        model: dlib's shape predictor for 68 landmarks (.dat).

    Raises:
        FileNotFoundError: no such model.
        ModuleNotFoundError: dlib is not installed.
        ValueError: the file is no shape predictor.

    >>> Predictor("no/such.dat")
    Traceback (most recent call last):
    FileNotFoundError: no file no/such.dat: expected dlib's shape_predictor_68_face_landmarks.dat
    """

    def __init__(self, model: str | Path) -> None:
        if not Path(model).is_file():
            raise FileNotFoundError(f"no file {model}: expected dlib's shape_predictor_68_face_landmarks.dat")
        with extra("dlib"):
            import dlib  # an extra, and slow to import
        self._detect = dlib.get_frontal_face_detector()
        try:
            self._predict = dlib.shape_predictor(str(model))
        except RuntimeError as error:
            raise ValueError(f"{model} is no shape predictor of dlib ({error})") from error

    def __call__(self, image: Tensor) -> Tensor:
        """Landmarks of the largest face in an image.

        Args:
            image: uint8 (3, h, w) RGB.

        Returns:
            float64 (68, 2), x and y in pixels.

        Raises:
            ValueError: no face in the image, or a model of another number of points.
        """
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        faces = list(self._detect(pixels, _LARGER))
        if not faces:
            raise ValueError("no face found in it")
        shape = self._predict(pixels, max(faces, key=lambda face: face.area()))
        if shape.num_parts != COUNT:
            raise ValueError(f"the model predicts {shape.num_parts} points, expected {COUNT}: it is another predictor")
        points = [(shape.part(i).x, shape.part(i).y) for i in range(COUNT)]
        return check(torch.tensor(points, dtype=torch.float64))
