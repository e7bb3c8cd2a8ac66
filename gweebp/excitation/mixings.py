"""Operations y = W a + bias, with the parts of W that Eq. (1)-(4) need; and operations with one child per parent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gweebp.excitation.tags import Tags

Part = Callable[..., "Tensor | None"]

PLUS, MINUS, WHOLE, ABSOLUTE = +1, -1, 0, 2  #: parts of W: W⁺ = max(0, W), W⁻ = min(0, W), W itself, |W|


class Mixing:
    """y = W a + bias: one operation of the network that is linear in its children a.

    Attributes:
        plain: (*children, *silent) → y, as the network called it; without the silent ones these are constants.
        part: (PLUS, MINUS, WHOLE or ABSOLUTE, *children) → W⁺ a, W⁻ a, W a or |W| a, without bias; None where W⁻ is
            asked for and there is none.
        children: the tensors a that depend on the probe.
        bias: as it is added to y, or None. non_negative: W⁻ is empty.
        silent: what W is made of (queries and keys, a gate): has a gradient, and gets no probability.
        is_sum: a ± b, where a child beside a constant gets all.
    """

    def __init__(
        self,
        plain: Callable[..., Tensor],
        part: Part,
        *children: Tensor,
        bias: Any = None,
        non_negative: bool = False,
        silent: tuple[Tensor, ...] = (),
        is_sum: bool = False,
    ) -> None:
        self.plain, self.part, self.children = plain, part, children
        self.bias, self.non_negative = bias, non_negative
        self.silent, self.is_sum = silent, is_sum

    @property
    def operands(self) -> tuple[Tensor, ...]:
        """Children, and what is silent."""
        return self.children + self.silent

    @property
    def takes(self) -> tuple[bool, ...]:
        """Whether each operand gets probability."""
        return (True,) * len(self.children) + (False,) * len(self.silent)


class Product:
    """y = a · b, linear in both: each has half the probability, by Eq. (1)-(4) with the other as its W.

    Attributes:
        plain: (a, b) → y. sides: the mixing of a, and that of b.
    """

    silent: tuple[Tensor, ...] = ()
    takes = (True, True)

    def __init__(self, plain: Callable[..., Tensor], *sides: Mixing) -> None:
        self.plain, self.sides = plain, sides
        self.operands = tuple(side.children[0] for side in sides)


class Passing:
    """y_i = f(a_i, ...): an operation with one child per parent, or two that have fixed shares of it.

    Attributes:
        plain: operands → y, as the network called it. operands: the responses.
        shares: of the parent's probability, one for each operand: (1,), or (½, ½), or (1, 0) beside a gate.
    """

    def __init__(self, plain: Callable[..., Tensor], operands: tuple[Tensor, ...], shares: tuple[float, ...]) -> None:
        self.plain, self.operands, self.shares = plain, operands, shares

    @property
    def takes(self) -> tuple[bool, ...]:
        """Whether each operand gets probability."""
        return tuple(s > 0 for s in self.shares)

    def share(self, probability: Tensor) -> list[Tensor | None]:
        """P(a) of each operand, in its shape, from P(y); None for those that get none."""
        parts = (probability if s == 1 else s * probability if s else None for s in self.shares)
        return [None if p is None else p.sum_to_size(a.shape) for p, a in zip(parts, self.operands)]


class Parts:
    """An operation that is to be run in parts, each by its own rule: `run()` is its output."""

    def __init__(self, run: Callable[[], Tensor]) -> None:
        self.run = run


Rule = Callable[[Any, tuple, dict, Tags], "Mixing | Product | Parts | None"]  #: (function, arguments, ..., tags) → what


def signed(weight: Tensor, sign: int) -> Tensor:
    """A part of W: PLUS, MINUS, WHOLE or ABSOLUTE.

    Example:
        >>> [signed(torch.tensor([2.0, -3.0]), sign).tolist() for sign in (PLUS, MINUS, WHOLE, ABSOLUTE)]
        [[2.0, 0.0], [0.0, -3.0], [2.0, -3.0], [2.0, 3.0]]
    """
    if sign in (WHOLE, ABSOLUTE):
        return weight if sign == WHOLE else weight.abs()
    return weight.clamp(min=0) if sign == PLUS else weight.clamp(max=0)


def positional(names: str) -> Callable[[tuple, dict], tuple[list, dict]]:
    """A function that moves the leading arguments `names` of a call to positions; a missing one becomes None."""
    keys = names.split()

    def bind(args: tuple, kwargs: dict) -> tuple[list, dict]:
        kwargs = dict(kwargs)
        leading = [args[i] if i < len(args) else kwargs.pop(k, None) for i, k in enumerate(keys)]
        return leading + list(args[len(keys) :]), kwargs

    return bind


_BINARY = positional("input other")


def average(func: Any, args: tuple, kwargs: dict, tags: Tags) -> Mixing | None:
    """Average pooling, mean, sum, folding, nearest or linear up-sampling: weights that are never negative."""
    mode = kwargs.get("mode", args[3] if len(args) > 3 and isinstance(args[3], str) else "nearest")
    if func is torch.nn.functional.interpolate and mode == "bicubic":
        return None
    kwargs = dict(kwargs)
    x = args[0] if args else kwargs.pop("input")
    rest = args[1:]
    if not tags.depends(x) or not x.requires_grad:
        return None

    def plain(x: Tensor) -> Tensor:
        return func(x, *rest, **kwargs)

    return Mixing(plain, lambda sign, x: None if sign == MINUS else plain(x), x, non_negative=True)


def addition(name: str, args: tuple, kwargs: dict, tags: Tags) -> Mixing:
    """a + alpha·b and a − alpha·b of two responses: children with weights 1 and ±alpha."""
    (a, b, *rest), kwargs = _BINARY(args, kwargs)
    alpha = kwargs.get("alpha", rest[0] if rest else 1)
    if name == "rsub":
        a, b = b, a
    weights = (1, alpha if name in ("add", "radd") else -alpha)

    def part(sign: int, *children: Tensor) -> Tensor | None:
        parts = {PLUS: [max(w, 0) for w in weights], MINUS: [min(w, 0) for w in weights], WHOLE: weights}
        kept = parts.get(sign, [abs(w) for w in weights])
        first, *others = [w * x for w, x in zip(kept, children) if w] or [None]
        found = first if first is None else sum(others, first)
        return found if found is None or found.shape == shape else found.expand(shape)

    shape = torch.broadcast_shapes(a.shape, b.shape)
    a, b = tags.leaf(a), tags.leaf(b)
    plus = weights[1] >= 0
    return Mixing(lambda a, b: torch.add(a, b, alpha=weights[1]), part, a, b, non_negative=plus, is_sum=True)


def centring(x: Tensor, axes: tuple[int, ...]) -> Mixing:
    """x − its mean over `axes`: W = I − 1/n."""
    n = math.prod(x.shape[a] for a in axes)

    def part(sign: int, x: Tensor) -> Tensor:
        own, others = x - x / n, x.mean(axes, keepdim=True) - x / n  # W⁺ x and −W⁻ x
        return {PLUS: own, MINUS: -others, WHOLE: own - others, ABSOLUTE: own + others}[sign]

    return Mixing(lambda x: centred(x, axes), part, x)


def centred(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """x − its mean over `axes`."""
    return x - x.mean(axes, keepdim=True)


def sampled(place: int, names: str, weight: str | None = None) -> Rule:
    """A rule for operations that are linear in one operand and take from others where to look: attention, sampling.

    Args:
        place: of that operand among `names`, those of the leading arguments. weight: the name of a constant weight
            that may be negative (a deformable convolution's); the bias is named "bias". None: W ≥ 0.
    """
    keys, bind = names.split(), positional(names)

    def rule(func: Any, args: tuple, kwargs: dict, tags: Tags) -> Mixing | None:
        given, more = bind(args, kwargs)
        x, called = given[place], dict(zip(keys, given))
        if not tags.depends(x) or not x.requires_grad or "bicubic" in (*given, *more.values()):
            return None
        if weight is not None and any(tags.depends(called[k]) for k in (weight, "bias")):
            return None
        others = [i for i, a in enumerate(given) if i != place and isinstance(a, Tensor) and a.requires_grad]
        keyed, n = [k for k in keys[len(args) :] if k in kwargs], min(len(args), len(keys))

        def call(x: Tensor, *silent: Tensor, sign: int | None = None) -> Tensor:
            new = [a.detach() if i in others else a for i, a in enumerate(given)]
            new[place] = x
            for i, a in zip(others, silent):
                new[i] = a
            if sign is not None and weight is not None:
                new[keys.index(weight)] = signed(called[weight], sign)
                new[keys.index("bias")] = None if called["bias"] is None else torch.zeros_like(called["bias"])
            by_name = dict(zip(keys, new))
            return func(*new[:n], *new[len(keys) :], **{k: by_name[k] for k in keyed}, **more)

        def part(sign: int, x: Tensor) -> Tensor | None:
            if weight is not None:
                return call(x, sign=sign)
            return None if sign == MINUS else call(x)

        bias = called["bias"].view(-1, 1, 1) if weight is not None and called["bias"] is not None else None
        silent = tuple(given[i] for i in others)
        return Mixing(call, part, x, bias=bias, non_negative=weight is None, silent=silent)

    return rule
