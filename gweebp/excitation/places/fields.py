"""Where each entry of a tensor looks in the image: its centre, carried through averages, copies and joins.

An entry of a layer looks at a window of the image. `Places` holds, for each entry of a tensor, the centre of that
window in pixels (pixel 0 has its centre at 0) and its size. What an operation does to places does not depend on the
values: an average of entries looks at the mean of their centres; a copy looks where its original looks; a sum looks at
the mean of its terms, but those that look at much more of the image (beside x itself, an attention over all tokens or a
global gate has no place of its own).

Borders do not move a centre: beyond its border a tensor is continued in equal steps, so a padded window has the centre
that it would have in a larger image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Places:
    """Where the entries of one tensor look; each field is `real`, in the tensor's shape (a size of 1 repeats).

    Attributes:
        known: 1 where an entry has a centre, 0 where it is a constant; between, the part of it that has one.
        row, column: centre, in pixels. spread: variance of what the entry looks at around it, both axes together, px².
        image: which image of the batch it looks at, from 0.
        share: the part of the entry that depends on the image; 0 for what is padded.
    """

    known: Tensor
    row: Tensor
    column: Tensor
    spread: Tensor
    image: Tensor
    share: Tensor

    def map(self, f: Callable[[Tensor], Tensor]) -> Places:
        """Places with `f` applied to each field."""
        return Places(*(f(x) for x in self.tensors()))

    def tensors(self) -> list[Tensor]:
        """The fields, in their order."""
        return [getattr(self, f.name) for f in fields(self)]

    def expand(self, shape: Sequence[int]) -> Places:
        """Places that repeat along the axes of size 1."""
        return self.map(lambda x: x.expand(tuple(shape)))

    @property
    def shape(self) -> torch.Size:
        """Of the tensor."""
        return self.known.shape


def real(like: Tensor) -> torch.dtype:
    """float64, or float32 on devices without it."""
    return torch.float32 if like.device.type == "mps" else torch.float64


def of_images(images: Tensor) -> Places:
    """Places of images (b, c, h, w): each pixel looks at itself.

    Example:
        >>> of_images(torch.zeros(2, 1, 1, 3)).column[0, 0].tolist()
        [[0.0, 1.0, 2.0]]
    """
    b, _, h, w = images.shape
    n, y, x = (torch.arange(k, dtype=real(images), device=images.device) for k in (b, h, w))
    one, zero = torch.ones_like(y[:1]), torch.zeros_like(y[:1])
    parts = (one, y.view(1, 1, h, 1), x, zero, n.view(b, 1, 1, 1), one)
    return Places(*(part.expand(images.shape) for part in parts))


def nowhere(like: Tensor) -> Places:
    """Places of a constant: of no entry."""
    zero = torch.zeros((), dtype=real(like), device=like.device).expand(like.shape)
    return Places(*[zero] * 6)


def thin(p: Places) -> Places:
    """Places with size 1 along each axis on which nothing varies because it is one value, repeated."""
    for axis in range(len(p.shape)):
        if p.shape[axis] > 1 and all(x.stride(axis) == 0 for x in p.tensors()):
            p = p.map(lambda x: x.narrow(axis, 0, 1))  # noqa: B023
    return p


def moments(p: Places) -> Tensor:
    """What an average is linear in: (6, ...), known times 1, row, column, spread about 0 and image; and share."""
    square = p.spread + p.row.square() + p.column.square()
    return torch.stack(torch.broadcast_tensors(
        p.known, p.known * p.row, p.known * p.column, p.known * square, p.known * p.image, p.share
    ))  # fmt: skip


def of_moments(m: Tensor) -> Places:
    """Places of averaged `moments` (6, ...)."""
    known = m[0]
    row, column, square, image = m[1:5] / torch.where(known > 0, known, 1)
    return Places(known, row, column, (square - row.square() - column.square()).clamp(min=0), image, m[5])


def averaged(p: Places, average: Callable[[Tensor], Tensor]) -> Places:
    """Places after a linear operation whose weights are never negative and sum to 1; it gets (6, ...) at once."""
    return of_moments(average(moments(p)))


def mean(p: Places, dims: Sequence[int], keepdim: bool = False) -> Places:
    """Places of the mean over axes; the image's share is that of the entries that depend on it.

    Example:
        >>> p = mean(of_images(torch.zeros(1, 1, 1, 3)), [-1])
        >>> p.column.tolist(), round(p.spread.item(), 4)
        ([[[1.0]]], 0.6667)
    """
    n = len(p.shape)
    axes = [d % n - n for d in dims]
    slim = thin(p)
    found = averaged(slim, lambda m: m.mean(axes, keepdim=True)) if axes else slim
    shape = [1 if i - n in axes else size for i, size in enumerate(p.shape)]
    found = found.expand(shape)
    return found if keepdim else found.map(lambda x: x.reshape([s for i, s in enumerate(shape) if i - n not in axes]))


def continued(p: Places, axis: int, before: int, after: int) -> Places:
    """Places with entries before and after those of an axis, in equal steps; they depend on no image. Negative: cut.

    Example:
        >>> continued(of_images(torch.zeros(1, 1, 1, 3)), -1, 2, 1).column[0, 0, 0].tolist()
        [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
    """
    n = p.shape[axis]
    index = torch.arange(-before, n + after, device=p.row.device)
    base = index.clamp(0, n - 1)
    over = (index - base).to(p.row.dtype)
    form = [1] * len(p.shape)
    form[axis] = -1

    def steps(x: Tensor) -> Tensor:
        found = x.index_select(axis, base)
        if n < 2 or max(before, after) <= 0:
            return found
        first = x.narrow(axis, 1, 1) - x.narrow(axis, 0, 1)
        last = x.narrow(axis, n - 1, 1) - x.narrow(axis, n - 2, 1)
        return found + over.clamp(max=0).view(form) * first + over.clamp(min=0).view(form) * last

    kept = p.map(lambda x: x.index_select(axis, base))
    inside = (over == 0).to(over).view(form)
    return Places(kept.known, steps(p.row), steps(p.column), kept.spread, kept.image, kept.share * inside)


def windows(
    p: Places,
    kernel: Sequence[int],
    stride: Sequence[int],
    before: Sequence[int],
    dilation: Sequence[int],
    size: Sequence[int],
    taps: Tensor | None = None,
) -> Places:
    """Places of the averages over windows of the last axes of (b, g, ...): of convolutions and poolings.

    Args:
        p: of (b, g, *n), g groups of channels. kernel, stride, dilation: of each of the last axes, 1 to 3 of them.
        before: entries padded before the first. size: windows there are; entries after the last are continued.
        taps: (g or 1, *kernel), 1 for each entry of the window that is read; None: all.

    Returns:
        Places (b, g, *size).
    """
    dims = len(kernel)
    lengths = p.shape[-dims:]
    p = thin(p)
    p = p.expand([*p.shape[:-dims], *lengths])
    for i, length in enumerate(lengths):
        needed = (size[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1
        p = continued(p, i - dims, before[i], needed - int(length) - before[i])
    groups = 1 if taps is None else len(taps)
    weight = p.row.new_ones(1, *kernel) if taps is None else taps.to(p.row)
    sums = weight.flatten(1).sum(1).view(-1, *[1] * dims)
    convolve = (F.conv1d, F.conv2d, F.conv3d)[dims - 1]
    b, g = p.shape[:2]

    def run(m: Tensor) -> Tensor:
        if groups > 1:
            x = m.expand(*m.shape[:2], groups, *m.shape[3:]).reshape(-1, groups, *m.shape[3:])
            x = convolve(x, weight[:, None], stride=stride, dilation=dilation, groups=groups) / sums
            return x.unflatten(0, (-1, b))
        x = m.reshape(-1, 1, *m.shape[3:])
        return (convolve(x, weight[:, None], stride=stride, dilation=dilation) / sums).view(-1, b, g, *size)

    found = averaged(p, run)
    inside = run((p.share > 0).to(p.share).expand(p.known.shape)[None])[0]  # what is padded takes no part
    return replace(found, share=found.share / torch.where(inside > 0, inside, 1))


def read_at(p: Places, axis: int, at: Tensor) -> Places:
    """Places of entries between those of an axis, at real indices (n,): linear, and continued in equal steps beyond.

    Example:
        >>> read_at(of_images(torch.zeros(1, 1, 1, 3)), -1, torch.tensor([-0.25, 0.25])).column[0, 0, 0].tolist()
        [-0.25, 0.25]
    """
    n, form = p.shape[axis], [1] * len(p.shape)
    form[axis] = -1
    at = at.to(p.row)
    low = at.floor().clamp(0, max(n - 2, 0)).long()
    part = (at - low).view(form)

    def between(x: Tensor) -> Tensor:
        first = x.index_select(axis, low)
        return first if n < 2 else first + part * (x.index_select(axis, low + 1) - first)

    nearest = at.round().clamp(0, n - 1).long()
    near = p.map(lambda x: x.index_select(axis, nearest))
    return Places(near.known, between(p.row), between(p.column), near.spread, near.image, near.share)


COMPARABLE = 3.0  #: terms of a sum whose spreads differ by less than this factor count alike; of others the sharper


def sharpest(terms: Sequence[Places], shape: Sequence[int], adds: bool = False, first_of_ties: bool = False) -> Places:
    """Places of what joins several terms of one shape: each entry looks where its sharpest term looks.

    Args:
        terms: places that broadcast to `shape`.
        adds: the terms are added: of comparable ones the mean, and the image's share is the terms' mean.
        first_of_ties: of equally sharp terms the first; else their mean.
    """
    slim = [thin(t.map(lambda x: x[(None,) * (len(shape) - x.ndim)])) for t in terms]
    result, *others = slim
    for k, term in enumerate(others, start=2):
        here, there = result.known * (result.share > 0), term.known * (term.share > 0)  # what is padded is a constant
        low, high = torch.minimum(result.spread, term.spread), torch.maximum(result.spread, term.spread)
        alike = high <= 1e-6 + low * (COMPARABLE if adds else 1 + 1e-9)
        keep = torch.where(alike, 1.0 if first_of_ties else 1 - 1 / k, (result.spread < term.spread).to(result.row))
        keep = torch.where(there == 0, 1.0, torch.where(here == 0, 0.0, keep))
        found = of_moments(keep * moments(result) + (1 - keep) * moments(term))
        shares = ((k - 1) * result.share + term.share) / k if adds else found.share
        both = (result.share > 0) & (term.share > 0)
        share = torch.where(both, shares, torch.where(result.share > 0, result.share, term.share))
        result = replace(found, share=share)
    return result.expand(shape)
