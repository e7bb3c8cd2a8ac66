"""Products of a response with a constant, or with another response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gweebp.excitation.mixings import MINUS, WHOLE, Mixing, Parts, Product, positional, signed
from gweebp.excitation.tags import Tags

_WEIGHTED, _ADDMM = positional("input weight bias"), positional("input mat1 mat2")


def weighted(func: Any, args: tuple, kwargs: dict, tags: Tags) -> Mixing | Product | Parts | None:
    """conv*, conv_transpose*, linear: (input, weight, bias, ...)."""
    (x, w, b, *rest), kwargs = _WEIGHTED(args, kwargs)
    axes = [1] * (w.ndim - 2)  # of y after the channels, along which lies the bias; none in a linear layer
    if tags.depends(b):
        return Parts(lambda: func(x, w, None, *rest, **kwargs) + b.view(-1, *axes))
    if tags.depends(w):
        if b is not None:
            return Parts(lambda: func(x, w, None, *rest, **kwargs) + b.view(-1, *axes))
        return between(lambda x, w: func(x, w, None, *rest, **kwargs), x, w, tags)

    def part(sign: int, x: Tensor) -> Tensor:  # a linear layer of a transposed batch would be many small products
        return func(x if axes else x.contiguous(), signed(w, sign), None, *rest, **kwargs)

    return Mixing(
        lambda x: func(x, w, b, *rest, **kwargs),
        part,
        x,
        bias=None if b is None else b.view(-1, *axes),
    )


def product(func: Any, args: tuple, kwargs: dict, tags: Tags) -> Mixing | Product | Parts | None:
    """matmul, mm, bmm, einsum, ...: a product of two tensors, in either order; of one or several by einsum."""
    flat: list[Any] = [x for a in args for x in (a if isinstance(a, (list, tuple)) and func is torch.einsum else [a])]
    flat += list(kwargs.values())
    places = [i for i, a in enumerate(flat) if isinstance(a, Tensor)]
    if func is torch.einsum and len(places) != 2:
        return contraction(flat[0], *flat[1:])
    if len(places) != 2 or kwargs.get("out") is not None:
        return None
    names = [None] * (len(flat) - len(kwargs)) + list(kwargs)

    def call(*factors: Tensor) -> Tensor:
        new = dict(zip(places, factors))
        given = [(new.get(i, a), name) for i, (a, name) in enumerate(zip(flat, names))]
        return func(*(a for a, name in given if name is None), **{name: a for a, name in given if name})

    a, b = (flat[i] for i in places)
    if tags.depends(a) and tags.depends(b):
        return between(call, a, b, tags)
    first = tags.depends(a)
    return constant(call, a if first else b, b if first else a, first)


def contraction(equation: Any, *operands: Any) -> Mixing | Parts | None:
    """An einsum of one tensor, which sums and rearranges it; or of several, two at a time from the left."""
    if not isinstance(equation, str) or not all(isinstance(a, Tensor) for a in operands):
        return None
    if len(operands) == 1:

        def run(x: Tensor) -> Tensor:
            return torch.einsum(equation, x)

        return Mixing(run, lambda sign, x: None if sign == MINUS else run(x), *operands, non_negative=True)
    if "..." in equation:
        return None
    left, _, right = equation.replace(" ", "").partition("->")
    single = sorted(k for k in set(left) - {","} if left.count(k) == 1)
    wanted = right if "->" in equation else "".join(single)

    def in_pairs() -> Tensor:
        (own, *terms), (x, *others) = left.split(","), operands
        for k, (term, other) in enumerate(zip(terms, others)):
            later = set("".join(terms[k + 1 :]) + wanted)
            new = wanted if k == len(others) - 1 else "".join(dict.fromkeys(i for i in own + term if i in later))
            x, own = torch.einsum(f"{own},{term}->{new}", x, other), new
        return x

    return Parts(in_pairs)


def constant(call: Callable[..., Tensor], child: Tensor, weight: Tensor, first: bool, **kind: Any) -> Mixing:
    """The mixing of one factor, `weight` being the other and a constant; `first`: the child stands first."""

    def part(sign: int, x: Tensor) -> Tensor:
        w = weight if sign == WHOLE or kind.get("non_negative") else signed(weight, sign)
        return call(x, w) if first else call(w, x)

    return Mixing(lambda x, w=weight: call(x, w) if first else call(w, x), part, child, **kind)


def between(call: Callable[..., Tensor], a: Tensor, b: Tensor, tags: Tags) -> Mixing | Product:
    """A product of two responses: a gate or an attention is the W of the other; else each factor has half."""
    a, b = tags.leaf(a), tags.leaf(b)
    if tags[a].is_factor != tags[b].is_factor:
        first = tags[b].is_factor
        child, w = (a, b) if first else (b, a)
        mixing = constant(call, child, w.detach(), first, non_negative=tags[w].non_negative, silent=(w,))
        if tags[w].non_negative:  # there is no W⁻
            part = mixing.part
            mixing.part = lambda sign, x: None if sign < 0 else part(sign, x)
        return mixing
    return Product(call, constant(call, a, b.detach(), True), constant(call, b, a.detach(), False))


def biased_product(func: Any, args: tuple, kwargs: dict, tags: Tags) -> Mixing | Parts | None:
    """addmm, baddbmm, addmv: beta · bias + alpha · (left times right)."""
    (bias, left, right, *rest), kwargs = _ADDMM(args, kwargs)
    if rest or kwargs.get("out") is not None:
        return None
    alpha, beta = kwargs.get("alpha", 1), kwargs.get("beta", 1)
    if tags.depends(bias) or tags.depends(left) == tags.depends(right):
        return Parts(lambda: beta * bias + alpha * (left @ right))
    first = tags.depends(left)
    weight = right if first else left

    def part(sign: int, x: Tensor) -> Tensor:
        w = signed(alpha * weight, sign)
        return torch.matmul(x, w) if first else torch.matmul(w, x)

    def plain(x: Tensor) -> Tensor:
        return func(bias, *((x, right) if first else (left, x)), **kwargs)

    return Mixing(plain, part, left if first else right, bias=beta * bias)
