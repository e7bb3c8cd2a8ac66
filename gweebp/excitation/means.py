"""Which tensors are the mean of another over some of its axes, however that is written: x less its mean is a centring.

x.mean(-1, keepdim=True)      x.sum(-1)[..., None] / n      x.mean(1).unsqueeze(1).expand_as(x)      −x.mean(...)
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from torch import Tensor

COPIES = set("unsqueeze getitem expand expand_as broadcast_to view reshape clone contiguous".split())
SCALED = set("mul rmul multiply div truediv true_divide divide neg".split())


class Mean(NamedTuple):
    """A multiple of the mean of a tensor.

    Attributes:
        of: the tensor. axes: over which the mean is taken.
        at: for each axis of the result, which axis of `of` it is; None for one along which it is repeated.
        times: the multiple: 1 for a mean, n for a sum, −1 for a mean with the other sign.
    """

    of: Tensor
    axes: tuple[int, ...]
    at: tuple[int | None, ...]
    times: float

    def under(self, x: Tensor) -> bool:
        """Whether the result stands, where broadcast, under the entries of `x` of which it is the mean."""
        lead = x.ndim - len(self.at)
        wanted = [None if a in self.axes else a for a in range(x.ndim)]
        return self.of is x and lead >= 0 and all(a in self.axes for a in range(lead)) and [*self.at] == wanted[lead:]

    @property
    def is_mean(self) -> bool:
        """Whether it is the mean itself."""
        return abs(self.times - 1) < 1e-6

    @property
    def is_minus(self) -> bool:
        """Whether it is the mean with the other sign."""
        return abs(self.times + 1) < 1e-6


def taken(name: str, args: tuple, kwargs: dict[str, Any], output: Any) -> Mean | None:
    """The mean that an operation takes of its first argument; None where it takes none."""
    x = args[0] if args else None
    if (
        name not in ("mean", "sum", "adaptive_avg_pool2d")
        or not isinstance(x, Tensor)
        or not isinstance(output, Tensor)
    ):
        return None
    if name == "adaptive_avg_pool2d":
        axes: Any = (-2, -1) if output.shape[-2:].numel() == 1 else ()
    else:
        axes = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else ()))
    if not axes and axes != 0:
        return None
    axes = tuple(a % x.ndim for a in ((axes,) if isinstance(axes, int) else axes))
    kept = output.ndim == x.ndim
    at = tuple(None if a in axes else a for a in range(x.ndim) if kept or a not in axes)
    return Mean(x, axes, at, math.prod(x.shape[a] for a in axes) if name == "sum" else 1.0)


def carried(m: Mean, name: str, args: tuple, kwargs: dict[str, Any], output: Tensor) -> Mean | None:
    """What an operation on a mean gives, where that is one still: scaled by a number, or brought into another shape."""
    if name in SCALED:
        number = next((x for x in (*args, *kwargs.values()) if isinstance(x, (int, float))), None)
        if name == "neg" or number is None or not number:
            return m._replace(times=-m.times) if name == "neg" else None
        return m._replace(times=m.times * number if name in ("mul", "rmul", "multiply") else m.times / number)
    at = _moved(m, name, args, kwargs, output) if name in COPIES else None
    return None if at is None else m._replace(at=at)


def _moved(m: Mean, name: str, args: tuple, kwargs: dict[str, Any], output: Tensor) -> tuple[int | None, ...] | None:
    if name in ("clone", "contiguous"):
        return m.at
    if name == "unsqueeze":
        axis = kwargs.get("dim", args[1] if len(args) > 1 else 0) % output.ndim
        return (*m.at[:axis], None, *m.at[axis:])
    if name == "getitem":
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        if any(i is not None and i is not Ellipsis and i != slice(None) for i in index):
            return None
        left = list(m.at)
        rest = len(left) - sum(isinstance(i, slice) for i in index)  # what an ellipsis stands for
        at: list[int | None] = []
        for i in index:
            n = 0 if i is None else 1 if isinstance(i, slice) else rest
            at += [None] if i is None else left[:n]
            del left[:n]
        return (*at, *left)
    shape, n = tuple(m.of.shape), len(m.at)
    if name in ("expand", "expand_as", "broadcast_to"):
        return (*[None] * (output.ndim - n), *m.at)
    kept = tuple(1 if a in m.axes else size for a, size in enumerate(shape))  # view or reshape
    in_order = [a for a in m.at if a is not None] == [a for a in range(len(shape)) if a not in m.axes]
    repeated = args and isinstance(args[0], Tensor) and args[0].numel() != math.prod(kept)
    if not in_order or repeated or tuple(output.shape) != kept:
        return None
    return tuple(None if a in m.axes else a for a in range(len(shape)))
