"""What is done with a map after the method: normalised, made non-negative, smoothed, resized to the image.

All functions take a batch of maps and treat each map by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.excitation.layers import eager
from gweebp.excitation.positions import positions as positions_of
from gweebp.excitation.tensors import power_of_two, unusable
from gweebp.support.positions import Positions, placed
from gweebp.support.ranges import whole

LARGEST = 2**26  # pixels of a map
SIDE = whole(1, LARGEST)
WIDEST = 1000  # pixels of a Gaussian's standard deviation

NEGATIVE = ("clamp", "minimum", "symmetric")


def divided_by_sum(p: Tensor) -> Tensor:
    """p / Σp for each sample; a zero sample stays zero.

    Args:
        p: (b, ...), non-negative.

    Returns:
        (b, ...), each sample of sum 1.

    Example:
        >>> divided_by_sum(torch.tensor([[1., 3.], [0., 0.]]))
        tensor([[0.2500, 0.7500],
                [0.0000, 0.0000]])
    """
    shape = (-1, *[1] * (p.ndim - 1))
    p = p / power_of_two(p.detach().flatten(1).amax(1)).view(shape)  # exact; a sum of large numbers has a sum
    total = p.flatten(1).sum(1)
    return p / torch.where(total > 0, total, 1).view(shape)


def non_negative(maps: Tensor, negative: str = "clamp") -> Tensor:
    """A map without negative values.

    Args:
        maps: (b, h, w), any sign.
        negative: "clamp": max(0, map). Or shifted, as released codes do before they rank pixels: "minimum": map − its
            minimum (PairwiseSIM, CorrRISE); "symmetric": map + its largest absolute value (XFace).

    Returns:
        (b, h, w), non-negative, not normalised.

    Raises:
        ValueError: for an unknown name in `negative`.

    Example:
        >>> maps = torch.tensor([[[-1., 0., 2.]]])
        >>> [non_negative(maps, how).flatten().tolist() for how in NEGATIVE]
        [[0.0, 0.0, 2.0], [0.0, 1.0, 3.0], [1.0, 2.0, 4.0]]
    """
    if negative == "clamp":
        return maps.clamp(min=0)
    if negative == "minimum":
        return maps - maps.amin((1, 2), keepdim=True)
    if negative == "symmetric":
        return maps + maps.abs().amax((1, 2), keepdim=True)
    raise ValueError(f"negative={negative!r} is unknown; expected one of {', '.join(map(repr, NEGATIVE))}")


def gaussian(maps: Tensor, sigma: float, radius: int | None = None, *, border: str = "replicate") -> Tensor:
    """Maps smoothed by a Gaussian, a truncated window of weights that sum to 1.

    Args:
        maps: (..., h, w).
        sigma: standard deviation in pixels, above 0.
        radius: of the window in pixels, 2 · radius + 1 wide; None: 4 sigma, for a sigma of at most 1000.
        border: what lies outside: "replicate" the border's pixel, or "reflect" what is inside, without it.

    Returns:
        The same shape.

    Raises:
        ValueError: for a sigma out of its range.

    Example:
        >>> gaussian(torch.tensor([[0., 0., 1., 0., 0.]]), sigma=1e9, radius=1)
        tensor([[0.0000, 0.3333, 0.3333, 0.3333, 0.0000]])
    """
    if isinstance(sigma, bool) or not isinstance(sigma, Real) or not sigma > 0:
        raise ValueError(f"sigma={sigma!r}: expected a standard deviation above 0")
    if radius is None and sigma > WIDEST:
        raise ValueError(f"sigma={sigma!r}: expected a standard deviation of at most {WIDEST} pixels")
    radius = max(1, round(4 * sigma)) if radius is None else radius
    kernel = torch.exp(-(torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype) ** 2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    x = maps.reshape(-1, 1, *maps.shape[-2:])
    x = F.conv2d(F.pad(x, (0, 0, radius, radius), mode=border), kernel.view(1, 1, -1, 1))
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode=border), kernel.view(1, 1, 1, -1))
    return x.view(maps.shape)


SMOOTHINGS = ("none", "layer", "image")


def released(maps: Tensor, smoothing: str, size: tuple[int, int], sigma: float = 2.0) -> Tensor:
    """Maps as the authors' released code returns them; it smooths some methods 8 to 16 times more than others.

    Args:
        maps: (b, h, w), non-negative.
        smoothing: "layer": a Gaussian on the layer's grid, `sigma` in its cells (the code's EBP, eEBP, tcEBP, etcEBP);
            "image": bicubic to the image, then a Gaussian of `sigma` pixels (its cEBP, ecEBP, gweEBP); "none".
        size: of the image in pixels, (h, w).
        sigma: standard deviation; 2 in that code.

    Returns:
        (b, h, w), or (b, *size) where smoothing is "image"; non-negative.

    Raises:
        ValueError: for an unknown smoothing.

    Example:
        >>> released(torch.ones(1, 2, 2), "image", (4, 4)).shape, released(torch.ones(1, 2, 2), "layer", (4, 4)).shape
        (torch.Size([1, 4, 4]), torch.Size([1, 2, 2]))
    """
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing={smoothing!r} is unknown; expected one of {', '.join(map(repr, SMOOTHINGS))}")
    if smoothing == "image":  # antialias: the kernel of Pillow, which the code uses
        maps = F.interpolate(maps[:, None], size=size, mode="bicubic", align_corners=False, antialias=True)[:, 0]
    return maps if smoothing == "none" else gaussian(maps, sigma).clamp(min=0)


def resize(
    maps: Tensor,
    size: int | Sequence[int],
    *,
    net: nn.Module | None = None,
    layer: str | nn.Module | None = None,
    image: Tensor | None = None,
    axes: str | None = None,
    positions: Positions | None = None,
    mode: str = "bilinear",
    sigma: float = 0.0,
) -> Tensor:
    """Maps at the image's resolution, each cell where it looks: smoothed where asked, non-negative, each sums to 1.

    Args:
        maps: (b, h, w), non-negative, as `explain` gives them; a zero map stays zero.
        size: side, or (height, width), in pixels.
        net, layer: the network and the layer that the maps are of (None: its `saliency_layer`). With them each cell is
            drawn at the centre of what it looks at (`positions`), which for strided convolutions is not where a map
            stretched over the image would draw it. Without `net` the map is stretched.
        image: (b, c, height, width), as the network takes it; needed where its input is not of `size` pixels, or of
            `net.size` where it has that.
        axes: as of `explain`.
        positions: where the cells look, as `gweebp.positions` gave it, instead of `net`.
        mode: "nearest", "bilinear" or "bicubic".
        sigma: standard deviation in pixels of a Gaussian applied after (the released code: 2); 0: none.

    Returns:
        (b, height, width), non-negative, each of sum 1.

    Raises:
        TypeError, ValueError: for maps that are not floating point, of another shape, negative, NaN or infinite; a size
            that is not one or two whole numbers above 0, or of more than 2²⁶ pixels; an unknown mode; a negative sigma.

    Example:
        >>> resize(torch.ones(1, 2, 2), 4).sum()
        tensor(1.)
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(16, 3))
        >>> one = torch.zeros(1, 4, 4).index_put((torch.tensor(0), torch.tensor(1), torch.tensor(2)), torch.tensor(1.0))
        >>> resize(one, 8, net=net, layer="0").argmax().item() == 2 * 8 + 4
        True
    """
    x = check_maps(maps)[:, None]
    wanted = _pixels(size)
    if mode not in ("nearest", "bilinear", "bicubic"):
        raise ValueError(f"mode={mode!r}: expected 'nearest', 'bilinear' or 'bicubic'")
    if isinstance(sigma, bool) or not isinstance(sigma, Real) or not sigma >= 0:
        raise ValueError(f"sigma={sigma!r}: expected a standard deviation in pixels, 0 for none")
    x = x / power_of_two(x.flatten(1).amax(1)).view(-1, 1, 1, 1)  # of very large numbers no weighted sum overflows
    cells = (x.shape[2], x.shape[3])
    if net is not None and positions is None and cells != wanted:
        positions = positions_for(net, layer, cells, wanted, image, axes)
    x = placed(x[:, 0], wanted, positions, mode)[:, None]
    x = gaussian(x, sigma) if sigma > 0 else x
    return divided_by_sum(x[:, 0].clamp(min=0))


def check_maps(maps: Any) -> Tensor:
    """Maps as numbers alone: float32 at least, and without a graph.

    Args:
        maps: to be (b, h, w), floating point, finite and non-negative.

    Raises:
        TypeError: for what is not a tensor of floating-point numbers.
        ValueError: for another shape, or negative, NaN or infinite numbers.

    Example:
        >>> check_maps(torch.ones(2, 2))
        Traceback (most recent call last):
        ValueError: maps must be (b, h, w), got shape (2, 2); for one map, maps[None]
    """
    if kind := unusable(maps):
        raise TypeError(f"maps must be a tensor (b, h, w) of floating-point numbers, got {kind}")
    if maps.ndim != 3 or not maps.numel():
        hint = "; for one map, maps[None]" if maps.ndim == 2 else ""
        raise ValueError(f"maps must be (b, h, w), got shape {tuple(maps.shape)}{hint}")
    x: Tensor = maps.detach()
    x = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    if not ((x >= 0) & (x < torch.inf)).all():
        raise ValueError("maps hold negative, NaN or infinite numbers: expected what `explain` gives, >= 0")
    return x


def _pixels(size: Any) -> tuple[int, int]:
    """(height, width) of a size, given as one number or two."""
    sides: tuple[Any, ...] = tuple(size) if isinstance(size, Sequence) and not isinstance(size, str) else (size, size)
    if len(sides) != 2 or any(side not in SIDE for side in sides) or sides[0] * sides[1] > LARGEST:
        raise ValueError(f"size={size!r}: expected a side, or (height, width), in pixels, of at most {LARGEST} in all")
    return int(sides[0]), int(sides[1])


def positions_for(
    net: nn.Module,
    layer: str | nn.Module | None,
    cells: tuple[int, int],
    size: tuple[int, int],
    image: Tensor | None = None,
    axes: str | None = None,
) -> Positions:
    """Where the cells of a layer's maps look, from the network.

    Args:
        net: the network.
        layer: its name, or the module; None: the network's `saliency_layer`.
        cells: (h, w) of the maps.
        size: (height, width) to which the maps are drawn, in pixels.
        image: (b, c, height, width), what the network reads. None: the network runs on an image of its own size
            (`net.size`) or of `size`, whichever gives as many cells.
        axes: as of `explain`.

    Raises:
        ValueError: where the layer gives another number of cells.
    """
    net = eager(net)
    images = [image] if image is not None else _blank(net, size)
    found = []
    for given in images:
        found.append(positions_of(net, given, layer, axes=axes))
        if found[-1].grid == cells:
            return found[-1].told()
    tried = " and ".join(f"{p.grid[0]} × {p.grid[1]} of an image {p.image[0]} × {p.image[1]}" for p in found)
    raise ValueError(
        f"the maps are {cells[0]} × {cells[1]} cells, but the layer gives {tried}: give layer=, the one that the maps "
        "are from, or image=, as the network read it"
    )


def _blank(net: nn.Module, size: tuple[int, int]) -> list[Tensor]:
    """Images that the network may take: of its own size, and of `size`."""
    own = getattr(net, "size", None)
    sizes = [(own, own)] if isinstance(own, int) else [own] if isinstance(own, tuple) and len(own) == 2 else []
    first = next((m for m in net.modules() if isinstance(m, nn.Conv2d)), None)
    channels = getattr(net, "channels", 3 if first is None else first.in_channels)
    like = next((p for p in net.parameters() if p.is_floating_point()), torch.zeros(()))
    return [
        torch.zeros(1, channels, *pixels, dtype=like.dtype, device=like.device)
        for pixels in dict.fromkeys([*sizes, size])
    ]
