"""Marginal winning probability (MWP): excitation backprop as autograd with another backward rule, Eq. (1)-(4).

Use: `mwp(net, probe, mate, nonmate, layer="features.23")` gives the probability of each response of that layer to have
won the network's choice of the mate; `gweebp.explain` makes maps of it.

Theory. A parent a_i = Σ_j w_ij a_j (+ bias) hands its probability to its children, in the shares in which they excite
it. Excitation backprop (Zhang et al. 2018) knows positive responses and weights only:

    P(a_j | a_i) = w⁺_ij a⁺_j / Σ_k w⁺_ik a⁺_k                                                      Eq. (1)
    P(a_j)       = Σ_i P(a_j | a_i) P(a_i)                                                          Eq. (2)

Extended excitation backprop (Wang et al. 2025) lets a positive parent be excited by a⁺ through w⁺ and by a⁻ through w⁻
(Eq. 3), a negative parent by a⁺ through w⁻ and by a⁻ through w⁺ (Eq. 4), with the normaliser over both kinds of child.
Gradient weighting replaces each child's response by Eq. (6) (gain.py). A parent's sign is that of its own response,
bias included; the bias is not a child. A neuron that an operation only moves (a view, a padding by reflection, a
concatenation) stays one neuron, and each of its copies a connection.

Way. `share` is the rule for one operation. walk.py watches one ordinary forward pass of the unmodified network and
makes `share` the backward of each operation that mixes neurons: one call of `torch.autograd.grad` walks the network.
Where signs are mixed, closed_form.py has Eq. (3)-(4) in half the products.

Assumes: the embedding of a sample does not depend on the rest of its batch. Mass that meets a parent without an
excitatory child, or that leaves through a path around the layer, is lost; LostMassWarning reports it.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from gweebp.excitation import operations
from gweebp.excitation.closed_form import choose_forms
from gweebp.excitation.gain import gain_function, warn_without_gain
from gweebp.excitation.layers import at_least_float32, eager, named_layer, no_autocast, run_from
from gweebp.excitation.nodes import Node, Stream
from gweebp.excitation.operations import Mixing
from gweebp.excitation.released_code import Released
from gweebp.excitation.triplet import embedded
from gweebp.excitation.watch import Excitation, Rule

PRIORS = {"mate": 0, "nonmate": 1}  #: the row of the head that holds all probability at the start


class LostMassWarning(UserWarning):
    """A share of the probability met parents without an excitatory child."""


def streams(node: Node) -> list[Stream]:
    """Which responses excite which parents, through which weights: Eq. (1)-(4) as they stand."""
    found = []
    for parent in node.parent_signs:
        factor = None  # the parents of the other sign have no probability
        if len(node.parent_signs) == 2 and node.positive is not None:
            factor = node.positive if parent > 0 else ~node.positive
        # Eq. (1), (3): a⁺ excites through W⁺, a⁻ through W⁻; Eq. (4), negative parents: the other way round
        for child in node.child_signs:
            with torch.enable_grad():
                children = [a.clamp(min=0) if child > 0 else a.clamp(max=0) for a in node.responses]
                excitation = node.op.part(parent * child, *(a.requires_grad_() for a in children))
            if excitation is not None:
                found.append(Stream(excitation, children, factor))
    return found


def share(node: Node, probability: Tensor) -> list[Tensor]:
    """Hand the parents' probability to the children of one operation y = W a (+ bias), Eq. (1)-(4).

    Args:
        node: the operation, with its children's responses. probability: P(a_i) of the parents, the shape of y.

    Returns:
        P(a_j), a tensor for each child, in its shape.
    """
    node.streams = node.streams or streams(node)
    first, *others = (x.scaled(x.excitation.detach()) for x in node.streams)
    total: Tensor = sum(others, first)  # 1/Z_i = Σ_k w_ik a_k over the excitatory children; below 0 in Eq. (4)
    tiny = torch.finfo(total.dtype).tiny  # at most so much: no excitatory child, and s = 0
    s = probability / nn.functional.threshold(total.abs(), tiny, torch.inf) * total.sign()  # P(a_i) Z_i
    leaves = [a for x in node.streams for a in x.children]
    back = torch.autograd.grad(  # Σ_i w_ij P(a_i) Z_i, w of the stream
        [x.excitation for x in node.streams],
        leaves,
        [x.scaled(s) for x in node.streams],
        retain_graph=True,
        allow_unused=True,
    )
    children: list[Tensor | None] = [None] * len(node.op.children)
    for k, (a, w) in enumerate(zip(leaves, back)):
        if w is not None:
            j, p = k % len(children), a.detach() * w
            children[j] = p if (sofar := children[j]) is None else sofar.add_(p)
    # the closed form's rounding may leave less than nothing
    return [torch.zeros_like(a) if p is None else p.clamp_(min=0) for p, a in zip(children, node.op.children)]


def rule_function(name: str) -> Rule:
    """The rule called `name`, for one walk: "equations" is `share`, "paper-code" the released code's.

    Example:
        >>> rule_function("equations") is share
        True
    """
    if name not in ("equations", "paper-code"):
        raise ValueError(f"rule={name!r} is unknown; expected 'equations' or 'paper-code'")
    return share if name == "equations" else Released()


def head(embedding: Tensor, mate: Tensor, nonmate: Tensor) -> Mixing:
    """The classifier on top of the embedding: two rows without bias, the unit embeddings of mate and non-mate."""
    rows = torch.stack([nn.functional.normalize(e, dim=1) for e in (mate, nonmate)], 1)  # (b, 2, d)

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


def mwps(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    extended: bool,
    weighted: bool,
    towards: tuple[str, ...],
    gain: str = "triplet",
    rule: str = "equations",
) -> list[Tensor]:
    """The MWPs of one forward pass from several priors; mate and nonmate are embeddings (b, d). See `mwp`."""
    gain_of, handed = gain_function(gain), rule_function(rule)
    for name in towards:
        if name not in PRIORS:
            raise ValueError(f"towards={name!r} is unknown; expected 'mate' or 'nonmate'")
    mate, nonmate = (at_least_float32(e.detach().clone()) for e in (mate, nonmate))
    walk = Excitation(net, handed, signed=extended, weighted=weighted)
    gains, maps = None, list[Tensor]()
    with torch.inference_mode(False), torch.enable_grad(), no_autocast(probe), walk.released():
        activation, embedding = run_from(net, probe, layer, walk)
        scores = walk.mix(head(embedding, mate, nonmate))
        walk.find_rectified(scores)
        if weighted:
            gains = gain_of(embedding, mate, nonmate)
            if gain == "triplet":
                warn_without_gain(gains)
            walk.differentiate(gains)
        if extended and handed is share:
            choose_forms(walk.nodes)
        for name in towards:
            prior = torch.zeros_like(scores)
            prior[:, PRIORS[name]] = 1
            walk.last = name == towards[-1]
            maps += torch.autograd.grad(scores, activation, prior, retain_graph=not walk.last)
    if rule == "equations":
        warn_of_loss(maps, gains)
    return maps


def mwp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    extended: bool = True,
    weighted: bool = True,
    towards: str = "mate",
    gain: str = "triplet",
    rule: str = "equations",
) -> Tensor:
    """Marginal winning probability of each response of a layer, Eq. (1)-(6) of Wang et al. (2025).

    Args:
        net: maps images (b, c, h, w) to embeddings (b, d), normalised or not.
        probe: images (b, c, h, w). mate, nonmate: images, or embeddings (b, d).
        layer: dotted name of a submodule with output (b, c, h, w); "input" for the image itself.
        extended: Eq. (3)-(4); False: Eq. (1)-(2), excitation backprop, which ignores what is negative.
        weighted: responses weighted by the gradient of the gain, Eq. (6).
        towards: "mate" or "nonmate": where all probability is at the start.
        gain: "triplet", Eq. (5), or "cosine", the released code's. rule: "equations", or "paper-code", the released
            code's, whose MWP does not sum to 1 (gweebp.excitation.released_code).

    Returns:
        (b, c, h, w), non-negative; sums to 1 over c, h, w less the mass lost on the way (LostMassWarning where it is
        over 1 %). All zero where `weighted` and the probe is not nearer to its mate (NoGainWarning names those).

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
        >>> p, m, n = torch.rand(3, 1, 1, 4, 4)
        >>> mwp(net, p, m, n, layer="1", extended=False, weighted=False).shape
        torch.Size([1, 4, 2, 2])
    """
    net = eager(net)
    mate, nonmate = embedded(net, probe, mate, nonmate)
    layer = named_layer(net, layer, "saliency_layer", probe[:1])
    (p,) = mwps(
        net,
        probe,
        mate,
        nonmate,
        layer=layer,
        extended=extended,
        weighted=weighted,
        towards=(towards,),
        gain=gain,
        rule=rule,
    )
    return p
