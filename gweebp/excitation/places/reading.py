"""How the output of a layer is read as maps (b, c, h, w), whatever the order of its axes, and how it is put back.

A *site* is an entry of the axes along which a layer looks at different places: a token, a pixel of a map. `Reading`
says which site is which cell of the grid. It is found from where the sites look (`found`), or made from what the user
says of the axes (axes.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations

import torch
from torch import Tensor

from gweebp.excitation.places import fields
from gweebp.excitation.places.fields import Places


class NoGrid(ValueError):
    """A layer's output can't be read as a grid; the message says why."""


class NoOrder(NoGrid):
    """A layer's output can't be read because of how it holds the images of a batch."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Which entries of an output are which cells.

    Attributes:
        batch: the axis of the images. views: how many entries of it, outside and inside, belong to one image.
        sites: axes of the sites, as the output has after its batch axis is split in (outer, b, inner).
        index: (k, h, w) long, of k sites that look at each cell, among all sites in the order of their axes.
        shape: of the output, 0 for the batch axis.
        fixed: sites that no image changes, such as class tokens below the first attention.
    """

    batch: int
    views: tuple[int, int]
    sites: tuple[int, ...]
    index: Tensor
    shape: tuple[int, ...]
    fixed: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the grid."""
        return int(self.index.shape[1]), int(self.index.shape[2])

    def fits(self, x: Tensor, b: int) -> bool:
        """Whether an output for b images has the shape that this reading is for."""
        shape = tuple(0 if i == self.batch else n for i, n in enumerate(x.shape))
        return shape == self.shape and x.shape[self.batch] == b * self.views[0] * self.views[1]

    def sites_count(self, x: Tensor) -> int:
        """How many sites an output has."""
        x = x.unflatten(self.batch, (self.views[0], -1, self.views[1]))
        return torch.Size([x.shape[i] for i in self.sites]).numel()

    def split_axis(self, axis: int) -> int:
        """The place of an axis of the output other than that of the images, among the axes of the split output."""
        return axis if axis < self.batch else axis + 2

    def _order(self, ndim: int) -> list[int]:
        """Axes of a split output: the images, the channels, the sites."""
        b = self.batch + 1
        return [b, *(i for i in range(ndim) if i != b and i not in self.sites), *self.sites]

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps (b, c, h, w); what is on tokens outside the grid, (b, c, n); what is on those that no image changes."""
        x = x.unflatten(self.batch, (self.views[0], -1, self.views[1]))
        x = x.permute(self._order(x.ndim))
        b, sites = x.shape[0], x.shape[x.ndim - len(self.sites) :].numel()
        x = x.reshape(b, -1, sites)
        if self._in_order(sites):
            return x.reshape(b, -1, *self.size), x[..., :0], x[..., :0]
        grid, outside, fixed = (x.index_select(2, part.to(x.device)) for part in self._parts(sites))
        return grid.reshape(b, -1, *self.size), outside, fixed

    def joined(self, maps: Tensor, outside: Tensor, fixed: Tensor, like: Tensor) -> Tensor:
        """The output that `split` gives (maps, outside, fixed) of; `like` has its shape."""
        split = like.unflatten(self.batch, (self.views[0], -1, self.views[1]))
        order = self._order(split.ndim)
        shape = [split.shape[i] for i in order]
        b, sites = shape[0], torch.Size(shape[len(shape) - len(self.sites) :]).numel()
        x = maps.reshape(b, -1, self.index.numel())
        if not self._in_order(sites):
            others = [part for part in (outside, fixed) if part.shape[2]]
            x = torch.cat([x, *others], 2) if others else x
            x = x.index_select(2, torch.cat(self._parts(sites)).argsort().to(x.device))
        back = [order.index(i) for i in range(len(order))]
        return x.reshape(shape).permute(back).reshape(like.shape)

    def _in_order(self, sites: int) -> bool:
        flat = self.index.flatten()
        return len(flat) == sites and bool((flat == torch.arange(sites)).all())

    def _parts(self, sites: int) -> list[Tensor]:
        """The sites of the grid, those outside it, and the fixed ones."""
        left = torch.ones(sites, dtype=torch.bool)
        left[self.index.flatten()] = left[self.fixed] = False
        return [self.index.flatten(), left.nonzero().flatten(), self.fixed]


def plain(shape: torch.Size | tuple[int, ...]) -> Reading:
    """The reading of an output that is (b, c, h, w) as it stands."""
    h, w = shape[2:]
    return Reading(0, (1, 1), (4, 5), torch.arange(h * w).view(1, h, w), (0, *shape[1:]))


def found(p: Places) -> Reading:
    """The reading of an output by where its entries look, from a followed pass of two images.

    NoGrid: the images are mixed, or the entries do not look at the cells of a grid.
    """
    shape = tuple(p.shape)
    p = fields.thin(p).map(lambda x: x.cpu().double())
    depends = (p.known > 0) & (p.share > 0)
    if not depends.any():
        raise NoGrid("its output does not depend on the image")
    axes = [a for a in range(len(shape)) if _range(p.image, depends, [a]) > 0]
    if len(axes) != 1:
        raise NoOrder("it mixes the images")
    views = _views(p, depends, axes[0])
    p = p.map(lambda x: x.unflatten(axes[0], (views[0], 2, views[1])).narrow(axes[0] + 1, 0, 1))
    for placed in (p.known > 0, (p.known > 0) & (p.share > 0)):  # with what is padded, or without
        varying = [a for a in range(len(p.shape)) if max(_range(x, placed, [a]) for x in (p.row, p.column)) > 1e-3]
        must = _must(p, placed, varying, len(shape))
        for count in range(max(1, len(must)), len(varying) + 1):
            for sites in combinations(varying, count):
                index = _grid(p, placed, sites) if must <= set(sites) else None
                if index is not None:
                    of_output = tuple(0 if i == axes[0] else n for i, n in enumerate(shape))
                    how = Reading(axes[0], views, sites, index, of_output)
                    return replace(how, fixed=_fixed(how, p))
    if max(views) > 1:
        raise NoOrder(f"it holds {views[0] * views[1]} views of each image, which do not look at the same places")
    raise NoGrid("its entries do not look at the cells of a grid")


def _must(p: Places, placed: Tensor, varying: list[int], ndim: int) -> set[int]:
    """Axes that are sites, not channels: each of their entries looks at a place of its own, as in a window.

    Of an output of 4 axes, rows and columns are enough: what looks elsewhere within a cell is a channel then, as behind
    a pixel_unshuffle.
    """
    moves = {a: [_range(x, placed, [a]) > 1e-3 for x in (p.row, p.column)] for a in varying}
    if ndim == 4 and [True, False] in moves.values() and [False, True] in moves.values():
        return set()
    found = set()
    for a in varying:
        others = [i for i in range(len(p.shape)) if i != a]
        weight = placed.double()
        row, column = ((x * weight).sum(others) / weight.sum(others).clamp(min=1) for x in (p.row, p.column))
        here = weight.sum(others) > 0
        if len(torch.stack([row[here], column[here]]).round(decimals=3).unique(dim=1).T) == int(here.sum()) > 1:
            found.add(a)
    return found


def fixed(how: Reading, p: Places) -> Tensor:
    """The sites outside a reading's grid that no image changes."""
    p = p.expand(p.shape).map(lambda x: x.unflatten(how.batch, (how.views[0], -1, how.views[1])))
    return _fixed(how, p)


def _fixed(how: Reading, p: Places) -> Tensor:
    """`fixed` from the places of the split output."""
    depends = (p.known > 0) & (p.share > 0)
    here = depends.double().amax([i for i in range(len(p.shape)) if i not in how.sites]).flatten() > 0
    here[how.index.flatten().to(here.device)] = True
    return (~here).nonzero().flatten().cpu()


def _range(x: Tensor, depends: Tensor, axes: list[int]) -> float:
    """The largest difference along axes, of entries that depend on the image."""
    high = torch.where(depends, x, -torch.inf).amax(axes)
    low = torch.where(depends, x, torch.inf).amin(axes)
    both = high >= low
    return float((high - low)[both].max()) if both.any() else 0.0


def _views(p: Places, depends: Tensor, axis: int) -> tuple[int, int]:
    """(outer, inner) of the batch axis, by which image each entry of it looks at: 0 or 1."""
    others = [a for a in range(p.image.ndim) if a != axis]
    weight = depends.double()
    image = (p.image * weight).sum(others) / weight.sum(others).clamp(min=1)
    whole = (image - image.round()).abs() < 1e-9
    if not whole.all() or len(image) % 2 or _range(p.image, depends, others) > 1e-9:
        raise NoOrder("it mixes the images")
    inner = int((image.round() != image[0].round()).nonzero()[0])
    outer = len(image) // (2 * inner)
    if 2 * inner * outer != len(image) or not torch.equal(
        image.round().long(), torch.tensor([0, 1], device=image.device).repeat_interleave(inner).repeat(outer)
    ):
        raise NoOrder("the images of its batch are in no order")
    return outer, inner


def _grid(p: Places, depends: Tensor, sites: tuple[int, ...]) -> Tensor | None:
    """index (k, h, w), if the entries of these axes look at the cells of one grid."""
    rest = [a for a in range(len(p.shape)) if a not in sites]
    weight = torch.where(depends, p.known, 0)
    total = weight.sum(rest)
    flat = [((x * weight).sum(rest) / torch.where(total > 0, total, 1)).flatten() for x in (p.row, p.column, p.spread)]
    row, column, spread = flat
    local = total.flatten() > 0
    # a token that looks at the whole image, as class tokens do, has no place
    local &= spread <= 2 * spread[local].median() + 1e-9
    keep = local.nonzero().flatten()
    at = [_steps(x[keep]) for x in (row, column)]
    (r, rows), (c, columns) = at
    h, w = len(rows), len(columns)
    k = len(keep) // (h * w)
    cell = r * w + c
    if k * h * w != len(keep) or h * w < 2 or not (torch.bincount(cell, minlength=h * w) == k).all():
        return None
    for x, steps in ((p.row, rows), (p.column, columns)):
        step = float((steps[-1] - steps[0]).abs()) / (len(steps) - 1) if len(steps) > 1 else 1e-6
        if rest and _range(x, depends & _on(local, p, sites), rest) >= step:
            return None
    index = keep[cell.argsort(stable=True)].view(h, w, k).permute(2, 0, 1).contiguous()
    return index.cpu()


def _on(local: Tensor, p: Places, sites: tuple[int, ...]) -> Tensor:
    """Which entries stand on local sites."""
    shape = [p.shape[a] if a in sites else 1 for a in range(len(p.shape))]
    return local.view(shape)


def _steps(x: Tensor) -> tuple[Tensor, Tensor]:
    """Which of its distinct values each entry has, ascending, and these values."""
    order = x.argsort()
    new = torch.cat([torch.zeros_like(x[:1]), (x[order].diff() > 1e-3).double()]).cumsum(0).long()
    which = torch.empty_like(new).scatter_(0, order, new)
    values = torch.zeros(int(new[-1]) + 1, dtype=x.dtype, device=x.device).scatter_reduce_(
        0, which, x, "mean", include_self=False
    )
    return which, values
