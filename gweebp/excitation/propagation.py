"""The marginal winning probability (MWP) of a layer, from the network and a triplet.

Record one forward pass; take ∂G/∂a of each response, Eq. (5), by the ordinary rule; weight the responses, Eq. (6); walk
the same graph by Eq. (1)-(4), once from each prior.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gweebp.excitation import operations
from gweebp.excitation.closed_form import Responses
from gweebp.excitation.copies import Copies
from gweebp.excitation.equations import Sharing
from gweebp.excitation.gain import gain_function, units, warn_without_gain, weight_by_gradient
from gweebp.excitation.graph import reached
from gweebp.excitation.guard import settled
from gweebp.excitation.layers import at_least_float32, eager, named_layer, no_autocast, run_from
from gweebp.excitation.nodes import Node
from gweebp.excitation.operations import Mixing
from gweebp.excitation.released_code import Released
from gweebp.excitation.triplet import embedded
from gweebp.excitation.watch import Watch

RULES = ("equations", "paper-code")
PRIORS = {"mate": 0, "nonmate": 1}  #: the row of the head that holds all probability at the start


class LostMassWarning(UserWarning):
    """A share of the probability met parents without an excitatory child."""


def head(embedding: Tensor, mate: Tensor, nonmate: Tensor) -> Mixing:
    """The classifier on top of the embedding: two rows without bias, the unit embeddings of mate and non-mate."""
    rows = torch.stack(units(embedding.detach(), mate, nonmate)[1:], 1)  # (b, 2, d)

    def part(sign: int, e: Tensor) -> Tensor:
        return torch.einsum("bkd,bd->bk", operations.signed(rows, sign), e)

    return Mixing(lambda e: torch.einsum("bkd,bd->bk", rows, e), part, embedding)


def warn_of_loss(maps: list[Tensor], gains: Tensor | None, tolerated: float = 0.01) -> None:
    """LostMassWarning with the batch indices whose MWP sums to less than 1 − tolerated, those without gain aside."""
    left = torch.stack([p.flatten(1).sum(1) for p in maps]).amin(0)
    left = left if gains is None else torch.where(gains > 0, left, 1)
    lost = (left < 1 - tolerated).nonzero().flatten().tolist()
    if lost:
        warnings.warn(
            f"up to {1 - left[lost].min().item():.1%} of the probability was lost at parents without an excitatory "
            f"child, or around the layer, at batch indices {lost}",
            LostMassWarning,
            stacklevel=4,
        )


def unweighted(node: Node) -> tuple[Tensor, ...]:
    """â of the children of a mixing operation."""
    return tuple(a.detach() for a in node.mixing.children)


def weighted_by(gradients: Mapping[int, Tensor | None], copies: Copies) -> Responses:
    """A function from a mixing operation to ã of its children, Eq. (6).

    ã is given up to one power of two for each operation: no share changes, and none underflows.

    Args:
        gradients: id of a response → ∂G/∂a; None: the gain does not depend on it.
        copies: which tensors rearrange responses.
    """

    def weighted(x: Tensor) -> Tensor:
        gradient = gradients[id(x)]
        return torch.zeros_like(x) if gradient is None else weight_by_gradient(x.detach(), gradient)

    def responses(node: Node) -> tuple[Tensor, ...]:
        found = [copies.rearranged(weighted, x) for x in node.mixing.children]
        largest = torch.stack([a.abs().amax() for a in found]).amax()
        # a subnormal number has an exponent whose inverse overflows
        exponent = torch.frexp(largest).exponent.clamp(min=math.frexp(torch.finfo(largest.dtype).tiny)[1])
        power = torch.ldexp(torch.ones_like(largest), -exponent)
        return tuple((a * power).detach() for a in found)

    return responses


def mwp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str | nn.Module,
    extended: bool = True,
    weighted: bool = True,
    towards: str | tuple[str, ...] = "mate",
    gain: str = "triplet",
    rule: str = "equations",
) -> Tensor:
    """Marginal winning probability of each response of a layer, Eq. (1)-(6) of Wang et al. (2025).

    Args:
        net: maps images (b, c, h, w) to embeddings (b, d), normalised or not.
        probe: images (b, c, h, w). mate, nonmate: images, or embeddings (b, d).
        layer: a submodule with output (b, c, h, w), or its dotted name; "input" for the image itself.
        extended: Eq. (3)-(4); False: Eq. (1)-(2), excitation backprop, which ignores what is negative.
        weighted: responses weighted by the gradient of the gain, Eq. (6).
        towards: "mate" or "nonmate", where all probability is at the start; or several of them, which share one
            forward pass.
        gain: "triplet", Eq. (5), or "cosine", the released code's. rule: "equations", or "paper-code", the released
            code's, whose MWP does not sum to 1 (gweebp.excitation.released_code).

    Returns:
        (b, c, h, w), non-negative; sums to 1 over c, h, w less the mass lost on the way (LostMassWarning where it is
        over 1 %). All zero where `weighted` and the probe is not nearer to its mate (NoGainWarning names those).
        Several `towards` give several such tensors, (k, b, c, h, w).

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
        >>> p, m, n = torch.rand(3, 1, 1, 4, 4)
        >>> mwp(net, p, m, n, layer="1", extended=False, weighted=False).shape
        torch.Size([1, 4, 2, 2])
    """
    for name, flag in {"extended": extended, "weighted": weighted}.items():
        if not isinstance(flag, bool):
            raise TypeError(f"{name}={flag!r}: expected True or False")
    priors = tuple(towards) if isinstance(towards, (tuple, list)) else (towards,)
    for name in priors:
        if name not in list(PRIORS):
            raise ValueError(f"towards={name!r} is unknown; expected 'mate' or 'nonmate'")
    if not priors:
        raise ValueError("towards names nothing; expected 'mate' or 'nonmate', or both")
    if rule not in RULES:
        raise ValueError(f"rule={rule!r} is unknown; expected 'equations' or 'paper-code'")
    gain_of = gain_function(gain)
    net = eager(net)
    mate, nonmate = (at_least_float32(e.detach().clone()) for e in embedded(net, probe, mate, nonmate))
    layer = named_layer(net, layer, "saliency_layer", probe[:1])
    watch = Watch(net, signed=extended, weighted=weighted)

    def walked() -> tuple[list[Tensor], Tensor | None]:
        try:
            with torch.inference_mode(False), torch.enable_grad(), no_autocast(probe):
                # the forward pass, recorded
                activation, embedding = run_from(net, probe, layer, watch)
                scores = watch.mix(head(embedding, mate, nonmate))
                rectified = reached(scores)
                nodes = {n: rectified[n] for n in watch.nodes if n in rectified and isinstance(n.op, Mixing)}
                released, gains = Released() if rule == "paper-code" else None, None
                responses: Responses = unweighted
                if weighted:
                    # ∂G/∂a of each response, Eq. (5), by the ordinary rule; then ã, Eq. (6)
                    gains = gain_of(embedding, mate, nonmate)
                    if gain == "triplet":
                        warn_without_gain(gains)
                    neurons = {
                        id(a): a for n in nodes for child in n.mixing.children for a in watch.copies.originals(child)
                    }
                    derivative = released.noting(watch.derivative) if released else watch.derivative
                    found = watch.backward(derivative, gains.sum(), list(neurons.values()))
                    responses = weighted_by(dict(zip(neurons, found)), watch.copies)
                    watch.graphs.clear()
                if released:
                    released.responses = responses
                sharing = released or Sharing(nodes, responses, watch.graphs if extended else None)
                watch.graphs.clear()
                # the walk, Eq. (1)-(4), on the same graph
                maps: list[Tensor] = []
                for name in priors:
                    prior = torch.zeros_like(scores)
                    prior[:, PRIORS[name]] = 1
                    sharing.last = name == priors[-1]
                    maps += watch.backward(sharing, scores, activation, prior, keep=not sharing.last)
        finally:
            watch.close()
        return maps, gains

    maps, gains = settled(walked)
    if rule == "equations":
        warn_of_loss(maps, gains)
    return maps[0] if isinstance(towards, str) else torch.stack(maps)
