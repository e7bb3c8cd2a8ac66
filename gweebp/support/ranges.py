"""The values that a number may have: said once, checked in the API and on the command line alike.

WIDTH = Range(0, 8, above=True)
WIDTH.check("width", 0.25)          # ValueError, unless it is a finite number above 0, up to 8
WIDTH.read("0.25")                  # the same of a text
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

__all__ = [
    "BATCH",
    "COUNT",
    "DISTANCE",
    "POSITIVE",
    "SEED",
    "SHARE",
    "SIDE",
    "THREADS",
    "WIDTH",
    "Allowed",
    "Range",
    "check_all",
    "whole",
]

_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)  # int() also reads other scripts' digits, and "1_000"


@dataclass(frozen=True)
class Range:
    """Finite numbers between two bounds.

    Attributes:
        low, high: the bounds. above: `low` itself is left out. below: `high` itself is left out.
        whole: whole numbers only.

    >>> Range(0, 1).check("share", 0.5)
    0.5
    >>> Range(1, whole=True).check("steps", 0)
    Traceback (most recent call last):
    ValueError: steps must be a whole number, 1 or more; got 0
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        """Whether `value` is such a number; True and False are not."""
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        try:
            number = float(value)
        except OverflowError:
            return False
        inside = self.low < number if self.above else self.low <= number
        return math.isfinite(number) and inside and (number < self.high if self.below else number <= self.high)

    def __str__(self) -> str:
        """What is expected, with its kind: "a whole number, 1 or more"."""
        kind = "a whole number" if self.whole else "a number"
        return f"{kind}, {self.bounds}" if self.bounds else kind

    @property
    def bounds(self) -> str:
        """The bounds in words, "" without any.

        >>> Range(0, 8, above=True).bounds, Range(1, whole=True).bounds
        ('above 0 to 8', '1 or more')
        """
        low, high = _shown(self.low), _shown(self.high)
        start = f"above {low}" if self.above else low
        if math.isinf(self.high):
            return "" if math.isinf(self.low) else start if self.above else f"{low} or more"
        return f"{start} {'to below' if self.below else 'to'} {high}"

    def check(self, name: str, value: object) -> object:
        """The value, if it is one of these numbers.

        Args:
            name: of the argument, for the error.
            value: to check.

        Raises:
            ValueError: otherwise; it names the argument.

        >>> Range(0, 1).check("share", 0.5)
        0.5
        """
        if value not in self:
            raise ValueError(f"{name} must be {self}; got {value!r}")
        return value

    def read(self, text: str) -> float | int:
        """The number that a text holds.

        Args:
            text: such as "0.25" or "1e-3".

        Raises:
            ValueError: for a text that is not one of these numbers.

        >>> Range(0, 1).read("1e-3"), Range(whole=True).read("12")
        (0.001, 12)
        """
        shown = repr(text if len(text) <= 40 else text[:40] + "...")
        try:
            value = (int(text) if _WHOLE.fullmatch(text) else math.nan) if self.whole else float(text)
        except ValueError:  # not a number, or more digits than Python reads
            value = math.nan
        if value not in self:
            raise ValueError(f"expected {self}; got {shown}")
        return value


Allowed = Range | tuple[str, ...]  # numbers, or some words


def whole(low: int, high: float = math.inf) -> Range:
    """Whole numbers between two bounds, both included.

    Args:
        low, high: the bounds.

    >>> str(whole(0, 6))
    'a whole number, 0 to 6'
    """
    return Range(low, high, whole=True)


def check_all(values: Mapping[str, object], allowed: Mapping[str, Allowed]) -> None:
    """Check several values at once.

    Args:
        values: name → value.
        allowed: name → its range, or the words that it may be.

    Raises:
        ValueError: for the first value that is not allowed; the error names it and says what is allowed.

    >>> check_all({"negatives": "some"}, {"negatives": ("all", "other")})
    Traceback (most recent call last):
    ValueError: negatives must be one of all, other; got 'some'
    """
    for name, may in allowed.items():
        if isinstance(may, Range):
            may.check(name, values[name])
        elif values[name] not in may:
            raise ValueError(f"{name} must be one of {', '.join(may)}; got {values[name]!r}")


POSITIVE = Range(0, above=True)
SHARE = Range(0, 1)
DISTANCE = Range(0, 2)  # L2, of two unit embeddings
WIDTH = Range(0, 8, above=True)  # of a network's layers, times the published one's
COUNT = whole(0)
BATCH = whole(1, 65_536)
SEED = whole(0, 2**32 - 1)  # what every generator of random numbers takes
THREADS = whole(1, 1024)
SIDE = whole(1, 8192)  # of an image, in pixels


def _shown(number: float) -> str:
    return f"{int(number)}" if float(number).is_integer() else f"{number:g}"
