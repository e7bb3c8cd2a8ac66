"""What each torch operation is to excitation backprop: a mixing of neurons, one child a parent, or a plain passage.

Rules belong to operations, not to module classes, so that functional calls, re-used modules and a residual `+` work:

* MIXES (convolutions, linear and other products with a constant, averages, sums, `+`): y = W a + bias. They share each
  parent's probability among its children; excitation.py holds how.
* PASSES (batch norm, activations, scaling by a constant, normalisation of the embedding): one child per parent, so the
  child gets its parent's probability whole.
* WINS (max-pooling, max-feature-map, ReLU) and COPIES (views, concatenation, padding): autograd's own backward already
  sends a parent's probability to the child that won, or that it copies, and conserves it.

Everything else raises UnsupportedOperation: never a silently wrong map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation.layers import is_tracked

Part = Callable[..., Tensor | None]


PLUS, MINUS, WHOLE, ABSOLUTE = +1, -1, 0, 2  #: parts of W: W⁺ = max(0, W), W⁻ = min(0, W), W itself, |W|


class Mixing:
    """y = W a + bias: one operation of the network that is linear in its children a.

    Attributes:
        plain: children → y, as the network called it.
        part: (PLUS, MINUS, WHOLE or ABSOLUTE, *children) → W⁺ a, W⁻ a, W a or |W| a, without bias; None where W⁻ is
            asked for and there is none.
        children: the tensors a that depend on the probe.
        bias: as it is added to y, or None. non_negative: W⁻ is empty.
    """

    def __init__(
        self, plain: Callable[..., Tensor], part: Part, *children: Tensor, bias: Any = None, non_negative: bool = False
    ) -> None:
        self.plain, self.part, self.children = plain, part, children
        self.bias, self.non_negative = bias, non_negative


class Passing:
    """y_i = f(a_i): one operation with one child per parent, which gets the parent's probability whole.

    Attributes:
        plain: child → y, as the network called it. child: the tensor a.
    """

    def __init__(self, plain: Callable[[Tensor], Tensor], child: Tensor) -> None:
        self.plain, self.child = plain, child

    def share(self, probability: Tensor) -> list[Tensor]:
        """P(a) of the child, in its shape, from P(y)."""
        return [probability.sum_to_size(self.child.shape)]


def signed(weight: Tensor, sign: int) -> Tensor:
    """A part of W: PLUS, MINUS, WHOLE or ABSOLUTE.

    Example:
        >>> [signed(torch.tensor([2.0, -3.0]), sign).tolist() for sign in (PLUS, MINUS, WHOLE, ABSOLUTE)]
        [[2.0, 0.0], [0.0, -3.0], [2.0, -3.0], [2.0, 3.0]]
    """
    if sign in (WHOLE, ABSOLUTE):
        return weight if sign == WHOLE else weight.abs()
    return weight.clamp(min=0) if sign == PLUS else weight.clamp(max=0)


def _positional(names: str) -> Callable[[tuple, dict], tuple[list, dict]]:
    """A function that moves the leading arguments `names` of a call to positions; a missing one becomes None."""
    keys = names.split()

    def bind(args: tuple, kwargs: dict) -> tuple[list, dict]:
        kwargs = dict(kwargs)
        leading = [args[i] if i < len(args) else kwargs.pop(k, None) for i, k in enumerate(keys)]
        return leading + list(args[len(keys) :]), kwargs

    return bind


_WEIGHTED, _ADDMM, _BINARY = (
    _positional("input weight bias"),
    _positional("input mat1 mat2"),
    _positional("input other"),
)


def weighted(func: Any, args: tuple, kwargs: dict) -> Mixing | None:
    """conv*, conv_transpose*, linear: (input, weight, bias, ...) with a constant weight."""
    (x, w, b, *rest), kwargs = _WEIGHTED(args, kwargs)
    if is_tracked(w) or is_tracked(b) or not is_tracked(x):
        return None
    return Mixing(
        lambda x: func(x, w, b, *rest, **kwargs),
        lambda sign, x: func(x, signed(w, sign), None, *rest, **kwargs),
        x,
        bias=None if b is None else b.view(-1, *[1] * (w.ndim - 2)),  # along the channels, or the last axis
    )


def product(func: Any, args: tuple, kwargs: dict) -> Mixing | None:
    """matmul, mm, bmm, einsum, ...: a product of one response with one constant, in either order."""
    flat: list[Any] = [x for a in args for x in (a if isinstance(a, (list, tuple)) and func is torch.einsum else [a])]
    flat += list(kwargs.values())
    places = [i for i, a in enumerate(flat) if isinstance(a, Tensor)]
    if len(places) != 2 or sum(is_tracked(flat[i]) for i in places) != 1 or kwargs.get("out") is not None:
        return None
    child = next(i for i in places if is_tracked(flat[i]))
    names = [None] * (len(flat) - len(kwargs)) + list(kwargs)

    def call(x: Tensor, sign: int = WHOLE) -> Tensor:
        new = [x if i == child else signed(a, sign) if i in places else a for i, a in enumerate(flat)]
        return func(*(a for a, n in zip(new, names) if n is None), **{n: a for a, n in zip(new, names) if n})

    return Mixing(call, lambda sign, x: call(x, sign), flat[child])


def biased_product(func: Any, args: tuple, kwargs: dict) -> Mixing | None:
    """addmm, baddbmm, addmv: beta · bias + alpha · (one response times one constant)."""
    (bias, left, right, *rest), kwargs = _ADDMM(args, kwargs)
    if is_tracked(bias) or is_tracked(left) == is_tracked(right) or rest:
        return None
    alpha = kwargs.get("alpha", 1)
    first = is_tracked(left)
    constant = right if first else left

    def part(sign: int, x: Tensor) -> Tensor:
        w = signed(alpha * constant, sign)
        return torch.matmul(x, w) if first else torch.matmul(w, x)

    def plain(x: Tensor) -> Tensor:
        return func(bias, *((x, right) if first else (left, x)), **kwargs)

    return Mixing(plain, part, left if first else right, bias=kwargs.get("beta", 1) * bias)


def average(func: Any, args: tuple, kwargs: dict) -> Mixing | None:
    """Average pooling, mean, sum, nearest or linear up-sampling: weights that are never negative."""
    mode = kwargs.get("mode", args[3] if len(args) > 3 and isinstance(args[3], str) else "nearest")
    if func is nn.functional.interpolate and mode == "bicubic":
        return None
    kwargs = dict(kwargs)
    x = args[0] if args else kwargs.pop("input")
    rest = args[1:]
    if isinstance(x, (list, tuple)):
        return None

    def plain(x: Tensor) -> Tensor:
        return func(x, *rest, **kwargs)

    return Mixing(plain, lambda sign, x: None if sign == MINUS else plain(x), x, non_negative=True)


def addition(name: str, args: tuple, kwargs: dict) -> Mixing:
    """a + alpha·b and a − alpha·b of two responses: children with weights 1 and ±alpha."""
    (a, b, *rest), kwargs = _BINARY(args, kwargs)
    alpha = kwargs.get("alpha", rest[0] if rest else 1)
    weights = (1, alpha if name in ("add", "radd") else -alpha)

    def part(sign: int, *children: Tensor) -> Tensor | None:
        parts = {PLUS: [max(w, 0) for w in weights], MINUS: [min(w, 0) for w in weights], WHOLE: weights}
        kept = parts.get(sign, [abs(w) for w in weights])
        first, *others = [w * x for w, x in zip(kept, children) if w] or [None]
        return first if first is None else sum(others, first)

    a, b = (x if is_tracked(x) else x.detach().requires_grad_() for x in (a, b))
    return Mixing(lambda a, b: torch.add(a, b, alpha=weights[1]), part, a, b, non_negative=weights[1] >= 0)


MIXES: dict[str, Callable[[Any, tuple, dict], Mixing | None]] = {
    **dict.fromkeys("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear".split(), weighted),
    **dict.fromkeys("matmul rmatmul mm bmm mv einsum".split(), product),
    **dict.fromkeys("addmm addmv baddbmm".split(), biased_product),
    **dict.fromkeys(
        (
            "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d mean sum "
            "interpolate upsample"
        ).split(),
        average,
    ),
}  #: operations that share a parent's probability among several children

SUMS = set("add radd sub rsub subtract".split())  #: between two responses they mix; with a constant they pass
SCALES = set("mul rmul div truediv true_divide multiply divide".split())  #: by a constant they pass
PASSES = set(
    (
        "batch_norm leaky_relu prelu rrelu relu6 hardtanh elu selu celu gelu silu mish softplus softsign sigmoid "
        "logsigmoid tanh hardswish hardsigmoid hardshrink softshrink threshold clamp clip clamp_min clamp_max "
        "normalize neg pow sqrt rsqrt square exp log abs dropout dropout1d dropout2d dropout3d alpha_dropout "
        "feature_alpha_dropout"
    ).split()
)  #: one child a parent
WINS = set(
    (
        "relu max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices "
        "max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d "
        "adaptive_max_pool2d_with_indices max maximum amax min minimum amin fmax fmin"
    ).split()
)  #: the winner takes all, by autograd's own backward
COPIES = set(
    (
        "view view_as reshape reshape_as flatten unflatten ravel permute transpose swapaxes swapdims t movedim "
        "moveaxis squeeze unsqueeze expand expand_as broadcast_to broadcast_tensors repeat repeat_interleave tile "
        "contiguous clone cat concat concatenate stack hstack vstack dstack chunk split tensor_split unbind narrow "
        "select getitem index_select take_along_dim gather flip roll rot90 pad pixel_shuffle pixel_unshuffle "
        "channel_shuffle to type float double type_as cpu cuda get alias positive identity requires_grad_ "
        "as_subclass"
    ).split()
)  #: the same neurons in another place, by autograd's own backward
SCALE_ONLY = set(
    "norm vector_norm matrix_norm frobenius_norm".split()
)  #: a normaliser: what is divided by it passes whole


def operation_name(func: Any) -> tuple[str, bool]:
    """(name, in_place): F.conv2d → ("conv2d", False), torch.relu_ → ("relu", True), Tensor.__iadd__ → ("add", True).

    Example:
        >>> operation_name(torch.Tensor.add_), operation_name(torch.nn.functional.conv2d)
        (('add', True), ('conv2d', False))
    """
    name = getattr(func, "__name__", None) or str(func)
    dunder, plain = name.startswith("__"), name.strip("_")
    if dunder and plain in ("iadd", "isub", "imul", "itruediv"):
        return plain[1:].replace("truediv", "div"), True
    return plain, name.endswith("_") and not dunder and name != "requires_grad_"
