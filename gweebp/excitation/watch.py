"""One ordinary forward pass, watched, so that autograd can walk it back by any rule.

`Watch` is a TorchFunctionMode: around a forward pass of an unmodified network it gives each operation on responses
what operations.py says of it. An operation with a rule becomes a node of the autograd graph whose forward is the plain
operation, and whose backward is the rule that the walk holds at that moment:

    gradients = watch.backward(watch.derivative, gains.sum(), responses)        the ordinary rule: ∂G/∂a, Eq. (5)
    mwp       = watch.backward(sharing, scores, activation, prior)              the same graph, Eq. (1)-(4)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation import graph, operations
from gweebp.excitation.copies import Copies
from gweebp.excitation.layers import PlainMode, is_tracked, tensors_in
from gweebp.excitation.nodes import Graph, Node
from gweebp.excitation.operations import Mixing, Passing

Rule = Callable[[Node, Tensor], Sequence[Tensor | None]]  #: (node, what reaches y) → what reaches each operand


def _unset(node: Node, grad: Tensor) -> Sequence[Tensor | None]:
    raise RuntimeError("the graph of a watched forward pass is walked by Watch.backward alone")


MOVES = operations.WINS | operations.COPIES
ELEMENTWISE = operations.SUMS | operations.SCALES | operations.PASSES


class _Operation(torch.autograd.Function):
    """One operation on responses. Its backward is the rule that the watch holds at the time."""

    @staticmethod
    def forward(ctx: Any, watch: Watch, op: Mixing | Passing, *operands: Tensor) -> Tensor:
        mixes = isinstance(op, Mixing)
        differentiable = watch.weighted or (watch.signed and mixes)
        with torch.set_grad_enabled(differentiable):
            inner = tuple(x.detach().requires_grad_(differentiable) for x in operands)
            y = op.plain(*inner)
        node = Node(op, y.detach() >= 0 if watch.signed and mixes else None)
        watch.record(node, Graph(inner, y, y._version) if differentiable else None)
        ctx.watch, ctx.node = watch, node
        if mixes:
            ctx.save_for_backward(*operands)
        return y.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        _ = ctx.saved_tensors  # raises where the network has overwritten them
        return None, None, *ctx.watch.rule(ctx.node, grad)


class Watch(PlainMode):
    """Watches a forward pass, records each operation on responses, and walks the graph back by a rule.

    Args:
        net: the network. signed: whether the signs of parents are needed. weighted: whether gradients are.

    Attributes:
        nodes: the operations in the order of the calls. graphs: of each, y as a function of its operands, as long as
            that is needed. copies: the tensors that only rearrange responses. rule: the backward of all operations.
    """

    def __init__(self, net: nn.Module, *, signed: bool, weighted: bool) -> None:
        super().__init__()
        self.net, self.signed, self.weighted = net, signed, weighted
        self.nodes: list[Node] = []
        self.graphs: dict[Node, Graph] = {}
        self.copies = Copies()
        self.rule: Rule = _unset
        self.scales: list[Tensor] = []
        self.storages = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers())}

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

    def record(self, node: Node, graph: Graph | None) -> None:
        """Add an operation."""
        self.nodes.append(node)
        if graph is not None:
            self.graphs[node] = graph

    def close(self) -> None:
        """Let go of the graph: its nodes hold the watch, and the watch holds tensors of the graph."""
        self.nodes, self.graphs, self.copies, self.scales = [], {}, Copies(), []
        self.rule = _unset

    def apply(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """One operation on responses: by its rule, or UnsupportedOperation."""
        name, in_place = operations.operation_name(func)
        if name in MOVES:
            output = func(*args, **kwargs)
            if self.weighted:
                self.copies.note(func, args, kwargs, output, rearranges=name in operations.COPIES)
            return output
        if in_place:
            return self.in_place(name, func, args, kwargs)
        if name in operations.MIXES:
            return self.mix(operations.MIXES[name](func, args, kwargs), func)
        if name in operations.SUMS and self.neurons(args) == 2:
            return self.mix(operations.addition(name, args, kwargs), func)
        if name in ELEMENTWISE:
            return self.passes(func, name, args, kwargs)
        output = func(*args, **kwargs)
        if name in operations.SCALE_ONLY:
            self.scales.append(output)
        elif name == "setitem" or any(map(is_tracked, tensors_in((output,)))):
            raise graph.unsupported(func, self.net)
        return output

    def in_place(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """x.f_(...) as x ← f(a copy of x, ...): autograd then takes what reaches x to the rule of f."""
        plain = getattr(torch, name, None) or getattr(nn.functional, name, None)
        if plain is None or not args or not is_tracked(args[0]):
            raise graph.unsupported(func, self.net)
        before = args[0].clone()
        self.copies.move(args[0], before)
        return args[0].copy_(self.apply(plain, (before, *args[1:]), kwargs))

    def neurons(self, args: tuple) -> int:
        """How many operands are responses: tracked, or in the shape of one on a path around the layer."""
        shapes = [x.shape for x in args if is_tracked(x)]
        own = [isinstance(x, Tensor) and x.untyped_storage().data_ptr() in self.storages for x in args]
        return sum(is_tracked(x) or (isinstance(x, Tensor) and x.shape in shapes and not o) for x, o in zip(args, own))

    def mix(self, op: Mixing | None, func: Any = None) -> Tensor:
        """Run an operation that mixes neurons as a node of the walk."""
        if op is None:
            raise graph.unsupported(func, self.net)
        return _Operation.apply(self, op, *op.children)

    def passes(self, func: Any, name: str, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        """Run an operation with one child per parent; the other operands must be constants or normalisers."""
        tracked = [x for x in tensors_in((args, kwargs)) if is_tracked(x)]
        children = [x for x in tracked if not any(x is s for s in self.scales)]
        if not children:
            self.scales.append(func(*args, **kwargs))
            return self.scales[-1]
        child, *others = children
        by_scale = len(tracked) == 2 and "div" in name and args[0] is child
        batch_statistics = name == "batch_norm" and (kwargs.get("training") or (len(args) > 5 and args[5]))
        if others or self.neurons(args) > 1 + by_scale or batch_statistics:
            raise graph.unsupported(func, self.net)

        def plain(x: Tensor) -> Tensor:
            x = x.clone()  # the call may work in place
            new = [x if a is child else a.detach() if is_tracked(a) else a for a in args]
            return func(*new, **{k: x if a is child else a for k, a in kwargs.items()})

        return _Operation.apply(self, Passing(plain, child), child)
