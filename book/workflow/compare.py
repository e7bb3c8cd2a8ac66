"""Compare the results of two builds, figure by figure: what `make compare A=book B=_build/mine` calls.

Every number that the chapters rest on is compared: thresholds, trials, and each measure of both games for each method.
Two of them agree when |a - b| <= tolerance * max(1, |a|, |b|). The same commit, profile and kind of machine must agree
at tolerance 0; another processor changes last digits, which training carries further.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from profiles import FOLDER

from gweebp.experiment.build import Run
from gweebp.experiment.scores import MEASURES

ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, float]


class CompareError(Exception):
    """Builds that can't be compared; the message is for the person who asked."""


def located(name: str) -> Path:
    """A build by its profile's name, or by its folder."""
    for folder in (ROOT / "_build" / name, Path(name), ROOT / name):
        if name and (folder / "trials").is_dir():
            return folder
    known = sorted(path.parent.name for path in (ROOT / "_build").glob("*/trials"))
    there = f"builds here: {', '.join(known) or 'none'}"
    if (FOLDER / f"{name}.yaml").is_file():
        raise CompareError(f"{name} is not built yet: make book PROFILE={name} ({there})")
    raise CompareError(f"{name!r} is no build: expected a profile's name or a folder with `trials` in it ({there})")


def figures(build: Path) -> Figures:
    """Name -> number, of everything in a build that a chapter rests on."""
    found: Figures = {}
    for path in sorted(build.glob("trials/*/*.json")):
        run = Run(build, path.parent.name, path.stem)
        found |= {f"{run.title}: {name}": value for name, value in _of_run(run)}
    return found


def _of_run(run: Run) -> Iterator[tuple[str, float]]:
    for name in ("threshold", "fpr_at_threshold", "tpr_at_threshold"):
        yield name, float(run.trials[name])
    yield "qualified quadruplets", len(run.trials["inpainting"]["qualified"])
    yield "hiding triplets", len(run.trials["hiding"]["probe"])
    for name, measure in MEASURES.items():
        for method in measure.methods(run.games):
            yield f"{name}, {method}", measure.value(run.games, method)


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
    parser.add_argument("--tolerance", type=float, default=0.02, help="(default: 0.02)")
    options = parser.parse_args(arguments)
    try:
        builds = [located(name) for name in (options.a, options.b)]
        text, agree = report(*(checked(figures(build), build) for build in builds), options.tolerance)
    except (CompareError, FileNotFoundError) as error:
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
