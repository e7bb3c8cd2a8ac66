"""The lock without PyTorch and what only its CUDA build needs: `make setup TORCH=cpu` installs the rest from it.

PyTorch's builds without CUDA come from an index of its own, under the same version. This runs before anything is
installed, on the standard library alone.

    python book/workflow/without_cuda.py            # the lock without them, hashes and all
    python book/workflow/without_cuda.py --torch    # torch==... torchvision==..., as the lock pins them
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(__file__).resolve().parents[2] / "requirements.txt"
TORCH = ("torch", "torchvision")
CUDA = re.compile(r"(nvidia|cuda)-.*|triton")


def blocks(lock: str) -> Iterator[tuple[str, str]]:
    """(name, pin with its hashes and remarks) of each package of a lock.

    >>> [name for name, _ in blocks("# by uv\\nnumpy==2.4 \\\\\\n    --hash=sha256:0\\n    # via torch\\ntorch==2\\n")]
    ['numpy', 'torch']
    """
    for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.M | re.I)[1:]:
        yield re.split(r"[=\[ ]", block, maxsplit=1)[0].lower(), block


def remaining(lock: str) -> str:
    """The lock without PyTorch and its CUDA libraries."""
    return "".join(block for name, block in blocks(lock) if name not in TORCH and not CUDA.fullmatch(name))


def pins(lock: str) -> list[str]:
    """PyTorch's own two packages as the lock pins them.

    >>> pins("torch==2.15.0 \\\\\\n    --hash=sha256:0\\ntorchvision==0.29 ; python_version > '3'\\n")
    ['torch==2.15.0', 'torchvision==0.29']
    """
    return [re.split(r"[ \\;]", block, maxsplit=1)[0].strip() for name, block in blocks(lock) if name in TORCH]


if __name__ == "__main__":
    text = LOCK.read_text(encoding="utf-8")
    print(" ".join(pins(text)) if sys.argv[1:] == ["--torch"] else remaining(text))
