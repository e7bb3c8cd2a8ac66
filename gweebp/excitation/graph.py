"""The autograd graph of a watched forward pass: what escaped the watch, and which parents are rectified."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation import operations
from gweebp.excitation.nodes import Node

OWN_FOLDER = os.path.join(sys.modules["gweebp"].__path__[0], "")  #: frames of files in it are not the caller's


class UnsupportedOperation(NotImplementedError):
    """An operation that mixes neurons and for which no rule is known."""


MOVES = {name.replace("_", "") for name in operations.WINS | operations.COPIES} | set(
    "accumulategrad copy copyslices tocopy unsafeview asstrided slice index splitwithsizes constantpadnd "
    "reflectionpad1d reflectionpad2d reflectionpad3d replicationpad1d replicationpad2d replicationpad3d".split()
)  #: autograd's own nodes of WINS and COPIES, without "Backward"
OPERATION = "_operation"  #: a recorded operation


def where_called(net: nn.Module) -> str:
    """Where in the network the operation at hand was called: submodule, file, line."""
    names = {id(module): name for name, module in net.named_modules()}
    frame, module, line = sys._getframe(1), None, None
    while frame is not None and (module is None or line is None):
        file = frame.f_code.co_filename
        owner = frame.f_locals.get("self")
        outside = not file.startswith(OWN_FOLDER) and "_jit_internal" not in file
        if isinstance(owner, nn.Module) and id(owner) in names:
            if line is None and outside:
                line = f"{file}:{frame.f_lineno}"
            module = module or f"{type(owner).__name__} {names[id(owner)]!r}"
        frame = frame.f_back  # type: ignore[assignment]
    return f"called by {module or type(net).__name__}, {line or 'unknown line'}"


def kind(node: Any) -> str:
    """What an autograd node is the backward of, as MOVES names it."""
    return re.sub(r"backwards?\d*$", "", node.name().rpartition("::")[2].lower())


def reached(top: Tensor) -> dict[Node, bool]:
    """The recorded operations below `top`, and whether each is rectified.

    Rectified: each way up from the operation's output meets a ReLU, with maxima and copies at most before it. No
    negative output of it has probability then: a ReLU hands none down, and what lies between only moves values.

    Errors: UnsupportedOperation if an operation between the layer and `top` escaped the watch. A scripted module, a
    compiled one or a custom `autograd.Function` runs where a TorchFunctionMode does not see it.
    """
    above = checked_graph(top)
    below_relu: dict[Any, bool] = {}

    def rectified(start: Any) -> bool:
        if start not in below_relu:
            below_relu[start] = bool(above[start]) and all(
                kind(n) == "relu" or (kind(n) in MOVES and rectified(n)) for n in above[start]
            )
        return below_relu[start]

    return {n.node: rectified(n) for n in above if kind(n) == OPERATION}


def checked_graph(top: Tensor) -> dict[Any, list[Any]]:
    """The autograd graph below `top`: each autograd node and those that its output enters. Errors: as `reached`."""
    above: dict[Any, list[Any]] = {top.grad_fn: []}
    front: list[Any] = [top.grad_fn]
    while front:
        node = front.pop()
        if kind(node) not in MOVES | {OPERATION}:
            raise UnsupportedOperation(
                f"{node.name()} is in the graph, and excitation backprop did not see its operation: a scripted or "
                "compiled module, or a custom autograd.Function. Use the plain (eager) module, or a layer above it"
            )
        below = [n for n, _ in node.next_functions if n is not None]
        front += dict.fromkeys(n for n in below if n not in above)
        for n in below:
            above.setdefault(n, []).append(node)
    return above


def unsupported(func: Any, net: nn.Module) -> UnsupportedOperation:
    """The error for `func`, naming it, where it was called and what to do."""
    name = torch.overrides.resolve_name(func) or getattr(func, "__name__", str(func))
    return UnsupportedOperation(
        f"{name} mixes neurons and excitation backprop has no rule for it here ({where_called(net)}). Choose a layer "
        "above it, or express it with operations that have a rule (gweebp.excitation.operations lists them)"
    )
