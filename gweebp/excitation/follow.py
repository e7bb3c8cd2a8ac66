"""Follow where each tensor of a forward pass looks in the image: what each operation does to centres and layouts.

Convolutions, poolings, padding, slices, up-sampling and pixel shuffles move the centres of a map (b, c, h, w); what
works entry by entry or channel by channel keeps them. Reshapes and permutations move rows and columns to other axes of
the tensor: to channels last, or to tokens, one axis with both. Where branches meet, the sharper one counts, which reads
the smaller window. What an operation is not known to do to its operand is not followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gweebp.excitation.centres import Axis, Positions, usual
from gweebp.excitation.guard import Mode

__all__ = ["Follow", "Where"]

Moves = Callable[[Axis, int, int], Axis]  # axis, cells before, cells after → axis after


def _numbers(value: Any, default: Any = None) -> tuple[float, float]:
    value = default if value is None or (isinstance(value, (tuple, list)) and not value) else value
    both = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return (both[0], both[-1]) if len(both) < 3 else (both[-2], both[-1])


def _window(kernel: Any, stride: Any, padding: Any, dilation: Any) -> list[Moves]:
    """A window that slides: of a convolution or a pooling."""

    def moves(k: float, s: float, p: float, d: float) -> Moves:
        reach, spread = d * (k - 1) / 2 - p, d * d * (k * k - 1) / 12
        return lambda axis, before, after: Axis(
            axis.offset + axis.step * reach, axis.step * s, axis.spread + axis.step**2 * spread
        )

    return [moves(*one) for one in zip(*(_numbers(x) for x in (kernel, stride, padding, dilation)))]


def _convolution(args: tuple, kwargs: dict) -> list[Moves]:
    given = dict(zip(("input", "weight", "bias", "stride", "padding", "dilation"), args)) | kwargs
    kernel, dilation = given["weight"].shape[2:], _numbers(given.get("dilation", 1))
    padding = given.get("padding", 0)
    if isinstance(padding, str):  # "same" pads the odd cell after
        padding = [d * (k - 1) // 2 if padding == "same" else 0 for k, d in zip(kernel, dilation)]
    return _window(kernel, given.get("stride", 1), padding, dilation)


def _transposed(args: tuple, kwargs: dict) -> list[Moves]:
    names = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    given = dict(zip(names, args)) | kwargs

    def moves(k: float, s: float, p: float, d: float) -> Moves:
        return lambda axis, before, after: Axis(
            axis.offset + axis.step * (p - d * (k - 1) / 2) / s, axis.step / s, axis.spread
        )

    wanted = (given["weight"].shape[2:], given.get("stride", 1), given.get("padding", 0), given.get("dilation", 1))
    return [moves(*one) for one in zip(*(_numbers(x) for x in wanted))]


def _pooling(args: tuple, kwargs: dict) -> list[Moves]:
    average = "count_include_pad" in kwargs or "divisor_override" in kwargs
    given = dict(zip(("input", "kernel_size", "stride", "padding", "dilation"), args)) | kwargs
    dilation = 1 if average or isinstance(given.get("dilation"), bool) else given.get("dilation", 1)
    kernel = _numbers(given["kernel_size"])
    return _window(kernel, _numbers(given.get("stride"), kernel), given.get("padding", 0), dilation)


def _even(args: tuple, kwargs: dict) -> list[Moves]:
    """Adaptive pooling and up-sampling: the cells after share the extent of the cells before."""
    corners = kwargs.get("align_corners", args[4] if len(args) > 4 else None)

    def moves(axis: Axis, before: int, after: int) -> Axis:
        if corners and after > 1:
            return Axis(axis.offset, axis.step * (before - 1) / (after - 1), axis.spread)
        factor = before / after
        spread = axis.spread + axis.step**2 * max(0.0, factor**2 - 1) / 12
        return Axis(axis.offset + axis.step * (factor - 1) / 2, axis.step * factor, spread)

    return [moves, moves]


def _padded(args: tuple, kwargs: dict, axes: tuple[int, ...], ndim: int) -> list[Moves]:
    pad = list(kwargs.get("pad", args[1] if len(args) > 1 else ()))  # pairs, from the last axis on
    before = [pad[2 * (ndim - 1 - axis)] if 2 * (ndim - 1 - axis) < len(pad) else 0 for axis in axes]
    return [
        lambda axis, n, m, cells=cells: Axis(axis.offset - axis.step * cells, axis.step, axis.spread)  # type: ignore[misc]
        for cells in before
    ]


def _flipped(args: tuple, kwargs: dict, axes: tuple[int, ...], ndim: int) -> list[Moves]:
    given = (*args[1:], *(value for key, value in kwargs.items() if key != "input"))
    dims = {d % ndim for a in given for d in (a if isinstance(a, (tuple, list)) else (a,))}

    def turned(axis: Axis, before: int, after: int) -> Axis:
        return Axis(axis.offset + axis.step * (before - 1), -axis.step, axis.spread)

    return [turned if axis in dims else _kept for axis in axes]


def _sliced(args: tuple, kwargs: dict, axes: tuple[int, ...], ndim: int) -> list[Moves] | None:
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    if any(not isinstance(i, (slice, type(Ellipsis))) for i in index):
        return None
    if Ellipsis in index:
        place = index.index(Ellipsis)
        index = (*index[:place], *[slice(None)] * (ndim + 1 - len(index)), *index[place + 1 :])
    index = (*index, *[slice(None)] * (ndim - len(index)))

    def moves(cut: slice) -> Moves:
        def move(axis: Axis, before: int, after: int) -> Axis:
            start, _, step = cut.indices(before)
            return Axis(axis.offset + axis.step * start, axis.step * step, axis.spread)

        return move

    return [moves(index[axis]) for axis in axes]


def _kept(axis: Axis, before: int, after: int) -> Axis:
    return axis


POOLS = {f"{kind}_pool2d{more}": _pooling for kind in ("max", "avg", "lp") for more in ("", "_with_indices")}
EVEN = dict.fromkeys(
    (
        "interpolate upsample pixel_shuffle pixel_unshuffle adaptive_avg_pool2d adaptive_max_pool2d "
        "adaptive_max_pool2d_with_indices"
    ).split(),
    _even,
)
RULES: dict[str, Callable[[tuple, dict], list[Moves] | None]] = {
    "conv2d": _convolution,
    "conv_transpose2d": _transposed,
    **POOLS,
    **EVEN,
}  #: operations of maps (b, c, h, w) that move centres
ANYWHERE: dict[str, Callable[[tuple, dict, tuple[int, ...], int], list[Moves] | None]] = {
    "pad": _padded,
    "flip": _flipped,
    "getitem": _sliced,
}  #: operations that move centres of a map in any layout with rows and columns
RESHAPES = set("view view_as reshape reshape_as flatten unflatten contiguous".split())  #: the order of entries stays
PERMUTES = set("permute transpose swapaxes swapdims movedim moveaxis".split())
SCATTERS = set(
    "roll rot90 einsum matmul bmm fold unfold gather index_select take_along_dim as_strided t "
    "scaled_dot_product_attention".split()
)  #: operations that may move entries in a way that is not followed


class Where(NamedTuple):
    """A tensor, its positions, and which of its axes are rows and columns; one axis where both are merged."""

    tensor: Tensor
    positions: Positions
    axes: tuple[int, ...]
    cells: tuple[int, int]
    before: int = 0  # tokens before those of places, such as a class token
    after: int = 0


class Follow(Mode):
    """Keeps the positions of each tensor of a forward pass that is a map of the image, in whatever layout."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.size = (images.shape[-2], images.shape[-1])
        self.seen: dict[int, Where] = {}  # holds the tensors, so that no id is used twice
        self.keep(images, Positions(Axis(0.0, 1.0), Axis(0.0, 1.0)), (2, 3), self.size)

    def keep(self, x: Tensor, positions: Positions, *lies: Any) -> None:
        """Note where a tensor looks, and how its map lies: the further fields of `Where`."""
        self.seen[id(x)] = Where(x, positions, *lies)

    def of(self, x: Tensor, cells: tuple[int, int] | None = None) -> Positions:
        """The positions of a map; the usual grid, marked as not known, where they were not followed."""
        if id(x) in self.seen:
            return self.seen[id(x)].positions
        grid = (x.shape[-2], x.shape[-1]) if cells is None else cells
        rows, columns = (usual(n, pixels) for n, pixels in zip(grid, self.size))
        return Positions(rows, columns, known=False)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = (getattr(func, "__name__", None) or str(func)).strip("_")
        for x in output if isinstance(output, (tuple, list)) else [output]:
            if isinstance(x, Tensor):
                self.follow(name, func, args, kwargs, x)
        return output

    def follow(self, name: str, func: Any, args: tuple, kwargs: dict, output: Tensor) -> None:
        """Note where the output of an operation looks, if that is known."""
        first = args[0] if args else kwargs.get("input")
        source = self.seen.get(id(first)) if isinstance(first, Tensor) else None
        moves: list[Moves] | None = None
        axes: tuple[int, ...] | None = (2, 3) if source is None else source.axes
        if isinstance(first, Tensor) and first.ndim == output.ndim:
            if name in RULES and axes == (2, 3) and first.ndim == 4:  # what is not known is on the usual grid
                moves = RULES[name](args, kwargs)
            elif name in ANYWHERE and source is not None and len(source.axes) == 2:
                moves = ANYWHERE[name](args, kwargs, source.axes, first.ndim)
        if moves is not None and isinstance(first, Tensor) and axes is not None:
            start = self.of(first)
            after = tuple(output.shape[axis] for axis in axes)
            pairs = zip(moves, (start.rows, start.columns), (first.shape[axis] for axis in axes), after)
            rows, columns = (move(axis, n, m) for move, axis, n, m in pairs)
            self.keep(output, Positions(rows, columns, start.known), axes, after)
            return
        if name in ("cat", "concat", "concatenate") and self.joined(args, kwargs, output):
            return
        if name in RESHAPES or name in PERMUTES:
            if source is not None:
                axes = _reshaped(source, output) if name in RESHAPES else _permuted(source, func, args, kwargs)
                if axes is not None:
                    self.keep(output, source.positions, axes, *source[3:])
        elif name not in SCATTERS:
            self.meet([self.seen[id(x)] for x in _tensors((args, kwargs)) if id(x) in self.seen], output)

    def joined(self, args: tuple, kwargs: dict, output: Tensor) -> bool:
        """Tokens joined with others along their axis, such as a class token: whether that is what was done."""
        parts = args[0] if args else kwargs.get("tensors", ())
        dim = kwargs.get("dim", args[1] if len(args) > 1 else 0) % output.ndim
        places = [i for i, x in enumerate(parts) if id(x) in self.seen and self.seen[id(x)].axes == (dim,)]
        if len(places) != 1:
            return False
        where = self.seen[id(parts[places[0]])]
        sizes = [x.shape[dim] for x in parts]
        before, after = sum(sizes[: places[0]]) + where.before, sum(sizes[places[0] + 1 :]) + where.after
        self.keep(output, where.positions, where.axes, where.cells, before, after)
        return True

    def meet(self, sources: list[Where], output: Tensor) -> None:
        """An operation that works entry by entry or along other axes, of one operand or of several."""

        def extent(x: Tensor, axes: tuple[int, ...]) -> list[int]:
            return [x.shape[a] for a in axes] if x.ndim > max(axes) else []

        same = [
            s for s in sources if s.tensor.ndim == output.ndim and extent(output, s.axes) == extent(s.tensor, s.axes)
        ]
        same = [s for s in same if s.axes == same[0].axes]
        if same:
            rows, columns = (_sharpest([getattr(s.positions, side) for s in same]) for side in ("rows", "columns"))
            known = all(s.positions.known for s in same)
            self.keep(output, Positions(rows, columns, known), *same[0][2:])


def _reshaped(source: Where, output: Tensor) -> tuple[int, ...] | None:
    """Where rows and columns are after a reshape, which keeps the order of entries; None where they are torn."""
    inner = math.prod(source.tensor.shape[source.axes[-1] + 1 :])
    if source.before or source.after:  # the axis of tokens stays one axis
        n = source.tensor.shape[source.axes[0]]
        fits = [k for k, m in enumerate(output.shape) if m == n and math.prod(output.shape[k + 1 :]) == inner]
        return tuple(fits[:1]) or None
    if source.axes[-1] - source.axes[0] != len(source.axes) - 1:
        return None
    h, w = source.cells
    shape = tuple(output.shape)
    for k in range(len(shape)):
        if shape[k : k + 2] == (h, w) and math.prod(shape[k + 2 :]) == inner:
            return (k, k + 1)
        if shape[k] == h * w and math.prod(shape[k + 1 :]) == inner:
            return (k,)
    return None


def _permuted(source: Where, func: Any, args: tuple, kwargs: dict) -> tuple[int, ...]:
    """Where rows and columns are after axes have changed places: read off a tensor whose sizes name its axes."""
    named = torch.empty([2 + i for i in range(source.tensor.ndim)], device="meta")
    moved = func(named, *args[1:], **{k: v for k, v in kwargs.items() if k != "input"})
    return tuple(list(moved.shape).index(2 + a) for a in source.axes)


def _sharpest(axes: list[Axis]) -> Axis:
    """Where branches meet: the one that reads the smallest window; the mean of those that are equally sharp."""
    least = min(axis.spread for axis in axes)
    sharp = [axis for axis in axes if axis.spread <= least + 1e-9 * (1 + least)]
    return Axis(*(sum(values) / len(sharp) for values in zip(*sharp)))


def _tensors(args: Any) -> list[Tensor]:
    if isinstance(args, Tensor):
        return [args]
    inner = args.values() if isinstance(args, dict) else args if isinstance(args, (tuple, list)) else ()
    return [x for a in inner for x in _tensors(a)]
