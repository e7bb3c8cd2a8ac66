"""Tables in CSV files: their rows by the names of their columns, and errors that name the file and the line."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from gweebp.support.images import existing

__all__ = ["read_table"]

MOST_BYTES = 2**28


def read_table(path: str | Path, needed: Collection[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV in UTF-8, each with its line; a row that is short has empty fields at its end.

    Args:
        path: of the file.
        needed: names of the columns that it must have.

    Yields the line's number, from 2, and column → text.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is not a CSV in UTF-8, a column that is missing or is there twice, a row with more
            fields than columns.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pairs.csv"
    >>> _ = path.write_text("id,photo\\na,a.png\\nb")
    >>> list(read_table(path, ("id",)))
    [(2, {'id': 'a', 'photo': 'a.png'}), (3, {'id': 'b', 'photo': ''})]
    >>> list(read_table(path, ("id", "sketch")))
    Traceback (most recent call last):
    ValueError: ...pairs.csv lacks the columns ['sketch']; it has ['id', 'photo']
    """
    path = existing(path)
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{path} has {size} bytes, more than {MOST_BYTES}: it is too large for a table")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            columns = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV in UTF-8 ({error})") from error
    if missing := [name for name in needed if name not in columns]:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise ValueError(f"{path} lacks the columns {missing[:4]}{more}; it has {columns[:20]}")
    if twice := sorted({name for name in columns if columns.count(name) > 1} & set(needed)):
        raise ValueError(f"{path} has the column {twice[0]} twice; expected it once")
    for line, row in rows:
        yield line, dict(zip(columns, row + [""] * (len(columns) - len(row))))
        if len(row) > len(columns):  # after it: what is wrong with its fields says more
            raise ValueError(f"{path}, line {line}: it has {len(row)} fields, and the table {len(columns)} columns")
