"""Label maps on faces: each of the six parts in a colour of its own."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from gweebp.faces.quadruplets import PARTS
from gweebp.figures.pictures import Image, image_grid, picture
from gweebp.figures.style import legend_below, white

# Paul Tol's light colours, in the order of PARTS: none is a method's
COLOURS = ("#77AADD", "#EE8866", "#44BB99", "#BBCC33", "#FFAABB", "#EEDD88")
_STRENGTH = 0.7  # of the colour over the picture


@white
def parts(
    images: Sequence[Image],
    labels: Sequence[ArrayLike | None],
    titles: Sequence[str] | None = None,
    *,
    rows: Sequence[str] | None = None,
    columns: int = 4,
) -> Figure:
    """Images in reading order, each under its label map, with a legend of the parts.

    Args:
        images: as of `image_grid`.
        labels: (h, w) of 0..5, other values no part; None: the image as it is.
        titles: above each image.
        rows: at the left of each row.
        columns: of images.

    >>> figure = parts([np.zeros((8, 8))] * 2, [None, np.zeros((8, 8), dtype=np.uint8)], ["sketch", "parts"])
    >>> [text.get_text() for text in figure.legends[0].get_texts()][:2]
    ['hair', 'eyebrows']
    """
    coloured = [_painted(image, mine) for image, mine in zip(images, labels, strict=True)]
    figure = image_grid(coloured, titles, rows=rows, columns=columns)
    legend_below(figure, {name: Patch(color=colour) for name, colour in zip(PARTS, COLOURS, strict=True)}, columns=3)
    return figure


def _painted(image: Image, labels: ArrayLike | None) -> Image:
    shown = picture(image)
    if labels is not None:
        mine = np.asarray(labels)[..., None]
        for code, colour in enumerate(COLOURS):
            rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
            shown = np.where(mine == code, (1 - _STRENGTH) * shown + _STRENGTH * rgb, shown)
    return shown.transpose(2, 0, 1)
