"""Errors and warnings in the terms of the caller's own arguments, where a call was split or exchanged some of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["own_terms", "translated", "translated_indices"]

_INDICES = re.compile(r"(?<=batch indices )\[[\d, ]*\]")
_terms: ContextVar[tuple[int, Mapping[str, str]]] = ContextVar("first row, words exchanged", default=(0, {}))


@contextmanager
def own_terms(first: int = 0, words: Mapping[str, str] | None = None) -> Iterator[None]:
    """Within this block, errors and warnings name the batch indices and arguments of the caller.

    Args:
        first: the batch index, to the caller, of the first sample inside.
        words: a name inside → the caller's name.

    Raises:
        ValueError, TypeError: as they were raised inside, their text translated.

    Example:
        >>> with own_terms(16, {"probe": "mate"}):
        ...     raise ValueError("probe holds NaN at batch indices [0, 3]")
        Traceback (most recent call last):
        ValueError: mate holds NaN at batch indices [16, 19]
    """
    token = _terms.set((first, dict(words or {})))
    try:
        yield
    except (ValueError, TypeError) as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (translated(error.args[0]),)
        raise
    finally:
        _terms.reset(token)


def translated(text: str) -> str:
    """A text in the terms of the innermost `own_terms`; outside of any, the text as it is.

    Args:
        text: of an error or a warning.

    Example:
        >>> with own_terms(words={"mate": "nonmate", "nonmate": "mate"}):
        ...     translated("the probes are not nearer to their mates than to the non-mate, and nonmate is zero")
        'the probes are not nearer to their nonmates than to the mate, and mate is zero'
    """
    first, words = _terms.get()
    if first:
        text = _INDICES.sub(lambda found: str([first + int(i) for i in re.findall(r"\d+", found[0])]), text)
    if words:
        known = "|".join(sorted((*words, "non-mate"), key=len, reverse=True))
        text = re.sub(
            rf"(?<![-\w])({known})(?=s?(?![-\w]))",
            lambda found: words.get(found[0].replace("-", ""), found[0]),
            text,
        )
    return text


def translated_indices(indices: list[int]) -> list[int]:
    """Batch indices as the caller counts them.

    Args:
        indices: inside the block of `own_terms`.

    Example:
        >>> with own_terms(4):
        ...     translated_indices([0, 2])
        [4, 6]
    """
    first, _ = _terms.get()
    return [first + i for i in indices]
