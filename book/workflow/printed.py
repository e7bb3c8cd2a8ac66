"""The numbers that an executed chapter prints, in its tables and its text, by name.

A row of a table is named by its labels and the words before its first number, a line of text by its words before the
first number: a verdict that changes is another name. Names that come twice in one place are counted: "C1", "C1 (2)".
Pictures are not read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from bs4 import BeautifulSoup
from nbformat import NotebookNode

NUMBER = re.compile(r"(?<![\w.\-−])[+\-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?%?(?!\w)")
LONGEST = 60  # of the words that name a line
LONGEST_CELL = 40  # of a cell that is part of a row's name; longer ones are sentences

Rows = dict[str, list[float]]


def numbers(text: str) -> list[float]:
    """The numbers of a text, in order; a share in per cent as a share.

    >>> numbers("VGG16: rank-1 is 0.52 [0.335, 0.7] of 1,871, −3 points, 49.3% [+0.1e-3]")
    [0.52, 0.335, 0.7, 1871.0, -3.0, 0.493, 0.0001]
    """
    found = []
    for word in NUMBER.findall(text):
        value = float(word.rstrip("%").replace(",", "").replace("−", "-"))
        found.append(round(value / 100, 12) if word.endswith("%") else value)
    return found


def shows_results(notebook: NotebookNode) -> bool:
    """Is there a parameter `build`, the folder of results? As `chapters.shows_results`, of a notebook of any build."""
    parameters = [cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return any(re.search(r"^build\b", source, re.M) for source in parameters)


def printed(notebook: NotebookNode) -> dict[str, Rows]:
    """Place -> row -> numbers, of an executed notebook: places are "table 1", "text 1", ..., in order."""
    seen: Counter[str] = Counter()
    found: dict[str, Rows] = {}
    for kind, rows in _outputs(notebook):
        if rows:
            seen[kind] += 1
            found[f"{kind} {seen[kind]}"] = rows
    return found


def of_table(html: str) -> Rows:
    """The rows of a table, as pandas writes it, that hold numbers; a row is named by its labels and its first words.

    >>> of_table("<table><tr><th></th><th>area</th></tr><tr><th>gweEBP</th><td>0.8 [0.7, 0.9]</td></tr></table>")
    {'gweEBP': [0.8, 0.7, 0.9]}
    >>> of_table("<table><tr><th>C1</th><td>gweEBP</td><td>EBP</td><td>+0.1</td><td>open</td></tr></table>")
    {'C1, gweEBP, EBP': [0.1]}
    """
    rows: list[tuple[str, list[float]]] = []
    outer: list[tuple[int, str]] = []  # labels that go on into the next rows, and for how many
    for row in BeautifulSoup(html, "html.parser").select("tr"):
        heads = [(int(str(head.get("rowspan", 1))), head.get_text(strip=True)) for head in row.find_all("th")]
        labels = [text for _, text in [*outer, *heads]]
        cells = [cell.get_text(" ", strip=True) for cell in row.find_all("td")]
        found = [numbers(cell) for cell in cells]
        first = next((k for k, values in enumerate(found) if values), len(cells))
        labels += [words for words in cells[:first] if len(words) <= LONGEST_CELL]
        if cells:
            rows.append((", ".join(filter(None, labels)), [x for values in found for x in values]))
        outer = [(left - 1, text) for left, text in [*outer, *heads] if left > 1]
    return _named(rows)


def of_text(text: str) -> Rows:
    """The lines of a text that hold numbers.

    >>> of_text("- VGG16, drawn: from 25 to 200 masks\\n- nothing here\\n")
    {'VGG16, drawn: from': [25.0, 200.0]}
    """
    return _named((_words(line), numbers(line)) for line in text.splitlines())


def _outputs(notebook: NotebookNode) -> Iterator[tuple[str, Rows]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "<table" in data.get("text/html", ""):
                yield "table", of_table(data["text/html"])
            elif not any(kind.startswith("image/") for kind in data) and "text/html" not in data:
                yield "text", of_text(output.get("text") or data.get("text/markdown") or data.get("text/plain", ""))


def _words(line: str) -> str:
    first = NUMBER.search(line)
    return line[: first.start() if first else None].strip(" -*[(:`≥≤+")[:LONGEST].strip()


def _named(rows: Iterator[tuple[str, list[float]]] | list[tuple[str, list[float]]]) -> Rows:
    seen: Counter[str] = Counter()
    found: Rows = {}
    for label, values in rows:
        if values:
            seen[label] += 1
            found[f"{label} ({seen[label]})" if seen[label] > 1 else label] = values
    return found
