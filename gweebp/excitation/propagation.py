"""The marginal winning probability (MWP) of a layer, from the network and a triplet.

Record one forward pass; take ∂G/∂a of each response, Eq. (5), by the ordinary rule; weight the responses, Eq. (6); walk
the same graph by Eq. (1)-(4), once from each prior.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gweebp.excitation.closed_form import Responses
from gweebp.excitation.equations import Sharing
from gweebp.excitation.gain import gain_function, units, warn_without_gain
from gweebp.excitation.graph import reached, refuse_overwritten
from gweebp.excitation.guard import settled
from gweebp.excitation.layers import at_least_float32, eager, named_layer, no_autocast, run_from
from gweebp.excitation.lost_mass import LostMassWarning, warn_of_loss, warn_of_tokens
from gweebp.excitation.mixings import Mixing, signed
from gweebp.excitation.nodes import Node
from gweebp.excitation.released_code import Released
from gweebp.excitation.responses import unweighted, weighted_by
from gweebp.excitation.triplet import embedded
from gweebp.excitation.watch import Watch

__all__ = ["LostMassWarning", "head", "mwp", "walks"]

RULES = ("equations", "paper-code")
PRIORS = {"mate": 0, "nonmate": 1}  #: the row of the head that holds all probability at the start


class How(NamedTuple):
    """How to walk: the options of `mwp`."""

    extended: bool
    weighted: bool
    gain: str
    rule: str
    dead_ends: str
    clamp: bool


class Walked(NamedTuple):
    """What walks have found.

    Attributes:
        maps: an MWP for each prior.
        gains: (b,), where responses were weighted.
        lost: the probability that each operation did not pass to its children.
        outside: (b,) for each prior, the probability on tokens that are not part of the map; empty where there are
            none.
    """

    maps: list[Tensor]
    gains: Tensor | None
    lost: list[tuple[Node, Tensor]]
    outside: list[Tensor]


def head(embedding: Tensor, mate: Tensor, nonmate: Tensor) -> Mixing:
    """The classifier on top of the embedding: two rows without bias, the unit embeddings of mate and non-mate.

    Args:
        embedding: of the probe, (b, d).
        mate, nonmate: embeddings (b, d), normalised here.

    Returns:
        The mixing y = W a, with y (b, 2).
    """
    rows = torch.stack(units(embedding.detach(), mate, nonmate)[1:], 1)  # (b, 2, d)

    def part(sign: int, e: Tensor) -> Tensor:
        return torch.einsum("bkd,bd->bk", signed(rows, sign), e)

    return Mixing(lambda e: torch.einsum("bkd,bd->bk", rows, e), part, embedding)


def mwp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str | nn.Module,
    axes: str | None = None,
    extended: bool = True,
    weighted: bool = True,
    towards: str | tuple[str, ...] = "mate",
    gain: str = "triplet",
    rule: str = "equations",
    dead_ends: str = "lost",
    clamp: bool = True,
) -> Tensor:
    """Marginal winning probability of each response of a layer, Eq. (1)-(6) of Wang et al. (2025).

    Args:
        net: maps images (b, c, h, w) to embeddings (b, d), normalised or not; it is left unchanged.
        probe: images (b, c, h, w).
        mate, nonmate: images, or embeddings (b, d).
        layer: a submodule with output (b, c, h, w), or its dotted name; "input" for the image itself.
        axes: as of `explain`, for a layer with tokens or channels last.
        extended: Eq. (3)-(4); False: Eq. (1)-(2), excitation backprop, which ignores what is negative.
        weighted: responses weighted by the gradient of the gain, Eq. (6).
        towards: "mate" or "nonmate", where all probability is at the start; or several of them, which share one
            forward pass.
        gain: "triplet", Eq. (5); or "cosine", the released code's.
        rule: "equations"; or "paper-code", the released code's, whose MWP does not sum to 1
            (gweebp.excitation.released_code).
        dead_ends: what happens to the probability of a parent without an excitatory child among the weighted responses:
            "lost", as in the equations; "unweighted", it is shared by the responses as they are, and nearly none is
            lost.
        clamp: both brackets of Eq. (6) keep what is positive, as in the paper's text and the released code; False: only
            the first does, as in the printed equation.

    Returns:
        (b, c, h, w), non-negative; its sum over c, h, w is 1 less the mass lost on the way (LostMassWarning where that
        is over 1 %). All zero where `weighted` and the probe is not nearer to its mate (NoGainWarning names those).
        Several `towards` give several such tensors, (k, b, c, h, w).

    Raises:
        TypeError, ValueError: for an unknown name, images or embeddings that do not fit, a layer without a map.
        UnsupportedOperation: where probability reaches an operation that has no rule.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
        >>> p, m, n = torch.rand(3, 1, 1, 4, 4)
        >>> mwp(net, p, m, n, layer="1", extended=False, weighted=False).shape
        torch.Size([1, 4, 2, 2])
    """
    for name, flag in {"extended": extended, "weighted": weighted, "clamp": clamp}.items():
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
    if dead_ends not in ("lost", "unweighted"):
        raise ValueError(f"dead_ends={dead_ends!r} is unknown; expected 'lost' or 'unweighted'")
    how = How(extended, weighted, gain, rule, dead_ends, clamp)
    net = eager(net)
    mate, nonmate = (at_least_float32(e.detach().clone()) for e in embedded(net, probe, mate, nonmate))
    layer = named_layer(net, layer, "saliency_layer", probe[:1], axes)
    watch = Watch(net, signed=extended, weighted=weighted)

    def call() -> Walked:
        try:
            with torch.inference_mode(False), torch.enable_grad(), no_autocast(probe):
                outside: list[Tensor] = []
                activation, embedding = run_from(net, probe, layer, watch, outside=outside)
                return walks(watch, [activation, *outside], embedding, (mate, nonmate), priors, how)
        finally:
            watch.close()

    found = settled(call)
    if rule == "equations":
        arrived = [p.flatten(1).sum(1) for p in found.maps]
        if found.outside:
            arrived = [p + more for p, more in zip(arrived, found.outside)]
            warn_of_tokens(found.outside)
        warn_of_loss(arrived, found.gains, found.lost)
    return found.maps[0] if isinstance(towards, str) else torch.stack(found.maps)


def walks(
    watch: Watch,
    below: list[Tensor],
    embedding: Tensor,
    others: tuple[Tensor, Tensor],
    priors: tuple[str, ...],
    how: How,
) -> Walked:
    """Walk a recorded forward pass from the embedding down to a layer, once for each prior.

    Args:
        watch: what recorded the forward pass.
        below: the layer's maps (b, c, h, w), and its values on tokens outside of them.
        embedding: of the probe, (b, d).
        others: embeddings (b, d) of mate and non-mate.
        priors: names in `PRIORS`, where all probability is at the start.
        how: the options of `mwp`.

    Raises:
        UnsupportedOperation: where probability reaches an operation that has no rule.
    """
    scores = watch.operate(head(embedding, *others))
    rectified = reached(scores, watch.moves, watch.refused)
    nodes = {side: rectified[n] for n in watch.nodes if n in rectified for side in n.mixings}
    refuse_overwritten(nodes)
    released, gains = Released() if how.rule == "paper-code" else None, None
    responses: Responses = unweighted
    explained = scores.new_ones(len(scores))
    if how.weighted:
        gains = gain_function(how.gain)(embedding, *others)
        if how.gain == "triplet":
            warn_without_gain(gains)
            explained = (gains > 0).to(scores)
        responses = weighted_responses(watch, nodes, gains, released, how.clamp)
    if released:
        released.responses = responses
    otherwise = unweighted if how.weighted and how.dead_ends == "unweighted" else None
    sharing = released or Sharing(nodes, responses, watch.graphs if how.extended else None, otherwise)
    watch.graphs.clear()
    # the walk, Eq. (1)-(4), on the same graph
    maps, outside = list[Tensor](), list[Tensor]()
    for name in priors:
        prior = torch.zeros_like(scores)
        prior[:, PRIORS[name]] = explained
        sharing.last = name == priors[-1]
        found, *tokens = watch.backward(sharing, scores, below, prior, keep=not sharing.last)
        maps.append(found)
        outside += [p.flatten(1).sum(1) for p in tokens]
    return Walked(maps, gains, sharing.lost, outside)


def weighted_responses(
    watch: Watch, nodes: Iterable[Node], gains: Tensor, released: Released | None, clamp: bool
) -> Responses:
    """ã of the children of operations, Eq. (6), from ∂G/∂a of each response, Eq. (5), by the ordinary rule.

    Args:
        watch: what recorded the forward pass.
        nodes: the operations.
        gains: G of each triplet, (b,), a function of the responses.
        released: the released code's rule, where that is used.
        clamp: as of `mwp`.
    """
    children = [child for n in nodes for child in n.mixing.children]
    neurons = {id(a): a for child in children for a in watch.copies.originals(child)}
    derivative = released.noting(watch.derivative) if released else watch.derivative
    gradients = watch.backward(derivative, gains.sum(), list(neurons.values()))
    watch.graphs.clear()
    return weighted_by(dict(zip(neurons, gradients)), watch.copies, clamp)
