"""A case on one page: probe, mates, non-mate, the map over the probe, the distances and what may be said of them."""

from textwrap import fill

import numpy as np

from gweebp.commands.casework.examiner import Examined
from gweebp.commands.casework.explanation import Explanation
from gweebp.figures.pictures import HEAT, TALLEST, show
from gweebp.figures.style import FAINT, INK, PAIR, WIDTH, drawable, style_of, white
from gweebp.overlay import FADED, OPACITY, colours
from gweebp.support.extras import extra
from gweebp.support.images import reduced

with extra("figures"):
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

PALE = ListedColormap(colours(opacity=OPACITY * FADED), name="faded saliency")
NOTES = 6  # at most
SHOWN = 3  # images of the mate, at most
LARGEST = 512  # pixels a side that a panel can show
KEY_TEXT = "least to most salient in this map"  # under the colour key
SMALL, SMALL_LINE, WIDE = 6.4, 0.112, 122  # points, inches of a line and its characters: hashes and how it was made
MARGIN, SCALE, LINE = 0.08, 1.35, 0.165  # inches: at the sides, of the scale, of a line
CHARACTERS = 78  # of a line
SIZE = 9.6  # points
FINE = "fine print"  # hashes and how it was made: for print, and for whoever looks them up


@white
def explanation(examined: Examined) -> Figure:
    """The annotated picture of one case: gweebp.commands.casework gives it. Names are drawn as they are, as text."""
    found, mates = examined.explanation, examined.mates[:SHOWN]
    images = [reduced(p.pixels, LARGEST) for p in (examined.probe, *mates, examined.nonmate)]
    side = (WIDTH - MARGIN) / (len(images) + 1) - MARGIN
    letters = round(12 * side)
    titles, under = _titles(examined, letters), fill(KEY_TEXT, letters)
    above = LINE * (max(title.count("\n") for title in titles) + 1) + MARGIN
    left = len(found.notes) - NOTES
    notes = "note is" if left == 1 else "notes are"
    more = (f"{left} more {notes} in the report and in the JSON document.",) if left > 0 else ()
    said = (*found.said, *found.notes[:NOTES], *more, *found.limits)
    lines = "\n".join(fill(drawable(text), CHARACTERS, break_on_hyphens=False) for text in said)
    tall = side * min(TALLEST, max(x.shape[1] / x.shape[2] for x in images))
    small = "\n".join(_made(examined))
    foot = SMALL_LINE * (small.count("\n") + 1) + MARGIN
    key = 0.0 if found.saliency is None else 0.16 + LINE * (under.count("\n") + 1)
    below = LINE * (lines.count("\n") + 1) + 2 * MARGIN + foot
    height = above + tall + key + SCALE + below
    figure = plt.figure(figsize=(WIDTH, height))

    def axes(left: float, bottom: float, width: float, high: float) -> Axes:
        return figure.add_axes((left / WIDTH, bottom / height, width / WIDTH, high / height))

    over = np.zeros((1, 1)) if found.saliency is None else found.saliency.numpy()
    for i, (image, title) in enumerate(zip([*images, images[0]], titles, strict=True)):
        ax = axes(MARGIN + i * (side + MARGIN), below + SCALE + key, side, tall)
        show(ax, image.numpy(), None if i < len(images) else over)
        if i == len(images) and found.faded:
            ax.images[-1].set_cmap(PALE)
        ax.set_anchor("N")
        ax.set_title(title, pad=3, fontsize=SIZE)
    if found.saliency is not None:
        _colour_key(axes(MARGIN + len(images) * (side + MARGIN), below + SCALE + key - 0.1, side, 0.08), found.faded)
        figure.axes[-1].set_xlabel(under, fontsize=SIZE, labelpad=1)
    _distances(axes(0.3, below + 0.5, WIDTH - 0.6, SCALE - 0.8), found)
    figure.text(MARGIN / WIDTH, (below - MARGIN) / height, lines, ha="left", va="top", fontsize=SIZE, linespacing=1.15)
    figure.text(MARGIN / WIDTH, foot / height, small, ha="left", va="top", fontsize=SMALL, color=INK, linespacing=1.15,
                gid=FINE)  # fmt: skip
    return figure


def _made(examined: Examined) -> list[str]:
    """Version, date, method, layer and alignment; and the hash of each picture and of the weights."""
    made, found = examined.made, examined.explanation
    about = [f"gweebp {made['gweebp']}" if "gweebp" in made else "gweebp", made.get("date", ""), examined.method]
    lines = fill(drawable(" · ".join([text for text in about if text] + [found.network, examined.alignment])), WIDE)
    named = [(f"{what} {p.name}", p.sha256) for what, p in examined.pictures]
    named.append(("weights", made.get("weights_sha256", "")))
    hashes = [f"sha256 {value} {_shortened(drawable(name), WIDE - 75)}" for name, value in named if value]
    return [*lines.split("\n"), *hashes]


def _colour_key(ax: Axes, faded: bool) -> None:
    ax.imshow(np.linspace(0, 1, 256)[None], cmap=PALE if faded else HEAT, aspect="auto")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)


def _titles(examined: Examined, letters: int) -> list[str]:
    """What is over each panel: what it is, in lines of `letters`, and its file's name in one."""
    found, many = examined.explanation, len(examined.mates)
    named = [(what, p.name) for what, p in examined.pictures]
    kind = "map, faded" if found.faded else "map"
    last = (kind, style_of(found.method).label) if found.saliency is not None else ("no map:", found.outcome)
    pairs = [*named[: 1 + min(many, SHOWN)], named[-1], last]
    return [f"{fill(what, letters)}\n{_shortened(drawable(name), letters)}" for what, name in pairs]


def _shortened(name: str, letters: int) -> str:
    """A name with its middle left out where it is too long.

    >>> _shortened("a-long-name.png", 9)
    'a-lo….png'
    """
    tail = letters // 2
    return name if len(name) <= letters else f"{name[: letters - tail - 1]}…{name[-tail:]}"


def _distances(ax: Axes, found: Explanation) -> None:
    """A scale with both distances; shaded what the threshold accepts."""
    end = min(2.0, 1.25 * max(found.mate_distance, found.nonmate_distance, found.threshold or 0, 0.1))
    ax.axhline(0, color=FAINT, linewidth=1, zorder=1)
    if found.threshold is not None:
        ax.axvspan(0, found.threshold, color=FAINT, alpha=0.6, linewidth=0, zorder=0)
        ax.axvline(found.threshold, color=INK, linestyle="--", linewidth=1.2)
        _label(ax, f"accepted up to {found.threshold:.3f}", found.threshold, end, 2.35)
    mate, nonmate = map(drawable, found.words)
    pairs = ((mate, found.mate_distance, "o", 0.9), (nonmate, found.nonmate_distance, "s", -0.95))
    for (name, distance, marker, y), color in zip(pairs, PAIR, strict=True):
        ax.plot(distance, 0, marker, color=color, markersize=8, zorder=3, clip_on=False)
        _label(ax, f"{name} {distance:.3f}", distance, end, y)
    ax.set(xlim=(0, end), ylim=(-1.5, 2), yticks=[])
    ax.set_xlabel("distance to the probe (L2 of unit embeddings)", fontsize=SIZE)
    ax.tick_params(labelsize=SIZE)
    ax.spines["left"].set_visible(False)
    ax.grid(False)


def _label(ax: Axes, text: str, x: float, end: float, y: float) -> None:
    """Centred over its place, but inside the scale and outlined, should the line of the threshold run through it."""
    side = "left" if x < 0.2 * end else "right" if x > 0.8 * end else "center"
    written = ax.text(x, y, text, ha=side, va="center", color=INK, fontsize=SIZE, zorder=4)
    written.set_path_effects([withStroke(linewidth=3, foreground="white")])
