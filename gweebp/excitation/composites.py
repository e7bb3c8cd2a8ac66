"""Operations that are made of others: run again in parts, each under its own rule.

A composite is a function of the operation as it was called, to be called with the same arguments while the watch is on.
It raises Refused where it has no parts for these arguments.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Operation = Callable[..., Any]


class Refused(Exception):
    """There is no rule for these arguments; the message says why and what to do."""


_CHECKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")


def is_python(func: Any) -> bool:
    """Whether `func` is a Python function of torch.nn.functional that would only call itself again under a watch."""
    named = getattr(func, "__module__", "") == "torch.nn.functional" and isinstance(func, types.FunctionType)
    return named and any(check in func.__code__.co_names for check in _CHECKS)


def opened(func: Any) -> Operation:
    """A Python function of torch.nn.functional whose parts are seen by the watch, instead of the whole.

    Example:
        >>> opened(F.tanhshrink)(torch.zeros(2))
        tensor([0., 0.])
    """
    checks = dict.fromkeys(_CHECKS, lambda *args: False)
    copy = types.FunctionType(
        func.__code__, {**func.__globals__, **checks}, func.__name__, func.__defaults__, func.__closure__
    )
    copy.__kwdefaults__ = func.__kwdefaults__
    return copy


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · σ(b)."""
    a, b = input.chunk(2, dim)
    return a * b.sigmoid()


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value · tensor1 · tensor2."""
    return input + value * (tensor1 * tensor2)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value · tensor1 / tensor2."""
    return input + value * (tensor1 / tensor2)


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """(1 − weight) · input + weight · end."""
    return (1 - weight) * input + weight * end


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = Σ_ij a_i w_kij b_j."""
    y = torch.matmul(torch.tensordot(input1, weight, ([-1], [1])), input2.unsqueeze(-1)).squeeze(-1)
    return y if bias is None else y + bias


def cosine(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Σ_i a_i b_i of unit vectors."""
    return (F.normalize(x1, dim=dim, eps=eps) * F.normalize(x2, dim=dim, eps=eps)).sum(dim)


def variance(
    input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> Tensor:
    """The mean square of x − mean, where the mean is a mixing."""
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    axes = tuple(range(input.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    n = math.prod(input.shape[a] for a in axes)
    less = correction if correction is not None else 1 if unbiased is None else int(unbiased)
    squares = (input - input.mean(axes, keepdim=True)).square()
    return squares.sum(axes, keepdim=keepdim) / max(n - less, 0)


def deviation(*args: Any, **kwargs: Any) -> Tensor:
    """√ of the variance."""
    squared = variance(*args, **kwargs)
    return squared.clamp(min=torch.finfo(squared.dtype).tiny).sqrt()


def with_mean(spread: Operation) -> Operation:
    """var_mean or std_mean."""

    def run(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
        first = spread(input, dim, unbiased, keepdim, **kwargs)
        axes = tuple(range(input.ndim)) if dim is None or isinstance(dim, bool) else dim
        return first, input.mean(axes, keepdim=keepdim)

    return run


def lstm_cell(
    input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None, w_hr: Any = None
) -> Any:
    """c = f · c' + i · g, h = o · tanh(c), then its projection, where there is one: the gates f, i, o are constants."""
    h, c = hx
    gates = F.linear(input, w_ih, b_ih) + F.linear(h, w_hh, b_hh)
    i, f, g, o = gates.chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h if w_hr is None else F.linear(h, w_hr), c


def gru_cell(input: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Tensor:
    """h = (1 − z) · n + z · h': the gate z and that of n are constants."""
    x, y = F.linear(input, w_ih, b_ih), F.linear(h, w_hh, b_hh)
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, -1), y.chunk(3, -1)
    r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
    return (1 - z) * (xn + r * hn).tanh() + z * h


def rnn_cell(activation: str) -> Operation:
    """h = f(W x + V h')."""

    def run(input: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Tensor:
        return getattr(F.linear(input, w_ih, b_ih) + F.linear(h, w_hh, b_hh), activation)()

    return run


def unrolled(cell: Operation, states: int) -> Operation:
    """nn.LSTM, nn.GRU or nn.RNN on whole sequences, one step at a time.

    Args:
        cell: of one step. states: 2 for an LSTM's (h, c), else 1.
    """

    def run(input: Tensor, hx: Any, weights: Any, biases: Any, layers: Any, *rest: Any) -> Any:
        if not isinstance(weights, (list, tuple)):
            raise Refused("a recurrent network on a packed sequence: give it a padded one")
        _, _, both_ways, batch_first = rest
        x = input.transpose(0, 1) if batch_first else input
        initial = hx if states == 2 else (hx,)
        ways = 2 if both_ways else 1
        each, n = len(weights) // (ways * layers), 4 if biases else 2  # one more with proj_size
        finals = []
        for layer in range(layers):
            outputs = []
            for way in range(ways):
                k = layer * ways + way
                state: Any = tuple(h[k] for h in initial)
                steps = x.unbind(0)
                ys = []
                own = weights[k * each : (k + 1) * each]
                more = {} if each == n else {"w_hr": own[n]}
                for step in steps if way == 0 else steps[::-1]:
                    new = cell(step, state if states == 2 else state[0], *own[:n], **more)
                    state = new if states == 2 else (new,)
                    ys.append(state[0])
                outputs.append(torch.stack(ys if way == 0 else ys[::-1]))
                finals.append(state)
            x = torch.cat(outputs, -1) if ways == 2 else outputs[0]
        y = x.transpose(0, 1) if batch_first else x
        return (y, *(torch.stack(s) for s in zip(*finals)))

    return run


def chained(*matrices: Any) -> Tensor:
    """A · B · C ...: chain_matmul(A, B, C), multi_dot([A, B, C])."""
    first, *others = matrices[0] if isinstance(matrices[0], (list, tuple)) else matrices
    for matrix in others:
        first = torch.matmul(first, matrix)
    return first


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ_i x_i y_i."""
    return (x * y).sum(dim)


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Each entry of the one times each of the other."""
    n = max(input.ndim, other.ndim)
    a, b = ((1,) * (n - x.ndim) + tuple(x.shape) for x in (input, other))
    left = input.reshape([k for size in a for k in (size, 1)])
    right = other.reshape([k for size in b for k in (1, size)])
    return (left * right).reshape([i * j for i, j in zip(a, b)])


def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal."""
    return input.diagonal().sum()


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """x_{i+1} − x_i, n times."""
    ends = [x for x in (prepend, input, append) if x is not None]
    x = torch.cat(ends, dim) if len(ends) > 1 else input
    for _ in range(n):
        x = x.narrow(dim, 1, x.shape[dim] - 1) - x.narrow(dim, 0, x.shape[dim] - 1)
    return x


def added(name: str, *keys: str) -> Operation:
    """index_add or scatter_add: the input + what is added to its entries, by constant weights 1 and 0.

    Args:
        name: of the operation. keys: names of its arguments after the input.
    """

    def run(input: Tensor, *args: Any, alpha: float = 1, **kwargs: Any) -> Tensor:
        dim, index, source = (args[i] if i < len(args) else kwargs[k] for i, k in enumerate(keys))
        if name == "index_add":
            weights = F.one_hot(index, input.shape[dim]).to(source.dtype)  # (entries of source, entries of the output)
            found = torch.matmul(source.movedim(dim, -1), weights).movedim(-1, dim)
        else:
            weights = F.one_hot(index, input.shape[dim]).to(source.dtype)
            cut = source[tuple(slice(0, n) for n in index.shape)]
            found = (cut.unsqueeze(-1) * weights).sum(dim % cut.ndim).movedim(-1, dim)
            missing = [n for a, b in zip(input.shape[::-1], found.shape[::-1]) for n in (0, a - b)]
            found = F.pad(found, missing) if any(missing) else found
        return input + alpha * found

    return run


COMPOSITES: dict[str, Operation] = {
    "chain_matmul": chained,
    "multi_dot": chained,
    "linalg_multi_dot": chained,
    "vecdot": vecdot,
    "linalg_vecdot": vecdot,
    "kron": kron,
    "trace": trace,
    "diff": diff,
    "index_add": added("index_add", "dim", "index", "source"),
    "scatter_add": added("scatter_add", "dim", "index", "src"),
    "glu": glu,
    "addcmul": addcmul,
    "addcdiv": addcdiv,
    "lerp": lerp,
    "bilinear": bilinear,
    "cosine_similarity": cosine,
    "var": variance,
    "std": deviation,
    "var_mean": with_mean(variance),
    "std_mean": with_mean(deviation),
    "lstm_cell": lstm_cell,
    "gru_cell": gru_cell,
    "rnn_tanh_cell": rnn_cell("tanh"),
    "rnn_relu_cell": rnn_cell("relu"),
    "lstm": unrolled(lstm_cell, 2),
    "gru": unrolled(gru_cell, 1),
    "rnn_tanh": unrolled(rnn_cell("tanh"), 1),
    "rnn_relu": unrolled(rnn_cell("relu"), 1),
}  #: name → what to run in its place


def instance_axes(x: Tensor, *given: Any, use_input_stats: bool = True, **_: Any) -> tuple[int, ...]:
    """The axes over which F.instance_norm takes a mean; none where it uses running statistics."""
    own = given[4] if len(given) > 4 else use_input_stats
    return tuple(range(2, x.ndim)) if own else ()


def centred_input(name: str, args: tuple, kwargs: dict[str, Any], centre: Callable[..., Tensor]) -> tuple | None:
    """The arguments of a norm with its input less the mean; None where the operation is no norm that takes a mean.

    The norm leaves such an input as it would leave the original; what remains of it passes.
    """
    kwargs = dict(kwargs)
    if name not in ("layer_norm", "group_norm", "instance_norm"):
        return None
    x, *rest = args if args else (kwargs.pop("input"),)
    if name == "layer_norm":
        shape = rest[0] if rest else kwargs["normalized_shape"]
        axes: tuple[int, ...] = tuple(range(x.ndim - len(shape), x.ndim))
    elif name == "instance_norm":
        axes = instance_axes(x, *rest, **kwargs)
        if not axes:
            return None
    else:
        groups = rest[0] if rest else kwargs["num_groups"]
        return (centre(x, (2,), (x.shape[0], groups, -1)), *rest), kwargs
    return (centre(x, axes), *rest), kwargs
