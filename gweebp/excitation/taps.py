"""Where a network is tapped: which layer, which tensor of its output, and how that is read as a map (b, c, h, w).

Most layers give maps as they stand. Where the shape leaves a doubt (tokens, channels last, windows, several views of an
image in one batch), a pass of two images is followed up to the layer, and what each entry looks at says which is which.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gweebp.excitation.guard import lent
from gweebp.excitation.places import axes as spelled
from gweebp.excitation.places import fields, reading
from gweebp.excitation.places.fields import Places
from gweebp.excitation.places.follow import Following
from gweebp.excitation.places.reading import NoGrid, Reading
from gweebp.excitation.tensors import at_least_float32, own_tensor
from gweebp.support.positions import Positions

INPUT = "input"  #: the name of the image itself, as a layer

UNSEEN = "it is not known where the layer looks: code that can't be followed makes its output of the image"
ONE_VIEW = "Explain the module inside that takes one view of each image, or choose another layer"
HELP = (
    "Choose another layer, or say what its axes are, as axes='b (1 h w) c' for tokens after one class token, "
    "axes='b h w c' for channels last"
)


class Layer(str):
    """The dotted name of a layer, and how its output is read: as the user says, or found once for a whole call.

    Attributes:
        axes: as the user says, or None. reading: once it is known.
    """

    axes: str | None
    reading: Reading | None

    def __new__(cls, name: str, axes: str | None = None) -> Layer:
        """`name` with `axes`, or with its own where that is None; ValueError where `axes` can't be read."""
        if axes is not None:
            spelled.parsed(axes)
        self = super().__new__(cls, name)
        self.axes = getattr(name, "axes", None) if axes is None else axes
        self.reading = getattr(name, "reading", None) if axes is None else None
        return self


class _Reached(BaseException):
    """Ends a pass that has given what it was for."""


def only_tensor(output: Any, layer: str) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """The one tensor of a layer's output, and a function that puts another in its place.

    Errors: ValueError where it holds none or several.

    Example:
        >>> x, put = only_tensor((torch.ones(2), None), "attention")
        >>> put(x * 2)
        (tensor([2., 2.]), None)
    """
    if isinstance(output, Tensor):
        return output, lambda x: x
    entries = list(output.items()) if isinstance(output, dict) else (
        list(enumerate(output)) if isinstance(output, (tuple, list)) else [])  # fmt: skip
    held = [(key, x) for key, x in entries if isinstance(x, Tensor) and x.is_floating_point()]
    nested = any(isinstance(x, (tuple, list, dict)) for _, x in entries)
    if len(held) != 1 or nested:
        holds = f"{len(held)} tensors" if entries and not nested else type(output).__name__
        raise ValueError(
            f"the output of layer {layer!r} is {holds}: expected one tensor; choose a submodule of it that returns one"
        )
    key, x = held[0]

    def put(new: Tensor) -> Any:
        if isinstance(output, tuple):
            values = [new if k == key else v for k, v in entries]
            return type(output)(*values) if hasattr(output, "_fields") else type(output)(values)
        changed = copy.copy(output)
        changed[key] = new
        return changed

    return x, put


def stands(x: Tensor, b: int, size: tuple[int, int]) -> bool:
    """Whether an output for b images of a size is (b, c, h, w) without doubt, as it stands."""
    if x.ndim != 4 or x.shape[0] != b or not spelled.fits(x.shape[2], x.shape[3], size):
        return False
    if spelled.fits(x.shape[1], x.shape[2], size):
        return False
    if x.shape[2] == x.shape[3] and x.shape[3] > 1 and x.is_floating_point():
        rows = x.detach().sum(-1)  # the weights of an attention, (b, heads, n, n)
        return not bool(((rows - 1).abs() < 1e-3).all())
    return True


def looked(net: nn.Module, image: Tensor, layer: str) -> tuple[Reading, Positions]:
    """How the output of a layer is read, and where its cells look, from one followed pass of two images.

    Args:
        image: (b, c, h, w), as the network takes it; the first one is used. layer: a `Layer`, or a dotted name.

    Errors: ValueError where the output can't be read as a map.
    """
    size = (int(image.shape[2]), int(image.shape[3]))
    if layer == INPUT:
        return reading.plain(image.shape), Positions.plain(size, size)
    seen: list[Tensor] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        seen.append(only_tensor(output, layer)[0])
        raise _Reached

    images = _two(image)
    following = Following(images)
    with contextlib.suppress(_Reached):
        _run(net, images, following, {net.get_submodule(layer): note})
    if not seen:
        raise ValueError(miscalled(net, layer, 0))
    return read(seen[0], following, layer, size)


def _two(image: Tensor) -> Tensor:
    """The first image twice, so that the axis of the images can be told from others."""
    return own_tensor(image[:1].expand(2, -1, -1, -1))


def _run(net: nn.Module, images: Tensor, following: Following, hooks: dict[nn.Module, Any]) -> None:
    def forward() -> None:
        with torch.inference_mode(False), torch.no_grad(), following:
            net(images)

    lent(net, forward, hooks)


class Seen(NamedTuple):
    """The map of a layer: its shape (c, h, w); whether an attention came before; whether there are other tokens."""

    shape: tuple[int, int, int]
    attended: bool
    others: bool


def maps_of(net: nn.Module, image: Tensor) -> dict[str, Seen]:
    """Name → map of each submodule whose output can be read as one, in the order in which they end."""
    found: dict[str, Seen] = {}
    unseen: dict[str, Seen] = {}  # of constants, or made by code that can't be followed
    images = _two(image)
    following, size = Following(images), (int(image.shape[2]), int(image.shape[3]))

    def note(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            with contextlib.suppress(ValueError):
                x, _ = only_tensor(output, name)
                how, where = read(x, following, name, size)
                if where.note and following.places(x) is not None:
                    return  # a table of another kind, such as the weights of an attention
                channels = x.numel() // (2 * how.sites_count(x))
                known = found if following.places(x) is not None else unseen
                known[name] = Seen((channels, *how.size), following.attended, how.sites_count(x) > how.index.numel())

        return hook

    _run(net, images, following, {module: note(name) for name, module in net.named_modules() if name})
    return found or unseen


def patch_embedding(net: nn.Module, image: Tensor) -> str | None:
    """The patch embedding of a transformer: the last map before its first attention, if all later maps have its grid.

    It is the default layer of a transformer: further up, much of the probability lies on class and register tokens.
    """
    name, first = next(((n, m) for n, m in net.named_modules() if isinstance(m, nn.Conv2d)), ("", None))
    if first is not None and tuple(first.kernel_size) == tuple(first.stride) and min(first.stride) > 1:
        attends = any("attention" in type(m).__name__.lower() or "Attn" in type(m).__name__ for m in net.modules())
        if attends and name:  # a convolution that cuts the image into patches, without a pass
            return name
    try:
        maps = maps_of(net, image)
    except Exception:  # whatever a user's network raises, it is told by who runs it next
        return None
    later = {seen.shape[1:] for seen in maps.values() if seen.attended}
    if len(later) != 1:
        return None
    here = [n for n, s in maps.items() if not s.attended and not s.others and s.shape[1:] in later]
    grid = next(iter(later))
    if not here or grid == tuple(image.shape[2:]):
        return None
    return min(here, key=lambda n: n.count("."))  # of the outermost the first


def read(x: Tensor, following: Following, layer: str, size: tuple[int, int]) -> tuple[Reading, Positions]:
    """The reading and the positions of an output of a followed pass of two images."""
    axes, p, shape = getattr(layer, "axes", None), following.places(x), tuple(x.shape)
    if axes is not None:
        how = spelled.reading(axes, shape, 2, size)
        how = how if p is None else replace(how, fixed=reading.fixed(how, p))
    elif stands(x, 2, size):
        how = reading.plain(shape)
    elif x.ndim < 3:
        raise ValueError(f"layer {layer!r} has no spatial map: expected an output (b, c, h, w) or tokens, got {shape}")
    else:
        try:
            how = _found(p, shape, size)
        except NoGrid as error:
            raise ValueError(
                f"the output of layer {layer!r}, {shape} for 2 images of {size[0]} × {size[1]}, can't be read as a "
                f"map: {error}. {ONE_VIEW if isinstance(error, reading.NoOrder) else HELP}"
            ) from None
    return how, positions_of(how, p, size, following.lost(x))


def _found(p: Places | None, shape: tuple[int, ...], size: tuple[int, int]) -> Reading:
    if p is None:
        return spelled.reading(spelled.guess(shape, 2, size), shape, 2, size)
    try:
        return reading.found(p)
    except reading.NoOrder:
        raise
    except NoGrid as error:  # all entries look at the whole image, or it turns what it sees
        try:
            return spelled.reading(spelled.guess(shape, 2, size), shape, 2, size)
        except NoGrid:
            raise error from None


def positions_of(how: Reading, p: Places | None, size: tuple[int, int], lost: str = "") -> Positions:
    """Where the cells of a reading look; the plain grid, with a note, where that is not known."""
    if p is None:
        why = f"it is not known where the output of {lost} looks" if lost else UNSEEN
        return Positions.plain(how.size, size, why)
    channels = [a for a in range(len(p.shape)) if a != how.batch and how.split_axis(a) not in how.sites]
    p = fields.mean(p, channels, keepdim=True).map(lambda x: x.cpu().double())
    known, row, column = (how.split(x)[0][0].mean(0) for x in (p.known, p.known * p.row, p.known * p.column))
    if (known == 0).any():
        return Positions.plain(how.size, size, "some of the layer's cells look at no place of the image")
    rows, columns = row / known, column / known
    try:
        found = Positions.fitted(rows.mean(1), columns.mean(0), size)
    except ValueError as error:
        return Positions.plain(how.size, size, str(error))
    off = max(
        float((rows - rows.mean(1, keepdim=True)).abs().max()) / abs(found.step[0]),
        float((columns - columns.mean(0)).abs().max()) / abs(found.step[1]),
    )
    if off > 0.5:
        return Positions.plain(how.size, size, "the layer's rows and columns are not those of the image")
    return found


class Tap:
    """Cuts a forward pass at a layer: what the layer gives becomes a leaf, read as maps (b, c, h, w).

    Args:
        layer: its name. images: (b, c, h, w), what the network gets. tell: called with each leaf.

    Attributes:
        leaves: the maps of each call. outside: what is on tokens outside the grid, of each call; (b, c, n).
    """

    def __init__(self, layer: Layer, images: Tensor, tell: Callable[[Tensor], None]) -> None:
        self.layer, self.b, self.tell = layer, len(images), tell
        self.size = (int(images.shape[2]), int(images.shape[3]))
        self.leaves: list[Tensor] = []
        self.outside: list[Tensor] = []

    def __call__(self, output: Any) -> Any:
        """What the layer gives, as a function of leaves. Doubt: it can be read in more than one way."""
        x, put = only_tensor(output, self.layer)
        how = self.layer.reading
        if how is None and self.layer.axes is None and stands(x, self.b, self.size):
            self.leaves.append(self.leaf(x))
            torch.set_grad_enabled(True)  # until the caller's no_grad ends
            return put(self.leaves[-1].clone())  # the network may change it in place
        if how is None or not how.fits(x, self.b):
            if how is not None:
                self.layer.reading = None
            raise Doubt
        maps, outside, fixed = how.split(x.detach())
        self.leaves.append(self.leaf(maps))
        self.outside += [self.leaf(outside)] if outside.shape[2] else []
        torch.set_grad_enabled(True)
        others = self.outside[-1] if outside.shape[2] else outside
        return put(how.joined(self.leaves[-1].clone(), others, fixed, x.detach()))

    def leaf(self, x: Tensor) -> Tensor:
        """`x` without a graph below it, float32 at least."""
        leaf = at_least_float32(x.detach()).requires_grad_()
        self.tell(leaf)
        return leaf


class Doubt(BaseException):
    """The output of a layer can be read in more than one way: `looked` finds out."""


def miscalled(net: nn.Module, layer: str, times: int) -> str:
    """What to say of a layer that a forward pass does not call, or calls several times."""
    if times:
        return (
            f"layer {layer!r} was called {times} times in a forward pass; name one that is called once, such as a "
            "module around it, or explain the module inside that sees the image once"
        )
    module = net.get_submodule(layer)
    parts = [f"{layer}.{name}" for name, _ in module.named_children()]
    hint = f"; its parts are {', '.join(map(repr, parts[:8]))}" if parts else ""
    called = "is not called in a forward pass (a call of its `forward` alone is not seen)"
    if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        called = "holds modules and is not called itself"
    return f"layer {layer!r}, a {type(module).__name__}, {called}{hint}; name one that is called once"
