"""What a watched forward pass records of each operation, and the streams in which children excite their parents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from torch.autograd.graph import GradientEdge

from gweebp.excitation.mixings import Mixing, Passing, Product


class Graph(NamedTuple):
    """y as an ordinary function of an operation's operands, for its derivative.

    Attributes:
        operands: leaves with the values of the operands. y: the output, with a graph that ends at them.
        version: the version of y when it was new, by which one sees whether the network has overwritten it since.
    """

    operands: tuple[Tensor, ...]
    y: Tensor
    version: int

    @property
    def overwritten(self) -> bool:
        """Whether the network has changed y in place since it was computed."""
        return self.y._version != self.version


@dataclass(frozen=True, eq=False)
class Node:
    """One operation of a watched forward pass, as it was called.

    Attributes:
        op: a mixing y = W a + bias, a product of two responses, or a passing y_i = f(a_i).
        positive: where y ≥ 0, bias included; None where the rule does not ask.
        fixed: of each child of a mixing, which entries no image changes, and are no children; None: none of them.
        sides: of a product, the node of each factor's mixing.
        place: the submodule that called it.
        versions: of the children of a mixing, when they entered it.
    """

    op: Mixing | Product | Passing
    positive: Tensor | None
    fixed: tuple[Tensor | None, ...] = ()
    sides: tuple[Node, ...] = ()
    place: str = ""
    versions: tuple[int, ...] = ()

    @property
    def mixing(self) -> Mixing:
        """The operation of a node that is known to mix."""
        assert isinstance(self.op, Mixing)
        return self.op

    @property
    def overwritten(self) -> bool:
        """Whether the network has changed a child in place since it entered the operation."""
        return any(a._version != v for a, v in zip(self.mixing.children, self.versions))

    @property
    def mixings(self) -> tuple[Node, ...]:
        """The nodes that share probability by Eq. (1)-(4): itself, its sides, or none."""
        return (self,) if isinstance(self.op, Mixing) else self.sides

    @property
    def has_fixed(self) -> bool:
        """Whether any entry of a child is fixed."""
        return any(f is not None for f in self.fixed)


def signed_as(positive: Tensor, values: Tensor) -> Tensor:
    """`values` where `positive`, else −values: as a product in place, which is many times faster than torch.where."""
    return positive.to(values.dtype).mul_(2).sub_(1).mul_(values)


class Stream(NamedTuple):
    """A product W' a' of some of an operation's weights with some of its responses, to go back through.

    Attributes:
        excitation: where the graph of W' a' begins, which ends at `children`; the numbers themselves are let go.
        children: a', one tensor for each child, in its shape.
        parents: mask of the parents that it excites; None: all of them.
        positive: where the stream enters 1/Z as it is; elsewhere it does with a minus. None: everywhere as it is.
    """

    excitation: GradientEdge
    children: list[Tensor]
    parents: Tensor | None = None
    positive: Tensor | None = None

    def of_parents(self, values: Tensor) -> Tensor:
        """`values` of the parents that the stream excites, with its sign; 0 for the other parents."""
        values = values if self.parents is None else self.parents * values
        return values if self.positive is None else signed_as(self.positive, values)


class Excited(NamedTuple):
    """The streams of one operation, and 1/Z of each parent: their sum, in the shape of y."""

    streams: list[Stream]
    total: Tensor
