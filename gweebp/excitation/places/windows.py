"""Places after operations that look through windows: convolutions, poolings, resampling, padding, folding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.excitation.places import fields
from gweebp.excitation.places.call import Call, Found, Lost, each, several
from gweebp.excitation.places.fields import Places
from gweebp.excitation.places.mixes import copied


def _grouped(p: Places, groups: int) -> Places:
    """Means over the channels of each group: (b, c, ...) → (b, groups, ...)."""
    if groups == 1:
        return fields.mean(p, [1 - len(p.shape)], keepdim=True)
    return fields.mean(p.map(lambda x: x.unflatten(1, (groups, -1))), [1 - len(p.shape)])


def _batched(p: Places, dims: int) -> Places:
    """Places with a batch and a channel axis before the last `dims`."""
    return p.map(lambda x: x[(None,) * (dims + 2 - x.ndim)]) if len(p.shape) < dims + 2 else p


def _channels(p: Places, shape: Sequence[int], groups: int) -> Places:
    """Places of groups (b, g, ...) for each channel of an output, with or without a batch axis."""
    if groups > 1:
        channels = shape[-(len(p.shape) - 1)]
        p = p.map(lambda x: x.repeat_interleave(channels // groups, 1))
    return p.map(lambda x: x[0]).expand(shape) if len(shape) < len(p.shape) else p.expand(shape)


def convolution(call: Call) -> Found:
    """conv1d, conv2d, conv3d: each window's entries count alike, but those that no weight reads."""
    w = call.get(1, "weight")
    dims = w.ndim - 2
    stride, dilation = each(call.get(3, "stride", 1), dims), each(call.get(5, "dilation", 1), dims)
    padding, kernel = call.get(4, "padding", 0), list(w.shape[2:])
    if isinstance(padding, str):
        before = [d * (k - 1) // 2 if padding == "same" else 0 for d, k in zip(dilation, kernel)]
    else:
        before = each(padding, dims)
    return _convolved(call, w, stride, before, dilation, call.get(6, "groups", 1))


def deformable(call: Call) -> Found:
    """deform_conv2d: as the convolution that it would be without offsets."""
    flat = [a for a in call.args[1:] if isinstance(a, Tensor)]
    numbers = [a for a in call.args if isinstance(a, int)]
    if "stride" in call.kwargs or not numbers:
        stride, before, dilation = (each(call.kwargs.get(k, d), 2) for k, d in
                                    (("stride", 1), ("padding", 0), ("dilation", 1)))  # fmt: skip
    else:
        stride, before, dilation = numbers[0:2], numbers[2:4], numbers[4:6]
    w = next((a for a in flat if a.ndim == 4 and a.shape[0] == call.size[1]), call.kwargs.get("weight"))
    if w is None:
        raise Lost(call.name)
    return _convolved(call, w, stride, before, dilation, call.of(0, "input").shape[1] // w.shape[1])


def _convolved(call: Call, w: Tensor, stride: list, before: list, dilation: list, groups: int) -> Places:
    dims = w.ndim - 2
    shape = call.size
    p = _batched(call.of(0, "input"), dims)
    taps, many = _taps(call, w, groups)
    inner = _grouped(p, many)
    found = fields.windows(inner, w.shape[2:], stride, before, dilation, shape[-dims:], taps)
    return _channels(found, shape, many)


def _taps(call: Call, w: Tensor, groups: int) -> tuple[Tensor | None, int]:
    """Weights (g, *kernel) of the entries of a window, and g: trained ones count alike, fixed ones by their size.

    Places of the channels are kept apart by groups only where the groups' kernels differ.
    """
    size = w.detach().abs().to(fields.real(w))
    size = size.unflatten(0, (groups, -1)).sum((1, 2))  # (groups, *kernel)
    if call.trained(w):
        size = (size > 0).to(size)
    size = torch.where(size.flatten(1).sum(1).view(-1, *[1] * (size.ndim - 1)) > 0, size, 1.0)
    x = fields.thin(call.of(0, "input"))
    together = x.shape[-(w.ndim - 1)] == 1  # all channels look alike
    same = bool((size == size[:1]).all())
    if same and bool((size == 1).all()):
        return None, 1 if together else groups
    return (size[:1], 1 if together else groups) if same else (size, groups)


def transposed_convolution(call: Call) -> Found:
    """conv_transpose1d, 2d, 3d: output o stands at (o + padding − d(k − 1)/2) / stride of the input."""
    w = call.get(1, "weight")
    dims, groups, shape = w.ndim - 2, call.get(6, "groups", 1), call.size
    stride, before, dilation = (each(call.get(i, k, d), dims) for i, k, d in
                                ((3, "stride", 1), (4, "padding", 0), (7, "dilation", 1)))  # fmt: skip
    p = _grouped(_batched(call.of(0, "input"), dims), groups)
    for i in range(dims):
        o = torch.arange(shape[i - dims], dtype=p.row.dtype)
        p = fields.read_at(p, i - dims, (o + before[i] - dilation[i] * (w.shape[2 + i] - 1) / 2) / stride[i])
    return _channels(p, shape, groups)


def pooling(call: Call) -> Found:
    """max_pool, avg_pool, lp_pool: windows; with ceil_mode the last is continued beyond the border."""
    dims = int(call.name.removesuffix("_with_indices")[-2])
    norm = call.name.startswith("lp_")
    kernel = each(call.get(1 + norm, "kernel_size"), dims)
    stride = each(call.get(2 + norm, "stride") or kernel, dims)
    before = [0] * dims if norm else each(call.get(3, "padding", 0), dims)
    dilation = each(call.get(4, "dilation", 1), dims) if call.name.startswith("max") else [1] * dims
    shape, given = call.size, call.of(0, "input")
    flat = given.map(lambda x: x.reshape(-1, 1, *x.shape[-dims:])) if len(given.shape) != dims + 2 else given
    found = fields.windows(flat, kernel, stride, before, dilation, shape[-dims:])
    found = found.expand(flat.shape[:2] + shape[-dims:]).map(lambda x: x.reshape(shape))
    return several(call, found)


def adaptive(call: Call) -> Found:
    """Adaptive pooling: the means over its windows."""
    dims = int(call.name.removesuffix("_with_indices")[-2])
    shape, given = call.size, call.of(0, "input")
    pool: Any = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[dims - 1]
    thin = fields.thin(given)
    thin = thin.expand([*thin.shape[:-dims], *given.shape[-dims:]])

    def run(m: Tensor) -> Tensor:
        found: Tensor = pool(m.reshape(-1, 1, *m.shape[-dims:]), tuple(shape[-dims:]))
        return found.view(*m.shape[:-dims], *shape[-dims:])

    return several(call, fields.averaged(thin, run).expand(shape))


def resampled(call: Call) -> Found:
    """interpolate: output o stands at (o + ½) / scale − ½ of the input, or corner at corner."""
    given, shape = call.of(0, "input"), call.size
    dims = len(shape) - 2
    scale, corners = call.get(2, "scale_factor"), call.get(4, "align_corners", False)
    factors: list[Any] = [None] * dims
    if scale is not None and not call.get(5, "recompute_scale_factor", False):
        factors = list(scale) if isinstance(scale, (list, tuple)) else [scale] * dims
    p = fields.thin(given)
    p = p.expand([*p.shape[:2], *given.shape[2:]])
    for i, factor in enumerate(factors):
        n, m = given.shape[2 + i], shape[2 + i]
        o = torch.arange(m, dtype=p.row.dtype)
        at = o * (n - 1) / max(m - 1, 1) if corners else (o + 0.5) / (factor or m / n) - 0.5
        p = fields.read_at(p, 2 + i - len(shape), at)
    return p.expand(shape)


def shuffled(call: Call) -> Found:
    """pixel_shuffle: output o stands at (o + ½) / r − ½ of the input."""
    given, shape = call.of(0, "input"), call.size
    r = int(call.get(1, "upscale_factor"))
    p = fields.mean(given, [-3], keepdim=True)
    for axis in (-2, -1):
        p = fields.read_at(p, axis, (torch.arange(shape[axis], dtype=p.row.dtype) + 0.5) / r - 0.5)
    return p.expand(shape)


def padded(call: Call) -> Found:
    """pad, in every mode: continued in equal steps."""
    p = call.of(0, "input")
    pads = each(call.get(1, "pad"), 1)
    for i in range(len(pads) // 2):
        p = fields.continued(p, -1 - i, pads[2 * i], pads[2 * i + 1])
    return p


def unfolded(call: Call) -> Found:
    """F.unfold: each column's entries are copies; Tensor.unfold is a copy as it is."""
    if isinstance(call.get(2, "size"), int) and call.func is not F.unfold and call.name == "unfold":
        return copied(call)
    given = _batched(call.of(0, "input"), 2)
    kernel, dilation, before, stride = (each(call.get(i, k, d), 2) for i, k, d in (
        (1, "kernel_size", 1), (2, "dilation", 1), (3, "padding", 0), (4, "stride", 1)))  # fmt: skip
    for axis in (-2, -1):
        given = fields.continued(given, axis, before[axis], before[axis])
    found = given.map(lambda x: F.unfold(x, tuple(kernel), tuple(dilation), 0, tuple(stride)))
    return found if len(call.size) == 3 else found.map(lambda x: x[0])


def folded(call: Call) -> Found:
    """F.fold: where columns overlap, their mean."""
    p = call.of(0, "input")
    rest = call.args[1:]
    count = F.fold(torch.ones_like(p.known), *rest, **call.kwargs).clamp(min=1e-300)
    return fields.averaged(p, lambda m: torch.stack([F.fold(x.contiguous(), *rest, **call.kwargs) for x in m]) / count)


def sampled(call: Call) -> Found:
    """grid_sample: the means by which it interpolates."""
    p = call.of(0, "input")
    grid = call.get(1, "grid").detach().to(p.row)
    corners = call.get(4, "align_corners", False)
    m = fields.moments(fields.mean(p, [1 - len(p.shape)], keepdim=True)).transpose(0, 2)[0]  # (b, 6, h, w)
    found = F.grid_sample(m.contiguous(), grid, "bilinear", "zeros", bool(corners)).transpose(0, 1)[:, :, None]
    return fields.of_moments(found).expand(call.size)
