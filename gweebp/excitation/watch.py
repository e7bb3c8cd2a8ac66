"""One ordinary forward pass, watched, so that autograd can walk it back by another rule.

`Excitation` is a TorchFunctionMode: around a forward pass of an unmodified network it gives each operation on responses
what operations.py says of it. An operation that mixes neurons becomes a node whose forward is the plain operation and
whose backward is the rule (excitation.py); `torch.autograd.grad` then walks the network. With gradient weighting the
same nodes first give ∂G/∂a by their ordinary derivative, and the rule then reads ã of Eq. (6) instead of the responses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation import operations
from gweebp.excitation.gain import weight_by_gradient
from gweebp.excitation.layers import PlainMode, is_tracked, mapped, tensors_in
from gweebp.excitation.nodes import Node
from gweebp.excitation.operations import Mixing

Rule = Callable[[Node, Tensor], list[Tensor]]


class _Mix(torch.autograd.Function):
    """An operation y = W a + bias: backward is ∂G/∂a in the walk's gradient phase, the rule in the other."""

    @staticmethod
    def forward(ctx: Any, walk: Excitation, node: Node, *children: Tensor) -> Tensor:
        asked = walk.weighted or walk.signed
        with torch.set_grad_enabled(asked):
            inner = tuple(c.detach().requires_grad_(asked) for c in children)
            y = node.op.plain(*inner)
        if asked:
            node.inner, node.y, node.version = inner, y, y._version
        node.positive = y.detach() >= 0 if walk.signed else None
        ctx.walk, ctx.node, ctx.op = walk, node, node.op
        ctx.save_for_backward(*children)
        return y.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        walk, node = ctx.walk, ctx.node
        if walk.gradients is None and walk.weighted:
            if walk.note_gradient is not None:
                walk.note_gradient(node.op, grad)
            return (None, None, *torch.autograd.grad(node.y, node.inner, grad, retain_graph=True))
        _ = ctx.saved_tensors  # raises where the network has overwritten them
        found = walk.rule(node, grad)
        if walk.last:
            node.streams = None
        return (None, None, *found)


class _Pass(torch.autograd.Function):
    """One child a parent: in the excitation phase the child gets its parent's probability whole."""

    @staticmethod
    def forward(ctx: Any, walk: Excitation, call: Any, child: Tensor) -> Tensor:
        with torch.set_grad_enabled(walk.weighted):
            inner = child.detach().requires_grad_(walk.weighted)
            y = call(inner.clone())  # a copy: the call may work in place
        ctx.walk, ctx.inner, ctx.y = walk, inner, y if walk.weighted else None
        ctx.shape = child.shape
        return y.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        if ctx.walk.gradients is None and ctx.walk.weighted:
            return None, None, *torch.autograd.grad(ctx.y, ctx.inner, grad, retain_graph=True)
        return None, None, grad.sum_to_size(ctx.shape)


class Excitation(PlainMode):
    """Watches a forward pass and gives each operation on responses its rule (see operations.py).

    Attributes:
        rule: (node, probability of its parents) → probability of its children. One with a method `note_gradient` is
            first told ∂G/∂y of each operation, where weighted.
        signed: whether the rule asks for the signs of parents. weighted: responses are weighted by Eq. (6).
        nodes: the mixing operations, in the order of the calls. last: no other prior follows.
        copies: id of a tensor that only rearranges responses → (itself, function, arguments, its place in the output).
        gradients: id → ∂G/∂a of each response that is no copy; None as long as the walk is in its gradient phase.
    """

    def __init__(self, net: nn.Module, rule: Rule, *, signed: bool, weighted: bool) -> None:
        super().__init__()
        self.net, self.rule, self.signed, self.weighted, self.last = net, rule, signed, weighted, True
        self.note_gradient = getattr(rule, "note_gradient", None)
        self.nodes: list[Node] = []
        self.copies: dict[int, tuple[Tensor, Any, tuple, dict, int | None]] = {}
        self.gradients: dict[int, Tensor | None] | None = None
        self.scales: list[Tensor] = []
        self.storages = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers())}

    def apply(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """One operation on responses: by its rule, or UnsupportedOperation."""
        name, in_place = operations.operation_name(func)
        if name in operations.WINS | operations.COPIES:
            output = func(*args, **kwargs)
            if self.weighted:
                self.note_copies(name, func, args, kwargs, output)
            return output
        if in_place:
            return self.in_place(name, func, args, kwargs)
        if name in operations.MIXES:
            return self.mix(operations.MIXES[name](func, args, kwargs), func)
        if name in operations.SUMS and self.neurons(args) == 2:
            return self.mix(operations.addition(name, args, kwargs), func)
        if name in operations.SUMS | operations.SCALES | operations.PASSES:
            return self.passes(func, name, args, kwargs)
        output = func(*args, **kwargs)
        if name in operations.SCALE_ONLY:
            self.scales.append(output)
        elif name == "setitem" or any(map(is_tracked, tensors_in((output,)))):
            raise operations.unsupported(func, self.net)
        return output

    def note_copies(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        """Remember which tensors hold the same neurons as others: Eq. (6) takes ∂G/∂a of the neuron, not of a copy."""
        for k, x in enumerate(output if isinstance(output, (list, tuple)) else [output]):
            self.copies.pop(id(x), None)  # changed in place, it is a copy no more
            if name in operations.COPIES and is_tracked(x) and not any(x is a for a in tensors_in((args, kwargs))):
                self.copies[id(x)] = (x, func, args, kwargs, k if isinstance(output, (list, tuple)) else None)

    def originals(self, x: Tensor) -> list[Tensor]:
        """The responses of which `x` is a rearrangement; itself, if it is none."""
        if id(x) not in self.copies:
            return [x]
        _, _, args, kwargs, _ = self.copies[id(x)]
        return [o for a in tensors_in((args, kwargs)) if is_tracked(a) for o in self.originals(a)]

    def find_rectified(self, top: Tensor) -> None:
        """Check the graph below `top`, the walk's start, and tell each node whether it is rectified."""
        above = operations.checked_graph(top)
        for n in above:
            if operations.kind(n) == "_mix":
                n.node.rectified = operations.rectified(n, above)

    def differentiate(self, gains: Tensor) -> None:
        """The gradient phase: ∂G/∂a of every response that a rule needs."""
        needed = {id(o): o for node in self.nodes for child in node.op.children for o in self.originals(child)}
        found = torch.autograd.grad(gains.sum(), list(needed.values()), retain_graph=True, allow_unused=True)
        self.gradients = dict(zip(needed, found))
        for node in self.nodes:  # the graph from a to y has served
            node.inner, node.y = (), None

    def responses(self, children: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Of one node's children: â, or ã of Eq. (6) over one power of two: no share changes, none underflows."""
        if not self.weighted:
            return children

        def weighted(x: Tensor) -> Tensor:
            if not is_tracked(x):
                return x
            if id(x) in self.copies:
                _, func, args, kwargs, k = self.copies[id(x)]
                copy = func(*mapped(weighted, args), **mapped(weighted, kwargs))
                return copy if k is None else copy[k]
            gradient = (self.gradients or {})[id(x)]
            return torch.zeros_like(x) if gradient is None else weight_by_gradient(x.detach(), gradient)

        found = [weighted(x) for x in children]
        largest = torch.stack([a.abs().amax() for a in found]).amax()
        power = torch.ldexp(torch.ones_like(largest), -torch.frexp(largest).exponent)
        return tuple(a * power for a in found)

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Let go of the graph at the end: its nodes hold the walk, and the walk holds tensors of the graph."""
        try:
            yield
        finally:
            self.nodes, self.scales, self.copies, self.gradients = [], [], {}, None

    def in_place(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """x.f_(...) as x ← f(a copy of x, ...): autograd then takes what reaches x to the rule of f."""
        plain = getattr(torch, name, None) or getattr(nn.functional, name, None)
        if plain is None or not args or not is_tracked(args[0]):
            raise operations.unsupported(func, self.net)
        before = args[0].clone()
        if id(args[0]) in self.copies:  # what it was a copy of, the value before is a copy of
            self.copies[id(before)] = (before, *self.copies.pop(id(args[0]))[1:])
        return args[0].copy_(self.apply(plain, (before, *args[1:]), kwargs))

    def neurons(self, args: tuple) -> int:
        """How many operands are responses: tracked, or in the shape of one on a path around the layer."""
        shapes = [x.shape for x in args if is_tracked(x)]
        own = [isinstance(x, Tensor) and x.untyped_storage().data_ptr() in self.storages for x in args]
        return sum(is_tracked(x) or (isinstance(x, Tensor) and x.shape in shapes and not o) for x, o in zip(args, own))

    def is_scale(self, x: Tensor) -> bool:
        """Whether `x` is a normaliser: a norm of responses, clamped or shifted perhaps."""
        return any(x is s for s in self.scales)

    def mix(self, op: Mixing | None, func: Any = None) -> Tensor:
        """Run an operation that mixes neurons as a node of the walk."""
        if op is None:
            raise operations.unsupported(func, self.net)
        self.nodes.append(Node(op, lambda: self.responses(op.children)))
        return _Mix.apply(self, self.nodes[-1], *op.children)

    def passes(self, func: Any, name: str, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        """Run an operation with one child a parent; the other operands must be constants or normalisers."""
        tracked = [x for x in tensors_in((args, kwargs)) if is_tracked(x)]
        children = [x for x in tracked if not self.is_scale(x)]
        if not children:
            self.scales.append(func(*args, **kwargs))
            return self.scales[-1]
        by_scale = len(tracked) == 2 and "div" in name and args[0] is children[0]
        batch_statistics = name == "batch_norm" and (kwargs.get("training") or (len(args) > 5 and args[5]))
        if len(children) > 1 or self.neurons(args) > 1 + by_scale or batch_statistics:
            raise operations.unsupported(func, self.net)

        def call(x: Tensor) -> Tensor:
            new = [x if a is children[0] else a.detach() if is_tracked(a) else a for a in args]
            return func(*new, **{k: x if a is children[0] else a for k, a in kwargs.items()})

        return _Pass.apply(self, call, children[0])
