"""Run or resume the study: what `make study` calls.

Computes the pieces of data/study/plan.yaml that data/study does not hold yet, in the plan's order, one after the other
on this machine or all at once on a cluster. A piece is one training of one network on one dataset, explained and played
by one group of methods; its file is written whole or not at all, and can be committed as it comes. Nothing else is
needed to go on: the weights of each run's first training lie in data/checkpoints/study, others are trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from build import CORES, KEEP_MEMORY, cluster_folder, locked, make_state
from profiles import ProfileError

from gweebp.commands.arguments import Number
from gweebp.commands.common import DEVICES

ROOT = Path(__file__).resolve().parents[2]
FOLDER, BUILD, KEPT = Path("data/study"), Path("_build/study"), Path("data/checkpoints/study")
RULES = ("gweebp/experiment/claims.py", "gweebp/experiment/sentences.py", "data/study/plan.yaml")
GUESS = 600.0  # seconds of a piece, until one of its kind was measured


class Piece(NamedTuple):
    """One file of outcomes."""

    group: str
    dataset: str
    network: str
    training: int

    @property
    def path(self) -> Path:
        """Where it goes."""
        return FOLDER / self.dataset / f"{self.network}-{self.training}" / f"{self.group}.npz"


def pieces(plan: dict[str, Any]) -> Iterator[Piece]:
    """All of them, most valuable first: training by training within an entry of the plan's order."""
    for entry in plan["order"]:
        for training in entry["trainings"]:
            for dataset in entry["datasets"]:
                for network in entry["networks"]:
                    yield Piece(entry["group"], dataset, network, training)


def seconds(done: list[Piece]) -> dict[tuple[str, str], float]:
    """(group, network) -> mean seconds of the pieces that are done."""
    from gweebp.experiment.study.outcomes import read

    found: dict[tuple[str, str], list[float]] = {}
    for piece in done:
        found.setdefault((piece.group, piece.network), []).append(read(ROOT / piece.path)[1]["seconds"])
    return {kind: sum(values) / len(values) for kind, values in found.items()}


def left(todo: list[Piece], known: dict[tuple[str, str], float]) -> str:
    """About how long it takes.

    >>> left([Piece("white", "d", "lcnn9", 0)], {("white", "lcnn9"): 5400.0})
    'about 1 h 30 min left, trainings aside'
    """
    total = sum(known.get((p.group, p.network), GUESS) for p in todo)
    return f"about {int(total // 3600)} h {int(total % 3600 // 60)} min left, trainings aside"


def restore() -> None:
    """Put the kept weights where trainings put theirs, so that they are not trained again."""
    for path in (ROOT / KEPT).glob("*/*.safetensors"):
        place = ROOT / BUILD / "networks" / path.parent.name / path.stem / "weights.safetensors"
        if not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


def keep(plan: dict[str, Any]) -> None:
    """Copy the weights of each run's first training, those of the paper's full size aside: 22 MB."""
    for path in (ROOT / BUILD / "networks").glob("*/*-0/weights.safetensors"):
        place = ROOT / KEPT / path.parents[1].name / f"{path.parent.name}.safetensors"
        played = (ROOT / FOLDER / path.parents[1].name / path.parent.name / "white.npz").is_file()
        if played and not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


def rules() -> str:
    """The last commit that changed a rule; "+" after it where a change is not committed."""
    asked = {"cwd": ROOT, "capture_output": True, "text": True}
    last = subprocess.run(["git", "log", "-1", "--format=%h", "--", *RULES], **asked).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "--", *RULES], **asked).stdout.strip()
    return (last or "unknown") + ("+" if changed else "")


def command(targets: list[Piece], config: Path, cores: int, cluster: Path | None) -> list[str]:
    """Snakemake's, for some pieces."""
    make_state(ROOT)
    call = [sys.executable, "-m", "snakemake", "--snakefile", "book/workflow/study.smk", "--configfile", str(config)]
    call += ["--profile", str(cluster)] if cluster else ["--cores", str(cores)]
    call += ["--rerun-incomplete", "--nolock", "--quiet", "host", "--rerun-triggers", "mtime"]
    return [*call, "--", *(str(p.path) for p in targets)]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=Number(CORES), default=1, help="jobs at once, on this machine (default: 1)")
    parser.add_argument("--cluster", default="", help="submit all pieces as jobs: a name in book/cluster, or a folder")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="auto is the best there is (default: cpu)")
    parser.add_argument("--only", default="", help="pieces whose path holds this text, such as lcnn9-0/black")
    parser.add_argument("--list", action="store_true", help="say what is done and what is left, and compute nothing")
    options = parser.parse_args()
    os.chdir(ROOT)
    plan = yaml.safe_load((ROOT / FOLDER / "plan.yaml").read_text(encoding="utf-8"))
    wanted = [p for p in pieces(plan) if options.only in str(p.path)]
    done, todo = ([p for p in wanted if p.path.is_file() == there] for there in (True, False))
    known = seconds(done)
    print(f"{len(done)} of {len(wanted)} pieces are done; {left(todo, known)}", flush=True)
    if options.list or not todo:
        print("\n".join(f"{'done' if p in done else 'left'}  {p.path}" for p in wanted) if options.list else "")
        return 0
    try:
        cluster = cluster_folder(options.cluster) if options.cluster else None
        locked(ROOT / BUILD)
    except ProfileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    config = ROOT / BUILD / "study.json"
    config.write_text(
        json.dumps({"plan": plan, "build": str(BUILD), "device": options.device, "rules": rules()}), encoding="utf-8"
    )
    restore()
    environment = KEEP_MEMORY | dict(os.environ) | ({} if sys.stderr.isatty() else {"TQDM_DISABLE": "1"})
    batches = [todo] if cluster or options.cores > 1 else [[p] for p in todo]
    for count, batch in enumerate(batches):
        began = time.perf_counter()
        failed = subprocess.run(command(batch, config, options.cores, cluster), env=environment).returncode
        keep(plan)
        if failed:
            print("the study stopped; what is written is whole, and `make study` goes on from there", file=sys.stderr)
            return failed
        rest = [p for later in batches[count + 1 :] for p in later]
        took = time.perf_counter() - began
        print(f"{batch[-1].path} in {took:.0f} s; {len(rest)} pieces, {left(rest, seconds(done + batch))}", flush=True)
        done += batch
    return subprocess.run([sys.executable, "book/workflow/readme_results.py"]).returncode  # the README's tables follow


if __name__ == "__main__":
    sys.exit(main())
