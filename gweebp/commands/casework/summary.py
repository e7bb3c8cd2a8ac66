"""The outcome of all cases of a table, in results.csv and results.json: one row per case.

What a spreadsheet would take for a formula is marked as text in the CSV, by an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gweebp.commands.casework.pictures import printable
from gweebp.commands.casework.places import check_free, place
from gweebp.commands.casework.seals import blank, sealed, written_by_us
from gweebp.commands.casework.writing import sealed_json

__all__ = ["FILES", "RESULTS", "STEM", "check_free_for", "earlier", "failed", "row_of", "write_results"]

RESULTS = ("id", "outcome", "mate_distance", "nonmate_distance", "threshold", "mate", "nonmate", "nonmate_file",
           "picture", "sentence", "error")  # fmt: skip
STEM = "results"
FILES = (f"{STEM}.csv", f"{STEM}.json")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # how a cell starts that is computed

Row = dict[str, Any]


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
        "picture": f"{name}.png",
        "sentence": document["sentence"],
        "error": "",
    }


def failed(name: str, why: str) -> Row:
    """The row of a case that could not be explained."""
    return dict.fromkeys(RESULTS, "") | {"id": name, "outcome": "error", "error": printable(why)}


def check_free_for(out: Path) -> None:
    """Raise OSError where the tables of results would replace files that we did not write."""
    for name in FILES:
        check_free(out / name)


def earlier(out: Path) -> dict[str, Row]:
    """The rows that an earlier run has written into the folder `out`, by id; none where it has not, or was changed."""
    path = out / FILES[1]
    rows = json.loads(path.read_bytes()) if written_by_us(path) else []
    return {row["id"]: {key: value for key, value in row.items() if key != "seal"} for row in rows}


def write_results(out: Path, rows: Sequence[Row]) -> None:
    """Write results.csv and results.json, where they differ from what is there."""
    made = {out / FILES[0]: _csv(rows), out / FILES[1]: sealed_json(list(rows))}
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
