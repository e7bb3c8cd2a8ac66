"""One ordinary forward pass, watched, so that autograd can walk it back by any rule.

`Watch` is a TorchFunctionMode: around a forward pass of an unmodified network it gives each operation on responses
what rules.py says of it. An operation with a rule becomes a node of the autograd graph whose forward is the plain
operation, and whose backward is the rule that the walk holds at that moment:

    gradients = watch.backward(watch.derivative, gains.sum(), responses)        the ordinary rule: ∂G/∂a, Eq. (5)
    mwp       = watch.backward(sharing, scores, activation, prior)              the same graph, Eq. (1)-(4)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation.dispatch import Dispatch, Op
from gweebp.excitation.graph import caller
from gweebp.excitation.mixings import Mixing, Passing, Product
from gweebp.excitation.nodes import Graph, Node
from gweebp.excitation.tags import NOTHING

Rule = Callable[[Node, Tensor], Sequence[Tensor | None]]  #: (node, what reaches y) → what reaches each operand


def _unset(node: Node, grad: Tensor) -> Sequence[Tensor | None]:
    raise RuntimeError("the graph of a watched forward pass is walked by Watch.backward alone")


class _Operation(torch.autograd.Function):
    """One operation on responses. Its backward is the rule that the watch holds at the time."""

    @staticmethod
    def forward(ctx: Any, watch: Watch, op: Op, *operands: Tensor) -> Tensor:
        mixes = not isinstance(op, Passing)
        differentiable = watch.weighted or (watch.signed and mixes)
        with torch.set_grad_enabled(differentiable):
            inner = tuple(x.detach().requires_grad_(differentiable) for x in operands)
            y = op.plain(*inner)
        ctx.watch, ctx.node = watch, watch.record(op, y.detach() >= 0 if watch.signed and mixes else None)
        if differentiable:
            watch.graphs[ctx.node] = Graph(inner, y, y._version)
        ctx.set_materialize_grads(False)  # where no probability goes, nothing is computed
        return y.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Any, ...]:
        n = len(ctx.needs_input_grad)
        if grad is None:
            return (None,) * n
        found = ctx.watch.rule(ctx.node, grad)
        return (None, None, *found, *(None,) * (n - 2 - len(found)))


class Watch(Dispatch):
    """Watches a forward pass, records each operation on responses, and walks the graph back by a rule.

    Args:
        net: the network. signed: whether the signs of parents are needed. weighted: whether gradients are.

    Attributes:
        nodes: the operations in the order of the calls. graphs: of each, y as a function of its operands, as long as
            that is needed. rule: the backward of all operations.
    """

    def __init__(self, net: nn.Module, *, signed: bool, weighted: bool) -> None:
        self.signed = signed
        super().__init__(net, weighted=weighted)

    def close(self) -> None:
        """Let go of the graph: its nodes hold the watch, and the watch holds tensors of the graph."""
        super().close()
        self.nodes: list[Node] = []
        self.graphs: dict[Node, Graph] = {}
        self.rule: Rule = _unset

    def backward(
        self, rule: Rule, top: Tensor, below: Tensor | list[Tensor], grad: Tensor | None = None, keep: bool = True
    ) -> tuple[Tensor, ...]:
        """Walk from `top` down to `below` by `rule`; `grad` reaches `top`. keep: another walk follows."""
        self.rule = rule
        return torch.autograd.grad(top, below, grad, retain_graph=keep, allow_unused=True)

    def derivative(self, node: Node, grad: Tensor) -> tuple[Tensor, ...]:
        """The ordinary rule: the gradient with respect to each operand."""
        inner, y, _ = self.graphs[node]
        return torch.autograd.grad(y, inner, grad, retain_graph=True)

    def record(self, op: Op, positive: Tensor | None) -> Node:
        """Add an operation."""
        place = caller(self.names)[0]
        sides = tuple(self.node(side, positive, place) for side in op.sides) if isinstance(op, Product) else ()
        node = self.node(op, positive, place, sides)
        self.nodes.append(node)
        return node

    def node(self, op: Op, positive: Tensor | None, place: str, sides: tuple[Node, ...] = ()) -> Node:
        """The node of an operation, as its children are now."""
        children = op.children if isinstance(op, Mixing) else ()
        fixed = tuple(self.tags[x].fixed for x in children)
        return Node(op, positive, fixed, sides, place, tuple(x._version for x in children))

    def operate(self, op: Op) -> Tensor:
        """Run a mixing, a product or a passing as a node of the graph."""
        operands = op.operands if self.weighted or not isinstance(op, Mixing) else op.children
        output: Tensor = _Operation.apply(self, op, *operands)
        self.tags.of[output] = NOTHING
        return output
