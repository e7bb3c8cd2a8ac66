"""One operation of a forward pass, as the rules see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gweebp.excitation.places.fields import Places
from gweebp.excitation.tensors import tensors_in


class Lost(Exception):
    """It is not known where the output of an operation looks; the message names the operation."""


class Call(NamedTuple):
    """One operation of a forward pass, and the places of its operands.

    Attributes:
        places: of a tensor; None of a constant. trained: whether a tensor is, or is made of, trained weights.
    """

    name: str
    func: Any
    args: tuple
    kwargs: dict[str, Any]
    output: Any
    places: Callable[[Any], Places | None]
    trained: Callable[[Any], bool]

    def get(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by its place or name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    def of(self, position: int, name: str) -> Places:
        """Places of an argument; Lost where it is a constant."""
        p = self.places(self.get(position, name))
        if p is None:
            raise Lost(self.name)
        return p

    @property
    def size(self) -> torch.Size:
        """Shape of the output, of the first of several."""
        return next(tensors_in([self.output])).shape


Found = Places | list[Places | None]


def each(value: Any, n: int) -> list[int]:
    """One number for each of n axes."""
    values = list(value) if isinstance(value, (list, tuple, torch.Size)) else [value]
    return [int(v) for v in (values * n if len(values) == 1 else values)]


def several(call: Call, first: Places) -> Found:
    """Places of the first output, and of others that are floating."""
    if isinstance(call.output, Tensor):
        return first
    return [first] + [None] * (len(list(tensors_in([call.output]))) - 1)
