"""Inpainting: what a face would look like where a mask hides it. Outside the mask every pixel stays as it is.

The inpainting game exchanges one face part of a sketch and of its photo for another that a network invents (gweEBP
paper, Sec. 4.4). Here the plain fillings, which know nothing of faces and serve as yardsticks, and the one door,
`fill`, to them and to a network (`preparation.inpainter`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from gweebp.support.extras import extra

__all__ = ["PLAIN", "Completion", "fill"]

_RADIUS = 3  # pixels around the hole that Telea and Navier-Stokes look at: OpenCV's own example


class Completion(Protocol):
    """A network that invents what is hidden, such as `preparation.inpainter.Inpainter`."""

    def complete(self, images: Tensor, masks: Tensor, seeds: Sequence[int]) -> Tensor:
        """uint8 (n, 3, h, w), from images of that kind, masks bool (n, h, w) and a seed for each."""


def fill(
    images: Tensor, masks: Tensor, method: str | Completion = "telea", *, seed: int | Sequence[int] = 0, batch: int = 8
) -> Tensor:
    """Fill the masked pixels.

    Args:
        images: uint8 (n, 3, h, w).
        masks: bool (n, h, w), True where a pixel is to be invented.
        method: a key of `PLAIN`, or a network (`Completion`).
        seed: of what a network draws, one for all images or one for each. Images that share a seed share the
            draw, so a face and its sketch are changed alike; other seeds give other fillings. Plain methods draw
            nothing.
        batch: images at a time through a network; the result does not depend on it.

    Returns:
        uint8 (n, 3, h, w), equal to `images` to the bit outside the masks.

    Raises:
        TypeError: images are not uint8, or masks not bool.
        ValueError: shapes that do not fit, an unknown method, or a mask that leaves nothing to fill from.
        ModuleNotFoundError: OpenCV is missing, which "telea" and "navier-stokes" need.

    >>> images = torch.full((1, 3, 8, 8), 90, dtype=torch.uint8)
    >>> masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    >>> masks[:, 2:6, 2:6] = True
    >>> fill(images.masked_fill(masks[:, None], 0), masks, "mean").unique()
    tensor([90], dtype=torch.uint8)
    """
    _check(images, masks)
    if isinstance(method, str):
        if method not in PLAIN:
            raise ValueError(
                f"unknown method {method!r}; known: {', '.join(PLAIN)}, or a network (see preparation.inpainter)"
            )
        rows = [PLAIN[method](image, mask) for image, mask in zip(images, masks, strict=True)]
        filled = torch.stack(rows) if rows else images.clone()
    else:
        seeds = [seed] * len(images) if isinstance(seed, int) else list(seed)
        if len(seeds) != len(images):
            raise ValueError(f"expected one seed, or {len(images)}, one an image, got {len(seeds)}")
        parts = zip(images.split(batch), masks.split(batch), range(0, len(images), batch), strict=True)
        rows = [method.complete(x, m, seeds[i : i + batch]) for x, m, i in parts] if len(images) else []
        filled = torch.cat(rows) if rows else images.clone()
    return torch.where(masks[:, None], filled, images)


def _check(images: Tensor, masks: Tensor) -> None:
    if images.dtype != torch.uint8 or masks.dtype != torch.bool:
        raise TypeError(f"expected uint8 images and bool masks, got {images.dtype} and {masks.dtype}")
    if images.dim() != 4 or images.shape[1] != 3 or masks.shape != (len(images), *images.shape[2:]):
        raise ValueError(
            f"expected images (n, 3, h, w) and masks (n, h, w), got {tuple(images.shape)} and {tuple(masks.shape)}"
        )
    whole = masks.flatten(1).all(1).nonzero().flatten().tolist()
    if whole:
        raise ValueError(f"the masks of images {whole[:5]} cover them whole: nothing is left to fill from")


def _mean(image: Tensor, mask: Tensor) -> Tensor:
    """The mean colour of what is known."""
    mean = image[:, ~mask].float().mean(1).round().to(torch.uint8)
    return mean[:, None, None].expand_as(image)


def _opencv(flag: str) -> Callable[[Tensor, Tensor], Tensor]:
    def filled(image: Tensor, mask: Tensor) -> Tensor:
        cv2 = _cv2()
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        hole = mask.to(torch.uint8).contiguous().numpy()
        return torch.from_numpy(cv2.inpaint(pixels, hole, _RADIUS, getattr(cv2, flag))).permute(2, 0, 1)

    return filled


def _cv2() -> Any:
    with extra("inpaint"):
        import cv2  # slow to import, and nothing else here needs it
    return cv2


PLAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "telea": _opencv("INPAINT_TELEA"),
    "navier-stokes": _opencv("INPAINT_NS"),
}
"""Fillings without a network: image uint8 (3, h, w) and mask bool (h, w) to image. "mean" is the mean colour of the
known pixels; "telea" (Telea 2004) and "navier-stokes" (Bertalmio et al. 2001) carry the hole's surroundings inwards."""
