"""The sheet on which the parts are drawn: coordinates, parameters, the picture so far and who painted what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gweebp.faces.synthetic.capture import Capture, coordinates, extent
from gweebp.faces.synthetic.parameters import PARTS, values

_PLANES = ("u", "v", "side", "a", "relief", "light", "image")


@dataclass(frozen=True)
class Canvas:
    """State of one rendering of n faces at h × w pixels; all painting is in place.

    p: name -> (n, 1, 1); u, v: (n, h, w) face coordinates; side: −1 left, +1 right of the face's middle; a: |u|;
    pixel: (n, 1, 1) size of a pixel; relief: (n, h, w) height of the face towards the camera; light: (n, h, w), from
    the relief; image: (n, 3, h, w) in 0..1; masks: (n, 6, h, w) in 0..1, what is still visible of each part, or None.
    """

    p: dict[str, Tensor]
    capture: Capture
    u: Tensor
    v: Tensor
    side: Tensor
    a: Tensor
    pixel: Tensor
    relief: Tensor
    light: Tensor
    image: Tensor
    masks: Tensor | None

    def crop(self, reach: float, top: float, bottom: float) -> Canvas:
        """The pixels that may lie in |u| <= reach, top <= v <= bottom: a view, painted through. Saves the rest."""
        rows, columns = extent(self.capture, self.image.shape[-1], reach, top, bottom)
        views: dict[str, Any] = {name: getattr(self, name)[..., rows, columns] for name in _PLANES}
        return replace(self, **views, masks=None if self.masks is None else self.masks[..., rows, columns])

    def paint(self, part: str, colour: Tensor, alpha: Tensor) -> None:
        """Cover the picture with `colour` (n, 3, h, w or 1, 1) at `alpha` (n, h, w): `part` hides what lies below."""
        self.image.lerp_(colour.clamp(0, 1).expand_as(self.image), alpha[:, None])
        self.claim(part, alpha)

    def claim(self, part: str, alpha: Tensor) -> None:
        """Count `alpha` of every pixel as `part`, without painting; "base" belongs to no part."""
        if self.masks is not None:
            mine = torch.tensor([float(part == name) for name in PARTS]).reshape(1, -1, 1, 1)
            self.masks.lerp_(mine.expand_as(self.masks), alpha[:, None])

    def darken(self, amount: Tensor) -> None:
        """A shadow: multiply by 1 − amount, a little less in red, as skin does."""
        self.image[:, :1].mul_(1 - 0.85 * amount[:, None])
        self.image[:, 1:].mul_(1 - amount[:, None])


def blank(latents: Tensor, capture: Capture, size: int, *, masks: bool) -> Canvas:
    """An empty canvas for these people under these conditions."""
    u, v, pixel = coordinates(capture, size)
    n = len(u)
    return Canvas(
        values(latents),
        capture,
        u,
        v,
        side=torch.where(u < 0, -1.0, 1.0),
        a=u.abs(),
        pixel=pixel,
        relief=torch.zeros_like(u),
        light=torch.zeros_like(u),
        image=torch.zeros(n, 3, size, size),
        masks=torch.zeros(n, len(PARTS), size, size) if masks else None,
    )
