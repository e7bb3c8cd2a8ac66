"""Eq. (1)-(4): how each parent shares its probability among its children, as another backward rule of autograd.

Use: `mwp(net, probe, mate, nonmate, layer="features.23")` (propagation.py) gives the marginal winning probability (MWP)
of each response of that layer: to have won the network's choice of the mate. `gweebp.explain` makes maps of it.

Theory. A parent a_i = Σ_j w_ji a_j (+ bias) hands its probability to its children, in the shares in which they excite
it. Excitation backprop (Zhang et al. 2018) knows positive responses and weights only:

    P(a_j | a_i) = w⁺_ji a⁺_j / Σ_k w⁺_ki a⁺_k                                                      Eq. (1)
    P(a_j)       = Σ_i P(a_j | a_i) P(a_i)                                                          Eq. (2)

Extended excitation backprop (Wang et al. 2025) lets a positive parent be excited by a⁺ through w⁺ and by a⁻ through w⁻
(Eq. 3), a negative parent by a⁺ through w⁻ and by a⁻ through w⁺ (Eq. 4), with the normaliser over both kinds of child.
Gradient weighting replaces each child's response by Eq. (6) (gain.py). A parent's sign is that of its own response,
bias included; the bias is not a child. A neuron that an operation only moves (a view, a padding by reflection, a
concatenation) stays one neuron, and each of its copies a connection.

How it works. `share` applies the equations to one operation. watch.py watches one ordinary forward pass of the
unmodified network; `share` is then the backward of each operation that mixes neurons, and one call of
`torch.autograd.grad` walks the network. Where signs are mixed, closed_form.py has Eq. (3)-(4) in half the products.
tests/helpers/literal.py has the same equations neuron by neuron, as loops.

Assumes: the embedding of a sample does not depend on the rest of its batch. Mass that meets a parent without an
excitatory child, or that leaves through a path around the layer, is lost; LostMassWarning reports it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from gweebp.excitation.closed_form import Form, Responses, choose_forms
from gweebp.excitation.mixings import Passing, Product
from gweebp.excitation.nodes import Excited, Graph, Node, Stream


def excitation(node: Node, responses: tuple[Tensor, ...], form: Form) -> Excited:
    """Which responses excite which parents, through which weights: Eq. (1)-(4) as they stand.

    Args:
        node: the operation.
        responses: of its children: â, or ã of Eq. (6).
        form: which signs of children and parents there are.
    """
    streams: list[Stream] = []
    total: Tensor | None = None
    for parent in form.parent_signs:
        parents = None  # the parents of the other sign have no probability
        if len(form.parent_signs) == 2 and node.positive is not None:
            parents = node.positive if parent > 0 else ~node.positive
        # Eq. (1), (3): a⁺ excites through W⁺, a⁻ through W⁻; Eq. (4), negative parents: the other way round
        for child in form.child_signs:
            with torch.enable_grad():
                children = [a.clamp(min=0) if child > 0 else a.clamp(max=0) for a in responses]
                product = node.mixing.part(parent * child, *(a.requires_grad_() for a in children))
            if product is not None:
                streams.append(Stream(get_gradient_edge(product), children, parents))
                term = streams[-1].of_parents(product.detach())  # new, where there is a mask
                total = term if total is None else total + term if parents is None else total.add_(term)
                del product, term
    assert total is not None  # W⁺ is never empty
    return Excited(streams, total)


def share(given: Excited, probability: Tensor, otherwise: Excited | None = None) -> list[Tensor]:
    """Share the parents' probability among the children of one operation y = W a (+ bias), Eq. (1)-(4).

    Args:
        given: 1. which responses a_j excite which parents a_i, and by how much.
        probability: P(a_i) of the parents, in the shape of y.
        otherwise: for parents that have no excitatory child in `given`; None: their probability is lost.

    Returns:
        P(a_j), one tensor for each child, in its shape.
    """
    # 2. 1/Z_i = Σ_j w_ji a_j over the excitatory children; below 0 in Eq. (4)
    total = given.total
    # 3. s_i = Z_i P(a_i); 0 for a parent without an excitatory child
    tiny = torch.finfo(total.dtype).tiny
    excited = (total > tiny) | (total < -tiny)
    s = (probability / total).masked_fill_(~excited, 0)
    # 4. Σ_i w_ji s_i of each stream, by its transposed product
    # 5. P(a_j) = a_j Σ_i w_ji s_i, summed over the streams
    parts = [back_through(stream, s) for stream in given.streams]
    # the closed form's rounding may leave less than nothing
    found = [functools.reduce(Tensor.add_, of_child).clamp_(min=0) for of_child in zip(*parts)]
    if otherwise is None:
        return found
    return [p + q for p, q in zip(found, share(otherwise, torch.where(excited, 0, probability)))]


def back_through(stream: Stream, s: Tensor) -> list[Tensor]:
    """a'_j Σ_i w'_ji s_i of the children of one stream.

    Args:
        stream: children of one sign, and the parents that they excite.
        s: P / Z of the parents, in their shape.

    Returns:
        One tensor for each child, in its shape.
    """
    given = stream.of_parents(s)
    back = torch.autograd.grad([stream.excitation], stream.children, [given], retain_graph=True, materialize_grads=True)
    return [a.detach() * w for a, w in zip(stream.children, back)]


class Sharing:
    """Eq. (1)-(4) as the rule of a walk: called with an operation and the probability of its parents.

    Args:
        nodes: the mixings; True where a ReLU takes the probability from each negative parent.
        responses: â of an operation's children, or ã of Eq. (6).
        graphs: y of each as a function of its children, where these are the responses; None for Eq. (1)-(2) alone.
        unweighted: â, for parents without an excitatory child among the weighted; None: what they have is lost.

    Attributes:
        last: no other walk follows, so that streams need not be kept for it.
        lost: (operation, the probability that it did not hand on, a scalar on its device), in the order of the walks.
    """

    def __init__(
        self,
        nodes: Mapping[Node, bool],
        responses: Responses,
        graphs: Mapping[Node, Graph] | None,
        unweighted: Responses | None = None,
    ) -> None:
        self.forms = dict.fromkeys(nodes, Form()) if graphs is None else choose_forms(nodes, responses, graphs)
        self.responses, self.unweighted, self.last = responses, unweighted, False
        self.lost: list[tuple[Node, Tensor]] = []

    def __call__(self, node: Node, probability: Tensor) -> Sequence[Tensor | None]:
        """P of each operand that takes probability."""
        op = node.op
        if any(n not in self.forms for n in node.mixings):
            return []  # its probability is 0: only a gate or an attention depends on it
        if isinstance(op, Passing):
            found: Sequence[Tensor | None] = op.share(probability)
        elif isinstance(op, Product):
            found = [self.shared(side, probability / 2)[0] for side in node.sides]
        elif op.is_sum and node.has_fixed:
            found = self.beside_fixed(node, probability)
        else:
            found = self.shared(node, probability)
        if not isinstance(op, Passing) or sum(op.shares) < 1:
            kept = [p.sum() for p, a in zip(found, op.operands) if p is not None and a.grad_fn is not None]
            self.lost.append((node, probability.sum() - sum(kept)))
        return found

    def shared(self, node: Node, probability: Tensor) -> list[Tensor]:
        """P of each child of a mixing, by its streams.

        Args:
            node: the operation.
            probability: of its parents, in the shape of y.
        """
        form = self.forms[node]
        given = form.excited or excitation(node, self.responses(node), form)
        self.forms[node] = form._replace(excited=None if self.last else given)
        more = None if self.unweighted is None else excitation(node, self.unweighted(node), form)
        return share(given, probability, more)

    def beside_fixed(self, node: Node, probability: Tensor) -> list[Tensor]:
        """P of the two children of a sum: beside an entry that no image changes, the other child gets all.

        Args:
            node: the sum.
            probability: of its parents, in the shape of y.
        """
        constant = [torch.zeros_like(probability, dtype=torch.bool) if f is None else f for f in node.fixed]
        found = self.shared(node, torch.where(constant[0] | constant[1], 0, probability))
        whole = [torch.where(other & ~own, probability, 0) for own, other in zip(constant, reversed(constant))]
        return [p + all_of_it.sum_to_size(p.shape) for p, all_of_it in zip(found, whole)]
