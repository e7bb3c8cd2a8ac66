"""The cases of a table on one page: a thumbnail, the outcome and the sentence of each, and a link to its report.

The table is sorted by the buttons in its head, by a script that is in the page; without scripts it is a table like any
other. Every text is escaped, and nothing is fetched from elsewhere but the reports that are linked.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gweebp.commands.casework.explanation import WORDS, called
from gweebp.commands.casework.report import data_uri, page
from gweebp.commands.casework.seals import blank, sealed
from gweebp.support.images import read_image, reduced

__all__ = ["index_page"]

SIDE = 480  # pixels of a thumbnail
TOP = 0.4  # of its width: so high is the row of faces with the colour key, which stands above the text
TITLE = "Explained cases"
#: column of the page -> key of a row
COLUMNS = {"case": "id", "outcome": "outcome", "difference": "strength", "distance to {0}": "mate_distance",
           "distance to {1}": "nonmate_distance"}  # fmt: skip

SCRIPT = """<script>
"use strict";
for (const head of document.querySelectorAll("thead th[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const body = document.querySelector("tbody"), column = head.cellIndex;
    const up = head.getAttribute("aria-sort") !== "ascending";
    const value = row => row.cells[column].dataset.value;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)], [p, q] = [parseFloat(x), parseFloat(y)];
      if (head.dataset.sort === "number") return (isNaN(p) - isNaN(q)) || (p - q) * (up ? 1 : -1);
      return x.localeCompare(y, undefined, {numeric: true}) * (up ? 1 : -1);
    });
    for (const other of document.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...rows);
  });
}
</script>
"""


def index_page(rows: Sequence[Mapping[str, Any]], out: Path, words: Sequence[str] = WORDS) -> bytes:
    """The page, sealed. rows: of `summary`; out: the folder with the pictures; words: for the two people."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
    said = f"{len(rows)} case{'s' * (len(rows) != 1)}: " + ", ".join(f"{n} {name}" for name, n in counts.items()) + "."
    columns = {name.format(*map(called, words)): key for name, key in COLUMNS.items()}
    heads = "".join(
        f'<th scope="col" data-sort="{"number" if key.endswith("distance") else "text"}">{escape(name)}</th>'
        for name, key in columns.items()
    )
    body = (
        f"<h1>{TITLE}</h1>\n<p>{escape(said)} A map is not evidence of identity: each report says what it shows, and "
        'what it does not.</p>\n<table class="cases">\n<thead><tr><th scope="col">picture</th>'
        f'{heads}<th scope="col">what came of it</th></tr></thead>\n<tbody>\n'
        + "\n".join(_row(row, out, columns) for row in rows)
        + "\n</tbody>\n</table>"
    )
    nonce = secrets.token_hex(32)
    return sealed(page(TITLE, body, blank(nonce), SCRIPT).encode(), nonce)


def _row(row: Mapping[str, Any], out: Path, columns: Mapping[str, str]) -> str:
    name, report = str(row["id"]), str(row.get("report") or "")
    link = f'<a href="{escape(quote(report))}">{escape(name)}</a>' if report else escape(name)
    cells = [f"<td>{_thumbnail(row, out)}</td>"]
    for head, key in columns.items():
        value = row.get(key, "")
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        cells.append(
            f'<td data-name="{escape(head)}" data-value="{escape(str(value))}">'
            f"{link if key == 'id' else escape(shown)}</td>"
        )
    said = " ".join(str(row[key]) for key in ("sentence", "notes", "error") if row.get(key))
    return f"<tr>{''.join(cells)}<td>{escape(said)}</td></tr>"


def _thumbnail(row: Mapping[str, Any], out: Path) -> str:
    """The faces and the map of the case, small; without one that can be read, nothing."""
    if not row.get("picture"):
        return ""
    try:
        image = read_image(out / str(row["picture"]))
        image = image[:, : round(TOP * image.shape[2])]
    except (OSError, ValueError):
        return ""
    alt = f"picture of case {escape(str(row['id']))}"
    return f'<img src="{data_uri(reduced(image, SIDE))}" width="{SIDE // 2}" alt="{alt}">'
