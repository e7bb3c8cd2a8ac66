"""Figures made of tables: a number for each method and face part; and a note where there is nothing to draw."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gweebp.figures.style import INK, PAIR, label_edges, panels, style_of, white
from gweebp.methods.names import in_order
from gweebp.support.extras import extra

# light to middling, so that dark digits can be read on all of it
SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#d9e4ea", "#8fb6c3"])


@white
def heatmap(
    by_panel: Mapping[str, Mapping[str, Mapping[str, float]]],
    *,
    parts: Sequence[str],
    label: str,
    counts: Mapping[str, Mapping[str, int]] | None = None,
    columns: int = 2,
) -> Figure:
    """Per cent for each method and part, one panel per network and dataset; empty where nothing was played.

    Args:
        by_panel: title → method → part → share in 0..1.
        parts: the columns, in order.
        label: of the colour bar.
        counts: title → part → number of trials, written below the part.
        columns: of panels, at most.

    >>> figure = heatmap({"VGG16": {"ebp": {"hair": 0.2}}}, parts=["hair", "nose"], label="SR")
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['EBP']
    """
    with extra("book"):
        import seaborn as sns
    names = in_order(list({name: None for methods in by_panel.values() for name in methods}))
    columns = min(columns, len(by_panel)) or 1
    figure, axes = panels(len(by_panel), columns, 1.1 + 0.21 * len(names))
    for ax, (title, methods) in zip(axes, by_panel.items(), strict=True):
        values = np.array([[methods.get(name, {}).get(part, np.nan) for part in parts] for name in names])
        sns.heatmap(
            100 * values, ax=ax, vmin=0, vmax=100, cmap=SHADES, annot=True, fmt=".0f",
            annot_kws={"size": 9.6, "color": INK}, mask=np.isnan(values), cbar=False, linewidths=1, linecolor="white",
        )  # fmt: skip
        between = " " if columns > 1 else "\n"
        below = [f"{part}{between}{counts[title].get(part, 0)}" for part in parts] if counts else list(parts)
        ax.set_xticks(np.arange(len(parts)) + 0.5, below, rotation=90 if columns > 1 else 0)
        left = axes.index(ax) % columns == 0
        shown = [style_of(name).label if left else "" for name in names]
        ax.set_yticks(np.arange(len(names)) + 0.5, shown, rotation=0)
        ax.set_title(title)
        ax.tick_params(length=0)
    label_edges(axes, columns, label)
    return figure


@white
def conditions(distances: Mapping[str, ArrayLike], threshold: float, kept: ArrayLike, below: Sequence[str]) -> Figure:
    """Eq. (7)-(8) as a picture: each distance of each quadruplet against τ; those that satisfy all four are filled.

    Args:
        distances: name → (q,), L2 of unit embeddings, 0..2.
        threshold: τ.
        kept: bool (q,), the quadruplets that satisfy all four.
        below: the names that must not exceed τ; the others must.

    >>> figure = conditions({"d(OP, OM)": [0.2, 0.9], "d(OP, IN)": [0.8, 0.9]}, 0.5, [True, False], ["d(OP, OM)"])
    >>> figure.axes[0].get_xlabel()
    'L2 distance'
    """
    figure, (ax,) = panels(1, 1, 0.9 + 0.5 * len(distances))
    kept = np.asarray(kept, dtype=bool)
    jitter = np.random.default_rng(0).uniform(-0.22, 0.22, len(kept))
    for y, (name, values) in enumerate(distances.items()):
        x = np.asarray(values, dtype=float)
        color = PAIR[0] if name in below else PAIR[1]
        ax.plot(x[~kept], y + jitter[~kept], "o", color=color, markersize=3.5, markerfacecolor="none", alpha=0.45)
        ax.plot(x[kept], y + jitter[kept], "o", color=color, markersize=5)
        side = "≤ τ" if name in below else "> τ"
        ax.annotate(side, (1.0, y), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
                    va="center", color=color)  # fmt: skip
    ax.axvline(threshold, color=INK, linestyle="--", linewidth=1.4)
    ax.set_yticks(range(len(distances)), list(distances))
    ax.set(xlabel="L2 distance", ylim=(len(distances) - 0.5, -0.5), title=f"τ = {threshold:.3f}")
    return figure


@white
def note(text: str) -> Figure:
    """A figure that says why there is nothing to show.

    Args:
        text: what it says.

    >>> note("not played").axes[0].texts[0].get_text()
    'not played'
    """
    figure, (ax,) = panels(1, 1, 0.9)
    ax.set_axis_off()  # not removed: Jupyter shows no figure without axes
    ax.text(0.5, 0.5, fill(text, 60), ha="center", va="center", style="italic", transform=ax.transAxes)
    return figure
