"""How long it takes to start: the package beside torch alone, and the command that shows its help."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from benchmarks.clock import Row, interleaved, ratio, row


def rows(rounds: int) -> Iterator[Row]:
    """Each as a process of its own, over one that imports torch."""
    calls = {
        "torch": ["-c", "import torch"],
        "import gweebp": ["-c", "import gweebp"],
        "gweebp explain --help": ["-m", "gweebp", "explain", "--help"],
    }
    quiet = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
    seconds = interleaved({name: partial(quiet, [sys.executable, *words]) for name, words in calls.items()}, rounds)
    for name in list(calls)[1:]:
        yield row("start", name, "time ÷ importing torch alone", ratio(seconds, name, "torch"), 1.25)
