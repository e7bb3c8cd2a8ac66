"""The ROC-like curve of the inpainting game: success rate (SR) against false alarm rate (FAR).

The game gives points (FAR, SR), one a threshold, FAR non-decreasing. Between two of them the curve is the straight
line: choosing one of the two thresholds at random, image by image, attains any point on it, and the figures then
hardly depend on how many thresholds were played, as those of a staircase would. Where several points share a FAR,
the last (the largest masks) is the value there. Beyond the last point the curve is flat; before the first (never the
case for a played game, which starts at FAR 0) it has the first point's value. SR need not rise with FAR.

All functions work on (..., steps), so that thousands of bootstrap curves are one call.
"""

import numpy as np

from gweebp.games.bootstrap import Array


def sr_at(far: Array, sr: Array, at: Array) -> Array:
    """SR at given false alarm rates. far, sr: (..., steps); at: (points,) in 0..1. Returns (..., points).

    >>> sr_at(np.array([0.0, 0.0, 0.1, 1.0]), np.array([0.0, 0.5, 0.9, 1.0]), np.array([0.0, 0.05, 0.1, 0.55])).round(6)
    array([0.5 , 0.7 , 0.9 , 0.95])
    """
    if np.any(at < 0) or np.any(at > 1):
        raise ValueError(f"FAR asked for is {np.asarray(at).tolist()}: expected shares in 0..1, such as 0.1 for 10 %")
    left = (far[..., None, :] <= at[:, None]).sum(-1) - 1  # the last point at or before
    left = np.clip(left, 0, far.shape[-1] - 1)
    right = np.minimum(left + 1, far.shape[-1] - 1)
    x0, x1 = np.take_along_axis(far, left, -1), np.take_along_axis(far, right, -1)
    y0, y1 = np.take_along_axis(sr, left, -1), np.take_along_axis(sr, right, -1)
    span = np.where(x1 > x0, x1 - x0, 1.0)
    share = np.where(x1 > x0, np.clip((at - x0) / span, 0, 1), 0.0)
    return y0 + share * (y1 - y0)


def area_under(far: Array, sr: Array, upto: float = 1.0) -> Array:
    """Mean SR over FAR in 0..upto: the area under the line, divided by `upto`. far, sr: (..., steps) -> (...), 0..1.

    >>> far, sr = np.array([0.0, 0.0, 0.1, 1.0]), np.array([0.0, 0.5, 0.9, 1.0])
    >>> round(float(area_under(far, sr, 0.1)), 6), round(float(area_under(far, sr)), 6)
    (0.7, 0.925)
    """
    if not 0 < upto <= 1:
        raise ValueError(f"upto is {upto}: expected a FAR in (0, 1]")
    end = sr_at(far, sr, np.array([upto]))
    # Points beyond `upto` fall on its abscissa with its value, and then span no area.
    y = np.where(far <= upto, sr, end)
    x = np.minimum(far, upto)
    x = np.concatenate([np.zeros_like(x[..., :1]), x, np.full_like(end, upto)], -1)
    y = np.concatenate([y[..., :1], y, end], -1)
    return np.trapezoid(y, x, axis=-1) / upto
