"""Parts of the lock, for the set-up in the Makefile. Standard library alone: it runs before anything is installed.

    python book/workflow/lock.py --builders        # what builds the packages without a wheel
    python book/workflow/lock.py --without-cuda    # all but PyTorch and what only its CUDA build needs, for TORCH=cpu
    python book/workflow/lock.py --torch           # torch==... torchvision==..., as the lock pins them

PyTorch's builds without CUDA come from an index of its own, under the same version.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(__file__).resolve().parents[2] / "requirements.txt"
BUILDERS = ("setuptools",)
TORCH = ("torch", "torchvision")
CUDA = re.compile(r"(nvidia|cuda)-.*|triton")


def blocks(lock: str) -> Iterator[tuple[str, str]]:
    """(name, pin with its hashes and remarks) of each package of a lock.

    >>> [name for name, _ in blocks("# by uv\\nnumpy==2.4 \\\\\\n    --hash=sha256:0\\n    # via torch\\ntorch==2\\n")]
    ['numpy', 'torch']
    """
    for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.M | re.I)[1:]:
        yield re.split(r"[=\[ ]", block, maxsplit=1)[0].lower(), block


def builders(lock: str) -> str:
    """The part of the lock that must be there before the rest is installed.

    >>> builders("attrs==26.1\\nsetuptools==84.2 \\\\\\n    --hash=sha256:0\\nzipp==4.1\\n")
    'setuptools==84.2 \\\\\\n    --hash=sha256:0\\n'
    """
    return "".join(block for name, block in blocks(lock) if name in BUILDERS)


def without_cuda(lock: str) -> str:
    """The lock without PyTorch and its CUDA libraries."""
    return "".join(block for name, block in blocks(lock) if name not in TORCH and not CUDA.fullmatch(name))


def pins(lock: str) -> str:
    """PyTorch's own two packages as the lock pins them.

    >>> pins("torch==2.15.0 \\\\\\n    --hash=sha256:0\\ntorchvision==0.29 ; python_version > '3'\\n")
    'torch==2.15.0 torchvision==0.29'
    """
    return " ".join(re.split(r"[ \\;]", block, maxsplit=1)[0].strip() for name, block in blocks(lock) if name in TORCH)


if __name__ == "__main__":
    part = {"--builders": builders, "--without-cuda": without_cuda, "--torch": pins}[sys.argv[1]]
    print(part(LOCK.read_text(encoding="utf-8")))
