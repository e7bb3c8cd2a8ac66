"""Marginal winning probability (MWP): excitation backprop as autograd with another backward rule, Eq. (1)-(4).

Use: `mwp(net, probe, mate, nonmate, layer="features.23")` gives the probability of each response of that layer to have
won the network's choice of the mate; `gweebp.explain` makes maps of it.

Theory. A parent a_i = Σ_j w_ij a_j (+ bias) hands its probability to its children in the shares in which they excite it.
Excitation backprop (Zhang et al. 2018) knows positive responses and weights only:

    P(a_j | a_i) = w⁺_ij a⁺_j / Σ_k w⁺_ik a⁺_k                                                      Eq. (1)
    P(a_j)       = Σ_i P(a_j | a_i) P(a_i)                                                          Eq. (2)

Extended excitation backprop (Wang et al. 2025) lets a positive parent be excited by a⁺ through w⁺ and by a⁻ through w⁻
(Eq. 3), a negative parent by a⁺ through w⁻ and by a⁻ through w⁺ (Eq. 4), with the normaliser over both kinds of children.
Gradient weighting replaces each child's response by Eq. (6) (gain.py). A parent's sign is that of its own response, bias
included; the bias is not a child.

Way. `Excitation`, a TorchFunctionMode, watches one ordinary forward pass of the unmodified network: each operation that
mixes neurons (operations.py) becomes a node whose forward is the plain operation and whose backward is Eq. (1)-(4), so
that one call of `torch.autograd.grad` walks the network. With gradient weighting the same nodes first give ∂G/∂a.

Assumes: the embedding of a sample does not depend on the rest of its batch. Mass that meets a parent without an
excitatory child, or that leaves through a path around the layer, is lost; LostMassWarning reports it.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from gweebp import operations
from gweebp.gain import gain_function, warn_without_gain, weight_by_gradient
from gweebp.layers import PlainMode, at_least_float32, is_tracked, named_layer, no_autocast, run_from, tensors_in
from gweebp.operations import Mixing
from gweebp.triplet import embedded

PRIORS = {"mate": 0, "nonmate": 1}  #: the row of the head that holds all probability at the start


class LostMassWarning(UserWarning):
    """A share of the probability met parents without an excitatory child."""


def share(op: Mixing, responses: tuple[Tensor, ...], probability: Tensor, positive: Tensor | None) -> list[Tensor]:
    """Hand the parents' probability to the children of one operation y = W a (+ bias), Eq. (1)-(4).

    Args:
        op: the operation. responses: â of its children, or ã of Eq. (6).
        probability: P(a_i) of the parents, the shape of y.
        positive: where y ≥ 0, bias included; None for plain excitation backprop, Eq. (1)-(2).

    Returns:
        P(a_j), a tensor for each child, in its shape.
    """
    children = [torch.zeros_like(a) for a in responses]
    if positive is None:  # Eq. (1)-(2): positive responses, positive weights, any parent
        cases = [(probability, (+1,))]
    else:  # Eq. (3), positive parents: a⁺ through W⁺, a⁻ through W⁻; Eq. (4), negative parents: the other way round
        cases = [(probability * positive, (+1, -1)), (probability * ~positive, (-1, +1))]
    for parents, (sign, *opposite) in cases:
        if not parents.any():
            continue
        streams = [(sign, [a.clamp(min=0) for a in responses])]
        if opposite and any(bool((a < 0).any()) for a in responses):
            streams.append((opposite[0], [a.clamp(max=0) for a in responses]))
        with torch.enable_grad():  # excitation of each parent by each stream; its sum is 1/Z
            leaves = [[a.requires_grad_() for a in stream] for _, stream in streams]
            terms = [z for (s, _), stream in zip(streams, leaves) if (z := op.part(s, *stream)) is not None]
            total = sum(terms[1:], terms[0]) if terms else None
        if total is None:
            continue
        excited = total.abs() > torch.finfo(total.dtype).tiny
        per_unit = torch.where(excited, parents / torch.where(excited, total, 1), 0)  # P(a_i) Z_i
        flat = [a for stream in leaves for a in stream]
        back = torch.autograd.grad(total, flat, per_unit.detach(), allow_unused=True)  # Σ_i w_ij P(a_i) Z_i
        for k, (a, w) in enumerate(zip(flat, back)):
            if w is not None:
                children[k % len(children)] += a.detach() * w
    return children


class _Mix(torch.autograd.Function):
    """An operation y = W a + bias: backward is ∂G/∂a in the walk's gradient phase, Eq. (1)-(4) in the other."""

    @staticmethod
    def forward(ctx: Any, walk: Excitation, op: Mixing, index: int, *children: Tensor) -> Tensor:
        with torch.set_grad_enabled(walk.weighted):
            inner = tuple(c.detach().requires_grad_(walk.weighted) for c in children)
            y = op.plain(*inner)
        ctx.walk, ctx.op, ctx.index, ctx.inner, ctx.y = walk, op, index, inner, y if walk.weighted else None
        ctx.save_for_backward(*children)
        ctx.positive = y.detach() >= 0 if walk.extended else None
        return y.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        if ctx.walk.gradients is None and ctx.walk.weighted:
            return (None, None, None, *torch.autograd.grad(ctx.y, ctx.inner, grad, retain_graph=True))
        responses = ctx.saved_tensors
        if ctx.walk.weighted:
            responses = tuple(weight(a, g) for a, g in zip(responses, ctx.walk.gradients[ctx.index]))
        return (None, None, None, *share(ctx.op, responses, grad, ctx.positive))


class _Pass(torch.autograd.Function):
    """One child a parent: in the excitation phase the child gets its parent's probability whole."""

    @staticmethod
    def forward(ctx: Any, walk: Excitation, call: Any, child: Tensor) -> Tensor:
        with torch.set_grad_enabled(walk.weighted):
            inner = child.detach().requires_grad_(walk.weighted)
            y = call(inner.clone())  # a copy: the call may work in place
        ctx.walk, ctx.inner, ctx.y = walk, inner, y if walk.weighted else None
        ctx.shape = child.shape
        return y.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        if ctx.walk.gradients is None and ctx.walk.weighted:
            return None, None, *torch.autograd.grad(ctx.y, ctx.inner, grad, retain_graph=True)
        return None, None, grad.sum_to_size(ctx.shape)


def weight(response: Tensor, gradient: Tensor | None) -> Tensor:
    """ã of Eq. (6), each sample divided by its largest: shares do not depend on it, and nothing underflows."""
    if gradient is None:
        return torch.zeros_like(response)
    largest = gradient.abs().flatten(1).amax(1).clamp(min=torch.finfo(gradient.dtype).tiny)
    return weight_by_gradient(response, gradient / largest.view(-1, *[1] * (gradient.ndim - 1)))


class Excitation(PlainMode):
    """Watches a forward pass and gives each operation on responses its rule (see operations.py).

    Attributes:
        extended: Eq. (3)-(4) rather than Eq. (1)-(2). weighted: responses are weighted by Eq. (6).
        nodes: the children of each mixing operation, in the order of the calls (kept only where weighted).
        gradients: ∂G/∂a of those children; None as long as the walk is in its gradient phase.
    """

    def __init__(self, net: nn.Module, extended: bool, weighted: bool) -> None:
        super().__init__()
        self.net, self.extended, self.weighted = net, extended, weighted
        self.nodes: list[tuple[Tensor, ...]] = []
        self.gradients: list[list[Tensor | None]] | None = None
        self.scales: list[Tensor] = []
        self.storages = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers())}

    def apply(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """One operation on responses: by its rule, or UnsupportedOperation."""
        name, in_place = operations.operation_name(func)
        if name in operations.NATIVE:
            return func(*args, **kwargs)
        if in_place:
            raise operations.unsupported(func, self.net)
        func = operations.OUT_OF_PLACE.get(name, func)
        if name in operations.MIXES:
            return self.mix(operations.MIXES[name](func, args, kwargs), func)
        if name in operations.SUMS and self.neurons(args) == 2:
            return self.mix(operations.addition(name, args, kwargs), func)
        if name in operations.SUMS | operations.SCALES | operations.PASSES:
            return self.passes(func, name, args, kwargs)
        output = func(*args, **kwargs)
        if name in operations.SCALE_ONLY:
            self.scales.append(output)
        elif name == "setitem" or any(map(is_tracked, tensors_in((output,)))):
            raise operations.unsupported(func, self.net)
        return output

    def neurons(self, args: tuple) -> int:
        """How many operands are responses: tracked, or in the shape of one on a path around the layer."""
        shapes = [x.shape for x in args if is_tracked(x)]
        own = [isinstance(x, Tensor) and x.untyped_storage().data_ptr() in self.storages for x in args]
        return sum(
            is_tracked(x) or (isinstance(x, Tensor) and x.shape in shapes and not o) for x, o in zip(args, own)
        )

    def is_scale(self, x: Tensor) -> bool:
        """Whether `x` is a normaliser: a norm of responses, clamped or shifted perhaps."""
        return any(x is s for s in self.scales)

    def mix(self, op: Mixing | None, func: Any) -> Tensor:
        """Run an operation that mixes neurons as a node of the walk."""
        if op is None:
            raise operations.unsupported(func, self.net)
        if self.weighted:
            self.nodes.append(op.children)
        return _Mix.apply(self, op, len(self.nodes) - 1, *op.children)

    def passes(self, func: Any, name: str, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        """Run an operation with one child a parent; the other operands must be constants or normalisers."""
        tracked = [x for x in tensors_in((args, kwargs)) if is_tracked(x)]
        children = [x for x in tracked if not self.is_scale(x)]
        if not children:
            self.scales.append(func(*args, **kwargs))
            return self.scales[-1]
        by_scale = len(tracked) == 2 and "div" in name and args[0] is children[0]
        batch_statistics = name == "batch_norm" and (kwargs.get("training") or (len(args) > 5 and args[5]))
        if len(children) > 1 or self.neurons(args) > 1 + by_scale or batch_statistics:
            raise operations.unsupported(func, self.net)

        def call(x: Tensor) -> Tensor:
            new = [x if a is children[0] else a.detach() if is_tracked(a) else a for a in args]
            return func(*new, **{k: x if a is children[0] else a for k, a in kwargs.items()})

        return _Pass.apply(self, call, children[0])


def head(embedding: Tensor, mate: Tensor, nonmate: Tensor) -> Mixing:
    """The classifier on top of the embedding: two rows without bias, the unit embeddings of mate and non-mate."""
    rows = torch.stack([nn.functional.normalize(e, dim=1) for e in (mate, nonmate)], 1)  # (b, 2, d)

    def part(sign: int, e: Tensor) -> Tensor:
        return torch.einsum("bkd,bd->bk", operations.signed(rows, sign), e)

    return Mixing(lambda e: torch.einsum("bkd,bd->bk", rows, e), part, embedding)


def warn_of_loss(maps: list[Tensor], tolerated: float = 0.01) -> None:
    """LostMassWarning with the batch indices whose MWP sums to less than 1 − tolerated, but not to 0."""
    left = torch.stack([p.flatten(1).sum(1) for p in maps]).amin(0)
    lost = ((left < 1 - tolerated) & (left > 0)).nonzero().flatten().tolist()
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
) -> list[Tensor]:
    """The MWPs of one forward pass from several priors; mate and nonmate are embeddings (b, d). See `mwp`."""
    gain_of = gain_function(gain)
    for name in towards:
        if name not in PRIORS:
            raise ValueError(f"towards={name!r} is unknown; expected 'mate' or 'nonmate'")
    mate, nonmate = (at_least_float32(e.detach().clone()) for e in (mate, nonmate))
    walk = Excitation(net, extended, weighted)
    with torch.inference_mode(False), torch.enable_grad(), no_autocast(probe):
        activation, embedding = run_from(net, probe, layer, walk)
        try:
            top, response = head(embedding, mate, nonmate), embedding.detach()
            if weighted:
                gains = gain_of(embedding, mate, nonmate)
                if gain == "triplet":
                    warn_without_gain(gains)
                flat = [embedding, *(child for node in walk.nodes for child in node)]
                found = iter(torch.autograd.grad(gains.sum(), flat, retain_graph=True, allow_unused=True))
                response = weight(response, next(found))
                walk.gradients = [[next(found) for _ in node] for node in walk.nodes]
            positive = top.plain(embedding.detach()) >= 0 if extended else None
            maps = []
            for name in towards:
                prior = torch.zeros_like(embedding[:, :2])
                prior[:, PRIORS[name]] = 1
                (at_embedding,) = share(top, (response,), prior, positive)
                (p,) = torch.autograd.grad(embedding, activation, at_embedding, retain_graph=name != towards[-1])
                maps.append(p)
        finally:  # the graph's nodes hold the walk, and the walk holds tensors of the graph
            walk.nodes, walk.scales, walk.gradients = [], [], None
    warn_of_loss(maps)
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
) -> Tensor:
    """Marginal winning probability of each response of a layer, Eq. (1)-(6) of Wang et al. (2025).

    Args:
        net: maps images (b, c, h, w) to embeddings (b, d), normalised or not.
        probe: images (b, c, h, w). mate, nonmate: images, or embeddings (b, d).
        layer: dotted name of a submodule with output (b, c, h, w); "input" for the image itself.
        extended: Eq. (3)-(4); False: Eq. (1)-(2), excitation backprop, which ignores what is negative.
        weighted: responses weighted by the gradient of the gain, Eq. (6).
        towards: "mate" or "nonmate": where all probability is at the start.
        gain: "triplet", Eq. (5), or "cosine", the released code's.

    Returns:
        (b, c, h, w), non-negative; sums to 1 over c, h, w less the mass lost on the way (LostMassWarning where it is
        over 1 %). All zero where `weighted` and the probe is not nearer to its mate (NoGainWarning names those).

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
        >>> p, m, n = torch.rand(3, 1, 1, 4, 4)
        >>> mwp(net, p, m, n, layer="1", extended=False, weighted=False).shape
        torch.Size([1, 4, 2, 2])
    """
    mate, nonmate = embedded(net, probe, mate, nonmate)
    layer = named_layer(net, layer, "saliency_layer", probe[:1])
    (p,) = mwps(
        net, probe, mate, nonmate, layer=layer, extended=extended, weighted=weighted, towards=(towards,), gain=gain
    )
    return p
