"""The ROC-like curve of the inpainting game: success rate (SR) against false alarm rate (FAR).

The game gives one point (FAR, SR) per threshold, with FAR non-decreasing. Between two points the curve is a straight
line: to choose one of the two thresholds at random, image by image, attains any point of it. The figures then depend
little on how many thresholds were played; those of a staircase would depend on it. Where several points have the same
FAR, the curve takes the last of them (the largest masks). After the last point the curve is flat; before the first it
has the first point's value (a played game starts at FAR 0). SR need not rise with FAR.

All functions work on (..., steps), so that thousands of bootstrap curves are one call.
"""

import numpy as np

from gweebp.games.bootstrap import Array


def sr_at(far: Array, sr: Array, at: Array) -> Array:
    """SR at given false alarm rates.

    Args:
        far, sr: the curve, (..., steps) each, in 0..1; far non-decreasing.
        at: (points,), in 0..1.

    Returns:
        (..., points), in 0..1.

    Raises:
        ValueError: for a false alarm rate out of 0..1.

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
    """Mean SR over FAR in 0..`upto`: the area under the curve, divided by `upto`.

    Args:
        far, sr: as for `sr_at`.
        upto: the largest false alarm rate, above 0 and at most 1.

    Returns:
        (...), in 0..1.

    Raises:
        ValueError: for an `upto` out of its range.

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
