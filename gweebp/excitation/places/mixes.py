"""Places after copies, joins, means over axes, products and attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gweebp.excitation.places import fields
from gweebp.excitation.places.call import Call, Found, Lost, several
from gweebp.excitation.places.fields import Places
from gweebp.excitation.tensors import mapped, tensors_in

PRODUCTS = set("mul rmul multiply div truediv true_divide divide".split())  #: by gates, norms: one signal


def copied(call: Call) -> Found:
    """Views, slices, permutations, joins: the call itself, on the places; what is not from the image is nowhere."""

    def run(k: int) -> Any:
        def field(x: Tensor) -> Tensor:
            p = call.places(x)
            if p is not None:
                return p.tensors()[k]
            return fields.nowhere(x).known if x.is_floating_point() else x

        args, kwargs = mapped(field, call.args), mapped(field, call.kwargs)
        try:
            return call.func(*args, **kwargs)
        except RuntimeError:  # a view of what repeats
            args, kwargs = (mapped(lambda x: x.contiguous(), mapped(field, a)) for a in (call.args, call.kwargs))
            return call.func(*args, **kwargs)

    found = [run(k) for k in range(6)]
    if isinstance(call.output, Tensor):
        return Places(*found)
    return [Places(*parts) for parts in zip(*found)]


def elementwise(call: Call) -> Found:
    """Entry by entry, or entries joined with entries: an activation, a norm, a sum, a gate."""
    shape = call.size
    terms = [p for x in tensors_in((call.args, call.kwargs)) if (p := call.places(x)) is not None]
    terms = [p for p in terms if _broadcasts(p.shape, shape)]
    if not terms or (len(terms) < 2 and terms[0].shape.numel() != shape.numel()):
        raise Lost(call.name)
    if all(p is terms[0] for p in terms) and terms[0].shape == shape:
        return terms[0]
    return fields.sharpest(terms, shape, adds=call.name not in PRODUCTS)


def _broadcasts(shape: Sequence[int], to: Sequence[int]) -> bool:
    return len(shape) <= len(to) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(to)))


def reduced(call: Call) -> Found:
    """Means, sums, maxima, norms, ... over axes; maximum of two tensors is entry by entry."""
    if isinstance(call.get(1, "other"), Tensor):
        return elementwise(call)
    given, shape = call.of(0, "input"), call.size
    dims = call.get(2 if call.name in ("norm", "vector_norm", "frobenius_norm") else 1, "dim", call.kwargs.get("axis"))
    n = len(given.shape)
    if dims is None or isinstance(dims, bool):
        axes = list(range(n))
    else:
        axes = [int(d) % n for d in (dims if isinstance(dims, (list, tuple)) else [dims])]
    found = fields.mean(given, axes, keepdim=len(shape) == n)
    if found.shape != shape:
        raise Lost(call.name)
    return several(call, found)


def chosen(call: Call) -> Found:
    """topk, sort, kthvalue: one of the entries of an axis, it is not known which."""
    given, shape = call.of(0, "input"), call.size
    axis = call.get(1 if call.name in ("sort", "msort") else 2, "dim", -1)
    if len(shape) != len(given.shape):
        raise Lost(call.name)
    return several(call, fields.mean(given, [int(axis)], keepdim=True).expand(shape))


def linear(call: Call) -> Found:
    """linear: the mean over the last axis."""
    return fields.mean(call.of(0, "input"), [-1], keepdim=True).expand(call.size)


def product(call: Call) -> Found:
    """matmul, mm, bmm and their sums with a bias: A B looks where the rows of A look, or the columns of B.

    Of two that depend on the image the sharper, of equals A: its rows are the queries of an attention.
    """
    first = 1 if call.name in ("addmm", "baddbmm", "addmv") else 0
    a, b = call.get(first, "mat1" if first else "input"), call.get(first + 1, "mat2" if first else "other")
    if first and b is None:
        b = call.kwargs.get("batch2")
        a = call.kwargs.get("batch1") if a is None else a
    if call.name == "rmatmul":
        a, b = b, a
    left, right, shape = call.places(a), call.places(b), call.size
    if a.ndim < 2 or b.ndim < 2:
        raise Lost(call.name)
    terms = []
    if left is not None:
        terms.append(_times(left, None if right is not None or call.trained(b) else b, -1).expand(shape))
    if right is not None:
        terms.append(_times(right, None if left is not None or call.trained(a) else a.mT, -2).expand(shape))
    if not terms:
        raise Lost(call.name)
    return fields.sharpest(terms, shape, first_of_ties=True)


def _times(p: Places, fixed: Tensor | None, axis: int) -> Places:
    """The mean over an axis, of size 1 then; or the one weighted by |fixed| (..., k, n), of size n."""
    if fixed is None or fixed.ndim > 2:
        return fields.mean(p, [axis], keepdim=True)
    w = fixed.detach().abs().to(p.row)
    w = w / w.sum(0, keepdim=True).clamp(min=torch.finfo(w.dtype).tiny)

    def run(m: Tensor) -> Tensor:
        return (m.movedim(axis, -1) @ w).movedim(-1, axis)

    thin = fields.thin(p)
    size = list(thin.shape)
    size[axis] = p.shape[axis]
    return fields.averaged(thin.expand(size), run)


def einsum(call: Call) -> Found:
    """einsum: of each operand the mean over what the output has not; the sharpest, of equals the first."""
    flat = [x for a in call.args for x in (a if isinstance(a, (list, tuple)) and not isinstance(a, str) else [a])]
    if not isinstance(flat[0], str):
        raise Lost(call.name)
    equation, operands, shape = flat[0].replace(" ", ""), flat[1:], call.size
    inputs, arrow, output = equation.partition("->")
    names = inputs.split(",")
    if "..." in equation or not arrow:
        raise Lost(call.name)
    terms = []
    for letters, x in zip(names, operands):
        p = call.places(x)
        if p is None or len(set(letters)) < len(letters):
            continue
        kept = [c for c in letters if c in output]
        p = fields.mean(p, [i for i, c in enumerate(letters) if c not in output])
        order = sorted(range(len(kept)), key=lambda i: output.index(kept[i]))
        form = [i for i, c in enumerate(output) if c not in kept]
        p = p.map(lambda f: f.permute(order))  # noqa: B023
        for i in form:
            p = p.map(lambda f: f.unsqueeze(i))  # noqa: B023
        terms.append(p)
    if not terms:
        raise Lost(call.name)
    return fields.sharpest(terms, shape, first_of_ties=True)


def attention(call: Call) -> Found:
    """scaled_dot_product_attention, multi_head_attention_forward: where the query looks; else where the values do."""
    several = call.name == "multi_head_attention_forward"
    names = ("query", "key", "value")
    query, value, shape = call.places(call.get(0, names[0])), call.places(call.get(2, names[2])), call.size
    terms = []
    if query is not None:
        terms.append(fields.mean(query, [-1], keepdim=True))
    if value is not None:
        axis = -len(value.shape) if several else -2
        terms.append(fields.mean(value, [axis, -1], keepdim=True))
    if not terms:
        raise Lost(call.name)
    found = fields.sharpest([t for t in terms if _broadcasts(t.shape, shape)], shape, first_of_ties=True)
    return [found, None] if several else found


def repeated(call: Call) -> Found:
    """rnn, lstm, gru over sequences: each step looks where its input looks."""
    given, shape = call.of(0, "input"), call.size
    if len(given.shape) != len(shape):
        raise Lost(call.name)
    return several(call, fields.mean(given, [-1], keepdim=True).expand(shape))


def constant(call: Call) -> Found:
    """What takes no more than a shape."""
    return [None for _ in tensors_in([call.output])]
