"""Numbers and names of the study in running text."""

from __future__ import annotations

from collections.abc import Sequence


def list_of(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    >>> list_of(["a", "b", "c"]), list_of(["a"]), list_of([])
    ('a, b and c', 'a', '')
    """
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last


def span(numbers: Sequence[int]) -> str:
    """The least and the largest.

    >>> span([3, 1, 2]), span([2, 2])
    ('1 to 3', '2')
    """
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
