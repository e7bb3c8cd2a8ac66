"""Each torch operation of a forward pass to its rule: what a TorchFunctionMode does with every call that it sees."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation import graph, operations
from gweebp.excitation.composites import COMPOSITES, Refused, centred_input, is_python, opened
from gweebp.excitation.copies import Copies, copied, put
from gweebp.excitation.layers import (
    WATCHES,
    PlainMode,
    at_least_float32,
    is_tracked,
    mapped,
    tensors_in,
    unwatched,
)
from gweebp.excitation.mixings import Mixing, Parts, Passing, Product, centred, centring
from gweebp.excitation.rules import MIXES, rule_of
from gweebp.excitation.tags import NOTHING, Tags

Op = Mixing | Product | Passing

MOVES = operations.WINS | operations.COPIES
TRANSFORMED = "torch.vmap and the transforms of torch.func hide what they work on: write the batch as an axis"


class Dispatch(PlainMode):
    """Gives each operation on responses to its rule, and tags what depends on the image.

    Args:
        net: the network. weighted: whether gradients are needed of what gets no probability, and of originals.

    Attributes:
        tags: what depends on the image. copies: the tensors that only rearrange responses.
        moves: autograd nodes of maxima and copies. refused: of operations without a rule → their errors.
    """

    def __init__(self, net: nn.Module, *, weighted: bool) -> None:
        super().__init__()
        self.net, self.weighted = net, weighted
        self.names = {id(module): name for name, module in net.named_modules()}
        self.opaque = any(isinstance(module, torch.jit.ScriptModule) for module in net.modules())
        self.own = {x.data_ptr() for x in (*net.parameters(), *net.buffers())} if self.opaque else set()
        self.close()

    def close(self) -> None:
        """Forget the forward pass."""
        self.copies, self.tags = Copies(), Tags()
        self.moves: set[Any] = set()
        self.refused: dict[Any, graph.UnsupportedOperation] = {}

    def operate(self, op: Op) -> Tensor:
        """Run a mixing, a product or a passing."""
        raise NotImplementedError

    def begin(self, images: Tensor) -> None:
        """All that is computed from `images` depends on them."""
        self.tags.of[images] = NOTHING

    def tapped(self, leaf: Tensor) -> None:
        """The layer's output depends on the image, whatever is below it."""
        self.tags.of.setdefault(leaf, NOTHING)

    def unseen(self, x: Tensor) -> bool:
        """Whether `x` may have been made of the image by a scripted module, whose operations are not seen."""
        return self.opaque and x.data_ptr() not in self.own and x.is_floating_point()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        called = getattr(func, "__name__", "")
        if called == "__set__":  # x.data = y, of the tensor itself
            return func(*args, **kwargs)
        if called in WATCHES:
            return unwatched(called)
        for x in tensors_in((args, kwargs)) if self.opaque else ():
            if x not in self.tags.of and self.unseen(x):
                self.tags.of[x] = NOTHING
        if torch.is_grad_enabled():  # above the layer
            self.refuse_transforms(func, args, kwargs)
            args, kwargs = self.constants(args), self.constants(kwargs)
            tracked = next((x for x in tensors_in((args, kwargs)) if is_tracked(x)), None)
            if tracked is not None:
                with self.undisturbed(tracked.device.type):
                    return self.apply(func, args, kwargs)
        output = func(*args, **kwargs)
        self.tags.note(operations.operation_name(func)[0], func, args, kwargs, output)
        return output

    def refuse_transforms(self, func: Any, args: Any, kwargs: Any) -> None:
        """UnsupportedOperation where a transform of torch.func (vmap, grad) hides a response."""
        if torch._C._functorch.peek_interpreter_stack() is None:
            return
        for x in tensors_in((args, kwargs)):
            while torch._C._functorch.is_functorch_wrapped_tensor(x):
                x = torch._C._functorch.get_unwrapped(x)
            if x in self.tags.of:
                raise graph.unsupported(func, self.net, self.names, TRANSFORMED)

    def constants(self, args: Any) -> Any:
        """`args` with each tensor that does not depend on the image as a constant; all in float32 at least."""

        def constant(x: Tensor) -> Tensor:
            if x in self.tags.of:
                y = at_least_float32(x)
                if y is not x:
                    self.tags.of[y] = self.tags[x]
                return y
            return at_least_float32(x.detach().clone() if x.is_inference() else x.detach() if x.requires_grad else x)

        return mapped(constant, args)

    @contextlib.contextmanager
    def undisturbed(self, device: str) -> Any:
        """Without an autocast or hooks for saved tensors (checkpoints) that the network may have set."""
        with contextlib.ExitStack() as stack:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
            if torch._C._autograd._top_saved_tensors_default_hooks(False) is not None:
                stack.enter_context(torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x))
            yield

    def apply(self, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """One operation on responses."""
        name, in_place = operations.operation_name(func)
        if operations.is_identity(name, args, kwargs):
            return args[0] if in_place else self.move("clone", torch.clone, args[:1] or (kwargs["input"],), {})
        if operations.asks_in_place(name, args, kwargs):
            place = [i for i, a in enumerate(args) if a is True][-1:]
            without = tuple(False if i in place else a for i, a in enumerate(args))
            return self.in_place(name, func, without, {k: v for k, v in kwargs.items() if k != "inplace"})
        if in_place and (name not in MOVES or name in operations.REPLACEMENTS):
            plain = {"setitem": put, "copy": copied}.get(name) or getattr(torch, name, None)
            return self.in_place(name, plain or getattr(nn.functional, name, None), args, kwargs)
        return self.run(name, func, args, kwargs)

    def run(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """An operation by its rule; one without is refused should probability reach it."""
        if name in MOVES:
            return self.move(name, func, args, kwargs)
        args, kwargs = centred_input(name, args, kwargs, self.centre) or (args, kwargs)
        if name in COMPOSITES:
            return self.parts(name, COMPOSITES[name], func, args, kwargs)
        op = rule_of(name, func, args, kwargs, self.tags, self.weighted)
        if op is None and name not in MIXES and is_python(func):
            return self.parts(name, opened(func), func, args, kwargs)
        if isinstance(op, Parts):
            return self.parts(name, lambda *args, **kwargs: op.run(), func, args, kwargs)
        if op is None or isinstance(op, str):
            return self.refuse(func, args, kwargs, op)
        output = self.operate(op)
        self.tags.note(name, func, args, kwargs, output)
        return output

    def centre(self, x: Tensor, axes: tuple[int, ...], within: tuple[int, ...] | None = None) -> Tensor:
        """x − mean over `axes`, a mixing of its own; where x is first brought into the shape `within`."""
        if within is not None:
            groups = self.centre(self.move("reshape", torch.reshape, (x, within), {}), axes)
            return self.move("reshape", torch.reshape, (groups, x.shape), {})
        output = self.operate(centring(x, axes))
        self.tags.note("centred", centred, (x, axes), {}, output)
        return output

    def parts(self, name: str, run: Callable[..., Any], func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run an operation in its parts, which the watch sees."""
        try:
            with self:
                output = run(*args, **kwargs)
        except Refused as why:
            return self.refuse(func, args, kwargs, str(why))
        role = self.tags.role(name, args, kwargs)
        for x in tensors_in((output,)) if role else ():
            self.tags.of[x] = self.tags[x]._replace(role=role)
        return output

    def move(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run a maximum or a copy: autograd has its rule."""
        before = {x.grad_fn for x in tensors_in((args, kwargs)) if is_tracked(x)}
        output = func(*args, **kwargs)
        if name in operations.CASTS and output.dtype in (torch.float16, torch.bfloat16) and is_tracked(args[0]):
            output = args[0].to(output.device).clone()  # the walk stays in float32
            func, args, kwargs = torch.clone, args[:1], {}
        self.seen(output, before)
        if self.weighted:
            self.copies.note(func, args, kwargs, output, rearranges=name in operations.COPIES)
        self.tags.note(name, func, args, kwargs, output)
        return output

    def seen(self, output: Any, before: set[Any]) -> None:
        """Note the autograd nodes between `output` and the nodes `before` the operation."""
        front = [x.grad_fn for x in tensors_in((output,)) if is_tracked(x)]
        while front:
            node = front.pop()
            if node is not None and node not in before and node not in self.moves:
                self.moves.add(node)
                front += [n for n, _ in node.next_functions]

    def in_place(self, name: str, plain: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """x.f_(...) as x ← f(a copy of x, ...): autograd then takes what reaches x to the rule of f."""
        x = args[0]
        if name in ("fill", "zero", "detach"):
            getattr(x, f"{name}_")(*args[1:], **kwargs)
            self.tags.of.pop(x, None)
            return x
        if plain is None:
            raise graph.unsupported(getattr(Tensor, f"{name}_", name), self.net, self.names)
        before = x.clone()
        self.seen(before, {x.grad_fn})
        self.copies.move(x, before)
        if x in self.tags.of:
            self.tags.of[before] = self.tags[x]
        output = self.apply(plain, (before, *args[1:]), kwargs)
        nodes = {output.grad_fn, x.grad_fn}
        x.copy_(output)
        self.seen(x, nodes)
        self.tags.note("copied", copied, (x, output), {}, x)
        self.tags.of[x] = self.tags[output]
        return x

    def refuse(self, func: Any, args: tuple, kwargs: dict[str, Any], why: str | None = None) -> Any:
        """Run an operation without a rule as it is: an error, should probability reach it."""
        output = func(*args, **kwargs)
        made = [x for x in tensors_in((output,)) if is_tracked(x)]
        if made or output is None:
            error = graph.unsupported(func, self.net, self.names, why)
            if output is None:
                raise error
            self.refused.update({x.grad_fn: error for x in made})
        self.tags.note(operations.operation_name(func)[0], func, args, kwargs, output)
        return output
