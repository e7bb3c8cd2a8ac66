"""Build the book, or execute one chapter with other parameters: what `make book` and `make chapter` call.

Loads and checks the profile, makes sure that no other build of it runs, and hands over to Snakemake. A build that was
killed leaves no lock behind: the kernel drops it with the process, and the next build goes on where that one stopped.
"""

from __future__ import annotations

import argparse
import difflib
import fcntl
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from chapters import executed, shows_results
from parameters import ChapterError, pairs
from profiles import ProfileError, groups_of, load, offered, trainings

from gweebp.support.ranges import whole

ROOT = Path(__file__).resolve().parents[2]
CORES = whole(1, 4096)


# glibc gives every large buffer of a network back to the system, and each forward pass pays for its pages anew: a third
# to a half of its time. Elsewhere these names mean nothing.
KEEP_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**32)) | {
    "MALLOC_TOP_PAD_": str(2**26)
}


def cluster_folder(name: str) -> Path:
    """The Snakemake profile of a cluster: one of book/cluster, or a folder of one's own."""
    for folder in (ROOT / "book/cluster" / name, Path(name)):
        if os.path.isfile(folder / "config.yaml"):
            return folder
    known = ", ".join(sorted(path.name for path in (ROOT / "book/cluster").iterdir()))
    raise ProfileError(f"CLUSTER={name}: no such cluster; known: {known}, or a folder with a config.yaml of Snakemake")


def snakemake(profile: dict, cores: int, targets: list[str], cluster: Path | None = None) -> list[str]:
    """The command that makes `targets` of a profile, on `cores` of this machine or as jobs of a cluster."""
    build = f"_build/{profile['profile']}"
    config = ROOT / build / "profile.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps(profile | {"build": build}, indent=2), encoding="utf-8")
    make_state(ROOT)
    command = [sys.executable, "-m", "snakemake", "--snakefile", "book/workflow/Snakefile", "--configfile", str(config)]
    command += ["--profile", str(cluster)] if cluster else ["--cores", str(cores)]
    command += ["--rerun-incomplete", "--nolock", "--quiet", "host"]
    # results rest on what is listed as input; another Snakemake or virtual environment changes nothing
    return [*command, "--rerun-triggers", "mtime", "params", "input", "code", "--", *targets]


def make_state(root: Path) -> None:
    """Make the folder that the repository's link .snakemake leads to: Snakemake fails where it lacks."""
    (root / "_build/.snakemake").mkdir(parents=True, exist_ok=True)


def locked(build: Path) -> None:
    """Hold the build's lock until this process ends, the Snakemake that it becomes included."""
    build.mkdir(parents=True, exist_ok=True)
    lock = os.open(build / ".lock", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ProfileError(f"another build in {build.relative_to(ROOT)} is running; wait for it, or stop it") from None


def tidy(profile: dict) -> None:
    """Remove results that the profile asks for no more: chapters read all groups and further trainings they find."""
    build = ROOT / "_build" / profile["profile"]
    for path in [*build.glob("maps/*/*/*.safetensors"), *build.glob("games/*/*/*.safetensors")]:
        network = trainings(profile).get(path.parent.name, (path.parent.name, 0))[0]
        if path.stem not in groups_of(profile, network):
            path.unlink()
    shown = executed(profile["extra_chapters"])
    for path in [path for path in build.glob("chapters/*") if path.stem not in shown]:
        path.unlink()  # the chapter on provenance lists all records
    for path in build.glob("trials/*/*.json"):
        network, replicate = trainings(profile).get(path.stem, ("", 0))
        if not network or (replicate and path.parent.name not in profile["replicates"]["datasets"]):
            path.unlink()


def chapter(profile: dict, name: str, given: list[str]) -> int:
    """Execute one chapter with parameters of one's own; the book's own copy of it stays as it is."""
    build = f"_build/{profile['profile']}"
    there = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))
    if name not in there:
        near = difflib.get_close_matches(name, there, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ProfileError(f"NAME={name}: no such chapter{hint} There are: {', '.join(there)}")
    if shows_results(name) and not (ROOT / build / "games").is_dir():
        raise ProfileError(f"{build} holds no results yet: run `make book PROFILE={profile['profile']}` first")
    out = f"{build}/reruns/{name}.ipynb"
    values = offered(profile, build) | profile["chapters"].get(name, {})
    command = [sys.executable, "book/workflow/execute.py", f"notebooks/{name}.py", "--out", out]
    command += ["--threads", str(profile["threads"]), "--parameter", *given]
    command += ["--offer", *(f"{key}={value}" for key, value in values.items())]
    failed = subprocess.run(command, cwd=ROOT).returncode
    if not failed:
        print(f"executed: {out} (open it in Jupyter)")
    return failed


def words(parameters: str) -> list[str]:
    """PARAMS as NAME=VALUE words, as a shell would part them; ProfileError for what are none.

    >>> words("steps=11 name='a b'")
    ['steps=11', 'name=a b']
    """
    try:
        found = shlex.split(parameters)
        pairs(found)
    except (ValueError, ChapterError) as error:
        raise ProfileError(f"PARAMS={parameters}: {error}; write PARAMS=\"steps=11 name='two words'\"") from None
    return found


def jobs(cores: str, default: int) -> int:
    """CORES as a number of jobs; ProfileError for what is none."""
    try:
        return int(CORES.read(cores)) if cores else default
    except ValueError as error:
        raise ProfileError(f"CORES={cores}: {error}") from None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="book", help="a name in book/profiles, or a YAML file of your own")
    parser.add_argument("--data", default="", help="folder of photo-sketch pairs, for profiles that read one")
    parser.add_argument("--set", default="", help="what its people are called (default: as the folder)")
    parser.add_argument("--weights", default="", help="published weights, for profiles that take such a network")
    parser.add_argument("--cores", default="", help="jobs at once (default: the profile's)")
    parser.add_argument("--cluster", default="", help="submit jobs: a name in book/cluster, or a folder of your own")
    parser.add_argument("--chapter", help="execute this one only, into _build/<profile>/reruns")
    parser.add_argument("--parameters", default="", help="of the chapter: 'steps=11 seed=3'")
    options = parser.parse_args()
    os.chdir(ROOT)
    try:
        profile = load(options.profile, options.data, options.weights, options.set)
        for network, path in profile["absent"].items():
            print(f"note: {network} is left out: its weights are not at {path} (WEIGHTS=file says where they are)")
        cores = jobs(options.cores, profile["cores"]) * profile["threads"]
        cluster = cluster_folder(options.cluster) if options.cluster else None
        if options.chapter == "":
            raise ProfileError("say which chapter: make chapter NAME=hiding_game [PARAMS='steps=11']")
        if options.chapter:
            return chapter(profile, options.chapter, words(options.parameters))
        locked(ROOT / "_build" / profile["profile"])
        tidy(profile)
    except ProfileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    command = snakemake(profile, cores, ["html"], cluster)
    if not sys.stderr.isatty():
        os.environ["TQDM_DISABLE"] = "1"
    os.environ.update(KEEP_MEMORY | os.environ)
    sys.stdout.flush()
    return os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
