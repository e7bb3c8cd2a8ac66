"""Tensors out of a pickled checkpoint, without running its code and without more memory than the file is large.

A published checkpoint is a pickle of tensors, at the top level or in an entry `state_dict` or `model_state_dict`; where
it was saved from a DataParallel wrapper every key starts with "module.". Only tensors and plain containers are
unpickled (`weights_only`), with numbers beside them.
"""

from __future__ import annotations

import mmap
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["read"]

CONTAINERS = ("state_dict", "model_state_dict")
PREFIX = "module."  # of every key, where a DataParallel wrapper was saved

# an accuracy beside the weights is often a NumPy number; plain numbers and their types run nothing
_SCALAR = np.float64(0).__reduce__()[0]
NUMBERS: list[Any] = [
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),  # before and since NumPy 2
    *(np.dtype, *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64", "bool"))),
]
# PyTorch would make one of as many bytes as the file says; no tensor needs it
BYTEARRAYS = (b"c__builtin__\nbytearray\n", b"cbuiltins\nbytearray\n")

_unpickling = threading.Lock()  # what may be unpickled is a global list of PyTorch's


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by name, on the CPU; its container is opened, "module." is removed from the names.

    Args:
        path: of the file.

    Raises:
        ValueError: for a file that is corrupt, unsafe, or holds anything but tensors by name; it names the file.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.pth"
    >>> torch.save({"epoch": 3, "state_dict": {"module.fc.weight": torch.ones(2, 3)}}, path)
    >>> read(path)
    {'fc.weight': tensor([[1., 1., 1.],
            [1., 1., 1.]])}
    """
    content = _unpickled(path)
    for entry in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{path} holds a {type(content).__name__}; expected a state dict of tensors")
    for key, value in content.items():
        if not isinstance(key, str):
            raise ValueError(f"{path}: a key is of type {type(key).__name__}; expected the names of tensors")
        if not isinstance(value, Tensor):
            known = ", ".join(CONTAINERS)
            raise ValueError(f"{path}: {key} is a {type(value).__name__}; expected tensors, at the top or in {known}")
    wrapped = all(key.startswith(PREFIX) for key in content)
    return {key.removeprefix(PREFIX) if wrapped else key: value for key, value in content.items()}


def _unpickled(path: Path) -> Any:
    try:
        _check_size(path)
        with _unpickling, torch.serialization.safe_globals(NUMBERS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file makes the unpickler raise anything
        # the first sentence: what follows in PyTorch's message recommends to load it unsafely
        reason = str(error).strip().partition(". ")[0].partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{path} is no checkpoint that can be read safely ({reason}); expected a state dict of tensors"
        ) from error


def _check_size(path: Path) -> None:
    """Raise ValueError where unpickling would take more memory than the file is large."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise ValueError("it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if any(content.find(name) >= 0 for name in BYTEARRAYS):
                raise ValueError("it makes a bytearray")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise ValueError("it is compressed, as PyTorch saves none")
