"""Read the cases that are listed in a CSV.

Its columns are probe, mate and, where wanted, nonmate and id. Paths are relative to the CSV's folder; several images of
a mate are separated by ";". Without a non-mate the gallery's nearest impostor is taken.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
from pathlib import Path

from gweebp.commands.casework.examiner import Case
from gweebp.commands.casework.places import as_one_name
from gweebp.commands.casework.summary import PAGE, STEM, is_table
from gweebp.support.tables import MOST_BYTES

__all__ = ["COLUMNS", "check_id", "read_table"]

COLUMNS = ("id", "probe", "mate", "nonmate")
LONGEST = 255  # bytes of a file's name
SUFFIXES = (".png", ".html", ".json")  # of what is written of a case
CUT = 100  # letters of a probe's name that an id is made from


def read_table(path: str | Path) -> dict[str, Case]:
    """The cases of a CSV, by id; a case without an id gets its row's number and the probe's name.

    An id that can't be the name of a file (`check_id`) is read all the same, so that it costs only its own case.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no table; a column that is unknown, missing or given twice; no row; a row without probe or mate; an
            id that is used twice, also in another case, or leads to another folder.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "cases.csv"
    >>> _ = path.write_text("probe,mate,nonmate\\na.png,b.png;c.png,\\n")
    >>> {id: ([p.name for p in case.mates], case.nonmate) for id, case in read_table(path).items()}
    {'001-a': (['b.png', 'c.png'], None)}
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: expected a CSV with the columns probe, mate and nonmate")
    cases: dict[str, Case] = {}
    known: dict[str, tuple[str, int]] = {}
    for number, row in enumerate(_rows(path), start=1):
        probe, mate, nonmate = (row.get(name, "").strip() for name in COLUMNS[1:])
        mates = tuple(path.parent / part.strip() for part in mate.split(";") if part.strip())
        if not probe or not mates:
            raise ValueError(f"{path}, row {number}: expected a probe and a mate, got {probe!r} and {mate!r}")
        name = row.get("id", "").strip() or f"{number:03d}-{Path(probe).stem[:CUT]}"
        if Path(name).name != name or name.startswith("."):
            raise ValueError(f"{path}, row {number}: id {name!r} cannot be the name of a file")
        if (same := known.get(as_one_name(name))) is not None:
            other, row_of_other = same
            which = f"id {name!r} is" if other == name else f"ids {other!r} and {name!r} are one name, so it is"
            raise ValueError(f"{path}: {which} used twice (rows {row_of_other} and {number})")
        known[as_one_name(name)] = name, number
        cases[name] = Case(path.parent / probe, mates, path.parent / nonmate if nonmate else None)
    if not cases:
        raise ValueError(f"{path} has no rows; expected one row per case")
    return cases


def check_id(name: str) -> None:
    """Raise ValueError for an id after which no files can be named.

    >>> check_id("results")
    Traceback (most recent call last):
    ValueError: id 'results': results.json is the table of all results; choose another id
    """
    if is_table(stem := as_one_name(name)):
        of = "all results" if stem in (STEM, Path(PAGE).stem) else "the results of a part"
        file = f"{stem}.json" if stem != Path(PAGE).stem else PAGE
        raise ValueError(f"id {name!r}: {file} is the table of {of}; choose another id")
    if Path(name).name != name or not name.isprintable() or name.startswith("."):
        raise ValueError(f"id {name!r} cannot be the name of a file; choose another id")
    longest = LONGEST - max(map(len, SUFFIXES))
    if len(os.fsencode(name)) > longest:
        raise ValueError(
            f"id {name[:20]!r}... has {len(os.fsencode(name))} bytes, too many for the name of a file: expected at "
            f"most {longest}"
        )


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of the CSV, by its columns."""
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{path} has {size} bytes, more than {MOST_BYTES}: it is too large for a table")
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), restval="")
        rows = [{(k or "").strip(): v for k, v in row.items()} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV in UTF-8 ({error})") from error
    _check_columns(path, [(name or "").strip() for name in reader.fieldnames or []])
    for number, row in enumerate(rows, start=1):
        if None in row.values() or "" in row:
            raise ValueError(f"{path}, row {number}: more or fewer fields than columns")
    return rows


def _check_columns(path: Path, columns: list[str]) -> None:
    if len(columns) == 1 and ";" in columns[0]:
        raise ValueError(f"{path} has its columns separated by semicolons; expected commas")
    for name in columns:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"{path}: unknown column {name!r}{hint}; expected probe, mate, nonmate, id")
        if columns.count(name) > 1:
            raise ValueError(f"{path}: column {name!r} is given {columns.count(name)} times; expected it once")
    missing = [name for name in ("probe", "mate") if name not in columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(columns) or 'none'}")
