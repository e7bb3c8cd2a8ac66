"""The records of all runs of a build, collected into tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from gweebp.support import files
from gweebp.support.files import located

__all__ = ["STAGES", "Ran", "collect", "seconds_by_stage", "summary", "versions"]

#: stage -> pattern of its records below a build, and where in the file the record is; in the order of the pipeline
STAGES = {
    "align": ("aligned/*/manifest.json", "align/environment"),
    "prepare": ("data/*/record.json", "environment"),
    "train": ("networks/*/*/record.json", "environment"),
    "verify": ("trials/*/*.json", "record"),
    "maps": ("maps/*/*/*.safetensors", "record"),
    "play": ("games/*/*/*.safetensors", "record"),
    "train, shuffled": ("sanity/*/*/record.json", "environment"),
    "sanity": ("sanity/*/*.safetensors", "record"),
    "chapter": ("chapters/*.json", ""),
}


@dataclass(frozen=True)
class Ran:
    """One run of a stage: stage, what it was for (dataset, network, ...), and its record (`record.environment`)."""

    stage: str
    what: str
    record: dict[str, Any]

    @property
    def command(self) -> str:
        """The command line, paths relative to the repository."""
        return str(self.record.get("command", ""))

    def row(self) -> dict[str, Any]:
        """A row of the table of runs, as text."""
        r = self.record
        seed, commit = r.get("seed"), r.get("commit")
        return {
            "stage": self.stage,
            "what": self.what,
            "seed": "" if seed is None else str(seed),
            "seconds": f"{r['seconds']:.1f}" if r.get("seconds") is not None else "",
            "MiB": f"{r['peak_memory_mib']:.0f}" if r.get("peak_memory_mib") else "",
            "threads": str(r.get("threads", "")),
            "device": str(r.get("device", "")),
            "commit": "none" if commit is None else commit[:8] + ("-dirty" if commit.endswith("-dirty") else ""),
        }


def collect(build: str | Path) -> list[Ran]:
    """The records of a build, in the order of the pipeline, each stage by name.

    Raises FileNotFoundError where there is none at all.
    """
    build = located(build)
    found = [
        Ran(stage, _made(path.relative_to(build)), record)
        for stage, (pattern, place) in STAGES.items()
        for path in sorted(build.glob(pattern))
        for record in _read(path, place)
    ]
    if not found:
        raise FileNotFoundError(f"no record of any run in {build}: build the book first")
    return found


def summary(records: Sequence[Ran]) -> list[str]:
    """What the records have in common, in sentences; where they differ, that is said.

    >>> summary([Ran("train", "x", {"commit": "abc", "seconds": 90.0, "threads": 1, "device": "cpu", "seed": 3})])[0]
    '1 runs took 1.5 minutes in all, the longest 1.5 (train x).'
    """
    seconds = {(r.stage, r.what): float(r.record.get("seconds") or 0) for r in records}
    (stage, what), longest = max(seconds.items(), key=lambda item: item[1])
    memory = max(records, key=lambda r: r.record.get("peak_memory_mib") or 0)
    total = sum(seconds.values())
    lines = [
        f"{len(records)} runs took {total / 60:.1f} minutes in all, the longest {longest / 60:.1f} ({stage} {what}).",
        f"The largest took {memory.record.get('peak_memory_mib') or 0:.0f} MiB ({memory.stage} {memory.what}).",
    ]
    for name in ("commit", "seed", "threads", "device"):
        values = sorted({str(r.record[name]) for r in records if r.record.get(name) is not None})
        label = {"commit": "Commit", "seed": "Seed", "threads": "CPU threads", "device": "Device"}[name]
        differ = " (the runs differ)" if len(values) > 1 else ""
        lines.append(f"{label}: {', '.join(values) or 'not recorded'}{differ}.")
    return lines


def versions(records: Sequence[Ran]) -> dict[str, dict[str, str]]:
    """Package -> its versions in these runs; several where runs differ.

    >>> versions([Ran("train", "x", {"versions": {"torch": "2"}}), Ran("play", "x", {"versions": {"torch": "3"}})])
    {'torch': {'version': '2, 3'}}
    """
    names = dict.fromkeys(name for r in records for name in r.record.get("versions", {}))
    found = {
        name: {r.record["versions"][name] for r in records if name in r.record.get("versions", {})} for name in names
    }
    return {name: {"version": ", ".join(sorted(values))} for name, values in found.items()}


def seconds_by_stage(records: Sequence[Ran]) -> dict[str, float]:
    """Stage -> seconds of all its runs together.

    >>> seconds_by_stage([Ran("train", "x", {"seconds": 2.0}), Ran("train", "y", {"seconds": 1.0})])
    {'train': 3.0}
    """
    return {
        stage: sum(float(r.record.get("seconds") or 0) for r in records if r.stage == stage)
        for stage in dict.fromkeys(r.stage for r in records)
    }


def _made(path: Path) -> str:
    """What a run made, without the folder of its stage: "synthetic-drawn/vgg16" of networks/.../record.json."""
    return "/".join(part for part in path.with_suffix("").parts[1:] if part not in ("record", "manifest"))


def _read(path: Path, place: str) -> Iterator[dict[str, Any]]:
    """The record in a file, if it has one."""
    if path.suffix == ".json":
        content = files.read_json(path)
    else:
        with safe_open(path, framework="pt") as file:  # the metadata only: maps are large
            content = json.loads((file.metadata() or {}).get(files.METADATA, "{}"))
    for key in place.split("/") if place else []:
        content = content.get(key, {})
    if isinstance(content, dict) and content:
        yield content
