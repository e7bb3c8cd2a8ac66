"""From latents to a picture: the parts in order, from the back to the front."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gweebp.faces.synthetic import colours, eyebrows, eyes, hair, head, mouth, nose, skin
from gweebp.faces.synthetic.canvas import blank
from gweebp.faces.synthetic.capture import Capture, extent
from gweebp.support.grey import luma


@dataclass(frozen=True)
class Rendering:
    """What was drawn, all in 0..1.

    photo: (n, 3, h, w); masks: (n, 6, h, w), what shows of each of PARTS, sum at most 1, or None; skin: (n, 1, 1, 1),
    luma of the complexion.
    """

    photo: Tensor
    masks: Tensor | None
    skin: Tensor


def render(latents: Tensor, capture: Capture, size: int, *, masks: bool = True) -> Rendering:
    """Draw people, each under its own conditions.

    Args:
        latents: (n, COUNT) from `parameters.sample`.
        capture: conditions of n pictures.
        size: height and width in pixels.
        masks: draw the masks too; without them it is faster.

    Example:
        >>> from gweebp.faces.synthetic import capture, parameters
        >>> people = torch.arange(2)
        >>> drawn = render(parameters.sample(0, people), capture.sample(0, people, "photo"), 32)
        >>> drawn.photo.shape, drawn.masks.shape
        (torch.Size([2, 3, 32, 32]), torch.Size([2, 6, 32, 32]))
    """
    c = blank(latents, capture, size, masks=masks)
    free = torch.ones_like(c.u)
    c.relief.add_(head.dome(c))
    for part in (eyes, nose, mouth):
        rows, columns = extent(capture, size, *part.BOX)
        view = c.crop(*part.BOX)
        free[:, rows, columns] *= 1 - part.window(view)
        view.relief.add_(part.relief(view))
    c.relief.add_(free * skin.relief(c))
    c.light.copy_(head.shade(c))
    head.backdrop(c)
    combed = hair.comb(c)
    hair.behind(c, combed)
    head.bust(c)
    face = skin.draw(c, skin.outline(c), free)
    for part in (nose, mouth, eyes, eyebrows):
        part.draw(c)
    hair.before(c, combed, face)
    warm = capture.warmth[:, None] * torch.tensor([1.0, 0.0, -1.0]).reshape(1, 3, 1, 1)
    return Rendering((c.image * (1 + warm)).clamp(0, 1), c.masks, luma(colours.skin(c.p)))
