"""Run the sweep: `python -m benchmarks.architectures [--only torchvision,parts] [--name swin] [--keep]`.

Writes _build/architectures/results.json and results.md; `--keep` also results.json and table.md beside this file, which
the book shows: rows of networks that were not run again stay.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.architectures import libraries, parts, report, sweep
from gweebp.support.files import atomic, read_json, write_json
from gweebp.support.record import environment, processor

GROUPS = {
    "this package": libraries.ours,
    "parts": parts.subjects,
    "torchvision": libraries.torchvision,
    "timm": libraries.timm,
}
HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
TABLE = HERE / "table.md"  # which the book includes


def rows_of(group: str, named: str, rounds: int) -> list[dict[str, Any]]:
    """One row per network of a group whose name holds `named`; told as they come."""
    found = []
    for name, subject in GROUPS[group]().items():
        if named not in name:
            continue
        torch.manual_seed(0)
        image = torch.rand(1, subject.channels, subject.side, subject.side)
        try:
            net = subject.build()
            with torch.no_grad():
                net.eval()(image)
        except Exception as error:  # of the library itself
            print(f"{name}: can't be built or run: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            continue
        found.append({"group": group} | sweep.row(name, net, image, rounds))
        print(report.line(found[-1]), flush=True)
        del net
        gc.collect()
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(GROUPS), help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--name", default="", help="only networks whose name holds this")
    parser.add_argument("--rounds", type=int, default=2, help="times that each call is measured; 0: no times")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("_build/architectures"))
    parser.add_argument("--keep", action="store_true", help="write the results and the table of the book, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    groups = options.only.split(",")
    if unknown := [group for group in groups if group not in GROUPS]:
        parser.error(f"--only {unknown[0]}: expected some of {', '.join(GROUPS)}")
    if "timm" in groups and not libraries.timm():
        print(libraries.WITHOUT_TIMM, file=sys.stderr)
    started = time.perf_counter()
    rows = [row for group in groups for row in rows_of(group, options.name, options.rounds)]
    result = {**environment(started=started), "processor": processor(), "timm": libraries.timm_version()}
    del result["command"], result["seed"]
    names = {row["name"] for row in rows}
    kept = read_json(RESULTS)["rows"] if options.keep and RESULTS.exists() else []
    result["rows"] = sorted(
        [row for row in kept if row["name"] not in names] + rows, key=lambda r: list(GROUPS).index(r["group"])
    )
    places = {options.out / "results.json": options.out / "results.md"} | ({RESULTS: TABLE} if options.keep else {})
    for data, page in places.items():
        write_json(data, result)
        with atomic(page) as path:
            path.write_text(report.page(result), encoding="utf-8")
    refused = [row["name"] for row in rows if row["refused"]]
    print(f"{len(rows)} networks, {len(refused)} refused{': ' if refused else ''}{', '.join(refused)}")
    print(f"written: {', '.join(map(str, places.values()))}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
