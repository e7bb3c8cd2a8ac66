"""Write the table of all methods on the page of the API, between its two marks, from what the package registers.

    python book/workflow/methods_table.py

A new method is one file; this brings it into the table.
"""

from __future__ import annotations

import sys
from pathlib import Path

import marked

from gweebp.methods import METHODS, Method
from gweebp.methods.names import in_order, label_of
from gweebp.support.files import atomic

PAGE = Path(__file__).resolve().parents[1] / "pages/api/methods.md"
START, END = "<!-- methods: written by book/workflow/methods_table.py -->", "<!-- end of methods -->"
PLACES = {"saliency_layer": "saliency layer", "feature_layer": "last map of the trunk", None: "the image"}


def row(name: str, method: Method) -> str:
    """One line of Markdown: name, in print, what it is, where its map lies, options with their defaults."""
    place = "patch grid of a transformer" if method.attention else PLACES[method.layer]
    options = ", ".join(f"`{key}={value!r}`" for key, value in method.options.items())
    cells = (f"`{name}`", label_of(name), method.summary, place, options)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table() -> str:
    """The table, in the book's order."""
    head = ["| method= | in print | what it is | map on | options |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(row(name, METHODS[name]) for name in in_order(METHODS))])


def filled(text: str) -> str:
    """The page with the table between its marks; ValueError where a mark is missing."""
    return marked.filled(text, START, table(), END, PAGE.name)


def main() -> int:
    """The command line."""
    text = filled(PAGE.read_text(encoding="utf-8"))
    with atomic(PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
