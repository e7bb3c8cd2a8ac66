"""A world of faces: the photo and the sketch of any identity, by seed and identity alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from gweebp.faces.synthetic import capture, draws, parameters, sketches
from gweebp.faces.synthetic.capture import Capture
from gweebp.faces.synthetic.exact_landmarks import landmarks
from gweebp.faces.synthetic.rendering import Rendering, render
from gweebp.support.ranges import SEED, SHARE, whole

KINDS = {"composite": 0.40, "drawn": 0.10}  # kind of sketch -> eyewitness error
_PIXELS = 4 * 160**2  # drawn at once: the planes of so many stay in a core's cache
_SHOW = 64  # a progress bar for more faces than these, in a terminal


@dataclass(frozen=True)
class Drawn:
    """images: uint8 (n, 3, size, size); masks: bool (n, 6, size, size), where each part shows, or (0, ...)."""

    images: Tensor
    masks: Tensor


@dataclass(frozen=True)
class World:
    """What decides every pixel of a synthetic set.

    Attributes:
        kind: of sketch, "composite" or "drawn".
        size: height and width of the images in pixels.
        seed: of everything.
        error: eyewitness error of the sketches, 0..1 (`parameters.misremember`).

    Example:
        >>> world = World("drawn", 32, seed=0, error=0.1)
        >>> people = torch.arange(3)
        >>> world.photos(people, world.people(people)).images.shape
        torch.Size([3, 3, 32, 32])
    """

    kind: str
    size: int
    seed: int
    error: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of sketch {self.kind!r}; known: {', '.join(KINDS)}")
        whole(16, 8192).check("size", self.size)
        SHARE.check("error", self.error)
        SEED.check("seed", self.seed)

    def record(self) -> dict[str, Any]:
        """The attributes, as a record from which the same world can be made again."""
        return asdict(self)

    def people(self, identities: Tensor) -> Tensor:
        """Latents (n, parameters.COUNT) of identities (n,)."""
        return parameters.sample(self.seed, identities)

    def photos(self, identities: Tensor, latents: Tensor, *, masks: bool = False) -> Drawn:
        """Photos of people who look like `latents` (n, COUNT), under the conditions of `identities` (n,)."""
        return self._drawn(latents, self._photo_capture(identities), lambda r, c: r.photo, masks=masks)

    def sketches(self, identities: Tensor, latents: Tensor, *, masks: bool = False) -> Drawn:
        """Sketches of people who look like `latents`, by the eyewitness or artist of `identities`."""
        seen, conditions = self._seen(identities, latents)
        if self.kind == "composite":
            return self._drawn(seen, conditions, lambda r, c: sketches.composite(r.photo, r.skin), masks=masks)
        return self._drawn(seen, conditions, lambda r, c: sketches.drawing(r.photo, c.lattice, r.skin), masks=masks)

    def photo_landmarks(self, identities: Tensor, latents: Tensor) -> Tensor:
        """The 68 landmarks of `photos(identities, latents)`: float64 (n, 68, 2), x and y in pixels."""
        return landmarks(latents, self._photo_capture(identities), self.size)

    def sketch_landmarks(self, identities: Tensor, latents: Tensor) -> Tensor:
        """The 68 landmarks of `sketches(identities, latents)`: float64 (n, 68, 2), x and y in pixels."""
        return landmarks(*self._seen(identities, latents), self.size)

    def _seen(self, identities: Tensor, latents: Tensor) -> tuple[Tensor, Capture]:
        """What the eyewitness or the artist of `identities` remembers of `latents`, and how the sketch is posed."""
        noise = draws.normal(self.seed, identities, "eyewitness", parameters.COUNT)
        seen = parameters.misremember(latents, noise, self.error)
        if self.kind == "drawn":
            return seen, _studio(self._photo_capture(identities))
        conditions = capture.sample(self.seed, identities, "sketch", jitter=0.35)
        return seen, _studio(conditions, lattice=0.3 * conditions.lattice)

    def _photo_capture(self, identities: Tensor) -> Capture:
        return capture.sample(self.seed, identities, "photo")

    def _drawn(
        self, latents: Tensor, conditions: Capture, finish: Callable[[Rendering, Capture], Tensor], *, masks: bool
    ) -> Drawn:
        n, side = len(latents), self.size
        images = torch.empty(n, 3, side, side, dtype=torch.uint8)
        parts = torch.empty(n if masks else 0, len(parameters.PARTS), side, side, dtype=torch.bool)
        chunk = max(1, _PIXELS // side**2)
        bar = tqdm(range(0, n, chunk), desc="faces", disable=None if n > _SHOW else True)
        for start in bar:
            part = slice(start, start + chunk)
            rendering = render(latents[part], conditions[part], side, masks=masks)
            images[part] = (255 * finish(rendering, conditions[part])).round().to(torch.uint8)
            if rendering.masks is not None:
                parts[part] = rendering.masks >= 0.5
        return Drawn(images, parts)


def _studio(conditions: Capture, **changes: Tensor) -> Capture:
    """The same, before white paper: nobody draws the wall."""
    white = torch.full_like(conditions.backdrop, 0.86)
    return replace(conditions, backdrop=white, garment=0.5 + 0.3 * conditions.garment, **changes)
