"""Many cases by a table: each written for itself, taken up again where a run stopped, and none stops the others.

The table is a CSV with the columns probe, mate and, where wanted, nonmate and id. Paths are relative to the CSV's
folder; several images of a mate are separated by ";". Without a non-mate the gallery's nearest impostor is taken.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gweebp.commands.casework import pictures
from gweebp.commands.casework.examiner import Case, Examiner
from gweebp.commands.casework.writing import write
from gweebp.support import files
from gweebp.support.record import environment

__all__ = ["COLUMNS", "RESULTS", "read_table", "run_table"]

COLUMNS = ("id", "probe", "mate", "nonmate")
RESULTS = ("id", "outcome", "mate_distance", "nonmate_distance", "threshold", "mate", "nonmate", "nonmate_file",
           "picture", "sentence", "error")  # fmt: skip


def read_table(path: str | Path) -> dict[str, Case]:
    """The cases of a CSV, by id; a case without one gets its row's number and the probe's name.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no table, an unknown or missing column, no row, a row without probe or mate, an id that comes twice
            or can't be the name of a file.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "cases.csv"
    >>> _ = path.write_text("probe,mate,nonmate\\na.png,b.png;c.png,\\n")
    >>> {id: ([p.name for p in case.mates], case.nonmate) for id, case in read_table(path).items()}
    {'001-a': (['b.png', 'c.png'], None)}
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: expected a CSV with the columns probe, mate and nonmate")
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), restval="")
        rows = [{(k or "").strip(): v for k, v in row.items()} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV in UTF-8 ({error})") from error
    _check_columns(path, [(name or "").strip() for name in reader.fieldnames or []])
    cases: dict[str, Case] = {}
    for number, row in enumerate(rows, start=1):
        if None in row.values() or "" in row:
            raise ValueError(f"{path}, row {number}: more or fewer fields than columns")
        probe, mate, nonmate = (row.get(name, "").strip() for name in COLUMNS[1:])
        if not probe or not mate:
            raise ValueError(f"{path}, row {number}: expected a probe and a mate, got {probe!r} and {mate!r}")
        name = row.get("id", "").strip() or f"{number:03d}-{Path(probe).stem}"
        if name in cases or Path(name).name != name or name.startswith("."):
            raise ValueError(f"{path}, row {number}: id {name!r} comes twice, or is no name of a file")
        mates = tuple(path.parent / part.strip() for part in mate.split(";") if part.strip())
        cases[name] = Case(path.parent / probe, mates, path.parent / nonmate if nonmate else None)
    if not cases:
        raise ValueError(f"{path} has no rows: expected one a case")
    return cases


def _check_columns(path: Path, columns: list[str]) -> None:
    if len(columns) == 1 and ";" in columns[0]:
        raise ValueError(f"{path} has its columns separated by semicolons; expected commas")
    for name in columns:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"{path}: unknown column {name!r}{hint}; expected probe, mate, nonmate, id")
    missing = [name for name in ("probe", "mate") if name not in columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(columns) or 'none'}")


def run_table(
    examiner: Examiner,
    cases: Mapping[str, Case],
    out: str | Path,
    settings: Mapping[str, Any],
    *,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Explain every case into the folder `out`: <id>.png and <id>.json, then results.csv and results.json on all.

    A case that was explained before, from the same files by the same settings, is not computed again. One that fails
    is a row with outcome "error" and the reason, and is tried again by the next run. Raises FileNotFoundError or
    ValueError, before any work, where a case needs a gallery and there is none.

    Args:
        settings: what the results rest on beside the images: weights, method, threshold and so on; kept in each JSON.

    Returns:
        One row a case, with the columns `RESULTS`.
    """
    out = Path(out)
    gallery = None
    if any(case.nonmate is None for case in cases.values()):
        gallery = _fingerprint(pictures.in_folder(examiner.needed_gallery))
    rows = []
    try:
        for name, case in tqdm(cases.items(), desc="cases", disable=None if progress else True):
            try:
                row = _row(name, _finished(examiner, case, out / name, {"gallery": gallery, **settings}))
            except (OSError, ValueError, FloatingPointError) as error:
                _remove(out, name)  # what an earlier run made of other images or settings
                row = dict.fromkeys(RESULTS, "") | {"id": name, "outcome": "error", "error": str(error)}
            rows.append(row)
    finally:  # an interrupted run says how far it came
        _write_results(out, rows)
    return rows


def _finished(examiner: Examiner, case: Case, target: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a case: read where an earlier run wrote it, else made and written."""
    picture, document = (target.parent / f"{target.name}{suffix}" for suffix in (".png", ".json"))
    inputs = json.loads(json.dumps({"files": _fingerprint(case.files), **settings}))  # as read back: without tuples
    if case.nonmate is not None:
        inputs["gallery"] = None
    if document.is_file() and picture.is_file():
        try:
            known = files.read_json(document)
        except ValueError:
            known = {}
        if isinstance(known, dict) and known.get("inputs") == inputs:
            return known
    examined = examiner.examine(case)
    made = examined.document(inputs=inputs, record=environment(device=next(examiner.net.parameters()).device))
    write(examined, made, picture, document)
    return made


def _fingerprint(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {files.sha256(path)}\n".encode())
    return digest.hexdigest()


def _row(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
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


def _remove(out: Path, name: str) -> None:
    for suffix in (".png", ".json"):
        (out / f"{name}{suffix}").unlink(missing_ok=True)


def _write_results(out: Path, rows: list[dict[str, Any]]) -> None:
    files.write_json(out / "results.json", rows)
    with files.atomic(out / "results.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, RESULTS)
        writer.writeheader()
        writer.writerows(rows)
