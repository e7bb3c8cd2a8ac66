"""The autograd graph of a watched forward pass: which operations probability reaches, and what escaped the watch."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation.nodes import Node

# frames of files in it are not the caller's (a plain comment: the reference shows the value of what "#:" describes)
OWN_FOLDER = os.path.join(sys.modules["gweebp"].__path__[0], "")
CORE = os.path.join(OWN_FOLDER, "excitation", "")
OPERATION = "_operation"  #: the kind of autograd node that a recorded operation is
VIEWS = set(
    "accumulategrad copy copyslices alias asstrided view viewas unsafeview reshapealias expand select slice narrow "
    "split splitwithsizes unbind unfold transpose permute t squeeze unsqueeze diagonal clone tocopy".split()
)  #: what autograd itself makes of views, when a tensor under them is changed in place


class UnsupportedOperation(NotImplementedError):
    """An operation that mixes neurons and for which no rule is known."""


def caller(names: Mapping[int, str]) -> tuple[str, str]:
    """(submodule, file:line) in which the operation at hand was called; names: id of a module → its name."""
    frame, module, line = sys._getframe(1), "", ""
    while frame is not None and not (module and line):
        code = frame.f_code
        method = code.co_argcount > 0 and not code.co_filename.startswith(CORE)
        owner = frame.f_locals.get(code.co_varnames[0]) if method else None
        if isinstance(owner, nn.Module) and id(owner) in names:
            outside = not code.co_filename.startswith(OWN_FOLDER) and "_jit_internal" not in code.co_filename
            line = line or (f"{code.co_filename}:{frame.f_lineno}" if outside else "")
            module = module or (f"{type(owner).__name__} {names[id(owner)]!r}" if names[id(owner)] else "")
        frame = frame.f_back  # type: ignore[assignment]
    return module, line


def unsupported(func: Any, net: nn.Module, names: Mapping[int, str], why: str | None = None) -> UnsupportedOperation:
    """The error for `func`, naming it, where it was called and what to do; `why`: a reason of its own."""
    name = torch.overrides.resolve_name(func) or getattr(func, "__name__", str(func))
    module, line = caller(names)
    where = f"called by {module or type(net).__name__}, {line or 'unknown line'}"
    if why is not None:
        return UnsupportedOperation(f"{name} ({where}): {why}, or choose a layer above it")
    return UnsupportedOperation(
        f"{name} mixes neurons and excitation backprop has no rule for it here ({where}). Choose a layer above it, or "
        "express it with operations that have a rule (gweebp.excitation.operations lists them)"
    )


def kind(node: Any) -> str:
    """What an autograd node is the backward of: ReluBackward0 → "relu"."""
    return re.sub(r"backwards?\d*$", "", node.name().rpartition("::")[2].lower())


def reached(top: Tensor, moves: Collection[Any], refused: Mapping[Any, UnsupportedOperation]) -> dict[Node, bool]:
    """The recorded operations that probability reaches from `top`, and whether each is rectified.

    Rectified: each way up from the operation's output meets a ReLU, with maxima and copies at most before it. No
    negative output of it has probability then: a ReLU hands none down, and what lies between only moves values.

    Args:
        moves: autograd nodes of maxima and copies that were seen. refused: of operations without a rule → their errors.

    Errors: UnsupportedOperation if probability reaches an operation without a rule, or one that escaped the watch.
    """
    above = checked_graph(top, moves, refused)
    known: dict[Any, bool] = {}
    return {n.node: _rectified(n, above, known) for n in above if kind(n) == OPERATION}


def _rectified(start: Any, above: Mapping[Any, list[Any]], known: dict[Any, bool]) -> bool:
    """Whether each way up from `start` meets a ReLU; what is found goes to `known`.

    Not a function within `reached`: one that names itself stays until the garbage collector comes, and with it the
    whole graph.
    """
    if start not in known:
        known[start] = bool(above[start]) and all(
            kind(n) == "relu" or (kind(n) != OPERATION and _rectified(n, above, known)) for n in above[start]
        )
    return known[start]


def checked_graph(
    top: Tensor, moves: Collection[Any], refused: Mapping[Any, UnsupportedOperation]
) -> dict[Any, list[Any]]:
    """The autograd graph below `top`, as far as probability goes: each node and those that its output enters.

    Arguments and errors: as `reached`.
    """
    above: dict[Any, list[Any]] = {top.grad_fn: []}
    front: list[Any] = [top.grad_fn]
    while front:
        node = front.pop()
        if node in refused:
            raise refused[node]
        ours = kind(node) == OPERATION
        if not (ours or node in moves or kind(node) in VIEWS):
            raise UnsupportedOperation(f"{node.name()} {_escape(kind(node))}")
        takes = node.node.op.takes if ours else [True] * len(node.next_functions)
        below = [n for (n, _), takes_any in zip(node.next_functions, takes) if n is not None and takes_any]
        front += dict.fromkeys(n for n in below if n not in above)
        for n in below:
            above.setdefault(n, []).append(node)
    return above


def refuse_overwritten(nodes: Iterable[Node]) -> None:
    """UnsupportedOperation where the network has changed the input of an operation in place after it."""
    for node in nodes:
        if node.overwritten:
            raise UnsupportedOperation(
                f"the network changes the input of {node.place or 'an operation'} in place after that has read it. Use "
                "the operation that is not in place (inplace=False), or choose a layer above it"
            )


def _escape(name: str) -> str:
    if name == "checkpointfunction":
        return "is in the graph: checkpoint(..., use_reentrant=True) hides its operations. Use use_reentrant=False"
    return (
        "is in the graph, and excitation backprop did not see its operation: a scripted or compiled module, or a "
        "custom autograd.Function. Use the plain (eager) module, or a layer above it"
    )
