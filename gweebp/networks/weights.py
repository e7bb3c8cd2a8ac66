"""Weights of networks: our own files and published checkpoints, read safely and loaded into a module with clear errors.

Our own files are safetensors; published checkpoints are pickles (`networks.pickles`). A file is checked before it costs
memory: its shapes are compared with those of a network that has no storage (`fitted`). Whatever is wrong with a file,
the error is a ValueError that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gweebp.networks import pickles
from gweebp.support import files

__all__ = ["config_of", "fitted", "load", "outline", "put", "read", "save"]

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
# methods of tensors and functions of nn.init
FILLING = ("uniform_", "normal_", "zero_", "fill_", "zeros_", "ones_", "kaiming_uniform_", "kaiming_normal_")

Net = TypeVar("Net", bound=nn.Module)


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a safetensors file or a published checkpoint.

    Args:
        path: of the file. The container of a published checkpoint is opened, "module." is removed from its keys.

    Returns:
        key → tensor on the CPU, and the metadata, empty for a published checkpoint.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a corrupt file, another format, anything but plain tensors (dense, of numbers) in it, or NaN or
            infinite weights.

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
    found, metadata = files.read_tensors(path) if is_safetensors else (pickles.read(path), {})
    weights = {key: _plain(key, tensor, path) for key, tensor in found.items()}
    check_finite(weights, path)
    return weights, metadata


def _plain(key: str, tensor: Tensor, path: Path) -> Tensor:
    """The tensor itself, if it is dense, on the CPU, of numbers, and no larger than what the file holds of it."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_nested or tensor.layout != torch.strided:
        kind = f"nested or sparse {kind}"
    elif tensor.device.type != "cpu":
        kind = f"{tensor.device.type} {kind}"
    elif tensor.dtype in FLOATS + INTEGERS and not tensor.is_quantized:
        if tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes():
            return tensor.detach().as_subclass(Tensor)
        kind = f"repeated {kind}"
    raise ValueError(f"{path}: {key} is a {kind} tensor; expected dense floating-point numbers or integers")


def check_finite(weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Check that weights are numbers.

    Args:
        weights: key → tensor.
        path: of their file, for errors.

    Raises:
        ValueError: where a weight is NaN or infinite.
    """
    bad = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    if bad:
        raise ValueError(f"NaN or infinite weights in {', '.join(bad)} ({path}): training diverged, or the file is bad")


def put(net: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Load weights into a network; a tensor that the network knows by two names is found under either name.

    Statistics of instance norms, which old files hold and which are not used, are left out.

    Args:
        net: the network.
        weights: key → tensor.
        path: of their file, for errors.

    Raises:
        ValueError: for a key that is missing, unknown or of another shape; it names the file, the first such key, and
            what fits.

    >>> put(nn.Linear(3, 2), {"weight": torch.ones(2, 4), "bias": torch.ones(2)}, "net.pth")
    Traceback (most recent call last):
    ValueError: net.pth: weight has shape (2, 4), but this Linear expects (2, 3)
    """
    expected, given = _matched(net, weights)
    check(expected, given, path, type(net).__name__)
    net.load_state_dict(given)


def _matched(net: nn.Module, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What `net` expects, and of `weights` what is for it: each tensor under all of its names, no old statistics."""
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
    return expected, given


def check(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], path: str | Path, kind: str) -> None:
    """Check that weights fit a network: keys, shapes, numbers.

    Args:
        expected: key → tensor of the network.
        given: key → tensor of the file.
        path: of the file, for errors.
        kind: what the network is, for errors.

    Raises:
        ValueError: for the first key that does not fit; it names the file and the key.

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
        found = given[key]
        if tensor.shape != found.shape:
            raise ValueError(
                f"{path}: {key} has shape {tuple(found.shape)}, but this {kind} expects {tuple(tensor.shape)}"
            )
        if tensor.is_floating_point() != found.is_floating_point():
            raise ValueError(f"{path}: {key} holds {found.dtype}, but this {kind} expects {tensor.dtype}")
        if found.is_floating_point() and not found.to(tensor.dtype).isfinite().all():
            raise ValueError(f"{path}: {key} holds numbers that are too large for {tensor.dtype}")


def save(net: nn.Module, path: str | Path, record: Mapping[str, Any] | None = None) -> None:
    """Write weights and `net.config`, the keywords that make the same module again, as safetensors, atomically.

    A tensor that the module knows by two names is written once.

    Args:
        net: the module.
        path: the file to write.
        record: how the weights were made, names and values that JSON can hold; it is kept in the file's metadata.

    Raises:
        ValueError: for a weight that is NaN or infinite; nothing is written.
        OSError: where the file cannot be written; an old one stays.
    """
    distinct = {id(tensor): key for key, tensor in reversed(net.state_dict(keep_vars=True).items())}
    weights = {key: tensor for key, tensor in net.state_dict().items() if key in distinct.values()}
    check_finite(weights, path)
    files.write_tensors(path, weights, {"config": net.config, "record": dict(record or {})})


def load(kind: type[Net], path: str | Path) -> Net:
    """A module with its weights, of the size that `save` stored, or of the published size.

    Args:
        kind: class of the module.
        path: of the file.

    Returns:
        The module, in evaluation mode, on the CPU.

    Raises:
        FileNotFoundError, ValueError: as `read` and `fitted`.

    >>> import tempfile
    >>> from gweebp.faces.preparation.resnet_generator import PatchGAN
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save(PatchGAN(width=0.125), path)
    >>> load(PatchGAN, path).config
    {'width': 0.125}
    """
    weights, metadata = read(path)
    return fitted(lambda: kind(**config_of(metadata, path)), weights, path, kind.__name__)


def config_of(metadata: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """The keywords that `save` wrote, lists as tuples; none where another program wrote the file.

    Args:
        metadata: as `read` returns it.
        path: of the file, for errors.

    Raises:
        ValueError: where the config is not names and values.

    >>> config_of({"config": {"width": 0.5, "std": [1, 2, 3]}}, "net.safetensors")
    {'width': 0.5, 'std': (1, 2, 3)}
    """
    config = metadata.get("config", {})
    if not isinstance(config, dict):
        raise ValueError(f"{path}: its config is a {type(config).__name__}; expected the keywords of a network")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}


class _Unfilled(TorchFunctionMode):
    """Leaves out what fills new tensors with numbers; on the meta device PyTorch would import 900 modules for it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in FILLING:
            return args[0] if args else kwargs["tensor"]
        return torch.empty(*args, **kwargs) if func is torch.randn else func(*args, **kwargs)


def outline(make: Callable[[], Net]) -> Net:
    """A module on the meta device: its tensors have shapes, and no storage.

    Args:
        make: makes the module.

    >>> outline(lambda: nn.Linear(10**7, 10**7)).weight.shape
    torch.Size([10000000, 10000000])
    """
    with torch.device("meta"), _Unfilled():
        return make()


def fitted(make: Callable[[], Net], weights: Mapping[str, Tensor], path: str | Path, name: str = "it names") -> Net:
    """A module with weights in it, in evaluation mode; the global generator is left as it was.

    Shapes are compared first, with a module that takes no memory: what a file says of a network's size may be wrong.

    Args:
        make: makes the module, of options that came from `path`.
        weights: key → tensor.
        path: of the file, for errors.
        name: of the module, for errors.

    Raises:
        ValueError: where the options are not those of a module, or the weights do not fit it; it names the file.

    >>> fitted(lambda: nn.Linear(10**7, 10**7), {"weight": torch.ones(2, 3), "bias": torch.ones(2)}, "net.pth")
    Traceback (most recent call last):
    ValueError: net.pth: weight has shape (2, 3), but this Linear expects (10000000, 10000000)
    """
    try:
        try:
            skeleton = outline(make)
        except RuntimeError:  # a constructor that reads numbers, such as a plugin's, can't do without them
            skeleton = make()
    except Exception as error:  # whatever a constructor makes of options that are not its own
        raise ValueError(f"{path} holds another network than {name}: {error}") from error
    expected, given = _matched(skeleton, weights)
    check(expected, given, path, type(skeleton).__name__)
    with torch.random.fork_rng(devices=[]):
        net = make()
    put(net, weights, path)
    return net.eval()
