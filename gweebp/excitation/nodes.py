"""What a walk knows of each operation that mixes neurons, and the streams in which its children excite its parents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from gweebp.excitation.operations import Mixing


class Stream(NamedTuple):
    """A product W' a' of some of an operation's weights with some of its responses.

    Attributes:
        excitation: W' a', in the shape of y, with a graph that ends at `children`.
        children: a', a tensor for each child, in its shape.
        factor: of the stream in 1/Z ∝ Σ over streams of factor · excitation: 0, 1 or −1 for each parent; None: 1.
    """

    excitation: Tensor
    children: list[Tensor]
    factor: Tensor | None = None

    def scaled(self, values: Tensor) -> Tensor:
        """factor · values."""
        return values if self.factor is None else self.factor * values


@dataclass(eq=False)
class Node:
    """One mixing operation y = W a + bias of a watched forward pass.

    Attributes:
        op: the operation. get_responses: → â of its children, or ã of Eq. (6).
        positive: where y ≥ 0, bias included; None for a rule that does not ask.
        inner, y: a and y with a graph of their own between them, where one is asked for; `version` is that of y when
            it was new, by which one sees whether the network has overwritten it since.
        rectified: a ReLU stands on each way from y to the embedding, so that no negative parent has probability.
        child_signs, parent_signs: those that occur, + first, as far as they matter to the rule.
        streams: what the rule keeps from one prior to the next.
    """

    op: Mixing
    get_responses: Callable[[], tuple[Tensor, ...]]
    positive: Tensor | None = None
    inner: tuple[Tensor, ...] = ()
    y: Tensor | None = None
    version: int = 0
    rectified: bool = False
    child_signs: tuple[int, ...] = (+1,)
    parent_signs: tuple[int, ...] = (+1,)
    streams: list[Stream] | None = None

    @property
    def responses(self) -> tuple[Tensor, ...]:
        """â of the children, or ã of Eq. (6), without a graph."""
        return tuple(a.detach() for a in self.get_responses())
