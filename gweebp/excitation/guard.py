"""A network lent to one call: in evaluation mode, for one thread at a time, and afterwards as it was.

Training flags and hooks stand on the modules, and a module may belong to several networks and be used by several
threads. `lent` therefore waits until no other thread has borrowed one of the network's modules. What it changes is put
back twice, the second time in an outer `finally`: an interrupt at any line, also while things are put back, leaves the
network and the thread's torch modes as they were. Context managers are no help there: Python leaves a `with` statement
on a line of its own, and an interrupt on that line skips the exit.

Assumes: nobody else's code changes training flags or hooks at the same time.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

T = TypeVar("T")
Hook = Callable[[nn.Module, tuple, Any], Any]  #: (module, arguments, output) → another output, or None

_BORROWED: dict[Loan, None] = {}  #: loans in the order in which they were asked for


def settled(call: Callable[[], T]) -> T:
    """The result of `call()`; then the thread's torch modes are as before, however it ended.

    Example:
        >>> settled(lambda: torch.set_grad_enabled(False) and None), torch.is_grad_enabled()
        (None, True)
    """
    modes = _Modes()
    try:
        try:
            return call()
        finally:
            modes.restore()
    finally:
        modes.restore()


def lent(net: nn.Module, call: Callable[[], T], hooks: Mapping[nn.Module, Hook] | None = None) -> T:
    """The result of `call()`, while `net` is in evaluation mode and no other thread has borrowed it.

    Args:
        net: the network. Hooks that others have left for the backward pass are put aside meanwhile, and compiled
            submodules run as they were before.
        call: may use the network. hooks: module → forward hook, called for this thread alone.

    Example:
        >>> net = nn.Dropout()
        >>> lent(net, lambda: net.training), net.training
        (False, True)
    """
    loan = Loan(net, hooks or {})
    try:
        try:
            loan.take()
            return call()
        finally:
            loan.give_back()
    finally:
        loan.give_back()


class Mode(TorchFunctionMode):
    """A TorchFunctionMode into which torch.compile does not look: a compiled function would keep what it saw there."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """An instance, of a subclass that is not traced where something may be compiled."""
        if "torch._dynamo" in sys.modules and cls not in _UNTRACED:
            handler = torch._dynamo.disable(cls.__torch_function__)
            _UNTRACED[cls] = type(cls.__name__, (cls,), {"__torch_function__": handler})
        return super().__new__(_UNTRACED.get(cls, cls))


_UNTRACED: dict[type, type] = {}


class _Modes:
    """The modes of torch of a thread, as they are when this is made."""

    def __init__(self) -> None:
        self.gradients = torch.is_grad_enabled()
        self.functions = _function_modes()
        self.autocast = {kind: torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")}

    def restore(self) -> None:
        """Set them to what they were; does nothing where they still are."""
        torch._C._set_grad_enabled(self.gradients)
        if _function_modes() != self.functions:
            while torch._C._len_torch_function_stack():
                torch._C._pop_torch_function_stack()
            for mode in self.functions:
                torch._C._push_on_torch_function_stack(mode)
        for kind, enabled in self.autocast.items():
            torch.set_autocast_enabled(kind, enabled)


def _meanwhile(module: nn.Module) -> dict[str, Any]:
    """Attributes of a module that a loan replaces, and by what: no backward hooks of others, no compiled code."""
    own: dict[str, Any] = vars(module)
    values: dict[str, Any] = {n: OrderedDict() for n in ("_backward_hooks", "_backward_pre_hooks") if own.get(n)}
    if own.get("_compiled_call_impl") is not None:  # after module.compile()
        values["_compiled_call_impl"] = None
    if "forward" in own and "_orig_mod" in own.get("_modules", {}):  # torch.compile(module)
        values["forward"] = own["_modules"]["_orig_mod"].__call__
    return values


def _function_modes() -> list[Any]:
    """The TorchFunctionModes of this thread, the outermost first."""
    return [torch._C._get_function_stack_at(k) for k in range(torch._C._len_torch_function_stack())]


class Loan:
    """What one call borrows of a network, and how to put it back.

    Attributes:
        thread: that borrows. modules: ids of all modules of the network.
        over: locked until the loan is given back; who waits looks once per second, should an interrupt leave it locked.
    """

    def __init__(self, net: nn.Module, hooks: Mapping[nn.Module, Hook]) -> None:
        modules = list(net.modules())
        self.net, self.thread = net, threading.get_ident()
        self.modules = frozenset(map(id, modules))
        self.over = threading.Lock()
        self.modes = _Modes()
        self.hooks = {module: self.own(hook) for module, hook in hooks.items()}
        self.training: list[nn.Module] = []
        self.aside: list[tuple[dict[str, Any], str, Any]] = []

    def own(self, hook: Hook) -> Hook:
        """The hook, for calls of this loan's thread alone."""
        thread = self.thread  # not the loan: it holds this function, and both would wait for the garbage collector

        def called(module: nn.Module, args: tuple, output: Any) -> Any:
            return hook(module, args, output) if threading.get_ident() == thread else None

        return called

    def take(self) -> None:
        """Wait for the network, then set it as the call wants it."""
        self.over.acquire()
        _BORROWED[self] = None
        earlier = list(itertools.takewhile(lambda loan: loan is not self, list(_BORROWED)))  # first asked, first served
        if not any(loan.thread == self.thread and loan.modules >= self.modules for loan in earlier):
            for loan in earlier:
                while loan in _BORROWED and loan.thread != self.thread and loan.modules & self.modules:
                    if loan.over.acquire(timeout=1):
                        loan.over.release()
        modules = list(self.net.modules())
        self.training = [m for m in modules if m.training]
        for module in self.training:
            module.training = False
        meanwhile = [(vars(m), name, value) for m in modules for name, value in _meanwhile(m).items()]
        self.aside = [(attributes, name, attributes[name]) for attributes, name, _ in meanwhile]
        for attributes, name, value in meanwhile:
            attributes[name] = value
        for module, hook in self.hooks.items():
            module._forward_hooks[id(self)] = hook

    def give_back(self) -> None:
        """Put all back; may be called again, or after a part of `take`. Given back, the network may be another's."""
        if self not in _BORROWED:
            return
        for module in self.training:
            module.training = True
        for attributes, name, value in self.aside:
            attributes[name] = value
        for module in self.hooks:
            module._forward_hooks.pop(id(self), None)
        self.modes.restore()
        del _BORROWED[self]
        self.over.release()
