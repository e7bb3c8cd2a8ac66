"""The types of the arguments that commands take: each refuses, beside the flag's name, what can't be meant.

    parser.add_argument("--error", type=Number(Range(0, 1)))
    parser.add_argument("--methods", nargs="+", type=to_name, action=Distinct)

`to_path` is for files and folders, `to_label` for names that captions show, `to_json` and `to_options` for JSON.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gweebp.support.ranges import Range

__all__ = [
    "Distinct",
    "Number",
    "to_json",
    "to_label",
    "to_method",
    "to_name",
    "to_note",
    "to_options",
    "to_path",
    "to_shard",
]

_NAME = re.compile(r"\w[\w.+-]*")


@dataclass(frozen=True)
class Number:
    """The type of an argument that is a number in a range.

    >>> Number(Range(0, 1))("0.5")
    0.5
    """

    allowed: Range

    def __call__(self, text: str) -> float | int:
        """The number; argparse shows the error beside the flag."""
        return _told(self.allowed.read, text)


def to_path(text: str) -> Path:
    """The type of an argument that names a file or folder, which need not exist."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected the name of a file or folder; got {text!r}")
    return Path(text)


def to_label(text: str) -> str:
    """The type of a name that captions show: printable, at most 100 characters."""
    if not text.strip() or not text.isprintable() or len(text) > 100:
        raise argparse.ArgumentTypeError(f"expected a name of 1 to 100 printable characters; got {text[:120]!r}")
    return text


def to_note(text: str) -> str:
    """The type of a text for the record: printable, at most 100 characters, or none."""
    return to_label(text) if text else text


def to_method(text: str) -> str:
    """The type of a method's name: a label without "/", which separates names in the files of maps and games.

    >>> to_method("test: mine")
    'test: mine'
    """
    if "/" in to_label(text):
        raise argparse.ArgumentTypeError(f'expected the name of a method, without "/"; got {text!r}')
    return text


def to_name(text: str) -> str:
    """The type of a name that becomes part of a file's: letters, digits, ".", "_", "+" and "-".

    >>> to_name("vgg16-seed1")
    'vgg16-seed1'
    """
    if not _NAME.fullmatch(text) or len(text) > 100:
        raise argparse.ArgumentTypeError(
            f'expected a name of letters, digits, ".", "_", "+" and "-"; got {text[:120]!r}'
        )
    return text


def to_shard(text: str) -> tuple[int, int]:
    """The type of a part of a whole, "i/n": part i of n, 1 <= i <= n.

    >>> to_shard("2/4")
    (2, 4)
    """
    if found := re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text):
        part, parts = int(found[1]), int(found[2])
        if 1 <= part <= parts:
            return part, parts
    raise argparse.ArgumentTypeError(f"expected a part and how many there are, such as 2/4; got {text[:40]!r}")


def to_options(text: str) -> dict[str, dict[str, Any]]:
    """The type of options of several methods, as JSON: {"corrrise": {"masks": 500}}."""
    found = to_json(text)
    for key, options in found.items():
        if not isinstance(options, dict):
            raise argparse.ArgumentTypeError(
                f'expected options by name, {{"corrrise": {{"masks": 500}}}}; those of {key!r} are {options!r:.80}'
            )
    return found


def to_json(text: str) -> dict[str, Any]:
    """The type of an argument that is a JSON object, without NaN and without a key that is given twice."""

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError(f"a key is given twice among {', '.join(key for key, _ in pairs)}")
        return dict(pairs)

    def no_number(constant: str) -> None:
        raise ValueError(f"{constant} is not a number of JSON")

    def read(given: str) -> dict[str, Any]:
        try:
            found = json.loads(given, object_pairs_hook=once, parse_constant=no_number)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(found, dict):
            raise ValueError(f"it is a {type(found).__name__}")
        return found

    try:
        return read(text)
    except ValueError as error:
        shown = repr(text if len(text) <= 80 else text[:80] + "...")
        raise argparse.ArgumentTypeError(
            f'expected a JSON object, such as {{"gain": "cosine"}}; got {shown}: {error}'
        ) from error


class Distinct(argparse.Action):
    """Several values, no two of them alike."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the values; argparse shows the error beside the flag."""
        for value in values:
            if values.count(value) > 1:
                raise argparse.ArgumentError(self, f"{value} is given twice")
        setattr(namespace, self.dest, values)


def _told(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
