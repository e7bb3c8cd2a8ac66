"""Run a network with a graph only from one of its layers on: what every white-box method starts from.

The layers below are run once, without a graph; the output of the named layer becomes a leaf, and the embedding is a
function of it. The network is evaluated as in `net.eval()`, and left as it was (guard.py).
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gweebp.excitation import taps
from gweebp.excitation.guard import Mode, lent
from gweebp.excitation.taps import INPUT, Layer
from gweebp.excitation.tensors import at_least_float32, mapped, own_tensor, tensors_in, unusable


def no_autocast(images: Tensor) -> Any:
    """A context in which a caller's autocast is off: the part above the layer runs in float32 at least.

    Args:
        images: whose device counts.
    """
    return torch.autocast(images.device.type, enabled=False)


def is_tracked(x: Any) -> bool:
    """Whether `x` is a response above the layer: inside PlainMode, only those require grad."""
    return isinstance(x, Tensor) and x.requires_grad


#: by which a network watches its own gradients
WATCHES = {"register_hook", "register_post_accumulate_grad_hook", "retain_grad"}


def unwatched(name: str) -> RemovableHandle | None:
    """What a network gets that asks for the gradient of a response: what comes down here is no gradient of its loss.

    Args:
        name: of `WATCHES`.

    Example:
        >>> unwatched("register_hook").remove(), unwatched("retain_grad")
        (None, None)
    """
    return None if name == "retain_grad" else RemovableHandle(OrderedDict())


class PlainMode(Mode):
    """From the tapped layer on, weights are constants in float32 at least: only responses require grad."""

    def begin(self, images: Tensor) -> None:
        """Called with the network's input before the network runs.

        Args:
            images: (b, c, h, w).
        """

    def tapped(self, leaf: Tensor) -> None:
        """Called with each leaf that the layer's output is made of.

        Args:
            leaf: a tensor that requires grad.
        """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in WATCHES:
            return unwatched(func.__name__)
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
        """Run one operation on responses; here as it is.

        Args:
            func: a function of torch.
            args, kwargs: what it was called with.
        """
        return func(*args, **kwargs)


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


def embeddings_of(net: nn.Module, images: Tensor, name: str = "images") -> Tensor:
    """Embeddings of images, without a graph.

    Args:
        net: the network.
        images: (b, c, h, w).
        name: of the images, for errors.

    Returns:
        (b, d), finite.

    Raises:
        ValueError: where the network does not take the images, or gives anything but finite embeddings (b, d).
    """

    def forward() -> Any:
        with torch.no_grad():
            return net(own_tensor(images))

    with forward_of(name, images):
        embedding = lent(net, forward)
    return check_embedding(embedding, images.shape[0])


def check_embedding(embedding: Any, b: int) -> Tensor:
    """Check what a network gives.

    Args:
        embedding: to be a finite tensor (b, d) of floating-point numbers.
        b: how many images the network was given.

    Raises:
        ValueError: otherwise; it says what the network gave.
    """
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

    Args:
        net: the network.
        image: (1, c, h, w), as the network takes it.

    Raises:
        ValueError: where the network does not take the image.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        >>> spatial_layers(net, torch.zeros(1, 1, 4, 4))
        {'0': (2, 2, 2), '1': (2, 2, 2)}
    """
    with forward_of("probe", image):
        found = taps.maps_of(net, image)
    return {name: seen.shape for name, seen in found.items() if seen.shape[1] * seen.shape[2] > 1}


def eager(net: nn.Module) -> nn.Module:
    """The module that `torch.compile` was given, with the same weights; `net` itself, where it is not compiled.

    Compiled code can't be watched, and has other modules inside.

    Example:
        >>> net = nn.Linear(3, 2)
        >>> eager(torch.compile(net)) is eager(net) is net
        True
    """
    return getattr(net, "_orig_mod", net)


def named_layer(
    net: nn.Module, layer: str | nn.Module | None, kind: str, image: Tensor, axes: str | None = None
) -> Layer:
    """The dotted name of the layer that carries the map: the given one, or the network's own (`net.<kind>`, a name).

    Args:
        net: the network.
        layer: a dotted name, or the submodule itself; None: the network's own.
        kind: "saliency_layer" or "feature_layer".
        image: (1, c, h, w), to list the candidates' shapes in an error.
        axes: what the axes of the layer's output are, where that is not found (places/axes.py).

    Raises:
        TypeError: for a layer that is neither a name nor a module.
        ValueError: for a name that the network does not have, or where none is given; it lists the candidates.
    """
    name = layer if layer is not None else getattr(net, kind, None) or taps.patch_embedding(net, image)
    if isinstance(name, nn.Module):
        module = name
        name = next((n for n, m in net.named_modules() if m is module and n), f"a {type(module).__name__}")
    if not isinstance(name, str | None):
        raise TypeError(f"layer must be a dotted name, such as 'features.3', or a module; got {type(name).__name__}")
    # some modules have two names: either will do
    if name == INPUT or (name and name in (n for n, _ in net.named_modules(remove_duplicate=False))):
        return name if isinstance(name, Layer) and axes is None else Layer(name, axes)
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


def run_from(
    net: nn.Module,
    probe: Tensor,
    layer: str,
    mode: Any = None,
    name: str = "probe",
    outside: list[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Forward pass with a graph from the output of one layer on.

    Args:
        net: the network.
        probe: images (b, c, h, w).
        layer: a dotted name, or "input" for the image itself; a `Layer` keeps how its output is read.
        mode: a context manager, entered for the forward pass (the excitation rules).
        name: of the images, for errors.
        outside: a list to which the values on tokens outside of the grid are added: one more leaf, (b, c, n).

    Returns:
        (activation, embedding): the map in the layer's output, rearranged to (b, c, h, w) where its axes lie otherwise
        (taps.py), a leaf that requires grad, float32 at least; the embedding (b, d), a function of it.

    Raises:
        ValueError: where the layer is not called exactly once, its output cannot be read as a map, or the embedding
            does not depend on it.
    """
    images, mode = own_tensor(probe), mode or PlainMode()
    own = layer if isinstance(layer, Layer) else Layer(layer)

    def attempt() -> tuple[taps.Tap, Any]:
        tap = taps.Tap(own, images, mode.tapped)
        hooks = {} if layer == INPUT else {net.get_submodule(layer): lambda module, args, output: tap(output)}

        def forward() -> Any:
            mode.begin(images)
            with torch.inference_mode(False), torch.no_grad(), no_autocast(images), mode:
                return net(tap(images) if layer == INPUT else images)

        return tap, lent(net, forward, hooks)

    with forward_of(name, images):
        try:
            tap, embedding = attempt()
        except taps.Doubt:  # a forward pass of its own, for what is not plainly a map
            own.reading = taps.looked(net, images, own)[0]
            try:
                tap, embedding = attempt()
            except taps.Doubt:
                raise ValueError(f"the output of layer {layer!r} has another shape in each forward pass") from None
    if len(tap.leaves) != 1:
        raise ValueError(taps.miscalled(net, layer, len(tap.leaves)))
    check_embedding(embedding, probe.shape[0])
    if not embedding.requires_grad:
        raise ValueError(f"the embedding does not depend on layer {layer!r} (or the network detaches it on the way)")
    if outside is not None:
        outside += tap.outside
    return tap.leaves[0], embedding


def leads_to(top: Tensor, below: Tensor) -> bool:
    """Whether autograd finds a way down: the weights above a detached part need a gradient too.

    Args:
        top: where the way starts.
        below: where it leads.

    Example:
        >>> x, w = torch.ones(2).requires_grad_(), torch.ones(2).requires_grad_()
        >>> leads_to(x * w, x), leads_to(x.detach() * w, x)
        (True, False)
    """
    if top is below:
        return True
    front: list[Any] = [top.grad_fn]
    seen = set(front)
    while front:
        node = front.pop()
        if node is not None and (node is below.grad_fn or getattr(node, "variable", None) is below):
            return True
        known = node is not None and "NotImplemented" not in node.name()  # an operation without a derivative
        new = {n for n, _ in node.next_functions} - seen if known else set()
        seen |= new
        front += new
    return False


def check_derivative(embedding: Tensor, leaf: Tensor, layer: str) -> None:
    """Refuse a network without a derivative there, as below a quantised layer.

    Args:
        embedding: (b, d).
        leaf: the layer's output, of which it was made.
        layer: its name.

    Raises:
        ValueError: where no derivative leads from the embedding to the layer's output.
    """
    if not leads_to(embedding, leaf):
        raise ValueError(f"no derivative leads from the embedding to layer {layer!r}: an operation between has none")
