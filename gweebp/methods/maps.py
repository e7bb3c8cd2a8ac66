"""What is done with a map after the method: normalised, made non-negative, smoothed, brought to the image's size.

All functions take a batch of maps and treat each map by itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NEGATIVE = ("clamp", "minimum", "symmetric")


def divided_by_sum(p: Tensor) -> Tensor:
    """p / Σp for each sample of (b, ...); a zero sample stays zero.

    Example:
        >>> divided_by_sum(torch.tensor([[1., 3.], [0., 0.]]))
        tensor([[0.2500, 0.7500],
                [0.0000, 0.0000]])
    """
    total = p.flatten(1).sum(1)
    return p / torch.where(total > 0, total, 1).view(-1, *[1] * (p.ndim - 1))


def non_negative(maps: Tensor, negative: str = "clamp") -> Tensor:
    """A map without negative values.

    Args:
        maps: (b, h, w), any sign.
        negative: "clamp": max(0, map). Or shifted, as released codes do before they rank pixels: "minimum": map − its
            minimum (PairwiseSIM, CorrRISE); "symmetric": map + its largest absolute value (XFace).

    Returns:
        (b, h, w), non-negative, not normalised.

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
        maps: (..., h, w). sigma: standard deviation in pixels, above 0.
        radius: of the window in pixels, 2 · radius + 1 wide; None: 4 sigma.
        border: what lies outside: "replicate" the border's pixel, or "reflect" what is inside, without it.

    Returns:
        The same shape.

    Example:
        >>> gaussian(torch.tensor([[0., 0., 1., 0., 0.]]), sigma=1e9, radius=1)
        tensor([[0.0000, 0.3333, 0.3333, 0.3333, 0.0000]])
    """
    if not sigma > 0:
        raise ValueError(f"sigma={sigma!r}: expected a standard deviation above 0")
    radius = max(1, round(4 * sigma)) if radius is None else radius
    kernel = torch.exp(-(torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype) ** 2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    x = maps.reshape(-1, 1, *maps.shape[-2:])
    x = F.conv2d(F.pad(x, (0, 0, radius, radius), mode=border), kernel.view(1, 1, -1, 1))
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode=border), kernel.view(1, 1, 1, -1))
    return x.view(maps.shape)


SMOOTHINGS = ("none", "layer", "image")


def released(maps: Tensor, smoothing: str, size: tuple[int, int], sigma: float = 2.0) -> Tensor:
    """Maps as the authors' released code hands them out; it smooths some methods 8 to 16 times more than others.

    Args:
        maps: (b, h, w), non-negative. size: of the image in pixels.
        smoothing: "layer": a Gaussian on the layer's grid, `sigma` in its cells (the code's EBP, eEBP, tcEBP, etcEBP);
            "image": bicubic to the image, then a Gaussian of `sigma` pixels (its cEBP, ecEBP, gweEBP); "none".
        sigma: the code has 2.

    Returns:
        (b, h, w), or (b, *size) where smoothing is "image"; non-negative.

    Example:
        >>> released(torch.ones(1, 2, 2), "image", (4, 4)).shape, released(torch.ones(1, 2, 2), "layer", (4, 4)).shape
        (torch.Size([1, 4, 4]), torch.Size([1, 2, 2]))
    """
    if smoothing not in SMOOTHINGS:
        raise ValueError(f"smoothing={smoothing!r} is unknown; expected one of {', '.join(map(repr, SMOOTHINGS))}")
    if smoothing == "image":  # antialias: the kernel of Pillow, which the code uses
        maps = F.interpolate(maps[:, None], size=size, mode="bicubic", align_corners=False, antialias=True)[:, 0]
    return maps if smoothing == "none" else gaussian(maps, sigma).clamp(min=0)


def resize(maps: Tensor, size: int | tuple[int, int], *, mode: str = "bilinear", sigma: float = 0.0) -> Tensor:
    """Maps at the image's resolution: interpolated, smoothed where asked, non-negative, each sums to 1.

    Args:
        maps: (b, h, w). size: side, or (height, width), in pixels. mode: "nearest", "bilinear" or "bicubic".
        sigma: standard deviation in pixels of a Gaussian applied after (the released code: 2); 0: none.

    Example:
        >>> resize(torch.ones(1, 2, 2), 4).sum()
        tensor(1.)
    """
    corners = None if mode == "nearest" else False
    wanted = (size, size) if isinstance(size, int) else tuple(size)
    x = F.interpolate(maps[:, None], size=wanted, mode=mode, align_corners=corners)
    x = gaussian(x, sigma) if sigma > 0 else x
    return divided_by_sum(x[:, 0].clamp(min=0))
