"""Where the cells of a layer look: the centre in the image of what each cell of a map is computed from.

A convolution of kernel k, stride s and padding p reads, for its cell i, the cells s·i − p to s·i − p + d(k − 1) below,
centred on s·i + d(k − 1)/2 − p. So the centres of a layer stand on a straight line along each axis, pixel = offset +
step·i, and each operation maps offset and step. `positions` follows them through one forward pass: convolutions,
poolings, padding, slices, up-sampling and pixel shuffles move them, what works entry by entry or channel by channel
keeps them, and where branches meet the sharper one counts, the one that reads the smaller window.

The usual way to draw a map, stretched over the image, is right where centres stand at (step − 1)/2 + step·i, as behind
2×2 pooling. Behind a 3×3 convolution of stride 2 and padding 1 they stand at step·i, half a cell further left and up.

Assumes: operations that this module does not know (attention, reshapes to tokens and back) leave their output on the
usual grid. `Positions.known` says whether all operations below the layer were known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gweebp.excitation.guard import lent
from gweebp.excitation.layers import INPUT, own_tensor

__all__ = ["Axis", "Positions", "placed", "positions"]


class Axis(NamedTuple):
    """Centres along one axis: pixel = offset + step · cell, pixel 0 at 0. `spread`: variance of the window, px²."""

    offset: float
    step: float
    spread: float = 0.0


@dataclass(frozen=True)
class Positions:
    """Where the cells (i, j) of a map (h, w) look in an image.

    Attributes:
        rows, columns: the centres of row i and of column j, in pixels. known: False where an operation below the layer
        was not known, and its output was taken to lie on the usual grid.
    """

    rows: Axis
    columns: Axis
    known: bool = True

    def plain(self, cells: tuple[int, int], size: tuple[int, int]) -> bool:
        """Whether a map of `cells` stretched over an image of `size` is drawn where its cells look.

        Example:
            >>> Positions(Axis(0.5, 2.0), Axis(0.5, 2.0)).plain((4, 4), (8, 8))
            True
            >>> Positions(Axis(0.0, 2.0), Axis(0.0, 2.0)).plain((4, 4), (8, 8))
            False
        """
        usual = [_usual(n, pixels) for n, pixels in zip(cells, size)]
        return all(
            abs(axis.offset + axis.step * i - at.offset - at.step * i) < 1e-6
            for axis, at, n in zip((self.rows, self.columns), usual, cells)
            for i in (0, n - 1)
        )

    def at_size(self, seen: tuple[int, int], size: tuple[int, int]) -> Positions:
        """The centres in an image of `size` pixels that the network reads resized to `seen` pixels.

        Example:
            >>> Positions(Axis(0.5, 2.0), Axis(0.5, 2.0)).at_size((8, 8), (16, 16)).rows
            Axis(offset=1.5, step=4.0, spread=0.0)
        """

        def scaled(axis: Axis, before: int, after: int) -> Axis:
            f = after / before
            return Axis((axis.offset + 0.5) * f - 0.5, axis.step * f, axis.spread * f * f)

        rows, columns = (scaled(*one) for one in zip((self.rows, self.columns), seen, size))
        return Positions(rows, columns, self.known)


def placed(maps: Tensor, where: Positions, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """Maps at the image's size, each cell at the pixel where it looks; beyond the outermost centres the border's value.

    Args:
        maps: (b, h, w). where: of the layer that the maps are of. size: (height, width) of the image, in pixels.
        mode: "nearest", "bilinear" or "bicubic".

    Returns:
        (b, *size).

    Example:
        >>> cells = torch.tensor([[[1.0, 0.0, 0.0]]])
        >>> placed(cells, Positions(Axis(0, 1), Axis(0, 2)), (1, 6)).tolist()
        [[[1.0, 0.5, 0.0, 0.0, 0.0, 0.0]]]
    """
    grids = []
    for axis, n, pixels in zip((where.rows, where.columns), maps.shape[1:], size):
        cell = (torch.arange(pixels, dtype=torch.float64) - axis.offset) / axis.step
        grids.append((2 * cell / (n - 1) - 1 if n > 1 else 0 * cell).to(maps))
    at = torch.stack(torch.meshgrid(grids[1], grids[0], indexing="xy"), -1).expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps[:, None], at, mode=mode, padding_mode="border", align_corners=True)[:, 0]


def positions(net: nn.Module, image: Tensor, layer: str) -> Positions:
    """Where the cells of a layer's map look.

    Args:
        net: the network; it is left unchanged. image: (b, c, h, w), as the network takes it; only its size matters.
        layer: dotted name of a submodule with output (b, c, h', w'), or "input".

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(32, 3))
        >>> positions(net, torch.zeros(1, 1, 8, 8), "0").columns
        Axis(offset=0.0, step=2.0, spread=0.6666666666666666)
    """
    if layer == INPUT:
        return Positions(Axis(0.0, 1.0), Axis(0.0, 1.0))
    images, found = own_tensor(image[:1]), list[Positions]()
    follow = _Follow(images)

    def note(module: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and not found:
            found.append(follow.of(output))

    def forward() -> None:
        with torch.inference_mode(False), torch.no_grad(), follow:
            net(images)

    lent(net, forward, {net.get_submodule(layer): note})
    if not found:
        raise ValueError(f"layer {layer!r} has no map (b, c, h, w), so it has no positions")
    return found[0]


def _usual(cells: int, pixels: int) -> Axis:
    """The centres of cells that share an axis of pixels evenly."""
    step = pixels / cells
    return Axis((step - 1) / 2, step)


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


def _padded(args: tuple, kwargs: dict) -> list[Moves]:
    pad = list(kwargs.get("pad", args[1] if len(args) > 1 else ()))
    left, top = (pad[0] if pad else 0), (pad[2] if len(pad) > 2 else 0)
    return [
        lambda axis, before, after, n=n: Axis(axis.offset - axis.step * n, axis.step, axis.spread)  # type: ignore[misc]
        for n in (top, left)
    ]


def _flipped(args: tuple, kwargs: dict) -> list[Moves]:
    dims = {d % 4 for a in (*args[1:], *kwargs.values()) for d in (a if isinstance(a, (tuple, list)) else (a,))}

    def turned(axis: Axis, before: int, after: int) -> Axis:
        return Axis(axis.offset + axis.step * (before - 1), -axis.step, axis.spread)

    return [turned if d in dims else _kept for d in (2, 3)]


def _sliced(args: tuple, kwargs: dict) -> list[Moves] | None:
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    if any(i is None or not isinstance(i, (slice, type(Ellipsis))) for i in index):
        return None
    if Ellipsis in index:
        place = index.index(Ellipsis)
        index = (*index[:place], *[slice(None)] * (5 - len(index)), *index[place + 1 :])
    index = (*index, *[slice(None)] * (4 - len(index)))

    def moves(cut: slice) -> Moves:
        def move(axis: Axis, before: int, after: int) -> Axis:
            start, _, step = cut.indices(before)
            return Axis(axis.offset + axis.step * start, axis.step * step, axis.spread)

        return move

    return [moves(index[2]), moves(index[3])]


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
    "pad": _padded,
    "flip": _flipped,
    "getitem": _sliced,
    **POOLS,
    **EVEN,
}  #: operations of maps (b, c, h, w) that move centres
RESHAPES = set("view view_as reshape reshape_as flatten unflatten contiguous".split())  #: the order of entries stays
PERMUTES = set("permute transpose swapaxes swapdims movedim moveaxis".split())
SCATTERS = set(
    "roll rot90 einsum matmul bmm fold unfold gather index_select take_along_dim as_strided t "
    "scaled_dot_product_attention".split()
)  #: operations that may move entries in a way that is not followed


class _Where(NamedTuple):
    """A tensor, its positions, and which of its axes are rows and columns; one axis where both are merged."""

    tensor: Tensor
    positions: Positions
    axes: tuple[int, ...]
    cells: tuple[int, int]


class _Follow(TorchFunctionMode):
    """Keeps the positions of each tensor of a forward pass that is a map of the image, in whatever layout."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.size = (images.shape[-2], images.shape[-1])
        self.seen: dict[int, _Where] = {}  # holds the tensors, so that no id is used twice
        self.keep(images, Positions(Axis(0.0, 1.0), Axis(0.0, 1.0)), (2, 3), self.size)

    def keep(self, x: Tensor, positions: Positions, axes: tuple[int, ...], cells: tuple[int, int]) -> None:
        """Note where a tensor looks."""
        self.seen[id(x)] = _Where(x, positions, axes, cells)

    def of(self, x: Tensor, cells: tuple[int, int] | None = None) -> Positions:
        """The positions of a map; the usual grid, marked as not known, where they were not followed."""
        if id(x) in self.seen:
            return self.seen[id(x)].positions
        grid = (x.shape[-2], x.shape[-1]) if cells is None else cells
        rows, columns = (_usual(n, pixels) for n, pixels in zip(grid, self.size))
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
        if name in RULES and isinstance(first, Tensor) and first.ndim == output.ndim == 4:
            moves, start = RULES[name](args, kwargs), self.of(first)
            if moves is not None and getattr(self.seen.get(id(first)), "axes", (2, 3)) == (2, 3):
                pairs = zip(moves, (start.rows, start.columns), first.shape[-2:], output.shape[-2:])
                rows, columns = (move(axis, n, m) for move, axis, n, m in pairs)
                where = Positions(rows, columns, start.known)
                self.keep(output, where, (2, 3), (output.shape[2], output.shape[3]))
                return
        source = self.seen.get(id(first)) if isinstance(first, Tensor) else None
        if name in RESHAPES or name in PERMUTES:
            if source is not None:
                axes = _reshaped(source, output) if name in RESHAPES else _permuted(source, func, args, kwargs)
                if axes is not None:
                    self.keep(output, source.positions, axes, source.cells)
        elif name not in SCATTERS:
            self.meet([self.seen[id(x)] for x in _tensors((args, kwargs)) if id(x) in self.seen], output)

    def meet(self, sources: list[_Where], output: Tensor) -> None:
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
            self.keep(output, Positions(rows, columns, known), same[0].axes, same[0].cells)


def _reshaped(source: _Where, output: Tensor) -> tuple[int, ...] | None:
    """Where rows and columns are after a reshape, which keeps the order of entries; None where they are torn."""
    inner = math.prod(source.tensor.shape[source.axes[-1] + 1 :])
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


def _permuted(source: _Where, func: Any, args: tuple, kwargs: dict) -> tuple[int, ...]:
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
