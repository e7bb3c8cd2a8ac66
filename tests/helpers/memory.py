"""How much memory a piece of code takes, measured in a process of its own: some files unpack to gigabytes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

AROUND = """
import sys
{setup}

def memory(entry):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(entry))

open("/proc/self/clear_refs", "w").write("5")  # the peak so far is forgotten
before = memory("VmRSS:")
{code}
print("peak", (memory("VmHWM:") - before) // 1024)
"""


def peak(setup: str, code: str, *arguments: object, timeout: float = 120) -> int:
    """MiB that `code` takes at its peak, above what `setup` took; both are Python, and see `arguments` in sys.argv."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process is measured on Linux only")
    program = AROUND.format(setup=textwrap.dedent(setup), code=textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.split("peak")[-1])
