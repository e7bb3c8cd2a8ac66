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

import torch
from torch import Tensor

from gweebp.excitation.nodes import Node, Stream
from gweebp.excitation.operations import ABSOLUTE, WHOLE

CONDITION = 1 / 16  #: the least |1/Z| ÷ (|W||a| + |bias|) of a parent in an operation that goes in closed form


def closed_form(node: Node) -> tuple[list[Stream], Tensor]:
    """The streams W a and |W||a|, and whether a parent is below CONDITION: a bool () on the node's device."""
    linear: Tensor | None
    bias = torch.zeros(()) if node.op.bias is None else node.op.bias
    with torch.enable_grad():
        if node.y is not None and node.y._version == node.version:
            children, linear = list(node.inner), node.y - bias
        else:  # responses are weighted, or the network has overwritten y
            children, bias = [a.requires_grad_() for a in node.responses], torch.zeros(())
            linear = node.op.part(WHOLE, *children)
        magnitudes = [a.detach().abs().requires_grad_() for a in children]
        absolute = node.op.part(ABSOLUTE, *magnitudes)
    assert node.positive is not None and linear is not None and absolute is not None  # only W⁻ may be empty
    sign = node.positive.to(torch.int8) * 2 - 1
    excitation, scale = (linear.detach() + sign * absolute.detach()) / 2, absolute.detach()
    # where all responses are zero, y − bias is so too, exactly: a dead end, and not an inexact one
    inexact = (excitation.abs() < CONDITION * (scale + bias.abs())) & (scale > 0)
    # twice 1/Z, and so half of s: the two halves of P(a_j)
    return [Stream(linear, children), Stream(absolute, magnitudes, sign)], inexact.any()


def negative(node: Node) -> Tensor:
    """Whether any child, and whether any parent is negative: bool (2,) on the node's device."""
    assert node.positive is not None
    return torch.stack([torch.stack([a.amin() for a in node.op.children]).amin() < 0, ~node.positive.all()])


def choose_forms(nodes: list[Node]) -> None:
    """Find which signs occur at each operation, and which of them go in closed form.

    Waits for the device twice, however deep the network: nothing on the walk itself then asks for a number.
    """
    for node, (child, parent) in zip(nodes, torch.stack([negative(n) for n in nodes]).tolist()):
        node.child_signs = (+1, -1) if child else (+1,)
        node.parent_signs = (+1, -1) if parent and not node.rectified else (+1,)
    mixed = [n for n in nodes if len(n.parent_signs) == 2 and not n.op.non_negative]
    if mixed:
        forms, inexact = zip(*map(closed_form, mixed))
        for node, streams, bad in zip(mixed, forms, torch.stack(inexact).tolist()):
            node.streams = None if bad else streams
    for node in nodes:  # the streams hold what of it the walk still needs
        node.inner, node.y = (), None
