"""Which files of the package a piece of code rests on: the workflow's rule inputs.

A stage must run again when a file that it uses changes, and only then: a hash of the whole package would re-run the
training for a comment in a plot. The import statements say what a file uses, wherever in the file they stand; they are
followed through the package. Importing any module also runs gweebp/__init__.py, which imports nearly everything: it
counts only for a file that imports a name from `gweebp` itself. The same holds of the stages' lists of commands.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "gweebp"
STAGES = (PACKAGE, "commands")  # a package in here lists the commands in it: none of them uses another


def closure(*files: str | Path) -> list[str]:
    """The given files, all files of the package that they import, directly or not, and the data that these name.

    Paths are relative to the repository. Data are files below data/, such as a network in data/checkpoints.

    >>> closure("gweebp/support/grey.py")
    ['gweebp/support/grey.py']
    """
    seen: set[str] = set()
    waiting = [str(file) for file in files]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting.extend(_imported(file))
    return sorted(seen)


@cache
def _imported(file: str) -> tuple[str, ...]:
    if not file.endswith(".py"):
        return ()
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"), filename=file)
    return (*(path for name in _names(tree, file) for path in _files(name)), *_data(tree))


def _data(tree: ast.AST) -> Iterator[str]:
    """Files below data/ that a text in the code names."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if text.startswith("data/") and "\n" not in text and (ROOT / text).is_file():
            yield text


def _names(tree: ast.AST, file: str) -> Iterator[str]:
    """Dotted names that the file may import; `from a import b` gives a.b, which may be a module or a name in a."""
    folder = Path(file).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def _files(name: str) -> Iterator[str]:
    """The files that importing `name` runs, less tables (gweebp/__init__.py, stages') unless the name is in there."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return
    for end in range(len(parts), 0, -1):
        path = Path(*parts[:end])
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if (ROOT / candidate).is_file():
                yield from _packages(path.parts)
                yield candidate.as_posix()
                return


def _packages(parts: tuple[str, ...]) -> Iterator[str]:
    if parts[:2] != STAGES:
        for end in range(2, len(parts)):
            yield Path(*parts[:end], "__init__.py").as_posix()
