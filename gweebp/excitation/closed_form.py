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

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from gweebp.excitation.mixings import ABSOLUTE, WHOLE
from gweebp.excitation.nodes import Excited, Graph, Node, Stream, signed_as

CONDITION = 1 / 16  #: the least |1/Z| ÷ (|W||a| + |bias|) of a parent in an operation that goes in closed form

Responses = Callable[[Node], tuple[Tensor, ...]]  #: â of an operation's children, or ã of Eq. (6); without a graph


class Form(NamedTuple):
    """How the probability of one operation is shared among its children.

    Attributes:
        child_signs, parent_signs: those that occur, +1 first, as far as they matter.
        excited: the two streams of the closed form; None: those of Eq. (1)-(4) as they stand.
    """

    child_signs: tuple[int, ...] = (+1,)
    parent_signs: tuple[int, ...] = (+1,)
    excited: Excited | None = None


def closed_form(node: Node, responses: Responses, graph: Graph | None) -> tuple[Excited, Tensor]:
    """The streams W a and |W||a|, and whether a parent is below CONDITION: a bool () on the operation's device.

    graph: y as a function of the children, where these are the responses; None where responses are weighted.
    """
    op, positive = node.mixing, node.positive
    assert positive is not None
    bias: Tensor | None = None
    whole: Tensor | None
    with torch.enable_grad():
        if graph is not None and not graph.overwritten and not node.has_fixed:
            children, whole, bias = list(graph.operands), graph.y, op.bias
        else:
            children = [a.requires_grad_() for a in responses(node)]
            whole = op.part(WHOLE, *children)
        magnitudes = [a.detach().abs().requires_grad_() for a in children]
        absolute = op.part(ABSOLUTE, *magnitudes)
    assert whole is not None and absolute is not None  # only W⁻ may be empty
    # the streams give twice 1/Z, and so half of s: the two halves of P(a_j)
    edges = get_gradient_edge(whole), get_gradient_edge(absolute)
    streams = [Stream(edges[0], children), Stream(edges[1], magnitudes, positive=positive)]
    scale = absolute.detach()
    total = signed_as(positive, scale).add_(whole.detach() if bias is None else whole.detach() - bias)
    del whole, absolute
    return Excited(streams, total), is_inexact(total, scale, bias)


def is_inexact(total: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    """Whether any |1/Z|, half of `total`, is below CONDITION times |W||a|, the `scale`, plus |bias|: bool ().

    Where all responses are zero, y − bias is so too, exactly: a dead end, and not an inexact one.
    """
    in_parts = total.numel() > 2**22 and (bias is None or bias.ndim < total.ndim)  # with less memory for the numbers
    found = []
    for part, of_part in zip(total.chunk(4), scale.chunk(4)) if in_parts else ((total, scale),):
        share = part.abs().div_(2 * CONDITION)
        share = share if bias is None else share.sub_(bias.abs())
        found.append(((share < of_part) & (of_part > 0)).any())
    return torch.stack(found).any()


def negative(node: Node) -> Tensor:
    """Whether any child, and whether any parent is negative: bool (2,) on the operation's device."""
    assert node.positive is not None
    return torch.stack([torch.stack([a.amin() for a in node.mixing.children]).amin() < 0, ~node.positive.all()])


def choose_forms(nodes: Mapping[Node, bool], responses: Responses, graphs: Mapping[Node, Graph]) -> dict[Node, Form]:
    """Find which signs occur at each operation, and which operations go in closed form.

    Waits for the device three times, however deep the network: nothing on the walk itself then asks for a number.

    Args:
        nodes: the mixing operations; True where a ReLU takes the probability from each negative parent.
        responses: of a node's children. graphs: y as a function of them, where responses are not weighted.
    """
    found = {}
    for node, (child, parent) in zip(nodes, torch.stack([negative(n) for n in nodes]).tolist()):
        below, above = ((+1, -1) if negative else (+1,) for negative in (child, parent and not nodes[node]))
        found[node] = Form(below, above)
    mixed = [n for n, form in found.items() if len(form.parent_signs) == 2 and not n.mixing.non_negative]
    mixed.sort(key=lambda n: -math.prod(n.positive.shape) if n.positive is not None else 0)
    large = len(mixed) // 4 + 1  # decided first, so that what is not used of them is let go before the others
    for group in (mixed[:large], mixed[large:]):
        if group:
            forms, inexact = zip(*(closed_form(n, responses, graphs.get(n)) for n in group))
            for node, excited, bad in zip(group, forms, torch.stack(inexact).tolist()):
                found[node] = found[node]._replace(excited=None if bad else excited)
            del forms, excited
    return found
