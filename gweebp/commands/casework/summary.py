"""The outcome of all cases of a table, one row per case: results.csv, results.json, index.html; of a part, beside them.

What a spreadsheet would take for a formula is marked as text in the CSV, by an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gweebp.commands.casework.explanation import WORDS
from gweebp.commands.casework.index import index_page
from gweebp.commands.casework.pictures import printable
from gweebp.commands.casework.places import check_free, place
from gweebp.commands.casework.seals import blank, sealed, written_by_us
from gweebp.commands.casework.writing import sealed_json

__all__ = [
    "RESULTS",
    "Shard",
    "check_free_for",
    "drop_parts",
    "earlier",
    "failed",
    "is_table",
    "row_of",
    "tables_of",
    "write_results",
]

RESULTS = ("id", "outcome", "mate_distance", "nonmate_distance", "threshold", "mate", "nonmate", "nonmate_file",
           "strength", "picture", "report", "sentence", "notes", "error")  # fmt: skip
STEM, PAGE = "results", "index.html"
TABLE = re.compile(rf"{STEM}(-[0-9]+-of-[0-9]+)?|index", re.IGNORECASE)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # how a cell starts that is computed

Row = dict[str, Any]
Shard = tuple[int, int]  # (i, n): part i of n, from 1


def row_of(name: str, document: Mapping[str, Any]) -> Row:
    """The row of a case, from its JSON document."""
    distances, decision = document["distances"], document["decision"]
    return {
        "id": name,
        "outcome": document["outcome"],
        "mate_distance": distances["mate"],
        "nonmate_distance": distances["nonmate"],
        "threshold": "" if document["threshold"] is None else document["threshold"],
        "mate": decision.get("mate", ""),
        "nonmate": decision.get("nonmate", ""),
        "nonmate_file": document["nonmate"],
        "strength": document["effect"]["strength"],
        "picture": f"{name}.png",
        "report": f"{name}.html",
        "sentence": document["sentence"],
        "notes": " ".join(document["notes"]),
        "error": "",
    }


def failed(name: str, why: str) -> Row:
    """The row of a case that could not be explained."""
    return dict.fromkeys(RESULTS, "") | {"id": name, "outcome": "error", "error": printable(why)}


def tables_of(out: Path, shard: Shard | None = None) -> tuple[Path, Path, Path]:
    """The CSV, the JSON and the page of all results in the folder `out`, or of those of a part.

    >>> [path.name for path in tables_of(Path("out"), (2, 4))]
    ['results-2-of-4.csv', 'results-2-of-4.json', 'results-2-of-4.html']
    """
    stem = STEM if shard is None else f"{STEM}-{shard[0]}-of-{shard[1]}"
    return out / f"{stem}.csv", out / f"{stem}.json", out / (PAGE if shard is None else f"{stem}.html")


def is_table(name: str) -> bool:
    """Whether a file of this name, without its ending, may be a table of results.

    >>> is_table("results-2-of-4"), is_table("results-2")
    (True, False)
    """
    return TABLE.fullmatch(name) is not None


def check_free_for(out: Path, shard: Shard | None = None) -> None:
    """Raise OSError where the tables of results would replace files that we did not write."""
    for path in tables_of(out, shard):
        check_free(path)


def drop_parts(out: Path) -> None:
    """Remove the tables of parts, where we wrote them: the table of all results has their rows."""
    for path in sorted(out.glob(f"{STEM}-*")):
        if path.suffix in (".csv", ".json", ".html") and is_table(path.stem) and written_by_us(path):
            path.unlink()


def earlier(out: Path, shard: Shard | None = None) -> dict[str, Row]:
    """The rows that an earlier run has written into the folder `out`, by id; none where it has not, or was changed."""
    path = tables_of(out, shard)[1]
    rows = json.loads(path.read_bytes()) if written_by_us(path) else []
    return {row["id"]: {key: value for key, value in row.items() if key != "seal"} for row in rows}


def write_results(out: Path, rows: Sequence[Row], shard: Shard | None = None, words: Sequence[str] = WORDS) -> None:
    """Write the CSV, the JSON and the page of results, where they differ from what is there; words: of its head."""
    made = dict(zip(tables_of(out, shard), (_csv(rows), sealed_json(list(rows)), index_page(rows, out, words))))
    place([(path, data) for path, data in made.items() if not path.is_file() or path.read_bytes() != data])


def _csv(rows: Sequence[Row]) -> bytes:
    text, nonce = io.StringIO(newline=""), secrets.token_hex(32)
    # texts in quotes: a ";" in one would begin a cell for a spreadsheet whose country separates by semicolons
    writer = csv.DictWriter(text, [*RESULTS, "seal"], quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()} | {"seal": blank(nonce)})
    return sealed(text.getvalue().encode(), nonce)


def _cell(value: Any) -> Any:
    """A value as a spreadsheet shall read it.

    >>> _cell("=1+1"), _cell(0.5), _cell("a\\nb")
    ("'=1+1", 0.5, 'a\\\\nb')
    """
    if not isinstance(value, str):
        return value
    return f"'{printable(value)}" if value.startswith(FORMULA) else printable(value)
