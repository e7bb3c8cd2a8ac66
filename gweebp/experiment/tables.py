"""Tables of the book: rows of text as a pandas frame that shows all of itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, NamedTuple

from gweebp.support.extras import extra

with extra("book"):
    import pandas as pd

__all__ = ["Captioned", "captioned", "frame", "stacked"]

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


class Captioned(NamedTuple):
    """A table with a caption, which the pages number; row labels may be links, or places that links lead to."""

    table: pd.DataFrame
    caption: str
    links: Mapping[str, str]
    places: bool

    def _repr_html_(self) -> str:
        html = self.table._repr_html_()
        for label in dict.fromkeys(map(str, self.table.index)):
            head = f"<th>{escape(label)}</th>"
            if label in self.links:
                html = html.replace(head, f'<th><a href="{escape(self.links[label])}">{escape(label)}</a></th>')
            elif self.places and label:
                html = html.replace(head, f'<th id="{escape(label.lower())}">{escape(label)}</th>', 1)
        return re.sub(r"(<table[^>]*>)", rf"\1\n  <caption>{_plain(self.caption)}</caption>", html, count=1)

    def __repr__(self) -> str:
        return f"{self.caption}\n{self.table!r}"


def captioned(
    table: pd.DataFrame, caption: str, *, links: Mapping[str, str] | None = None, places: bool = False
) -> Captioned:
    """A table under a caption. links: row label -> address. places: the first row of each label can be linked to.

    >>> shown = captioned(frame([{"claim": "C1", "is": "open"}], "claim"), "The claims.", places=True)
    >>> "<caption>The claims.</caption>" in shown._repr_html_(), '<th id="c1">C1</th>' in shown._repr_html_()
    (True, True)
    """
    return Captioned(table, caption, links or {}, places)


def _plain(text: str) -> str:
    return escape(text).replace("\\", r"\\")
