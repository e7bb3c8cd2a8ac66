"""Explain the cases of a table: each is saved separately, an interrupted run resumes, a failed case stops no other.

What an earlier run has written stays until there is something new to put in its place: a case that fails, or a run that
is called with a mistake, costs nothing.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

import gweebp
from gweebp.commands.casework import summary
from gweebp.commands.casework.examiner import Case, Examiner
from gweebp.commands.casework.explanation import WORDS
from gweebp.commands.casework.pictures import printable
from gweebp.commands.casework.places import Named, check_folder, check_free, refuse_inputs
from gweebp.commands.casework.seals import written_by_us
from gweebp.commands.casework.summary import Row, Shard
from gweebp.commands.casework.table import SUFFIXES, check_id
from gweebp.commands.casework.writing import write
from gweebp.support import files, temporaries
from gweebp.support.record import environment

__all__ = ["outputs_of", "pictures_of", "run_table"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # what stops every case


def outputs_of(out: Path, cases: Mapping[str, Case], shard: Shard | None = None) -> list[Named]:
    """The files that a table of cases is written into, each with what it is of."""
    found = [(f"the table {path.name}", path) for path in summary.tables_of(out, shard)]
    for name in cases:
        if _error_of_id(name) is None:
            found += [(f"a result of case {name!r}", out / f"{name}{suffix}") for suffix in SUFFIXES]
    return found


def pictures_of(cases: Mapping[str, Case]) -> list[Named]:
    """The files that the cases read, each with what it is."""
    return [(f"a picture of case {name!r}", path) for name, case in cases.items() for path in case.files]


def run_table(
    examiner: Examiner,
    cases: Mapping[str, Case],
    out: str | Path,
    settings: Mapping[str, Any],
    *,
    shard: Shard | None = None,
    progress: bool = False,
) -> list[Row]:
    """Explain every case into the folder `out`: <id>.png, .html and .json; results.csv, .json and index.html on all.

    A case that was explained before, from the same files by the same settings, is not computed again. One that fails
    is a row with outcome "error" and the reason, and is tried again by the next run; what an earlier run has written of
    it stays.

    Args:
        settings: what the results rest on beside the images: weights, method, threshold and so on; kept in each JSON.
        shard: (i, n) for each n-th case, from the i-th on, 1 <= i <= n: n runs, side by side or on several machines
            with one folder, do all. A run without it then computes what is missing and writes the table of all cases;
            a part's own table is results-<i>-of-<n>.
        progress: show bars.

    Returns:
        One row per case, with the columns `summary.RESULTS`.

    Raises, before anything is written:
        FileNotFoundError: a case needs a gallery and there is none; or there are results, and of no case all pictures.
        ValueError: an output is a picture of a case; or options that suit no picture.
        OSError: the folder can't be written into, or its results.csv, results.json or index.html is not ours.
    """
    out = Path(out)
    refuse_inputs(outputs_of(out, cases, shard), pictures_of(cases))
    check_folder(out)
    summary.check_free_for(out, shard)
    if shard is not None:
        cases = {name: cases[name] for name in list(cases)[shard[0] - 1 :: shard[1]]}
    if any(case.nonmate is None for case in cases.values()):
        _ = examiner.listed
    temporaries.sweep(out)
    hidden = None if progress else True
    plan = {
        name: _planned(examiner, name, case, out, settings)
        for name, case in tqdm(cases.items(), desc="cases looked at", disable=hidden)
    }
    before = summary.earlier(out, shard)
    _check_plan(plan, before, out)
    if any(planned.row is None for planned in plan.values()):
        examiner.try_options()
    rows: list[Row] = []
    words = examiner.options.get("words", WORDS)
    try:
        for name, planned in tqdm(plan.items(), desc="cases", disable=hidden):
            rows.append(planned.row or _explained(examiner, name, cases[name], out, planned.inputs))
    except BaseException:  # an interrupted run says how far it came
        _write_so_far(out, rows, before, cases, shard, words)
        raise
    summary.write_results(out, rows, shard, words)
    if shard is None:
        summary.drop_parts(out)
    return rows


@dataclass
class _Planned:
    """What is to be done about a case.

    Attributes:
        row: of a case that is finished, or can't be explained; None: it is to be explained, with these `inputs`.
        missing: which picture is not there.
    """

    row: Row | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    missing: str = ""


def _planned(examiner: Examiner, name: str, case: Case, out: Path, settings: Mapping[str, Any]) -> _Planned:
    if (wrong := _error_of_id(name)) is not None:
        return _Planned(summary.failed(name, wrong))
    picture, page, document = _paths(out, name)
    try:
        rests_on = examiner.rests_on(case)
    except Exception as error:
        missing = str(error) if isinstance(error, FileNotFoundError) else ""
        return _Planned(summary.failed(name, _why(error) + _kept(out, name)), missing=missing)
    # as read back from a file: without tuples
    inputs = json.loads(json.dumps({"gweebp": gweebp.__version__, **rests_on, **settings}))
    try:
        _check_free(picture, page, document)
        known = _read(document)
        made = {picture: known.get("picture_sha256"), page: known.get("report_sha256")}
        whole = all(path.is_file() and files.sha256(path) == sha256 for path, sha256 in made.items())
        if known.get("inputs") == inputs and whole:
            return _Planned(summary.row_of(name, known))
    except Exception as error:
        return _Planned(summary.failed(name, _why(error)))
    return _Planned(inputs=inputs)


def _read(document: Path) -> dict[str, Any]:
    """The document of a case, as we wrote it; empty where there is none, or another file that we wrote."""
    try:
        found = files.read_json(document) if written_by_us(document) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _check_free(picture: Path, page: Path, document: Path) -> None:
    """Raise OSError unless the files of a case may be replaced: by our seal, or as what is left of one of ours."""
    for path in (picture, page):
        check_free(path, spoilt=written_by_us(document))
    if not (written_by_us(picture) and _cut_off(document)):
        check_free(document)


def _cut_off(document: Path) -> bool:
    """The beginning of a JSON object; whether it was ours is seen when it is compared with what replaces it."""
    if not document.is_file() or document.is_symlink():
        return False
    data = document.read_bytes()
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return data[:1] in (b"", b"{")
    return False


def _check_plan(plan: Mapping[str, _Planned], before: Mapping[str, Row], out: Path) -> None:
    """Raise FileNotFoundError where results are there and every case lacks a picture: a folder that is not mounted."""
    missing = [planned.missing for planned in plan.values() if planned.missing]
    there = bool(before) or any(written_by_us(path) for name in plan for path in _paths(out, name))
    if len(missing) == len(plan) and there:
        raise FileNotFoundError(
            f"each case lacks a picture, so nothing was done and the results in {out} stay: is the folder of the "
            f"pictures there? First: {printable(missing[0])}"
        )


def _explained(examiner: Examiner, name: str, case: Case, out: Path, inputs: dict[str, Any]) -> Row:
    """Explain a case, write what comes of it, and give its row; any error is a row too, so that the others go on."""
    paths = _paths(out, name)
    try:
        examined = examiner.examine(case)
        if examiner.rests_on(case)["files"] != inputs["files"]:
            raise ValueError("a picture was changed while the run was on: run again")
        record = environment(device=next(examiner.net.parameters()).device)
        document = examined.document(inputs=inputs, record=record)
        spoilt = [path for path in paths if not written_by_us(path)]
        write(examined, document, paths[0], paths[2], report=paths[1], spoilt=spoilt)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        return summary.failed(name, _why(error) + _kept(out, name))
    return summary.row_of(name, document)


def _why(error: Exception) -> str:
    """The message of an error; of one that we did not foresee, its kind too."""
    foreseen = isinstance(error, (OSError, ValueError, FloatingPointError)) and str(error)
    return str(error) if foreseen else f"{type(error).__name__}: {error}"


def _kept(out: Path, name: str) -> str:
    """A remark on what an earlier run has left of a case that fails now."""
    left = " and ".join(path.name for path in _paths(out, name) if written_by_us(path))
    return f" ({left}, from an earlier run, stayed)" if left else ""


def _write_so_far(
    out: Path,
    rows: list[Row],
    before: Mapping[str, Row],
    cases: Mapping[str, Case],
    shard: Shard | None,
    words: Sequence[str],
) -> None:
    """The rows of an interrupted run, and those of an earlier one for the cases that were not reached."""
    done = {row["id"] for row in rows}
    note = {"error": "not reached by a run that was interrupted; this row is of an earlier run"}
    rest = [row | note for name, row in before.items() if name in cases and name not in done]
    if rows:
        with suppress(OSError):  # what stopped the run is said, not what came of it
            summary.write_results(out, [*rows, *rest], shard, words)


def _error_of_id(name: str) -> str | None:
    try:
        check_id(name)
    except ValueError as error:
        return str(error)
    return None


def _paths(out: Path, name: str) -> tuple[Path, Path, Path]:
    """The picture, the report and the document of a case."""
    picture, page, document = (out / f"{name}{suffix}" for suffix in SUFFIXES)
    return picture, page, document
