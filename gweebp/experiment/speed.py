"""Read what `make bench` measured, and say of each figure whether it is within its target.

A row is a dict: `topic`, `what` was measured, `measure` (a ratio, mostly), `value` (None: not measured), `target`
(None: there is none), `least` (the value should be at least the target, and not at most).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gweebp.support.files import located, read_json

__all__ = ["RESULTS", "in_print", "measured", "met", "missed", "tables", "where"]

RESULTS = "benchmarks/results.json"  #: the figures that the book shows

Row = dict[str, Any]


def measured(path: str | Path = RESULTS) -> dict[str, Any]:
    """What one run of the benchmarks wrote: processor, threads, commit, versions, finished, rows."""
    return read_json(located(path))


def met(row: Row) -> bool | None:
    """Whether the value, to three digits, is within its target; None where one of the two is missing.

    >>> met({"value": 2.498, "target": 2.5, "least": False}), met({"value": 0.8, "target": 0.9, "least": True})
    (True, False)
    """
    if row["target"] is None or row["value"] is None:
        return None
    value = float(f"{row['value']:.3g}")
    return value >= row["target"] if row["least"] else value <= row["target"]


def in_print(row: Row) -> dict[str, str]:
    """A row as text.

    >>> in_print({"topic": "maps", "what": "ebp", "measure": "time", "value": 1.349, "target": 1.3, "least": False})
    {'topic': 'maps', 'what': 'ebp', 'measure': 'time', 'value': '1.35', 'target': '≤ 1.3', 'met': 'no'}
    """
    target = "" if row["target"] is None else ("≥ " if row["least"] else "≤ ") + f"{row['target']:g}"
    texts = {key: str(row[key]) for key in ("topic", "what", "measure")}
    texts |= {"value": "" if row["value"] is None else f"{row['value']:.3g}", "target": target}
    return texts | {"met": {None: "", True: "yes", False: "no"}[met(row)]}


def tables(result: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Topic → its rows as text, in the order in which they were measured."""
    topics = dict.fromkeys(row["topic"] for row in result["rows"])
    rows = [in_print(row) for row in result["rows"]]
    return {t: [{k: v for k, v in r.items() if k != "topic"} for r in rows if r["topic"] == t] for t in topics}


def missed(rows: Iterable[Row]) -> list[str]:
    """The figures outside their targets, a sentence each.

    >>> missed([{"topic": "maps", "what": "ebp", "measure": "time", "value": 1.35, "target": 1.3, "least": False}])
    ['maps: ebp, time: 1.35 (≤ 1.3)']
    """
    found = [in_print(row) for row in rows if met(row) is False]
    return [f"{r['topic']}: {r['what']}, {r['measure']}: {r['value']} ({r['target']})" for r in found]


def where(result: dict[str, Any]) -> str:
    """On what, with what and when it was measured."""
    commit = (result["commit"] or "unknown")[:8]
    busy = f", which others used too (load {result['load']:g})" if result["load"] > 1.5 * result["cores"] else ""
    machine = f"{result['processor']}, {result['cores']} cores{busy}, {result['threads']} threads"
    return f"{machine}, PyTorch {result['versions']['torch']}, commit {commit}, {result['finished'][:10]}"
