"""The rule for a call of a torch operation on responses: which mixing, product or passing it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gweebp.excitation.mixings import Mixing, Parts, Passing, Product, Rule, addition, average, centring, sampled
from gweebp.excitation.operations import DIVISIONS, PASSES, SCALES, SUMS
from gweebp.excitation.products import biased_product, product, weighted
from gweebp.excitation.tags import Tags

MIXES: dict[str, Rule] = {
    **dict.fromkeys("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear".split(), weighted),
    **dict.fromkeys("matmul rmatmul mm bmm mv einsum tensordot inner dot outer".split(), product),
    **dict.fromkeys("addmm addmv baddbmm".split(), biased_product),
    **dict.fromkeys(
        (
            "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d mean sum "
            "interpolate upsample fold nansum nanmean"
        ).split(),
        average,
    ),
    "scaled_dot_product_attention": sampled(2, "query key value attn_mask"),
    "grid_sample": sampled(0, "input grid mode"),
    "grid_sampler": sampled(0, "input grid mode"),
    "deform_conv2d": sampled(0, "input weight offset mask bias", weight="weight"),
}  #: operations that share a parent's probability among several children

BATCH_STATISTICS = "batch norm with the statistics of the batch mixes its samples: evaluate it with running statistics"


def rule_of(
    name: str, func: Any, args: tuple, kwargs: dict[str, Any], tags: Tags, gradients: bool
) -> Mixing | Product | Passing | Parts | str | None:
    """What an operation is; None where it has no rule, or a text that says why not.

    Args:
        name, func, args, kwargs: the call. tags: what depends on the image.
        gradients: whether what gets no probability needs a gradient, Eq. (6).
    """
    if name in MIXES:
        return MIXES[name](func, args, kwargs, tags)
    if name == "batch_norm" and (kwargs.get("training") or (len(args) > 5 and args[5])):
        return BATCH_STATISTICS
    if name not in SUMS | SCALES | PASSES:
        return None
    keys = [*range(len(args)), *kwargs]
    given = dict(zip(keys, (*args, *kwargs.values())))
    places = [k for k in keys if tags.depends(given[k])]
    if len(places) == 2 and name in SUMS:
        a, b = (given[k] for k in places)
        if len(given) == 2 and (axes := centred_over(name, a, b, tags)):
            return centring(a, axes)
        return addition(name, args, kwargs, tags)
    if len(places) == 1:
        return passing(func, len(args), given, places, (1.0,), gradients)
    if len(places) == 2 and name in SCALES:
        shares = factors(name, given[places[0]], given[places[1]], tags)
        return passing(func, len(args), given, places, shares, gradients)
    return None


def centred_over(name: str, a: Tensor, b: Tensor, tags: Tags) -> tuple[int, ...]:
    """The axes of a − its mean over them, also written as a + (−mean); () where it is no such sum."""
    mean = tags[b].mean
    if mean is None or not mean.under(a) or a.shape != torch.broadcast_shapes(a.shape, b.shape):
        return ()
    subtracts = mean.is_mean if name in ("sub", "subtract") else mean.is_minus and name in ("add", "radd")
    return mean.axes if subtracts else ()


def factors(name: str, a: Tensor, b: Tensor, tags: Tags) -> tuple[float, float]:
    """The shares of the factors of a · b or a / b. What divides or weighs is a constant; two alike have half each."""
    if name in DIVISIONS or (tags[b].is_factor and not tags[a].is_factor):
        return 1.0, 0.0
    return (0.0, 1.0) if tags[a].is_factor and not tags[b].is_factor else (0.5, 0.5)


def passing(
    func: Any, positional: int, given: dict[Any, Any], places: list[Any], shares: tuple[float, ...], gradients: bool
) -> Passing:
    """The passing of a call whose operands stand at `places` among the arguments `given`, the first of them unnamed."""
    kept = {k: s for k, s in zip(places, shares) if given[k].requires_grad and (s or gradients)}
    fixed = {k: a.detach() if k in places else a for k, a in given.items()}

    def plain(*operands: Tensor) -> Tensor:
        new = {**fixed, **dict(zip(kept, operands))}
        values = list(new.values())
        return func(*values[:positional], **{k: v for k, v in new.items() if isinstance(k, str)})

    return Passing(plain, tuple(given[k] for k in kept), tuple(kept.values()))
