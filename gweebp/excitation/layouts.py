"""How a layer's output holds its map: (b, c, h, w), channels last, or tokens with or without a class token.

Every method works on maps (b, c, h, w). A layer that gives another layout is rearranged where the network is tapped,
and its output is put together again from the rearranged map. The layout is read off the forward pass (follow.py),
or from the sizes and the image's aspect ratio where these leave one choice;
`axes` says it where they do not:

    "b c h w"        channels first            "b (h w) c"      tokens, row by row
    "b h w c"        channels last             "b (1 h w) c"    tokens after a class token; (1 h w 4): 4 more at the end
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation.follow import Follow
from gweebp.excitation.guard import lent

__all__ = ["Layer", "Layout", "layout_of", "only_tensor"]

SPELLING = re.compile(r"b c h w|b h w c|b \((?:(\d+) )?h w(?: (\d+))?\) c")
SPELLINGS = "'b c h w', 'b h w c', 'b (h w) c', 'b (1 h w) c' (one token before those of places), 'b (h w 4) c'"


class Layer(str):
    """The dotted name of a layer, and how its output holds the map, where the user has said it."""

    axes: str | None = None

    def __new__(cls, name: str, axes: str | None = None) -> Layer:
        """`name` with `axes`; ValueError for axes that are not among SPELLINGS."""
        layer = super().__new__(cls, name)
        layer.axes = getattr(name, "axes", None) if axes is None else axes
        if axes is not None and not (isinstance(axes, str) and SPELLING.fullmatch(axes)):
            raise ValueError(f"axes={axes!r}: expected one of {SPELLINGS}")
        return layer


@dataclass(frozen=True)
class Layout:
    """Where the map (b, c, h, w) lies in a layer's output.

    Attributes:
        kind: "first" (b, c, h, w), "last" (b, h, w, c) or "tokens" (b, n, c). cells: (h, w).
        before, after: tokens before and after those of places, such as a class token.
    """

    kind: str
    cells: tuple[int, int]
    before: int = 0
    after: int = 0

    def arranged(self, output: Tensor) -> Tensor:
        """The map (b, c, h, w) in a layer's output.

        Example:
            >>> Layout("tokens", (2, 3), before=1).arranged(torch.zeros(1, 7, 5)).shape
            torch.Size([1, 5, 2, 3])
        """
        if self.kind == "first":
            return output
        if self.kind == "last":
            return output.permute(0, 3, 1, 2)
        places = output[:, self.before : output.shape[1] - self.after]
        return places.transpose(1, 2).unflatten(2, self.cells)

    def restored(self, maps: Tensor, output: Tensor) -> Tensor:
        """The layer's output with its map replaced by `maps` (b, c, h, w); other tokens are those of `output`."""
        if self.kind == "first":
            return maps
        if self.kind == "last":
            return maps.permute(0, 2, 3, 1)
        tokens = maps.flatten(2).transpose(1, 2)
        if not self.before and not self.after:
            return tokens
        first, last = output[:, : self.before], output[:, output.shape[1] - self.after :]
        return torch.cat([x for x in (first, tokens, last) if x.shape[1]], 1)


def only_tensor(output: Any) -> Tensor | None:
    """The tensor of a layer's output, which may stand in a tuple, list or dict; None where there is not exactly one."""
    if isinstance(output, Tensor):
        return output
    inner = output.values() if isinstance(output, dict) else output if isinstance(output, (tuple, list)) else ()
    found = [x for x in map(only_tensor, inner) if x is not None]
    return found[0] if len(found) == 1 else None


def quick(output: Tensor, image: Tensor) -> Layout | None:
    """The layout of an output (b, c, h, w) that can be nothing else, by the image's aspect ratio; None: look closer."""
    if output.ndim != 4:
        return None
    first, last = (output.shape[2], output.shape[3]), (output.shape[1], output.shape[2])
    if not _like(last, image) or output.shape[1] == output.shape[2] == 1:
        return Layout("first", first) if _like(first, image) else None
    return None


def layout_of(net: nn.Module, image: Tensor, layer: str) -> Layout:
    """How the output of a layer holds its map.

    Args:
        net: the network, left unchanged. image: (b, c, h, w), as the network takes it.
        layer: a dotted name, or a `Layer` with axes.

    Errors:
        ValueError: the output is not a tensor with a map, does not fit `axes`, or may be one map or another.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.Flatten(2), nn.Linear(6, 6), nn.Flatten(), nn.Linear(48, 2))
        >>> layout_of(net, torch.zeros(1, 3, 8, 12), "0")
        Layout(kind='first', cells=(2, 3), before=0, after=0)
    """
    image = image[:1].detach().clone()
    follow, outputs = Follow(image), list[Any]()

    def forward() -> None:
        with torch.inference_mode(False), torch.no_grad(), follow:
            net(image)

    def note(module: nn.Module, args: Any, output: Any) -> None:
        outputs.append(output)

    lent(net, forward, {net.get_submodule(layer): note})
    if not outputs:
        raise ValueError(f"layer {layer!r} was not called in a forward pass; name one that is called once")
    output = only_tensor(outputs[0])
    if output is not None and output.shape[:1] != (1,):
        raise ValueError(
            f"layer {layer!r} gives a batch of {output.shape[0] if output.ndim else 0} for one image: the network "
            "folds views of the image, or its places, into the batch. Explain the module inside that takes one view, "
            "or name a layer before"
        )
    if output is None or output.ndim < 3:
        got = tuple(output.shape) if output is not None else type(outputs[0]).__name__
        raise ValueError(f"layer {layer!r} has no spatial map: expected an output (b, c, h, w) or tokens, got {got}")
    axes = getattr(layer, "axes", None)
    if axes is not None:
        return _spelled(axes, output, image, layer)
    where = follow.seen.get(id(output))
    if where is not None and where.axes in ((2, 3), (1, 2), (1,)) and output.ndim == (3 if where.axes == (1,) else 4):
        kind = {(2, 3): "first", (1, 2): "last", (1,): "tokens"}[where.axes]
        return Layout(kind, where.cells, where.before, where.after)
    found = _by_size(output, image)
    if len(found) == 1:
        return found[0]
    if output.ndim == 4 and not found:
        return Layout("first", (output.shape[2], output.shape[3]))
    may = "; ".join(f"{x.cells[0]}x{x.cells[1]} after {x.before} other tokens" for x in found[:4]) or "no map"
    raise ValueError(
        f"layer {layer!r} gives {tuple(output.shape)}, which may hold {may}: say with axes= how its map lies, one of "
        f"{SPELLINGS}"
    )


def _spelled(axes: str, output: Tensor, image: Tensor, layer: str) -> Layout:
    """The layout that the user has spelled, if the output has it."""
    problem = ValueError(f"axes={axes!r} does not fit layer {layer!r}, which gives {tuple(output.shape)}")
    if axes in ("b c h w", "b h w c"):
        if output.ndim != 4:
            raise problem
        first = axes == "b c h w"
        return Layout("first" if first else "last", tuple(output.shape[2:] if first else output.shape[1:3]))  # type: ignore[arg-type]
    match = SPELLING.fullmatch(axes)
    before, after = (int(n or 0) for n in match.groups()) if match else (0, 0)
    places = output.shape[1] - before - after if output.ndim == 3 else 0
    cells = _grid(places, image)
    if cells is None:
        raise problem
    return Layout("tokens", cells, before, after)


def _by_size(output: Tensor, image: Tensor) -> list[Layout]:
    """The layouts that an output may have, by its sizes and the image's aspect ratio."""
    if output.ndim == 4:
        first, last = (output.shape[2], output.shape[3]), (output.shape[1], output.shape[2])
        return [Layout(kind, cells) for kind, cells in (("first", first), ("last", last)) if _like(cells, image)]
    found = []
    for before in range(min(6, output.shape[1])):  # class, distillation and register tokens stand before the places
        if (cells := _grid(output.shape[1] - before, image)) is not None:
            found.append(Layout("tokens", cells, before))
    return found


def _grid(places: int, image: Tensor) -> tuple[int, int] | None:
    """(h, w) with h · w places and the image's aspect ratio; None where there is none."""
    ratio = image.shape[2] / image.shape[3]
    h = round((places * ratio) ** 0.5) if places > 1 else 0
    return (h, places // h) if h and places % h == 0 and _like((h, places // h), image) else None


def _like(cells: tuple[int, int], image: Tensor) -> bool:
    """Whether a grid has the aspect ratio of the image, up to a part of a cell that was rounded."""
    (h, w), (height, width) = cells, (image.shape[2], image.shape[3])
    return min(h, w) > 0 and abs(h * width - w * height) < max(height, width) and h <= height and w <= width
