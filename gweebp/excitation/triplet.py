"""Check a triplet (probe, mate, non-mate), and embed what is given as images for methods that read embeddings."""

from __future__ import annotations

from torch import Tensor, nn

from gweebp.excitation.layers import at_least_float32, check_embedding, embed


def check_images(name: str, images: Tensor) -> None:
    """Raise unless `images` is a floating, finite tensor (b, c, h, w) with b > 0."""
    if not isinstance(images, Tensor):
        raise TypeError(f"{name} must be a tensor (b, c, h, w), got {type(images).__name__}")
    if images.ndim != 4:
        hint = f"; for one image, {name}[None]" if images.ndim == 3 else ""
        raise ValueError(f"{name} must be images (b, c, h, w), got shape {tuple(images.shape)}{hint}")
    if not images.is_floating_point():
        raise TypeError(
            f"{name} must be floating point in the network's own range, got {images.dtype}; "
            "for uint8 images of this package's networks use gweebp.networks.as_input(net, images)"
        )
    if images.shape[0] == 0:
        raise ValueError(f"{name} is an empty batch")
    bad = (~images.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"{name} holds NaN or infinity at batch indices {bad}")


def embedded(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor) -> tuple[Tensor, Tensor]:
    """The embeddings (b, d) of mate and nonmate, given as images (b, c, h, w) or as embeddings (b, d).

    A single mate or non-mate (b = 1) serves every probe. Errors: TypeError, ValueError for a wrong type, shape or
    batch, NaN, a zero embedding, and for a mate equal to its non-mate; each names the argument.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> m, n = embedded(net, torch.rand(3, 1, 2, 2), torch.rand(1, 1, 2, 2), torch.tensor([[1., 0.]]))
        >>> m.shape, n.shape
        (torch.Size([3, 2]), torch.Size([3, 2]))
    """
    check_images("probe", probe)
    b = probe.shape[0]
    found = {}
    for name, given in (("mate", mate), ("nonmate", nonmate)):
        if not (isinstance(given, Tensor) and given.ndim == 2):
            check_images(name, given)
            if given.shape[1] != probe.shape[1]:
                raise ValueError(
                    f"{name} has {given.shape[1]} channels and the probe {probe.shape[1]}; expected the same"
                )
        if given.shape[0] not in (1, b):
            raise ValueError(f"{name} has batch size {given.shape[0]}; expected {b} as the probe, or 1 for all of them")
        e = check_embedding(given.detach(), given.shape[0]) if given.ndim == 2 else embed(net, given)
        if zero := (e == 0).all(1).nonzero().flatten().tolist():
            raise ValueError(f"the embedding of {name} is zero at batch indices {zero}: it has no direction")
        found[name] = at_least_float32(e).expand(b, -1)
    m, n = found["mate"], found["nonmate"]
    if m.shape != n.shape:
        raise ValueError(f"mate and nonmate differ in their embedding's length: {m.shape[1]} and {n.shape[1]}")
    if same := (m == n).all(1).nonzero().flatten().tolist():
        raise ValueError(f"mate and nonmate are equal at batch indices {same}; a triplet needs two different people")
    return m, n


def same_images(method: str, probe: Tensor, mate: Tensor, nonmate: Tensor) -> tuple[Tensor, Tensor]:
    """Mate and nonmate themselves, for a method that reads their images: (b or 1, c, h, w), of the probe's size.

    Errors: TypeError, ValueError as `embedded`, and for embeddings (b, d); each names the argument.

    Example:
        >>> import torch
        >>> [tuple(x.shape) for x in same_images("xface", *torch.rand(3, 2, 1, 4, 4))]
        [(2, 1, 4, 4), (2, 1, 4, 4)]
    """
    check_images("probe", probe)
    b, *shape = probe.shape
    for name, given in (("mate", mate), ("nonmate", nonmate)):
        if isinstance(given, Tensor) and given.ndim == 2:
            raise ValueError(
                f"method {method!r} reads the images of mate and nonmate; got {name} as embeddings "
                f"{tuple(given.shape)}: give the images (b, c, h, w) instead"
            )
        check_images(name, given)
        if given.shape[0] not in (1, b):
            raise ValueError(f"{name} has batch size {given.shape[0]}; expected {b} as the probe, or 1 for all of them")
        if list(given.shape[1:]) != shape:
            raise ValueError(f"{name} has images {tuple(given.shape[1:])} and the probe {tuple(shape)}; expected equal")
    if same := (mate == nonmate).flatten(1).all(1).nonzero().flatten().tolist():
        raise ValueError(f"mate and nonmate are equal at batch indices {same}; a triplet needs two different people")
    return mate, nonmate
