"""Measure, print a table and write it: `python -m benchmarks [--only lcnn9,peers] [--rounds 5] [--out folder]`.

`--keep` also writes benchmarks/results.json, which the book's chapter on speed shows.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import blackbox, peers, scaling, search, start, whitebox
from benchmarks.clock import Row
from gweebp.commands.arguments import Number
from gweebp.experiment.speed import RESULTS, in_print, where
from gweebp.support.files import atomic, located, read_json, write_json
from gweebp.support.ranges import THREADS, whole
from gweebp.support.record import environment, processor

TOPICS = {
    "lcnn9": partial(whitebox.rows, "lcnn9"),
    "vgg16": partial(whitebox.rows, "vgg16"),
    "image": whitebox.to_the_image,
    "transformer": whitebox.transformer,
    "blackbox": blackbox.rows,
    "scaling": scaling.rows,
    "search": search.rows,
    "start": start.rows,
    "peers": peers.rows,
}
COLUMNS = ("topic", "what", "measure", "value", "target", "met")


def markdown(result: dict[str, Any]) -> str:
    """The table, under a line that says where and when."""
    lines = [f"{where(result)}\n", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    return "\n".join(lines + ["| " + " | ".join(in_print(row).values()) + " |" for row in result["rows"]]) + "\n"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(TOPICS), help=f"of {', '.join(TOPICS)}")
    parser.add_argument(
        "--rounds", type=Number(whole(1, 1000)), default=5, help="times that each call is measured (default: 5)"
    )
    parser.add_argument("--threads", type=Number(THREADS), default=2)
    parser.add_argument("--out", type=Path, default=Path("_build/bench"))
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results.json, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    topics = options.only.split(",")
    if unknown := [topic for topic in topics if topic not in TOPICS]:
        parser.error(f"--only {unknown[0]}: expected some of {', '.join(TOPICS)}")
    started, kept = time.perf_counter(), located(RESULTS)
    rows: list[Row] = []
    for topic in topics:
        for row in TOPICS[topic](options.rounds):
            row = row | {"section": topic, "value": None if math.isnan(row["value"]) else round(row["value"], 4)}
            rows.append(row)
            print("  ".join(filter(None, in_print(row).values())), flush=True)
    others = [row for row in read_json(kept)["rows"] if row["section"] not in topics] if kept.exists() else []
    result = environment(started=started) | {"processor": processor(), "rounds": options.rounds}
    result |= {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count(), "rows": others + rows}
    del result["command"], result["seed"]
    if others:  # what was measured before stays under its own heading
        when = f"{options.threads} threads, load {result['load']:g}, {result['commit'] or 'unknown':.8}"
        for row in rows:
            row["topic"] += f" ({when}, {result['finished']:.10})"
        result = read_json(kept) | {"rows": others + rows}
    for path in [options.out / "results.json", *([kept] if options.keep else [])]:
        write_json(path, result)
    with atomic(options.out / "results.md") as path:
        path.write_text(markdown(result), encoding="utf-8")
    print(f"written: {options.out / 'results.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
