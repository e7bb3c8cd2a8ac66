"""Optional dependencies: what a part of the package needs beyond its core, and an error that says how to get it.

The core (`explain`, `overlay`, the networks, the games) needs what `pip install .` installs. Figures need matplotlib,
which is the extra "figures"; the stages and tables of the book need the extra "book".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["extra"]


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Import modules of an extra within this block.

    Args:
        name: of the extra, as in pyproject.toml.

    Raises:
        ModuleNotFoundError: where a module is not installed; the error gives the command that installs it.

    >>> with extra("book"):
    ...     import no_such_module
    Traceback (most recent call last):
    ModuleNotFoundError: no_such_module is not installed; it comes with: pip install "gweebp[book]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "gweebp":
            raise  # our own mistake
        message = f'{error.name} is not installed; it comes with: pip install "gweebp[{name}]"'
        raise ModuleNotFoundError(message, name=error.name) from error
