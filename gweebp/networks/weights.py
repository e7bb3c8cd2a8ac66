"""Weights of networks: files of our own and published checkpoints, read safely and put into a module with clear errors.

A published checkpoint is a pickle of tensors, at the top level or in an entry `state_dict` or `model_state_dict`; where
it was saved from a DataParallel wrapper every key starts with "module.". Only tensors and plain containers are
unpickled (`weights_only`), with numbers beside them, so a checkpoint can't run code.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from gweebp.support import files

__all__ = ["load", "put", "read", "save"]

CONTAINERS = ("state_dict", "model_state_dict")
PREFIX = "module."  # of every key, where a DataParallel wrapper was saved
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

# an accuracy beside the weights is often a NumPy number; plain numbers and their types run nothing
_SCALAR = np.float64(0).__reduce__()[0]
NUMBERS: list[Any] = [
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),  # before and since NumPy 2
    *(np.dtype, *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64", "bool"))),
]

Net = TypeVar("Net", bound=nn.Module)


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a safetensors file or a published checkpoint, on the CPU.

    Of a published checkpoint the container is opened, "module." taken off the keys, and the metadata are empty.

    Raises:
        FileNotFoundError: no such file.
        ValueError: corrupt, of another format, with anything but tensors in it, or with NaN or infinite weights.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.pth"
    >>> torch.save({"epoch": 3, "state_dict": {"module.fc.weight": torch.ones(2, 3)}}, path)
    >>> read(path)[0]["fc.weight"].shape
    torch.Size([2, 3])
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    with path.open("rb") as file:
        is_safetensors = path.suffix == ".safetensors" or file.read(9)[8:] == b"{"
    weights, metadata = files.read_tensors(path) if is_safetensors else (_published(path), {})
    check_finite(weights, path)
    return weights, metadata


def check_finite(weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Raise ValueError when a weight is NaN or infinite."""
    bad = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    if bad:
        raise ValueError(f"NaN or infinite weights in {', '.join(bad)} ({path}): training diverged, or the file is bad")


def put(net: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Load `weights` into `net`; a tensor that `net` knows by two names is found under either.

    Statistics of instance norms, which old files hold and nobody reads, are left out.

    Raises ValueError that names `path`, the first key that is missing, unknown or of another shape, and what fits.

    >>> put(nn.Linear(3, 2), {"weight": torch.ones(2, 4), "bias": torch.ones(2)}, "net.pth")
    Traceback (most recent call last):
    ValueError: net.pth: weight has shape (2, 4), but this Linear expects (2, 3)
    """
    instance = {
        name for name, module in net.named_modules() if isinstance(module, nn.modules.instancenorm._InstanceNorm)
    }
    expected = net.state_dict(keep_vars=True)
    given = {
        key: weight
        for key, weight in weights.items()
        if key in expected or not (key.endswith(STATISTICS) and key.rpartition(".")[0] in instance)
    }
    same: dict[int, Tensor] = {id(expected[key]): given[key] for key in expected if key in given}
    given |= {key: same[id(tensor)] for key, tensor in expected.items() if id(tensor) in same and key not in given}
    check(expected, given, path, type(net).__name__)
    net.load_state_dict(given)


def check(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], path: str | Path, kind: str) -> None:
    """Raise ValueError, naming `path` and the first wrong key, unless `given` has the keys and shapes of `expected`.

    >>> check({"bias": torch.ones(2)}, {}, "net.pth", "Linear")
    Traceback (most recent call last):
    ValueError: net.pth: bias is missing; the file holds 0 tensors, such as nothing
    """
    for wrong, text in (
        ([key for key in expected if key not in given], "is missing"),
        ([key for key in given if key not in expected], f"is unknown to this {kind}"),
    ):
        if wrong:
            more = f" (the first of {len(wrong)})" if len(wrong) > 1 else ""
            known = next(iter(given), "nothing")
            raise ValueError(f"{path}: {wrong[0]} {text}{more}; the file holds {len(given)} tensors, such as {known}")
    for key, tensor in expected.items():
        if tensor.shape != given[key].shape:
            raise ValueError(
                f"{path}: {key} has shape {tuple(given[key].shape)}, but this {kind} expects {tuple(tensor.shape)}"
            )


def save(net: nn.Module, path: str | Path, record: Mapping[str, Any] | None = None) -> None:
    """Write weights and `net.config`, the keywords that make the same module again, as safetensors, atomically.

    A tensor that `net` knows by two names is written once; `record` rides along as metadata.
    Raises ValueError, and writes nothing, when a weight is NaN or infinite.
    """
    distinct = {id(tensor): key for key, tensor in reversed(net.state_dict(keep_vars=True).items())}
    weights = {key: tensor for key, tensor in net.state_dict().items() if key in distinct.values()}
    check_finite(weights, path)
    files.write_tensors(path, weights, {"config": net.config, "record": dict(record or {})})


def load(kind: type[Net], path: str | Path) -> Net:
    """A module of class `kind` in eval mode: of the size stored by `save`, or of the published size.

    Raises FileNotFoundError or ValueError, as `read` and `put` do.

    >>> import tempfile
    >>> from gweebp.faces.preparation.resnet_generator import PatchGAN
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save(PatchGAN(width=0.125), path)
    >>> load(PatchGAN, path).config
    {'width': 0.125}
    """
    weights, metadata = read(path)
    try:
        net = kind(**metadata.get("config", {}))
    except TypeError as error:
        raise ValueError(f"{path} holds another network than {kind.__name__}: {error}") from error
    put(net, weights, path)
    return net.eval()


def _published(path: Path) -> dict[str, Tensor]:
    try:
        with torch.serialization.safe_globals(NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        # the first sentence: what follows in PyTorch's message recommends to load it unsafely
        reason = str(error).strip().partition(". ")[0].partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{path} is no checkpoint that can be read safely ({reason}); expected a state dict of tensors"
        ) from error
    for entry in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{path} holds a {type(content).__name__}; expected a state dict of tensors")
    for key, value in content.items():
        if not isinstance(value, Tensor):
            known = ", ".join(CONTAINERS)
            raise ValueError(f"{path}: {key} is a {type(value).__name__}; expected tensors, at the top or in {known}")
    wrapped = all(key.startswith(PREFIX) for key in content)
    return {key.removeprefix(PREFIX) if wrapped else key: value for key, value in content.items()}
