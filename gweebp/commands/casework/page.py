"""A case on one page: probe, mates, non-mate, the map over the probe, the distances and what may be said of them."""

from textwrap import fill

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from gweebp.commands.casework.examiner import Examined
from gweebp.commands.casework.explanation import LIMITS, Explanation
from gweebp.figures.pictures import TALLEST, show
from gweebp.figures.style import FAINT, INK, PAIR, WIDTH, drawable, style_of, white
from gweebp.support.extras import extra

with extra("figures"):
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 3  # images of the mate, at most
LARGEST = 512  # pixels a side that a panel can show
MARGIN, TITLE, SCALE, LINE = 0.08, 0.40, 1.35, 0.165  # inches: at the sides, above images, of the scale, of a line
CHARACTERS = 82  # of a line
SIZE = 9.6  # points


@white
def explanation(examined: Examined) -> Figure:
    """The annotated picture of one case: gweebp.commands.casework gives it. Names are drawn as they are, as text."""
    found, mates = examined.explanation, examined.mates[:SHOWN]
    images = [_reduced(p.pixels) for p in (examined.probe, *mates, examined.nonmate)]
    side = (WIDTH - MARGIN) / (len(images) + 1) - MARGIN
    titles = _titles(examined, letters=round(12 * side))
    said = (found.sentence, *found.notes[:4], *LIMITS)
    lines = "\n".join(fill(drawable(text), CHARACTERS, break_on_hyphens=False) for text in said)
    tall = side * min(TALLEST, max(x.shape[1] / x.shape[2] for x in images))
    below = LINE * (lines.count("\n") + 1) + 2 * MARGIN
    height = TITLE + tall + SCALE + below
    figure = plt.figure(figsize=(WIDTH, height))

    def axes(left: float, bottom: float, width: float, high: float) -> Axes:
        return figure.add_axes((left / WIDTH, bottom / height, width / WIDTH, high / height))

    over = np.zeros((1, 1)) if found.saliency is None else found.saliency.numpy()
    for i, (image, title) in enumerate(zip([*images, images[0]], titles, strict=True)):
        ax = axes(MARGIN + i * (side + MARGIN), below + SCALE, side, tall)
        show(ax, image.numpy(), None if i < len(images) else over)
        ax.set_anchor("N")
        ax.set_title(title, pad=3, fontsize=SIZE)
    _distances(axes(0.3, below + 0.5, WIDTH - 0.6, SCALE - 0.8), found)
    figure.text(MARGIN / WIDTH, (below - MARGIN) / height, lines, ha="left", va="top", fontsize=SIZE, linespacing=1.15)
    return figure


def _titles(examined: Examined, letters: int) -> list[str]:
    """Two lines over each panel: what it is, and its file's name in at most `letters`."""
    found, many = examined.explanation, len(examined.mates)
    mates = [(f"mate {i} of {many}" if many > 1 else "mate", p.name) for i, p in enumerate(examined.mates[:SHOWN], 1)]
    other = "nearest other" if examined.from_gallery else "non-mate"
    last = ("map", style_of(found.method).label) if found.saliency is not None else ("no map:", found.outcome)
    pairs = [("probe", examined.probe.name), *mates, (other, examined.nonmate.name), last]
    return [f"{what}\n{_shortened(drawable(name), letters)}" for what, name in pairs]


def _shortened(name: str, letters: int) -> str:
    """A name with its middle left out where it is too long.

    >>> _shortened("a-long-name.png", 9)
    'a-lo….png'
    """
    tail = letters // 2
    return name if len(name) <= letters else f"{name[: letters - tail - 1]}…{name[-tail:]}"


def _reduced(image: Tensor) -> Tensor:
    """The image at no more pixels than a panel shows."""
    share = LARGEST / max(image.shape[1:])
    if share >= 1:
        return image
    size = [max(1, round(side * share)) for side in image.shape[1:]]
    return F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True)[0].round().byte()


def _distances(ax: Axes, found: Explanation) -> None:
    """A scale with both distances; shaded what the threshold accepts."""
    end = min(2.0, 1.25 * max(found.mate_distance, found.nonmate_distance, found.threshold or 0, 0.1))
    ax.axhline(0, color=FAINT, linewidth=1, zorder=1)
    if found.threshold is not None:
        ax.axvspan(0, found.threshold, color=FAINT, alpha=0.6, linewidth=0, zorder=0)
        ax.axvline(found.threshold, color=INK, linestyle="--", linewidth=1.2)
        _label(ax, f"accepted up to {found.threshold:.3f}", found.threshold, end, 2.35)
    pairs = (("mate", found.mate_distance, "o", 0.9), ("non-mate", found.nonmate_distance, "s", -0.95))
    for (name, distance, marker, y), color in zip(pairs, PAIR, strict=True):
        ax.plot(distance, 0, marker, color=color, markersize=8, zorder=3, clip_on=False)
        _label(ax, f"{name} {distance:.3f}", distance, end, y)
    ax.set(xlim=(0, end), ylim=(-1.5, 2), yticks=[])
    ax.set_xlabel("distance to the probe (L2 of unit embeddings)", fontsize=SIZE)
    ax.tick_params(labelsize=SIZE)
    ax.spines["left"].set_visible(False)
    ax.grid(False)


def _label(ax: Axes, text: str, x: float, end: float, y: float) -> None:
    """Centred over its place, but inside the scale."""
    side = "left" if x < 0.2 * end else "right" if x > 0.8 * end else "center"
    ax.text(x, y, text, ha=side, va="center", color=INK, fontsize=SIZE)
