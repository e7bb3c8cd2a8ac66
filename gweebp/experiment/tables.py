"""Tables of the book: rows of text as a pandas frame that shows all of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gweebp.support.extras import extra

with extra("book"):
    import pandas as pd

__all__ = ["frame", "stacked"]

pd.set_option("display.max_rows", None, "display.max_columns", None, "display.max_colwidth", None)


def frame(rows: Iterable[Mapping[str, Any]], index: str | None = None) -> pd.DataFrame:
    """One row a mapping; the column `index` becomes the row labels. No rows: an empty table.

    >>> frame([{"method": "EBP", "SR": "0.5"}], "method").loc["EBP", "SR"]
    '0.5'
    """
    table = pd.DataFrame(list(rows))
    if index is not None and index in table:
        table = table.set_index(index).rename_axis(None)
    return table


def stacked(tables: Mapping[str, Iterable[Mapping[str, Any]]], index: str) -> pd.DataFrame:
    """Several tables of the same columns as one, each under its own label; empty ones are left out.

    >>> stacked({"SR": [{"method": "EBP", "VGG16": "0.5"}], "none": []}, "method").loc[("SR", "EBP"), "VGG16"]
    '0.5'
    """
    frames = {label: frame(rows, index) for label, rows in tables.items()}
    frames = {label: table for label, table in frames.items() if len(table)}
    return pd.concat(frames) if frames else pd.DataFrame()
