"""Compare the results of two builds, number by number: what `make compare A=book B=_build/mine` calls.

Compared are the faces (a checksum), the results (thresholds, trials, each measure of both games for each method) and
every number that the chapters print of them. Two numbers agree when |a - b| <= tolerance * max(1, |a|, |b|). The same
commit, profile and kind of machine must agree at tolerance 0. Another processor rounds some pixels of the faces to the
next grey level and changes last digits elsewhere, which training carries further.

Instead of a build, A or B may be a file of numbers that `write_figures` wrote, such as tests/golden/figures.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from printed import printed, shows_results
from profiles import FOLDER

from gweebp.commands.arguments import Number
from gweebp.experiment.build import Run
from gweebp.experiment.scores import MEASURES
from gweebp.methods.names import in_order
from gweebp.support.files import atomic, read_json
from gweebp.support.ranges import Range
from gweebp.support.rests_on import digest

ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, float]
FACES = "checksum of the faces"
TIMES = "provenance"  # a chapter of seconds and dates, which are of one run


class CompareError(Exception):
    """Builds that can't be compared; the message is for the person who asked."""


def located(name: str) -> Path:
    """A build by its profile's name, or by its folder; or a file of numbers."""
    if name.endswith(".json") and Path(name).is_file():
        return Path(name)
    for folder in (ROOT / "_build" / name, Path(name), ROOT / name):
        if name and os.path.isdir(folder / "trials"):
            return folder
    known = sorted(path.parent.name for path in (ROOT / "_build").glob("*/trials"))
    there = f"builds here: {', '.join(known) or 'none'}"
    if os.path.isfile(FOLDER / f"{name}.yaml"):
        raise CompareError(f"{name} is not built yet: make book PROFILE={name} ({there})")
    raise CompareError(
        f"{name!r} is not a build: expected a profile's name, a folder with `trials` in it, or a .json file that "
        f"`make golden` wrote ({there})"
    )


def figures(build: Path) -> Figures:
    """Name -> number: the results of a build, and what its executed chapters print of them; or those of a file."""
    return read_figures(build) if build.is_file() else dict(_of_build(build))


def _of_build(build: Path) -> Iterator[tuple[str, float]]:
    for path in sorted(build.glob("data/*/faces.safetensors")):
        yield f"{path.parent.name}: {FACES}", int(digest(path), 16) % 10**6
    for path in sorted(build.glob("trials/*/*.json")):
        yield from _of_run(Run(build, path.parent.name, path.stem))
    for path in sorted(build.glob("chapters/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if path.stem != TIMES and shows_results(notebook):
            for place, rows in printed(notebook).items():
                for row, values in rows.items():
                    yield from ((f"{path.stem}, {place}, {row}: {k}", x) for k, x in enumerate(values, 1))


def _of_run(run: Run) -> Iterator[tuple[str, float]]:
    for name in ("threshold", "fpr_at_threshold", "tpr_at_threshold"):
        yield f"{run.title}: {name}", float(run.trials[name])
    yield f"{run.title}: qualified quadruplets", len(run.trials["inpainting"]["qualified"])
    yield f"{run.title}: hiding triplets", len(run.trials["hiding"]["probe"])
    for method in in_order({m: None for measure in MEASURES.values() for m in measure.methods(run.games)}):
        for name, measure in MEASURES.items():
            if method in measure.methods(run.games):
                yield f"{run.title}, {method}: {name}", measure.value(run.games, method)


def write_figures(path: Path, found: Figures) -> None:
    """Write numbers as JSON, one line for each method of a run and each row of a table: diffs are for reading."""
    groups: dict[str, dict[str, float]] = {}
    for name, value in found.items():
        row, _, which = name.rpartition(": ")
        groups.setdefault(row, {})[which] = float(f"{value:.6g}")
    lines = []
    for row, values in groups.items():
        counted = list(values) == [str(k) for k in range(1, len(values) + 1)]
        shown = list(values.values()) if counted else values
        lines.append(f"{json.dumps(row, ensure_ascii=False)}: {json.dumps(shown, ensure_ascii=False)}")
    with atomic(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_figures(path: Path) -> Figures:
    """The numbers that `write_figures` wrote."""
    found: Figures = {}
    try:
        for row, values in read_json(path).items():
            named = values if isinstance(values, dict) else {str(k): x for k, x in enumerate(values, 1)}
            found |= {f"{row}: {which}": float(x) for which, x in named.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise CompareError(
            f"{path} is not a file of numbers: expected one that `make golden` wrote ({error})"
        ) from None
    return found


def beyond(first: Figures, second: Figures, tolerance: float) -> dict[str, tuple[float | None, float | None]]:
    """What differs by more than the tolerance, or is in one of the two only, the largest difference first.

    >>> beyond({"x": 0.5, "y": 1.0, "z": 1.0}, {"x": 0.58, "y": 1.001}, 0.01)
    {'z': (1.0, None), 'x': (0.5, 0.58)}
    """
    pairs = {name: (first.get(name), second.get(name)) for name in first | second}
    apart = {name: _apart(*pair) for name, pair in pairs.items()}
    return {n: pairs[n] for n in sorted(apart, key=lambda n: -apart[n]) if apart[n] > tolerance}


def _apart(a: float | None, b: float | None) -> float:
    return float("inf") if a is None or b is None else abs(a - b) / max(1.0, abs(a), abs(b))


def report(first: Figures, second: Figures, tolerance: float) -> tuple[str, bool]:
    """The table of differences with a line that sums it up, and whether there are none."""
    found = beyond(first, second, tolerance)
    common = first.keys() & second.keys()
    largest = max((_apart(first[n], second[n]) for n in common), default=0.0)
    width = max(map(len, found), default=0)
    lines = [f"{name:{width}}  {_shown(a)}  {_shown(b)}  {_shown(_gap(a, b))}" for name, (a, b) in found.items()]
    if lines:
        lines.insert(0, f"{'':{width}}  {'A':>9}  {'B':>9}  {'B - A':>9}")
    lines.append(
        f"{len(common)} figures in both, largest difference {largest:.2g}; "
        f"{len(found)} beyond the tolerance of {tolerance:g}, or in one of the two only"
    )
    return "\n".join(lines), not found


def _gap(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _shown(value: float | None) -> str:
    return f"{value:9.4f}" if value is not None else f"{'-':>9}"


def main(arguments: list[str] | None = None) -> int:
    """The command line: 0 where all agree, 1 where they do not, 2 where there is nothing to compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", help="a profile that was built, or the folder of a build")
    parser.add_argument("b", help="the other one")
    parser.add_argument("--tolerance", type=Number(Range(0)), default=0.02, help="(default: 0.02)")
    options = parser.parse_args(arguments)
    try:
        builds = [located(name) for name in (options.a, options.b)]
        text, agree = report(*(checked(figures(build), build) for build in builds), options.tolerance)
    except (CompareError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0 if agree else 1


def checked(found: Mapping[str, float], build: Path) -> Figures:
    """The figures of a build, which must hold some."""
    if not found:
        raise CompareError(f"{build} holds no results: its build did not get that far")
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())
