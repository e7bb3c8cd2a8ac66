"""Walk every stage of a profile once, at its full sizes: what `make walk PROFILE=paper` calls.

Networks, images and the budgets of methods are the profile's; trainings have two steps, and few people are
tested, so that hours become minutes. Whoever has the GPU and the data meets the first crash here and not after a night.
What each stage took, in seconds and in peak memory, goes to _build/walk_<profile>/walked.md. The results mean nothing:
networks of two steps have learned nothing.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build import KEEP_MEMORY, ROOT, locked, snakemake
from profiles import DRAWN, LEARNERS, ProfileError, load

from gweebp.experiment.provenance import collect
from gweebp.support.files import atomic, write_json

STEPS, PEOPLE, TRIALS = 2, 100, 3


def reduced(profile: Mapping[str, Any]) -> dict[str, Any]:
    """The profile with two training steps and few people; all sizes of images and networks as they are.

    τ is set where a third of the impostors pass, and drawn galleries hold the test people alone, so that networks which
    have learned nothing find somebody and leave some trials.
    """
    found = copy.deepcopy(dict(profile))
    found["profile"] = f"walk_{profile['profile']}"
    for dataset in found["datasets"].values():
        dataset["fpr"] = 0.3
        if dataset["kind"] in DRAWN:
            dataset |= {"subjects": PEOPLE, "pretraining": 0, "distractors": 0}
    for recipes in found["training"].values():
        for recipe in recipes.values():
            recipe |= {"steps": STEPS, "validate_every": STEPS}
    for learner in LEARNERS:
        if learner in found["invention"]:
            found["invention"][learner]["steps"] = STEPS
    found["replicates"]["seeds"] = 1
    found["sanity"] |= {"steps": STEPS, "samples": TRIALS}
    return found


def runs(profile: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(dataset, network) of everything that the profile reports: the smallest networks first."""
    small = sorted(profile["networks"], key=lambda name: profile["networks"][name]["size"])
    return [(dataset, network) for network in small for dataset in profile["report"]]


def last(profile: Mapping[str, Any], dataset: str, network: str) -> list[str]:
    """What the last stages write of a run."""
    build, groups = f"_build/{profile['profile']}", profile["maps"]["groups"]
    games = [f"{build}/games/{dataset}/{network}/{group}.safetensors" for group in groups]
    return [*games, f"{build}/sanity/{dataset}/{network}.safetensors"]


def few(path: Path) -> None:
    """Leave TRIALS triplets and quadruplets of a file of trials; fill in any where a network found fewer."""
    found = json.loads(path.read_text(encoding="utf-8"))
    hiding, inpainting = found["hiding"], found["inpainting"]
    numbers = list(range(TRIALS))
    if len(hiding["probe"]) < TRIALS:  # a network that has learned nothing finds few
        hiding |= {"probe": numbers, "mate": numbers, "nonmate": [n + 1 for n in numbers]}
    found["hiding"] = {key: values[:TRIALS] for key, values in hiding.items()}
    if inpainting["candidates"] >= TRIALS:
        inpainting["qualified"] = (inpainting["qualified"] + numbers)[:TRIALS]
    write_json(path, found)


def table(build: Path) -> str:
    """Markdown: one line per run of a stage, in the order of the pipeline."""
    rows = [ran.row() for ran in collect(build)]
    keys = ("stage", "what", "seconds", "MiB", "threads", "device", "commit")
    lines = [f"| {' | '.join(keys)} |", "|" + "---|" * len(keys)]
    return "\n".join(lines + [f"| {' | '.join(row[key] for key in keys)} |" for row in rows]) + "\n"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="paper", help="a name in book/profiles, or a YAML file of your own")
    parser.add_argument("--data", default="", help="folder of photo-sketch pairs, for profiles that read one")
    parser.add_argument("--networks", default="", help="only these, separated by commas (default: all)")
    parser.add_argument("--threads", type=int, default=1, help="of a stage (default: 1)")
    options = parser.parse_args()
    os.chdir(ROOT)
    try:
        profile = reduced(load(options.profile, options.data)) | {"threads": options.threads}
        wanted = [name for name in options.networks.split(",") if name] or list(profile["networks"])
        if unknown := [name for name in wanted if name not in profile["networks"]]:
            raise ProfileError(f"--networks {', '.join(unknown)}: the profile has {', '.join(profile['networks'])}")
        profile["networks"] = {name: profile["networks"][name] for name in wanted}
        build = ROOT / "_build" / profile["profile"]
        locked(build)
    except ProfileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    failed = 0
    for dataset, network in runs(profile):
        trials = f"_build/{profile['profile']}/trials/{dataset}/{network}.json"
        known = Path(trials).is_file()
        failed = failed or _make(profile, options.threads, [trials])
        if not failed and not known:
            few(Path(trials))
        failed = failed or _make(profile, options.threads, last(profile, dataset, network))
        if any(build.glob("data/*/record.json")):
            with atomic(build / "walked.md") as part:
                part.write_text(table(build), encoding="utf-8")
    print(f"what each stage took: {build.relative_to(ROOT)}/walked.md")
    return failed


def _make(profile: dict[str, Any], threads: int, targets: list[str]) -> int:
    environment = KEEP_MEMORY | dict(os.environ)
    return subprocess.run(snakemake(profile, threads, targets), env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
