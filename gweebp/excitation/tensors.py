"""What every call asks of tensors: plain floating-point numbers; their unit length; all of them in nested arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["FLOATS", "at_least_float32", "mapped", "own_tensor", "power_of_two", "tensors_in", "unit", "unusable"]

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def unusable(x: Any) -> str:
    """What `x` is, in words, where it is not a dense tensor of floating-point numbers; "" where it is.

    Example:
        >>> unusable(torch.ones(2)), unusable([1.0]), unusable(torch.ones(2, dtype=torch.int64))
        ('', 'list', 'torch.int64')
    """
    if not isinstance(x, Tensor):
        return type(x).__name__
    if x.is_nested or x.layout != torch.strided:
        return "a nested tensor" if x.is_nested else "a sparse tensor"
    if x.is_meta or x.is_quantized:
        return "a tensor without numbers (device meta)" if x.is_meta else "a quantised tensor"
    return "" if x.dtype in FLOATS else str(x.dtype)


def power_of_two(x: Tensor) -> Tensor:
    """The power of two at or below each number of x (float32 or float64, x ≥ 0), at least the smallest normal one.

    A division by it rounds nothing.

    Example:
        >>> power_of_two(torch.tensor([0.75, 1.0, 5.0, 3e38]))
        tensor([5.0000e-01, 1.0000e+00, 4.0000e+00, 1.7014e+38])
    """
    integers, exponent = (torch.int64, 0x7FF << 52) if x.dtype == torch.float64 else (torch.int32, 0xFF << 23)
    return (x.view(integers) & exponent).view(x.dtype).clamp(min=torch.finfo(x.dtype).tiny)


def unit(x: Tensor) -> Tensor:
    """x (..., d) over its L2 norm, float32 at least; a zero stays zero.

    Squares of numbers such as 1e30 or 1e-30 leave the range of float32: numbers are brought near 1 first, by a power of
    two, so that an ordinary embedding gives the bits that it gives without.

    Example:
        >>> unit(torch.tensor([[3e30, 4e30], [3e-30, 4e-30], [0., 0.]]))
        tensor([[0.6000, 0.8000],
                [0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    x = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    return F.normalize(x / power_of_two(x.detach().abs().amax(-1, keepdim=True)), dim=-1)


def at_least_float32(x: Tensor) -> Tensor:
    """`x`, as float32 where it is of half precision: responses and shares span more than its range."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def tensors_in(args: Any) -> Iterator[Tensor]:
    """The tensors among the arguments of a torch function, those in lists, tuples and dicts included."""
    for a in args.values() if isinstance(args, dict) else args:
        if isinstance(a, Tensor):
            yield a
        elif isinstance(a, (list, tuple, dict)):
            yield from tensors_in(a)


def mapped(f: Callable[[Tensor], Tensor], args: Any) -> Any:
    """`args` with `f` applied to each tensor, those in lists, tuples and dicts included."""
    if isinstance(args, Tensor):
        return f(args)
    if isinstance(args, dict):
        return {k: mapped(f, v) for k, v in args.items()}
    if type(args) in (list, tuple):
        return type(args)(mapped(f, v) for v in args)
    return args


def own_tensor(images: Tensor) -> Tensor:
    """A copy of `images` that autograd may use, whatever mode the caller made it in (inference mode too)."""
    return images.detach().clone()


def ordinary(x: Any) -> Any:
    """`x`; a tensor that was made in inference mode as a copy that autograd may use.

    Args:
        x: anything.

    Example:
        >>> with torch.inference_mode():
        ...     x = torch.ones(2)
        >>> x.is_inference(), ordinary(x).is_inference()
        (True, False)
    """
    if isinstance(x, Tensor) and x.is_inference():
        with torch.inference_mode(False):
            return x.clone()
    return x
