"""Warnings that point to the line of the caller's own code."""

from __future__ import annotations

import os
import sys
import warnings

from gweebp.support.terms import translated, translated_indices

__all__ = ["warn"]

_PACKAGE = os.path.join(sys.modules["gweebp"].__path__[0], "")


def warn(warning: Warning) -> None:
    """Issue a warning that names the nearest line which is not of this package, in the caller's terms (`own_terms`).

    Args:
        warning: to issue.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn(UserWarning("a word"))
        >>> str(caught[0].message), caught[0].category is UserWarning
        ('a word', True)
    """
    if warning.args and isinstance(warning.args[0], str):
        warning.args = (translated(warning.args[0]), *warning.args[1:])
    if isinstance(indices := getattr(warning, "indices", None), list):
        warning.indices = translated_indices(indices)  # type: ignore[attr-defined]
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)
