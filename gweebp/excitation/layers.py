"""Run a network with a graph only from one of its layers on: what every white-box method starts from.

The layers below are run once, without a graph; the output of the named layer becomes a leaf, and the embedding is a
function of it. The network is evaluated as in `net.eval()`, and left as it was (guard.py).
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation.follow import Follow
from gweebp.excitation.guard import Mode, lent
from gweebp.excitation.layouts import Layer, Layout, layout_of, only_tensor, quick
from gweebp.excitation.tensors import unusable

INPUT = "input"  #: the name of the image itself, as a layer


def at_least_float32(x: Tensor) -> Tensor:
    """`x`, as float32 where it is of half precision: responses and shares span more than its range."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def no_autocast(images: Tensor) -> Any:
    """A context in which a caller's autocast is off: the part above the layer runs in float32 at least."""
    return torch.autocast(images.device.type, enabled=False)


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


def is_tracked(x: Any) -> bool:
    """Whether `x` is a response above the layer: inside PlainMode, only those require grad."""
    return isinstance(x, Tensor) and x.requires_grad


class PlainMode(Mode):
    """From the tapped layer on, weights are constants in float32 at least: only responses require grad."""

    def begin(self, images: Tensor) -> None:
        """Told the network's input before it is evaluated."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not torch.is_grad_enabled():  # below the layer
            return func(*args, **kwargs)
        args, kwargs = self.constants(args), self.constants(kwargs)
        if not any(map(is_tracked, tensors_in((args, kwargs)))):
            return func(*args, **kwargs)
        return self.apply(func, args, kwargs)

    def constants(self, args: Any) -> Any:
        """`args` with each weight replaced by a constant of the same values."""

        def constant(x: Tensor) -> Tensor:
            if x.requires_grad and not isinstance(x, nn.Parameter):
                return x
            return at_least_float32(x.detach().clone() if x.is_inference() else x.detach())

        return mapped(constant, args)

    def apply(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run one operation on responses; here as it is."""
        return func(*args, **kwargs)


def own_tensor(images: Tensor) -> Tensor:
    """A copy of `images` that autograd may use, whatever mode the caller made it in (inference mode too)."""
    return images.detach().clone()


@contextlib.contextmanager
def forward_of(name: str, images: Tensor) -> Iterator[None]:
    """Turn what a network raises on `images`, called `name`, into a ValueError that says which images they were.

    Errors of ours, and a device without memory left, pass as they are.

    Example:
        >>> with forward_of("probe", torch.zeros(1, 3, 8, 8)):
        ...     nn.Conv2d(1, 4, 3)(torch.zeros(1, 3, 8, 8))
        Traceback (most recent call last):
        ValueError: the network can't take probe (1, 3, 8, 8) of torch.float32 on cpu: RuntimeError: Given groups=1, ...
    """
    from gweebp.excitation.graph import UnsupportedOperation  # which imports this module

    try:
        yield
    except (ValueError, UnsupportedOperation, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever a user's network raises
        if isinstance(error.__context__, KeyboardInterrupt):  # torch stumbles over an interrupt on some lines
            raise
        raise ValueError(
            f"the network can't take {name} {tuple(images.shape)} of {images.dtype} on {images.device}: "
            f"{type(error).__name__}: {error}"
        ) from error


def embed(net: nn.Module, images: Tensor, name: str = "images") -> Tensor:
    """Embeddings (b, d) of images (b, c, h, w), without a graph; a non-finite one raises ValueError.

    Args:
        name: of the images, for errors.
    """

    def forward() -> Any:
        with torch.no_grad():
            return net(own_tensor(images))

    with forward_of(name, images):
        embedding = lent(net, forward)
    return check_embedding(embedding, images.shape[0])


def check_embedding(embedding: Any, b: int) -> Tensor:
    """`embedding` itself, if it is a finite (b, d) tensor of floating-point numbers; an error that says what it is."""
    kind = unusable(embedding)
    if isinstance(embedding, Tensor) and kind:
        raise ValueError(f"the network must give embeddings of floating-point numbers; it gave {kind}")
    if kind or embedding.ndim != 2 or embedding.shape[0] != b or not embedding.shape[1]:
        got = kind or tuple(embedding.shape)
        raise ValueError(
            f"the network must map images (b, c, h, w) to embeddings (b, d); for b = {b} it gave {got}. "
            "Wrap it in a module that returns the embedding alone"
        )
    bad = (~embedding.isfinite()).any(1).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"the embeddings at batch indices {bad} hold NaN or infinity: check the weights and images")
    return embedding


def spatial_layers(net: nn.Module, image: Tensor) -> dict[str, tuple[int, ...]]:
    """Name → map (c, h, w) of each submodule whose output holds one with h·w > 1, whatever its layout.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        >>> spatial_layers(net, torch.zeros(1, 1, 4, 4))
        {'0': (2, 2, 2), '1': (2, 2, 2)}
    """
    shapes: dict[str, tuple[int, ...]] = {}
    image = own_tensor(image[:1])
    follow = Follow(image)

    def note(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            map_: tuple[int, ...] | None = None
            tensor = only_tensor(output)
            where = None if tensor is None else follow.seen.get(id(tensor))
            if where is not None and len(where.axes) in (1, 2) and tensor is not None and tensor.ndim > 2:
                rest = [n for axis, n in enumerate(tensor.shape) if axis and axis not in where.axes]
                map_ = (rest[0], *where.cells) if len(rest) == 1 else None
            elif tensor is not None and tensor.ndim == 4:
                map_ = tuple(tensor.shape[1:])
            if map_ is not None and map_[1] * map_[2] > 1:
                shapes[name] = map_

        return hook

    def forward() -> Any:
        with torch.no_grad(), follow:
            return net(image)

    with forward_of("probe", image):
        lent(net, forward, {module: note(name) for name, module in net.named_modules() if name})
    return shapes


def eager(net: nn.Module) -> nn.Module:
    """The module that `torch.compile` was given, with the same weights; `net` itself, where it is not compiled.

    Compiled code can't be watched, and has other modules inside.

    Example:
        >>> net = nn.Linear(3, 2)
        >>> eager(torch.compile(net)) is eager(net) is net
        True
    """
    return getattr(net, "_orig_mod", net)


def patch_embedding(net: nn.Module) -> str | None:
    """The patch embedding of a transformer: its first convolution, if that cuts the image into patches; else None.

    It is the default layer of a transformer: further up, much of the probability lies on class and register tokens.

    Example:
        >>> body = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.Flatten(2), nn.MultiheadAttention(8, 2))
        >>> patch_embedding(body), patch_embedding(nn.Sequential(nn.Conv2d(3, 8, 4, 4)))
        ('0', None)
    """
    attends = any("attention" in type(m).__name__.lower() or "Attn" in type(m).__name__ for m in net.modules())
    name, first = next(((n, m) for n, m in net.named_modules() if isinstance(m, nn.Conv2d)), ("", None))
    cuts = first is not None and tuple(first.kernel_size) == tuple(first.stride) and min(first.stride) > 1
    return name if attends and cuts and name else None


def named_layer(
    net: nn.Module, layer: str | nn.Module | None, kind: str, image: Tensor, axes: str | None = None
) -> Layer:
    """The dotted name of the layer that carries the map: `layer`, or the network's own (`net.<kind>`, a name).

    Args:
        layer: a dotted name, or the submodule itself.
        kind: "saliency_layer" or "feature_layer".
        image: (1, c, h, w), to list the candidates' shapes in an error.
        axes: how the layer's output holds its map, where the sizes do not say it: see layouts.py.
    """
    name = layer if layer is not None else getattr(net, kind, None) or patch_embedding(net)
    if isinstance(name, nn.Module):
        module = name
        name = next((n for n, m in net.named_modules() if m is module and n), f"a {type(module).__name__}")
    if not isinstance(name, str | None):
        raise TypeError(f"layer must be a dotted name, such as 'features.3', or a module; got {type(name).__name__}")
    # some modules have two names: either will do
    if name == INPUT or (name and name in (n for n, _ in net.named_modules(remove_duplicate=False))):
        return Layer(name, axes)
    # outer modules first: of a deep network only some are shown
    shapes = sorted(spatial_layers(net, image).items(), key=lambda item: item[0].count("."))
    found = [f"{n!r} {s}" for n, s in shapes]
    more = (
        [f"and {len(found) - 40} more (gweebp.excitation.layers.spatial_layers lists all)"] if len(found) > 40 else []
    )
    candidates = ", ".join(found[:40] + more) or "none"
    what = (
        f"the network names no {kind}, and no layer was given" if name is None else f"no layer {name!r} in the network"
    )
    raise ValueError(
        f"{what}; choose layer= among those with a map (c, h, w): {candidates}, or {INPUT!r} for the image"
    )


class _LookCloser(Exception):
    """The layer's output is not plainly a map (b, c, h, w)."""


def _replaced(output: Any, old: Tensor, new: Tensor) -> Any:
    """A layer's output, a tuple, list or dict, with one of its tensors replaced."""
    if isinstance(output, dict):
        copied = copy.copy(output)
        for key, value in output.items():
            copied[key] = new if value is old else value
        return copied
    return type(output)(new if value is old else value for value in output)


def run_from(net: nn.Module, probe: Tensor, layer: str, mode: Any = None, name: str = "probe") -> tuple[Tensor, Tensor]:
    """Forward pass with a graph from the output of `layer` on.

    Args:
        probe: images (b, c, h, w). layer: a dotted name, or "input" for the image itself.
        mode: a context manager, entered for the forward pass (the excitation rules). name: of the images, for errors.

    Returns:
        (activation, embedding): the map in the layer's output, rearranged to (b, c, h, w) where it lies otherwise
        (layouts.py), a leaf that requires grad, float32 at least; the embedding (b, d), a function of it.

    Errors:
        ValueError where the layer is not called exactly once, or its output holds no map or one that is not plain.
    """
    taps: list[Tensor] = []
    layout: Layout | None = Layout("first", (0, 0)) if layer == INPUT else None

    def tap(output: Any) -> Any:
        tensor = only_tensor(output)
        known = layout or (None if tensor is None or getattr(layer, "axes", None) else quick(tensor, images))
        if tensor is None or known is None or tensor.shape[0] != images.shape[0]:
            raise _LookCloser
        taps.append(at_least_float32(known.arranged(tensor).detach()).requires_grad_())
        torch.set_grad_enabled(True)  # until the no_grad below ends
        new = known.restored(taps[-1].clone(), tensor.detach())  # the network may change it in place
        return new if output is tensor else _replaced(output, tensor, new)

    images, mode = own_tensor(probe), mode or PlainMode()
    hooks = {} if layer == INPUT else {net.get_submodule(layer): lambda module, args, output: tap(output)}

    def forward() -> Any:
        mode.begin(images)
        with torch.inference_mode(False), torch.no_grad(), no_autocast(images), mode:
            return net(tap(images) if layer == INPUT else images)

    with forward_of(name, images):
        try:
            embedding = lent(net, forward, hooks)
        except _LookCloser:
            layout = layout_of(net, images, layer)  # a forward pass of its own, for what is not plainly a map
            taps.clear()
            embedding = lent(net, forward, hooks)
    if len(taps) != 1:
        raise ValueError(
            f"layer {layer!r} was called {len(taps)} times in a forward pass; name one that is called once"
        )
    check_embedding(embedding, probe.shape[0])
    if not embedding.requires_grad:
        raise ValueError(f"the embedding does not depend on layer {layer!r} (or the network detaches it on the way)")
    return taps[0], embedding
