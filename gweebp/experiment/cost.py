"""What a call costs, in counts that need no clock: operations, calls of convolutions, waits for the device."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary

#: what needs a number of the device on the host, and so waits until the device has done all that it was told before
WAITS = set("item tolist __bool__ __int__ __float__ __index__ numpy cpu".split())
WAITS_BELOW = set("_local_scalar_dense nonzero masked_select is_nonzero equal unique_dim _unique2".split())


@dataclass(frozen=True)
class Cost:
    """Counts of one call.

    Attributes:
        flops: two a multiply-add, of convolutions and products. convolutions: their calls, forward and transposed.
        waits: times that the host waits for a number of the device.
    """

    flops: int
    convolutions: int
    waits: int


class _Dispatched(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        if self.names[-1] == "index" and any(x is not None and x.dtype == torch.bool for x in args[1]):
            self.names.append("nonzero")
        return func(*args, **(kwargs or {}))


class _Called(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def cost(call: Callable[[], Any]) -> Cost:
    """Count while `call()` runs, on whatever device it runs.

    Example:
        >>> conv, x = torch.nn.Conv2d(2, 3, 1, bias=False), torch.rand(1, 2, 4, 4)
        >>> cost(lambda: conv(x).sum().item())
        Cost(flops=192, convolutions=1, waits=1)
    """
    with FlopCounterMode(display=False) as flops, _Dispatched() as dispatched, _Called() as called:
        call()
    below = [name for name in dispatched.names if name in WAITS_BELOW]
    above = [name for name in called.names if name in WAITS]
    convolutions = [name for name in dispatched.names if name in ("convolution", "convolution_backward")]
    # an item() is also seen below, as the read of a scalar
    scalars = sum(name in ("item", "__bool__", "__int__", "__float__", "__index__") for name in above)
    waits = len(below) + len(above) - min(scalars, below.count("_local_scalar_dense"))
    return Cost(flops.get_total_flops(), len(convolutions), waits)


class _Live(TorchDispatchMode):
    """Bytes of the storages that operations have made and that still live."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.meet((args, kwargs), 0)
        output = func(*args, **(kwargs or {}))
        self.meet(output, 1)
        return output

    def meet(self, tensors: Any, made: int) -> None:
        """Know the storages of `tensors`; those not known yet count where an operation has made them."""
        for storage in (x.untyped_storage() for x in tree_leaves(tensors) if isinstance(x, Tensor)):
            if storage not in self.known:
                self.known[storage] = None
                self.grow(made * storage.nbytes())
                weakref.finalize(storage, self.grow, -made * storage.nbytes())

    def grow(self, size: int) -> None:
        self.now += size
        self.peak = max(self.peak, self.now)


def peak_bytes(call: Callable[[], Any]) -> int:
    """The most bytes of tensors that `call()` held at once, less those that existed before it.

    Tensors as operations return them: what a kernel takes for itself and gives back is not seen.

    Example:
        >>> x = torch.zeros(1000)
        >>> peak_bytes(lambda: ((x + 1) * 2).sum())
        8000
    """
    with _Live() as live:
        call()
    return live.peak
