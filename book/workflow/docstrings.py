"""Sphinx extension: the house's docstrings as reStructuredText.

Docstrings here are plain text, written to be read in an editor: formulas by indentation, `code` in single backticks,
sections such as "Args:" with one `name: text` an entry. To Sphinx, their asterisks, bars and underscores would be
markup. This turns each into what it looks like: paragraphs, definition lists, literal blocks, doctests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

SECTION = re.compile(r"(Args|Arguments|Returns|Raises|Errors|Attributes|Example|Examples|Source|Assumes|Note):\s*(.*)")
ENTRY = re.compile(r"((?:[\w*.]+)(?:, [\w*.]+)*): (.*)")
CODE = re.compile(r"(`[^`]+`)")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Replace the docstring that autodoc found by its reStructuredText."""
    lines[:] = list(to_rst(lines))


def to_rst(lines: list[str]) -> Iterator[str]:
    """The lines of a docstring as reStructuredText.

    >>> list(to_rst(["Sum of `a*b`.", "", "Args:", "    a_: (b, c), a factor", "        of two.", "    b: the other."]))
    ['Sum of ``a*b``.', '', '**Args**', '', 'a\\\\_', '   (b, c), a factor of two.', '', 'b', '   the other.', '']
    """
    section = False
    for block in _blocks(lines):
        heading = SECTION.fullmatch(block[0]) if _indent(block[0]) == 0 else None
        if heading:
            section = True
            yield from (f"**{heading[1]}**", "")
            rest = [heading[2], *block[1:]] if heading[2] else block[1:]
            if rest:
                yield from _entries(_dedented(rest))
        elif section and _indent(block[0]) > 0:
            yield from _entries(_dedented(block))
        else:
            section = False
            yield from _paragraph(block)


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines without a blank one; a section's heading starts its own."""
    block: list[str] = []
    for line in [*lines, ""]:
        if block and (not line.strip() or (_indent(line) == 0 and SECTION.fullmatch(line))):
            yield block
            block = []
        if line.strip():
            block.append(line.rstrip())


def _entries(block: list[str]) -> Iterator[str]:
    """`name: text` with its continuation lines as a definition; other text as a paragraph."""
    if block[0].startswith(">>>"):
        yield from _paragraph(block)
        return
    entries: list[list[str]] = []
    for line in block:
        if entries and (_indent(line) > 0 or not ENTRY.fullmatch(line)):
            entries[-1].append(line.strip())
        else:
            entries.append([line.strip()])
    for entry in entries:
        text = " ".join(entry)
        named = ENTRY.fullmatch(text)
        yield from ([_escaped(named[1]), "   " + _escaped(named[2]), ""] if named else [_escaped(text), ""])


def _paragraph(block: list[str]) -> Iterator[str]:
    if block[0].lstrip().startswith(">>>"):
        yield from (*_dedented(block), "")
    elif all(_indent(line) > 0 for line in block):
        yield from ("::", "", *(f"   {line}" for line in _dedented(block)), "")
    elif any(line.startswith(("* ", "- ")) for line in block):
        for line in block:
            bullet = line.startswith(("* ", "- "))
            yield (line[:2] + _escaped(line[2:])) if bullet else "  " * (_indent(line) > 0) + _escaped(line.strip())
        yield ""
    else:
        yield from (*(_escaped(line.strip()) for line in block), "")


def _escaped(text: str) -> str:
    """Text with nothing in it that Sphinx would take for markup, but `code`."""
    parts = (f"`{part}`" if CODE.fullmatch(part) else re.sub(r"([\\*|_`])", r"\\\1", part) for part in CODE.split(text))
    return "".join(parts)


def _dedented(block: list[str]) -> list[str]:
    margin = min(map(_indent, block[1:] if block[0] and _indent(block[0]) == 0 and len(block) > 1 else block))
    return [line[min(margin, _indent(line)) :] for line in block]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
