"""Every plot of the book. Each function takes data and returns a Figure; none reads a file or runs a method."""

from gweebp.figures.curves import curves, distances, roc, training
from gweebp.figures.forests import differences, forest
from gweebp.figures.pictures import image_grid, map_on_image, quadruplet, triplet
from gweebp.figures.style import METHOD_STYLES, MethodStyle, style_of

__all__ = [
    "METHOD_STYLES",
    "MethodStyle",
    "curves",
    "differences",
    "distances",
    "forest",
    "image_grid",
    "map_on_image",
    "quadruplet",
    "roc",
    "style_of",
    "training",
    "triplet",
]
