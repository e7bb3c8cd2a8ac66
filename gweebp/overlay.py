"""A map over its image, as pixels: what to show, save or put on a web page without a plotting library.

The image is greyed and lightened, so that colour means the map alone. The map is scaled by its own maximum; its colour
runs from light to dark and from clear to opaque, so it reads on a photo, on a sketch, in grey print, and to those who
do not tell red from green. Two overlays can't be compared in strength: each is relative to its own maximum.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, TypedDict, Unpack, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gweebp.excitation.tensors import unusable
from gweebp.methods.maps import positions_for
from gweebp.support.grey import luma
from gweebp.support.positions import Positions, placed

__all__ = ["colours", "overlay"]

STOPS = ((255, 237, 160), (253, 174, 60), (227, 60, 30), (120, 0, 40))  # RGB, from the least to the most salient
OPACITY = 0.78  # of the most salient place: the image stays visible
FADED = 0.45  # times that, of a map that is not to be leant on
FADE = 2.2  # opacity grows this steeply, so that all but the least salient places are seen in full colour

Array = NDArray[Any]


def colours(levels: int = 256, opacity: float = OPACITY) -> NDArray[np.float64]:
    """The scale of colours, from transparent and light (level 0) to opaque and dark.

    Args:
        levels: how many.
        opacity: of the last level, in 0..1.

    Returns:
        RGBA (levels, 4), in 0..1.

    >>> colours(3, opacity=1.0).round(2).tolist()
    [[1.0, 0.93, 0.63, 0.0], [0.94, 0.46, 0.18, 1.0], [0.47, 0.0, 0.16, 1.0]]
    """
    share = np.linspace(0, 1, levels)
    places = np.linspace(0, 1, len(STOPS))
    rgb = [np.interp(share, places, channel) for channel in np.array(STOPS).T / 255]
    return np.stack([*rgb, np.clip(share * FADE, 0, opacity)], 1)


class Where(TypedDict, total=False):
    """What tells where the cells of a map look: the network and the layer that it is of, or their positions."""

    net: nn.Module | None
    layer: str | nn.Module | None
    axes: str | None
    positions: Positions | None


@overload
def overlay(image: Tensor, saliency: Tensor | Array, *, opacity: float = OPACITY, **where: Unpack[Where]) -> Tensor: ...


@overload
def overlay(
    image: Array, saliency: Tensor | Array, *, opacity: float = OPACITY, **where: Unpack[Where]
) -> NDArray[np.uint8]: ...


def overlay(
    image: Tensor | Array, saliency: Tensor | Array, *, opacity: float = OPACITY, **where: Unpack[Where]
) -> Tensor | Array:
    """The image under its map, as 8-bit RGB, each cell of the map over what it looks at.

    Args:
        image: uint8, or float in 0..1. A tensor (c, h, w) or a batch (b, c, h, w), c = 1 or 3, as in PyTorch; or an
            array (h, w) or (h, w, 3), as in Pillow and matplotlib.
        saliency: map (h', w'), ≥ 0, of any size, as `explain` gives it; (b, h', w') for a batch. A zero map leaves the
            image without colour.
        opacity: of the most salient place, in 0..1.
        where: `net`, `layer` and `axes` that the map is of, or its `positions`, as of `resize`; without them the map is
            stretched over the image, which is right where the network halves its maps by 2 × 2 pooling.

    Returns:
        uint8 of the image's kind and size: tensor (3, h, w) or (b, 3, h, w), array (h, w, 3).

    Raises:
        TypeError: for an image or a map of another type.
        ValueError: for shapes that do not fit, a negative or non-finite map, floats outside 0..1.

    >>> shown = overlay(torch.zeros(3, 8, 6), torch.eye(4))
    >>> shown.shape, shown.dtype, shown[:, 0, 0].tolist() != shown[:, 0, 5].tolist()
    (torch.Size([3, 8, 6]), torch.uint8, True)
    >>> overlay(np.zeros((8, 6, 3), dtype=np.uint8), np.eye(4)).shape
    (8, 6, 3)
    """
    if isinstance(opacity, bool) or not isinstance(opacity, Real) or not 0 <= opacity <= 1:
        raise ValueError(f"opacity={opacity!r}: expected a number in 0..1")
    pixels = _tensor("image", image)
    if isinstance(image, Tensor):
        batch = pixels if pixels.ndim == 4 else pixels[None]
    else:
        batch = pixels[None, None] if pixels.ndim == 2 else pixels.movedim(-1, 0)[None] if pixels.ndim == 3 else pixels
    levels = _levels(_tensor("map", saliency), batch, where)
    shown = _blend(_grey(batch, pixels.shape), levels, float(opacity))
    if isinstance(image, Tensor):
        return shown if pixels.ndim == 4 else shown[0]
    return shown[0].permute(1, 2, 0).contiguous().numpy()


def _tensor(name: str, given: Any) -> Tensor:
    """An image or a map as a dense tensor of numbers; TypeError where it is neither a tensor nor an array of them."""
    found, kind = given, type(given).__name__
    if isinstance(given, np.ndarray):
        kind = f"an array of {given.dtype}"
        if (given.dtype.kind == "f" and given.dtype.itemsize in (2, 4, 8)) or given.dtype == np.uint8:
            found = torch.from_numpy(np.ascontiguousarray(given, dtype=given.dtype.newbyteorder("=")))
    if isinstance(found, Tensor):
        kind = unusable(found)
        if not kind or (kind == "torch.uint8" and name == "image"):
            return found.detach()
    expected = "uint8, or floating point in 0..1" if name == "image" else "floating point"
    raise TypeError(f"{name} must be a tensor or an array, {expected}; got {kind}")


def _grey(images: Tensor, given: tuple[int, ...]) -> Tensor:
    """Lightened grey (b, h, w) in 0..1, so that dark hair does not hide the map."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ValueError(
            f"image has shape {tuple(given)}: expected a tensor (3, h, w), (1, h, w) or a batch of these, "
            "or an array (h, w, 3) or (h, w)"
        )
    x = images.float() / (255 if images.dtype == torch.uint8 else 1)
    if not x.isfinite().all() or x.min() < 0 or x.max() > 1:
        raise ValueError("image holds values outside 0..1: expected uint8 or 0..1; undo the network's normalisation")
    return 0.35 + 0.65 * (luma(x) if x.shape[1] == 3 else x)[:, 0]


def _levels(saliency: Tensor, images: Tensor, where: Where) -> Tensor:
    """The maps at the images' size, each over its maximum: (b, h, w) in 0..1."""
    if unknown := where.keys() - Where.__annotations__.keys():
        raise TypeError(
            f"overlay has no argument {sorted(unknown)[0]!r}; where the map looks is said by net, layer, axes"
        )
    maps = saliency[None] if saliency.ndim == 2 else saliency
    if maps.ndim != 3 or len(maps) != len(images) or 0 in maps.shape:
        raise ValueError(
            f"map has shape {tuple(saliency.shape)} for {len(images)} images: "
            "expected (h, w), or (b, h, w) with one map per image"
        )
    if not maps.isfinite().all() or maps.min() < 0:
        raise ValueError("map holds negative or non-finite values: expected what `explain` gives, >= 0")
    largest = maps.amax((1, 2), keepdim=True)
    maps = (maps / torch.where(largest > 0, largest, 1)).to(images.device, torch.float32)
    size, cells = (images.shape[2], images.shape[3]), (maps.shape[1], maps.shape[2])
    positions, net = where.get("positions"), where.get("net")
    if positions is None and net is not None and cells != size:
        positions = positions_for(net, where.get("layer"), cells, size, axes=where.get("axes"))
    return placed(maps, size, positions)


def _blend(grey: Tensor, levels: Tensor, opacity: float) -> Tensor:
    """uint8 (b, 3, h, w): the colour of each level over grey (b, h, w)."""
    scale = torch.from_numpy(colours(opacity=opacity)).to(grey)
    rgba = scale[(levels * (len(scale) - 1)).round().long()]
    mixed = torch.lerp(grey[..., None].expand_as(rgba[..., :3]), rgba[..., :3], rgba[..., 3:])
    return (mixed * 255).round().to(torch.uint8).permute(0, 3, 1, 2).contiguous()
