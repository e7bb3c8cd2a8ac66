"""Whether a value fits the annotation of a method's option."""

from __future__ import annotations

import collections.abc
import inspect
import math
import types
import typing
from collections.abc import Callable
from numbers import Number
from typing import Any

from gweebp.support.ranges import Range

__all__ = ["annotations_of", "misfit", "plain"]

EXPECTED = {bool: "True or False", int: "a whole number", float: "a finite number", str: "a text", type(None): "None"}


def annotations_of(run: Callable[..., Any]) -> dict[str, Any]:
    """Parameter → its type, of those annotated with a type that can be looked up.

    Args:
        run: the function of a method.

    >>> def mine(net, *, option: float = 1.0, other=2): ...
    >>> annotations_of(mine)
    {'option': <class 'float'>}
    """
    try:
        parameters = inspect.signature(run, eval_str=True).parameters.values()
    except Exception:  # an annotation is any expression of the user's: without it nothing is checked
        return {}
    return {p.name: p.annotation for p in parameters if p.annotation is not p.empty}


def misfit(value: object, annotation: Any) -> str:
    """What was expected instead of a value, in words; "" where the value fits, or where its type is not checked.

    Args:
        value: of an option.
        annotation: the option's type, as `annotations_of` gives it.

    Example:
        >>> misfit(2.5, int), misfit("black", float | str), misfit((1, "a"), collections.abc.Sequence[float])
        ('expected a whole number, got float', '', 'expected several of: a finite number, got tuple')
    """
    choices = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    if any(_expected(choice) is None or _fits(value, choice) for choice in choices):
        return ""
    return f"expected {' or '.join(str(_expected(choice)) for choice in choices)}, got {_kind(value)}"


def plain(value: Any) -> Any:
    """A NumPy number as a Python number, which every function of torch takes; anything else as it is.

    Args:
        value: of an option.

    Example:
        >>> import numpy as np
        >>> plain(np.int64(3)), plain("black")
        (3, 'black')
    """
    return value.item() if isinstance(value, Number) and hasattr(value, "item") else value


def _expected(choice: Any) -> str | None:
    """A choice in words; None for one that is not judged."""
    if typing.get_origin(choice) is collections.abc.Sequence:
        inner = _expected(typing.get_args(choice)[0])
        return inner and f"several of: {inner}"
    return EXPECTED.get(choice) if isinstance(choice, type) else None


def _fits(value: object, choice: Any) -> bool:
    if typing.get_origin(choice) is collections.abc.Sequence:
        return isinstance(value, (list, tuple)) and all(_fits(v, typing.get_args(choice)[0]) for v in value)
    if choice in (int, float):
        return value in Range(whole=choice is int)
    return isinstance(value, choice)


def _kind(value: object) -> str:
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else type(value).__name__
