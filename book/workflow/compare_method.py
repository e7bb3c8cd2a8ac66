"""Play both games for one method against all others of a build: what `make compare-method` calls.

The faces, networks, trials and games of the profile's build are used as they are; only the maps of the new method and
its games are computed, into _build/<profile>/compare/<method>. The book of that build is not changed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from chapters import ROOT
from profiles import ProfileError, load

from gweebp import figures
from gweebp.__main__ import main as stage
from gweebp.commands.plugins import load_plugin
from gweebp.experiment import scores
from gweebp.experiment.build import Run, open_runs
from gweebp.experiment.check_method import Broken, check_method
from gweebp.experiment.tables import frame
from gweebp.saliency import find_method
from gweebp.support.files import atomic

SHOWN = {  # heading -> measure
    "Hiding game, area under TPR": "hiding",
    "Inpainting game, mean SR over all FAR": "inpainting",
    "Inpainting game, SR at FAR 5 %": "sr-5",
}
DRAWN = {"hiding": ("share of the probe hidden", "TPR"), "inpainting": ("false alarm rate (FAR)", "success rate (SR)")}


def played(run: Run, method: str, profile: dict[str, Any], file: Path | None, out: Path) -> Run:
    """The run with the games of `method`, computed anew."""
    built = {
        "faces": run.build / "data" / run.dataset / "faces.safetensors",
        "quadruplets": run.build / "data" / run.dataset / "quadruplets.safetensors",
        "weights": run.build / "networks" / run.dataset / run.network / "weights.safetensors",
        "trials": run.trials_file,
    }
    given = [word for name, path in built.items() for word in (f"--{name}", str(path))]
    given += [word for name in ("seed", "threads", "device") for word in (f"--{name}", str(profile[name]))]
    folder = out / run.dataset / run.network
    maps, games = folder / "maps.safetensors", folder / "games.safetensors"
    options = {name: chosen for name, chosen in profile["maps"]["options"].items() if name == method}
    asked = ["--methods", method, "--options", json.dumps(options), "--batch", str(profile["maps"]["batch"])]
    asked += ["--plugin", str(file)] if file else []
    rules = [word for name, value in profile["games"].items() for word in (f"--{name}", str(value))]
    print(f"{method}: {run.title}", file=sys.stderr)
    for command in (["maps", *given, *asked, "--out", str(maps)],
                    ["play", *given, *rules, "--maps", str(maps), "--out", str(games)]):  # fmt: skip
        if stage(command):
            raise ProfileError(f"{method} could not be played: {run.title}")
    return replace(run, also=(games,))


def report(runs: list[Run], method: str, out: Path) -> Iterable[str]:
    """Tables with intervals, beside the lead of `method` over each other; also written as CSV and drawn as curves."""
    for heading, measure in SHOWN.items():
        found = scores.estimates(runs, measure)
        if not found:
            yield f"{heading}: not played in this build."
            continue
        others = [name for name in next(iter(found.values())) if name != method]
        lead = scores.differences(runs, measure, {name: (method, name) for name in others})
        for what, rows in (("", scores.table(found)), (f", {method} minus the other", scores.table(lead))):
            table = frame(rows, "method")
            name = re.sub(r"\W+", "-", f"{measure}{'-lead' if what else ''}")
            with atomic(out / f"{name}.csv") as temporary:
                table.to_csv(temporary, index_label="method")
            yield f"{heading}{what} [95 % interval over identities]\n\n{table.to_string()}"
    for game, (xlabel, ylabel) in DRAWN.items():
        curves = scores.curves(runs, game)
        if curves:
            figure = figures.curves(curves, xlabel=xlabel, ylabel=ylabel, bands=[method])
            with atomic(out / f"{game}.png") as temporary:
                figure.savefig(temporary, dpi=200)
            yield f"curves: {(out / f'{game}.png')}"


def compare(method: str, file: Path | None, profile: dict[str, Any]) -> None:
    """Check, play, print."""
    build = Path("_build") / profile["profile"]
    try:
        runs = open_runs(build, ",".join(profile["report"]), ",".join(profile["networks"]))
        if file is not None:
            load_plugin(file)
        find_method(method)
        check_method(method, **profile["maps"]["options"].get(method, {}))
    except (OSError, ValueError, TypeError, Broken) as error:
        raise ProfileError(str(error)) from error
    out = build / "compare" / re.sub(r"\W+", "-", method)
    runs = [played(run, method, profile, file, out) for run in runs]
    for part in report(runs, method, out):
        print(part, end="\n\n")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="book", help="whose build is used; `make book PROFILE=...` makes it")
    parser.add_argument("--data", default="", help="folder of photo-sketch pairs, for profiles that read one")
    parser.add_argument("--set", default="", help="what its people are called (default: as the folder)")
    parser.add_argument("--weights", default="", help="published weights, for profiles that take a network as given")
    parser.add_argument("--method", default="", help="its name in gweebp.METHODS")
    parser.add_argument("--file", default="", help="the Python file that registers it, if it is not of the package")
    options = parser.parse_args()
    file = Path(options.file).resolve() if options.file else None
    os.chdir(ROOT)
    try:
        if not options.method:
            raise ProfileError("say which method: make compare-method METHOD=mine [FILE=path/to/mine.py]")
        compare(options.method, file, load(options.profile, options.data, options.weights, options.set))
    except ProfileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
