"""Provenance of a result: what ran, from which commit, with which versions, on what, how long, with how much memory."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import sys
import time
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

__all__ = ["PACKAGES", "environment", "processor"]

PACKAGES = ("gweebp", "torch", "torchvision", "numpy", "scipy", "pillow", "matplotlib", "safetensors")


def environment(
    *, seed: int | None = None, started: float | None = None, device: str | torch.device = "cpu"
) -> dict[str, Any]:
    """Describe the run that calls this function, ready for JSON and without absolute paths.

    Args:
        seed: of the run.
        started: `time.perf_counter()` at its start; it gives `seconds`.
        device: on which it computed.

    Returns:
        seed; command (paths relative to the working folder); commit (None outside of a git checkout; with "-dirty"
        where the package differs from it); device (the name of a GPU); threads; versions; finished (UTC); seconds;
        peak_memory_mib of this process, and peak_gpu_memory_mib on a GPU.

    >>> record = environment(seed=3, started=time.perf_counter())
    >>> record["seed"], record["seconds"] >= 0, record["versions"]["torch"] == torch.__version__
    (3, True, True)
    """
    device = torch.device(device)
    record: dict[str, Any] = {
        "seed": seed,
        "command": " ".join(_portable(argument) for argument in sys.argv),
        "commit": _commit(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device} ({platform.machine()})",
        "threads": torch.get_num_threads(),
        "versions": _versions(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": None if started is None else round(time.perf_counter() - started, 3),
        "peak_memory_mib": _peak_memory_mib(),
    }
    if device.type == "cuda":
        record["peak_gpu_memory_mib"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    return record


def processor() -> str:
    """The name of this machine's processor, as far as the system gives it.

    >>> bool(processor())
    True
    """
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.is_file() else None
    return model[1].strip() if model else platform.processor() or platform.machine()


def _portable(argument: str) -> str:
    """An argument with its absolute paths made relative to the working folder: a record may be published.

    A path that is all of an argument, or of an option's value, may hold spaces; one among other words ends at a space.
    """
    whole = re.fullmatch(r"(--?[\w-]+=|)(/.*)", argument, re.S)
    if whole:
        return whole[1] + os.path.relpath(whole[2])
    below = argument.replace(os.path.join(os.getcwd(), ""), "")
    return re.sub(r"(^|[\s=])(/\S*)", lambda found: found[1] + os.path.relpath(found[2]), below)


@lru_cache(maxsize=1)
def _commit() -> str | None:
    here = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # an installed copy may lie inside some other project's checkout, whose commit says nothing about it
    if git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    commit = git("rev-parse", "HEAD")
    return f"{commit}-dirty" if commit and git("status", "--porcelain", "--", ".") else commit


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # run from a checkout that was not installed
            continue
    return {**versions, "torch": torch.__version__}


def _peak_memory_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)  # bytes on macOS, KiB on Linux
