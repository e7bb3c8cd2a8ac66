"""The responses that an operation's children share probability by: â as they are, or ã of Eq. (6)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from gweebp.excitation.closed_form import Responses
from gweebp.excitation.copies import Copies
from gweebp.excitation.gain import weight_by_gradient
from gweebp.excitation.nodes import Node


def unweighted(node: Node) -> tuple[Tensor, ...]:
    """â of the children of a mixing, 0 where no image changes it."""
    return tuple(_moving(a.detach(), f) for a, f in zip(node.mixing.children, node.fixed))


def weighted_by(gradients: Mapping[int, Tensor | None], copies: Copies, clamp: bool = True) -> Responses:
    """A function from a mixing to ã of its children, Eq. (6), 0 where no image changes it.

    ã is given up to one power of two for each operation: no share changes, and none underflows.

    Args:
        gradients: id of a response → ∂G/∂a; None: the gain does not depend on it.
        copies: which tensors rearrange responses. clamp: False for Eq. (6) as printed.
    """

    def weighted(x: Tensor) -> Tensor:
        gradient = gradients[id(x)]
        return torch.zeros_like(x) if gradient is None else weight_by_gradient(x.detach(), gradient, clamp)

    def responses(node: Node) -> tuple[Tensor, ...]:
        found = [_moving(copies.rearranged(weighted, x), f) for x, f in zip(node.mixing.children, node.fixed)]
        largest = torch.stack([a.abs().amax() for a in found]).amax()
        # the inverse of a subnormal number overflows
        exponent = torch.frexp(largest).exponent.clamp(min=math.frexp(torch.finfo(largest.dtype).tiny)[1])
        power = torch.ldexp(torch.ones_like(largest), -exponent)
        return tuple((a * power).detach() for a in found)

    return responses


def _moving(x: Tensor, fixed: Tensor | None) -> Tensor:
    return x if fixed is None else torch.where(fixed, 0, x)
