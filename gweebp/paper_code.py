"""Excitation backprop as the authors' released code computes it, where that departs from Eq. (1)-(6) of their paper.

`Released` is a rule for the walk, next to `gweebp.excitation.share`; `rule="paper-code"` chooses it. What differs:

1. A parent's probability is divided by the parent's own (weighted) response instead of the normaliser Z of Eq. (3)-(4),
   bias included: s_i = P(a_i) / ã_i. By Z only where no activation follows the operation, as above an embedding without
   ReLU, because the code takes the divisor from the input of the next layer.
2. The four streams of children, sign of response × sign of weight, are divided by their sums before they are added:
   P(a_j) = Σ_streams normalised( ã_j Σ_i w_ij s_i ), so that each weighs as much as any other.
3. With gradient weighting, a negative parent is not divided at all where an activation follows. The code there divides
   by a maximum of ã⁻ over winner and losers; losers have no gradient, the maximum is 0, and its guard 1e-16 is left.

An MWP sums to the number of streams that are not empty, 1 to 4; a map is divided by its sum in the end. The code
differs from the paper in two more points: gain="cosine", and a Gaussian of σ = 2 over the map.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor

from gweebp.gain import weight_by_gradient
from gweebp.nodes import Node
from gweebp.operations import Mixing

_VIEWS = ("View", "Reshape", "UnsafeView", "Squeeze", "Unsqueeze", "Transpose", "Permute", "T", "Alias", "Clone")


def producer(x: Tensor) -> Mixing | None:
    """The mixing operation whose output `x` is, if nothing but a view lies between."""
    node: Any = x.grad_fn
    while (
        node is not None and not hasattr(node, "op") and node.name().rstrip("0123456789")[: -len("Backward")] in _VIEWS
    ):
        node = node.next_functions[0][0]
    return getattr(node, "op", None)


def per_sample(total: Tensor, like: Tensor) -> Tensor:
    """A divisor (b, 1, ...) for `like` from one number a sample (b,); 1 where that is 0."""
    return torch.where(total > 0, total, 1).view(-1, *[1] * (like.ndim - 1))


def normalised(stream: list[Tensor]) -> list[Tensor]:
    """One stream, divided by its sum over all children, for each sample (axis 0); an empty one stays zero.

    Example:
        >>> normalised([torch.tensor([[1., 2.], [0., 0.]]), torch.tensor([[1.], [0.]])])
        [tensor([[0.2500, 0.5000], [0.0000, 0.0000]]), tensor([[0.2500], [0.0000]])]
    """
    total = torch.stack([x.flatten(1).sum(1) for x in stream]).sum(0)
    return [x / per_sample(total, x) for x in stream]


class Released:
    """The released code's rule, for one walk; called like `gweebp.excitation.share`, from the head downwards.

    Attributes:
        head: the first operation it meets, the classifier; its one-hot prior is not divided, whatever the score's sign.
        followed: operations whose output enters another one with no activation between.
        gradients: ∂G/∂y of each operation, where responses are weighted.
    """

    def __init__(self) -> None:
        self.head: WeakSet[Mixing] = WeakSet()  # weak: an operation holds the graph, and the graph holds the walk
        self.followed: WeakSet[Mixing] = WeakSet()
        self.gradients: WeakKeyDictionary[Mixing, Tensor] = WeakKeyDictionary()

    def note_gradient(self, op: Mixing, gradient: Tensor) -> None:
        """Keep ∂G/∂y of an operation, of largest absolute value 1 a sample: streams are normalised in the end."""
        self.gradients[op] = gradient / per_sample(gradient.abs().flatten(1).amax(1), gradient)

    def __call__(self, node: Node, probability: Tensor) -> list[Tensor]:
        """P(a_j) of the children of one operation, a tensor for each, every stream that is not empty of sum 1 a sample.

        Args: as of `gweebp.excitation.share`; where `node.positive` is None, the one stream of Eq. (1)-(2).
        """
        op, responses, positive = node.op, node.responses, node.positive
        if not self.head:
            self.head.add(op)
        self.followed.update(found for child in op.children if (found := producer(child)) is not None)
        sides = [(+1, (+1, -1)), (-1, (-1, +1))] if positive is not None else [(+1, (+1,))]
        children = [torch.zeros_like(a) for a in responses]
        for parent_sign, weight_signs in sides:
            s = self.divided(op, responses, probability, parent_sign, weight_signs)
            for weight_sign, response_sign in zip(weight_signs, (+1, -1)):
                new = normalised(stream(op, responses, s, weight_sign, response_sign))
                children = [p + x for p, x in zip(children, new)]
        return children

    def divided(
        self, op: Mixing, responses: tuple[Tensor, ...], probability: Tensor, sign: int, weight_signs: tuple[int, ...]
    ) -> Tensor:
        """s_i: the probability of the parents of one sign over their divisor, 0 for the others."""
        if op in self.head:
            return probability if sign > 0 else torch.zeros_like(probability)
        y = op.plain(*(a.detach() for a in op.children)).detach()
        if op in self.gradients:
            y = weight_by_gradient(y, self.gradients[op])
        divisor = y
        if op in self.followed:  # Z of Eq. (3) or (4)
            kinds = zip(weight_signs, ([a.clamp(min=0) for a in responses], [a.clamp(max=0) for a in responses]))
            terms = [z for weight_sign, a in kinds if (z := op.part(weight_sign, *a)) is not None]
            divisor = sum(terms, torch.zeros_like(y))
        elif sign < 0 and op in self.gradients:
            divisor = y.sign()
        counted = (y * sign > 0) & (divisor.abs() > torch.finfo(y.dtype).tiny)
        return torch.where(counted, probability / torch.where(counted, divisor, 1), 0)


def stream(op: Mixing, responses: tuple[Tensor, ...], s: Tensor, weight_sign: int, response_sign: int) -> list[Tensor]:
    """ã_j Σ_i w_ij s_i over children and weights of one sign each, not normalised."""
    side = dict(min=0) if response_sign > 0 else dict(max=0)
    with torch.enable_grad():
        leaves = [a.clamp(**side).requires_grad_() for a in responses]
        excitation = op.part(weight_sign, *leaves)
    if excitation is None:
        return [torch.zeros_like(a) for a in responses]
    back = torch.autograd.grad(excitation, leaves, s, allow_unused=True)
    return [torch.zeros_like(a) if w is None else (a.detach() * w).clamp(min=0) for a, w in zip(leaves, back)]
