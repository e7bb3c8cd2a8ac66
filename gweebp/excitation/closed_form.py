"""Eq. (3)-(4) in two products instead of four, where no digits are lost by it.

With y = W a (without bias), |a| and |W| elementwise, and + for a positive parent, − for a negative one,

    1/Z = (y ± |W||a|) / 2        P(a_j) = (a_j (Wᵀ s)_j + |a_j| (|W|ᵀ(± s))_j) / 2        with s = P(a_i) Z_i

for max(0, w a) = (w a + |w a|)/2 picks the excitatory children of a positive parent, and min(0, w a) = (w a − |w a|)/2
those of a negative one. Without gradient weighting y is the forward pass's own output less its bias, and is free.

The sum cancels: its error is a rounding of |W||a| + |bias|, much for a parent whose own 1/Z is small beside that, and
one without an excitatory child would seem to have some. So an operation with a parent below CONDITION goes in four
streams as the equations stand (excitation.py); in the others four binary digits are lost at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from gweebp.excitation.mixings import ABSOLUTE, WHOLE
from gweebp.excitation.nodes import Graph, Node, Stream

CONDITION = 1 / 16  #: the least |1/Z| ÷ (|W||a| + |bias|) of a parent in an operation that goes in closed form

Responses = Callable[[Node], tuple[Tensor, ...]]  #: â of an operation's children, or ã of Eq. (6); without a graph


class Form(NamedTuple):
    """How the probability of one operation is shared among its children.

    Attributes:
        child_signs, parent_signs: those that occur, +1 first, as far as they matter.
        closed: the two streams of the closed form; None: the streams of Eq. (1)-(4) as they stand.
    """

    child_signs: tuple[int, ...] = (+1,)
    parent_signs: tuple[int, ...] = (+1,)
    closed: list[Stream] | None = None


def closed_form(node: Node, responses: Responses, graph: Graph | None) -> tuple[list[Stream], Tensor]:
    """The streams W a and |W||a|, and whether a parent is below CONDITION: a bool () on the operation's device.

    graph: y as a function of the children, where these are the responses; None where responses are weighted.
    """
    op, linear = node.mixing, None
    assert node.positive is not None
    bias = torch.zeros(()) if op.bias is None else op.bias
    with torch.enable_grad():
        if graph is not None and not graph.overwritten and not node.has_fixed:
            children, linear = list(graph.operands), graph.y - bias
        else:
            children, bias = [a.requires_grad_() for a in responses(node)], torch.zeros(())
            linear = op.part(WHOLE, *children)
        magnitudes = [a.detach().abs().requires_grad_() for a in children]
        absolute = op.part(ABSOLUTE, *magnitudes)
    assert linear is not None and absolute is not None  # only W⁻ may be empty
    sign = node.positive.to(torch.int8) * 2 - 1
    excitation, scale = (linear.detach() + sign * absolute.detach()) / 2, absolute.detach()
    # where all responses are zero, y − bias is so too, exactly: a dead end, and not an inexact one
    inexact = (excitation.abs() < CONDITION * (scale + bias.abs())) & (scale > 0)
    # the streams give twice 1/Z, and so half of s: the two halves of P(a_j)
    return [Stream(linear, children), Stream(absolute, magnitudes, sign=sign)], inexact.any()


def negative(node: Node) -> Tensor:
    """Whether any child, and whether any parent is negative: bool (2,) on the operation's device."""
    assert node.positive is not None
    return torch.stack([torch.stack([a.amin() for a in node.mixing.children]).amin() < 0, ~node.positive.all()])


def choose_forms(nodes: Mapping[Node, bool], responses: Responses, graphs: Mapping[Node, Graph]) -> dict[Node, Form]:
    """Find which signs occur at each operation, and which operations go in closed form.

    Waits for the device twice, however deep the network: nothing on the walk itself then asks for a number.

    Args:
        nodes: the mixing operations; True where a ReLU takes the probability from each negative parent.
        responses: of a node's children. graphs: y as a function of them, where responses are not weighted.
    """
    found = {}
    for node, (child, parent) in zip(nodes, torch.stack([negative(n) for n in nodes]).tolist()):
        below, above = ((+1, -1) if negative else (+1,) for negative in (child, parent and not nodes[node]))
        found[node] = Form(below, above)
    mixed = [n for n, form in found.items() if len(form.parent_signs) == 2 and not n.mixing.non_negative]
    if mixed:
        forms, inexact = zip(*(closed_form(n, responses, graphs.get(n)) for n in mixed))
        for node, streams, bad in zip(mixed, forms, torch.stack(inexact).tolist()):
            found[node] = found[node]._replace(closed=None if bad else streams)
    return found
