"""Every plot of the book. Each function takes data and returns a Figure; none reads a file or runs a method."""

from gweebp.support.extras import extra

with extra("figures"):
    from gweebp.figures.bars import bars
    from gweebp.figures.budget import budget
    from gweebp.figures.cascade import cascade
    from gweebp.figures.curves import STRONG, curves, distances, roc, training
    from gweebp.figures.depth import by_depth
    from gweebp.figures.forests import differences, forest
    from gweebp.figures.heatmaps import conditions, heatmap, note
    from gweebp.figures.interactive import layer_slider, threshold_slider, walk_slider
    from gweebp.figures.neurons import neurons
    from gweebp.figures.parts import parts
    from gweebp.figures.pictures import image_grid, map_on_image, quadruplet, triplet
    from gweebp.figures.style import METHOD_STYLES, MethodStyle, style_of
    from gweebp.figures.verdicts import verdicts

__all__ = [
    "METHOD_STYLES",
    "STRONG",
    "MethodStyle",
    "bars",
    "budget",
    "by_depth",
    "cascade",
    "conditions",
    "curves",
    "differences",
    "distances",
    "forest",
    "heatmap",
    "image_grid",
    "layer_slider",
    "map_on_image",
    "neurons",
    "note",
    "parts",
    "quadruplet",
    "roc",
    "style_of",
    "threshold_slider",
    "training",
    "triplet",
    "verdicts",
    "walk_slider",
]
