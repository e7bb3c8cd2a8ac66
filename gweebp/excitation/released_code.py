"""Excitation backprop as the authors' released code computes it, where that departs from Eq. (1)-(6) of their paper.

`Released` is a rule for the walk, next to `gweebp.excitation.equations.Sharing`; `rule="paper-code"` chooses it.
What differs:

1. A parent's probability is divided by the parent's own (weighted) response instead of the normaliser Z of Eq. (3)-(4),
   bias included: s_i = P(a_i) / ã_i. By Z only where no activation follows the operation, as above an embedding without
   ReLU, because the code takes the divisor from the input of the next layer.
2. The four streams of children, sign of response × sign of weight, are divided by their sums before they are added:
   P(a_j) = Σ_streams normalised( ã_j Σ_i w_ji s_i ), so that each weighs as much as any other.
3. With gradient weighting, a negative parent is not divided at all where an activation follows. The code there divides
   by a maximum of ã⁻ over winner and losers; losers have no gradient, the maximum is 0, and its guard 1e-16 is left.
   A pooling window of one element (ceil mode, odd sizes) has no loser: there the division takes place, and beside
   parents that are divided by 1e-16 nothing is left of it.
4. A max-feature-map that ends in the embedding is replaced by a linear layer of the winners: no activation follows.
   The code does so for LCNN9; `Released(winners=False)` is the rule without.

An MWP sums to the number of streams that are not empty, 1 to 4; a map is divided by its sum in the end. The code
differs from the paper in two more points: gain="cosine", and smoothed maps (gweebp.methods.maps.released).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.excitation.closed_form import Responses
from gweebp.excitation.gain import weight_by_gradient
from gweebp.excitation.graph import kind
from gweebp.excitation.mixings import Mixing, Passing, Product
from gweebp.excitation.nodes import Node
from gweebp.excitation.watch import Rule

_VIEWS = frozenset("view reshapealias unsafeview squeeze unsqueeze transpose permute t alias clone".split())
_PIECES = frozenset("maximum max split splitwithsizes slice narrow select".split())  # of a max-feature-map
_POOLED = _PIECES | {"maxpool2dwithindices"}
_GUARD = 1e-16  # of the code's divisions


def producer(x: Tensor, *, also: frozenset[str] = frozenset()) -> Mixing | None:
    """The one mixing operation that `x` is made from, if nothing but views, and operations in `also`, lie between.

    Example:
        >>> producer(torch.ones(2, requires_grad=True).view(1, 2)) is None
        True
    """
    found, front = set(), [x.grad_fn]
    while front:
        node: Any = front.pop()
        op = getattr(getattr(node, "node", None), "op", None)  # of a recorded operation
        if isinstance(op, Mixing):
            found.add(op)
        elif node is None or kind(node) not in _VIEWS | also:
            return None
        else:
            front += [below for below, _ in node.next_functions if below is not None]
    return found.pop() if len(found) == 1 else None


def lone(x: Tensor) -> Tensor | None:
    """Which elements of `x` are the maximum of one single element of an operation's output; None if none is.

    bool, in the shape of `x`: a max-pooling in ceil mode, reshaped perhaps; its last windows reach over the border.
    """
    node: Any = x.grad_fn
    while node is not None and kind(node) in _VIEWS - {"transpose", "permute", "t"}:
        node = node.next_functions[0][0]
    if node is None or kind(node) != "maxpool2dwithindices" or producer(x, also=_POOLED) is None:
        return None
    kernel, stride, padding, ceil, dilation = (
        getattr(node, f"_saved_{name}") for name in ("kernel_size", "stride", "padding", "ceil_mode", "dilation")
    )
    if any(d != 1 for d in dilation):
        return None
    there = torch.ones_like(node._saved_self)
    count = F.avg_pool2d(there, kernel, stride or kernel, padding, ceil, divisor_override=1)
    alone = (count == 1).reshape(x.shape)
    return alone if alone.any() and not alone.all() else None


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
    """The released code's rule, for one walk; called like `gweebp.excitation.equations.share`, from the head downwards.

    Attributes:
        head: the first operation it meets, the classifier; its one-hot prior is not divided, whatever the score's sign.
        winners: a max-feature-map between an operation and the embedding is no activation (point 4).
        followed: operations whose output enters another one with no activation between.
        gradients: ∂G/∂y of each operation, where responses are weighted.
        responses: â of an operation's children, or ã of Eq. (6).
        last, lost: as of `gweebp.excitation.equations.Sharing`; nothing is kept, and nothing is counted as lost.
    """

    def __init__(self, *, winners: bool = True) -> None:
        self.winners, self.last, self.lost = winners, False, list[tuple[Node, Tensor]]()
        self.head: Mixing | None = None
        self.followed: set[Mixing] = set()
        self.gradients: dict[Mixing, Tensor] = {}
        self.responses: Responses

    def noting(self, derivative: Rule) -> Rule:
        """The ordinary rule, which also keeps ∂G/∂y of each mixing operation, its largest |value| 1 per sample."""

        def rule(node: Node, gradient: Tensor) -> Sequence[Tensor | None]:
            for side in node.mixings:  # any scale: streams are normalised in the end
                self.gradients[side.mixing] = gradient / per_sample(gradient.abs().flatten(1).amax(1), gradient)
            return derivative(node, gradient)

        return rule

    def __call__(self, node: Node, probability: Tensor) -> Sequence[Tensor | None]:
        """P(a_j) of the children of one operation, one tensor each; each stream that is not empty sums to 1 per sample.

        Args: an operation, and the probability of its parents, in the shape of y. Where `node.positive` is None, the
            rule is the one stream of Eq. (1)-(2).
        """
        op, positive = node.op, node.positive
        if isinstance(op, Passing):
            return op.share(probability)
        if isinstance(op, Product):
            return [self(side, probability / 2)[0] for side in node.sides]
        responses = self.responses(node)
        also = _PIECES if self.winners and self.head is None else frozenset()
        self.head = self.head or op
        self.followed.update(found for child in op.children if (found := producer(child, also=also)) is not None)
        sides = [(+1, (+1, -1)), (-1, (-1, +1))] if positive is not None else [(+1, (+1,))]
        children = [torch.zeros_like(a) for a in responses]
        for parent_sign, weight_signs in sides:
            s = self.divided(op, responses, probability, parent_sign, weight_signs)
            for weight_sign, response_sign in zip(weight_signs, (+1, -1)):
                new = normalised(stream(op, responses, s, weight_sign, response_sign))
                children = [p + x for p, x in zip(children, new)]
        if op in self.gradients:
            children = [self.guarded(p, x, a) for p, x, a in zip(children, op.children, responses)]
        return children

    @staticmethod
    def guarded(p: Tensor, child: Tensor, response: Tensor) -> Tensor:
        """P(a_j) as it goes on to the operation below: next to nothing for a negative response without losers."""
        alone = lone(child)
        return p if alone is None else torch.where(alone & (response < 0), _GUARD * p, p)

    def divided(
        self, op: Mixing, responses: tuple[Tensor, ...], probability: Tensor, sign: int, weight_signs: tuple[int, ...]
    ) -> Tensor:
        """s_i: the probability of the parents of one sign over their divisor, 0 for the others."""
        if op is self.head:
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
    """ã_j Σ_i w_ji s_i over children and weights of one sign each, not normalised."""
    side = dict(min=0) if response_sign > 0 else dict(max=0)
    with torch.enable_grad():
        leaves = [a.clamp(**side).requires_grad_() for a in responses]
        excitation = op.part(weight_sign, *leaves)
    if excitation is None:
        return [torch.zeros_like(a) for a in responses]
    back = torch.autograd.grad(excitation, leaves, s, allow_unused=True)
    return [torch.zeros_like(a) if w is None else (a.detach() * w).clamp(min=0) for a, w in zip(leaves, back)]
