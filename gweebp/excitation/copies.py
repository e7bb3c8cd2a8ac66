"""Which tensors of a forward pass hold the same neurons: Eq. (6) takes ∂G/∂a of the neuron, not of one of its copies.

A view, a concatenation or a padding moves responses; each copy is the same neuron, and its ã is the neuron's. The
gradient that autograd gives for a copy is only a part of the neuron's, so it is taken at the original, and the
rearrangement is applied to ã.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from gweebp.excitation.layers import is_tracked, mapped, tensors_in


class Copy(NamedTuple):
    """How a tensor was made of others: output `place` (None: the only one) of function(*args, **kwargs)."""

    tensor: Tensor
    function: Any
    args: tuple
    kwargs: dict[str, Any]
    place: int | None


class Copies:
    """The rearrangements of one forward pass, by the id of what they made (the entry keeps it alive)."""

    def __init__(self) -> None:
        self.made: dict[int, Copy] = {}

    def note(self, function: Any, args: tuple, kwargs: dict[str, Any], output: Any, rearranges: bool) -> None:
        """Remember an operation that moves neurons; without `rearranges` its output holds neurons of its own."""
        several = isinstance(output, (list, tuple))
        for k, x in enumerate(output if several else [output]):
            self.made.pop(id(x), None)  # changed in place, it is not a copy any more
            if rearranges and is_tracked(x) and not any(x is a for a in tensors_in((args, kwargs))):
                self.made[id(x)] = Copy(x, function, args, kwargs, k if several else None)

    def move(self, x: Tensor, to: Tensor) -> None:
        """`x` is about to be overwritten: what it was a copy of, `to` (its value before) is a copy of."""
        if id(x) in self.made:
            self.made[id(to)] = self.made.pop(id(x))._replace(tensor=to)

    def originals(self, x: Tensor) -> list[Tensor]:
        """The responses of which `x` is a rearrangement; `x` itself where it is not one."""
        if id(x) not in self.made:
            return [x]
        made = self.made[id(x)]
        return [o for a in tensors_in((made.args, made.kwargs)) if is_tracked(a) for o in self.originals(a)]

    def rearranged(self, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """f of the originals of `x`, rearranged as they are in `x`."""
        if not is_tracked(x):
            return x
        if id(x) not in self.made:
            return f(x)
        made = self.made[id(x)]
        args, kwargs = (mapped(lambda a: self.rearranged(f, a), given) for given in (made.args, made.kwargs))
        copy = made.function(*args, **kwargs)
        return copy if made.place is None else copy[made.place]


def put(x: Tensor, index: Any, value: Any) -> Tensor:
    """x with x[index] = value, as a new tensor.

    Example:
        >>> import torch
        >>> put(torch.zeros(2), 0, 1.0)
        tensor([1., 0.])
    """
    y = x.clone()
    y[index] = value
    return y


def copied(x: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    """What x.copy_(source) makes of x, as a new tensor."""
    return source.to(x.device, non_blocking=non_blocking).expand(x.shape).clone()
