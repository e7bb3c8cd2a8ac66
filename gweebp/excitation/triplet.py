"""Check a triplet (probe, mate, non-mate), and embed what is given as images for methods that read embeddings."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from gweebp.excitation.gain import ROUNDING, RoundingWarning
from gweebp.excitation.layers import at_least_float32, embeddings_of
from gweebp.excitation.tensors import power_of_two, unit, unusable
from gweebp.support.warned import warn

_told: ContextVar[bool] = ContextVar("the caller was told of rounding", default=False)
T = TypeVar("T")


def told(call: Callable[[], T]) -> T:
    """The result of a call in which `embedded` does not warn again: for a method that gets checked embeddings.

    Args:
        call: without arguments.

    Example:
        >>> told(lambda: 3)
        3
    """

    def inside() -> T:
        _told.set(True)
        return call()

    return copy_context().run(inside)  # whose variables end with it


def check_network(net: Any) -> None:
    """Check that a network is a module.

    Args:
        net: to check.

    Raises:
        TypeError: otherwise; it says what to do.

    Example:
        >>> check_network(nn.Flatten())
    """
    if isinstance(net, type) and issubclass(net, nn.Module):
        raise TypeError(f"net is the class {net.__name__}: give an instance of it")
    if not isinstance(net, nn.Module):
        hint = (
            "; wrap it: `class Net(torch.nn.Module)` whose forward(self, x) calls it, with the modules that it uses as "
            "attributes"
        )
        raise TypeError(f"net must be a torch.nn.Module, got {type(net).__name__}{hint if callable(net) else ''}")


def check_images(name: str, images: Any) -> None:
    """Check images.

    Args:
        name: of the argument, for errors.
        images: to be a dense, floating-point, finite tensor (b, c, h, w) without an empty axis.

    Raises:
        TypeError: for anything that is not such numbers.
        ValueError: for another shape, an empty axis, NaN or infinity.
    """
    if not isinstance(images, Tensor):
        hint = "; torch.as_tensor makes one of it" if hasattr(images, "__array__") else ""
        if images is None and name == "nonmate":
            hint = (
                ". Whom else could the probe show? The nearest other face of a gallery is the hardest to tell apart: "
                "gweebp.networks.gallery.nearest_impostor finds it"
            )
        raise TypeError(f"{name} must be a tensor (b, c, h, w), got {type(images).__name__}{hint}")
    kind = unusable(images)
    if kind and kind != str(images.dtype):  # a nested tensor has no shape to speak of
        raise TypeError(f"{name} must be dense numbers (b, c, h, w), got {kind}")
    if images.ndim != 4:
        index = {2: "[None, None]", 3: "[None]"}.get(images.ndim)
        hint = f"; for one image, {name}{index}" if index else ""
        raise ValueError(f"{name} must be images (b, c, h, w), got shape {tuple(images.shape)}{hint}")
    if kind:
        hint = ""
        if not (images.is_floating_point() or images.is_complex()):
            hint = "; for uint8 images of this package's networks use gweebp.networks.as_input(net, images)"
        raise TypeError(f"{name} must be floating point in the network's own range, got {kind}{hint}")
    if images.shape[0] == 0:
        raise ValueError(f"{name} is an empty batch")
    if images.numel() == 0:
        raise ValueError(f"{name} has images without pixels, shape {tuple(images.shape)}")
    bad = (~images.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"{name} holds NaN or infinity at batch indices {bad}")


def check_given(name: str, embeddings: Tensor, b: int) -> None:
    """Check embeddings that the user gives.

    Args:
        name: of the argument, for errors.
        embeddings: to be dense, floating-point and finite, (b, d) or (1, d).
        b: how many probes there are.

    Raises:
        TypeError: for anything that is not such numbers.
        ValueError: for another shape, NaN or infinity.
    """
    if kind := unusable(embeddings):
        raise TypeError(f"{name} must be embeddings (b, d) of floating-point numbers, got {kind}")
    if embeddings.shape[0] not in (1, b) or embeddings.shape[1] == 0:
        raise ValueError(
            f"{name} has shape {tuple(embeddings.shape)}; a tensor of two axes is read as embeddings (b, d), "
            f"and expected are {b} as the probe has, or 1 for all of them"
        )
    if bad := (~embeddings.isfinite()).any(1).nonzero().flatten().tolist():
        raise ValueError(f"the embeddings of {name} at batch indices {bad} hold NaN or infinity")


def embedded(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor) -> tuple[Tensor, Tensor]:
    """The embeddings of mate and non-mate, which are given as images or as embeddings.

    A single mate or non-mate (b = 1) serves every probe. Given embeddings are brought to the probe's device and
    precision, float32 at least. RoundingWarning where rounding alone tells mate and non-mate apart.

    Args:
        net: the network.
        probe: images (b, c, h, w).
        mate, nonmate: images (b or 1, c, h, w), or embeddings (b or 1, d).

    Returns:
        mate, nonmate: (b, d) each.

    Raises:
        TypeError, ValueError: for a wrong type, shape or batch, NaN, a zero embedding, or a mate equal to its non-mate;
            each names the argument.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> m, n = embedded(net, torch.rand(3, 1, 2, 2), torch.rand(1, 1, 2, 2), torch.tensor([[1., 0.]]))
        >>> m.shape, n.shape
        (torch.Size([3, 2]), torch.Size([3, 2]))
    """
    check_network(net)
    check_images("probe", probe)
    b = probe.shape[0]
    found = []
    for name, given in (("mate", mate), ("nonmate", nonmate)):
        if isinstance(given, Tensor) and given.ndim == 2:
            check_given(name, given, b)
            e = given.detach().to(probe.device)
        else:
            _check_beside(name, given, probe)
            if given.shape[1] != probe.shape[1]:
                raise ValueError(
                    f"{name} has {given.shape[1]} channels and the probe {probe.shape[1]}; expected the same"
                )
            e = embeddings_of(net, given, name)
        if zero := (e == 0).all(1).nonzero().flatten().tolist():
            raise ValueError(f"the embedding of {name} is zero at batch indices {zero}: it has no direction")
        found.append(e.expand(b, -1))
    m, n = found
    if m.shape != n.shape:
        raise ValueError(f"mate and nonmate differ in their embedding's length: {m.shape[1]} and {n.shape[1]}")
    _check_apart(m, n)
    precision = at_least_float32(probe[:0]).dtype
    m, n = (_converted(e, precision) if given.ndim == 2 else e for e, given in ((m, mate), (n, nonmate)))
    return at_least_float32(m), at_least_float32(n)


def _converted(e: Tensor, precision: torch.dtype) -> Tensor:
    """Given embeddings in this precision; where it is the lower one, brought near 1 first, within its range."""
    if e.dtype == torch.float64 != precision:
        e = e / power_of_two(e.abs().amax(1, keepdim=True))
    return e.to(precision)


def _check_apart(m: Tensor, n: Tensor) -> None:
    """ValueError where mate and non-mate are one, RoundingWarning where rounding alone may tell them apart."""
    if same := (m == n).all(1).nonzero().flatten().tolist():
        raise ValueError(f"mate and nonmate are equal at batch indices {same}; a triplet needs two different people")
    if _told.get():
        return
    apart = torch.linalg.vector_norm(unit(m).double() - unit(n).double(), dim=1)
    near = (apart <= ROUNDING * max(torch.finfo(e.dtype).eps for e in (m, n))).nonzero().flatten().tolist()
    if near:
        warn(
            RoundingWarning(
                f"the unit embeddings of mate and nonmate are {float(apart[near].min()):.1e} apart, no more than the "
                f"rounding of their numbers, so the map may be noise, at batch indices {near}"
            )
        )


def _check_beside(name: str, images: Any, probe: Tensor) -> None:
    """Raise unless `images` are images, one or as many as the probe's, in its precision and on its device."""
    check_images(name, images)
    b = probe.shape[0]
    if images.shape[0] not in (1, b):
        raise ValueError(f"{name} has batch size {images.shape[0]}; expected {b} as the probe, or 1 for all of them")
    for what in ("dtype", "device"):
        if getattr(images, what) != getattr(probe, what):
            raise ValueError(
                f"{name} is of {what} {getattr(images, what)} and the probe of {getattr(probe, what)}; "
                f"expected the same: {name}.to(probe)"
            )


def same_images(method: str, probe: Tensor, mate: Tensor, nonmate: Tensor) -> tuple[Tensor, Tensor]:
    """Mate and non-mate as they are, for a method that reads their images.

    Args:
        method: its name, for errors.
        probe: images (b, c, h, w).
        mate, nonmate: images (b or 1, c, h, w), of the probe's size.

    Raises:
        TypeError, ValueError: as `embedded`, and for embeddings (b, d); each names the argument.

    Example:
        >>> import torch
        >>> [tuple(x.shape) for x in same_images("xface", *torch.rand(3, 2, 1, 4, 4))]
        [(2, 1, 4, 4), (2, 1, 4, 4)]
    """
    check_images("probe", probe)
    shape = list(probe.shape[1:])
    for name, given in (("mate", mate), ("nonmate", nonmate)):
        if isinstance(given, Tensor) and given.ndim == 2:
            raise ValueError(
                f"method {method!r} reads the images of mate and nonmate; got {name} as embeddings "
                f"{unusable(given) or tuple(given.shape)}: give the images (b, c, h, w) instead"
            )
        _check_beside(name, given, probe)
        if list(given.shape[1:]) != shape:
            raise ValueError(f"{name} has images {tuple(given.shape[1:])} and the probe {tuple(shape)}; expected equal")
    if same := (mate == nonmate).flatten(1).all(1).nonzero().flatten().tolist():
        raise ValueError(f"mate and nonmate are equal at batch indices {same}; a triplet needs two different people")
    return mate, nonmate
