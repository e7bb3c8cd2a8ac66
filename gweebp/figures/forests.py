"""Forest plots: a value and its interval a method, absolute or as a paired difference."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gweebp.figures.style import INK, label_edges, legend_below, panels, style_of, white
from gweebp.games.bootstrap import Difference, Estimate
from gweebp.methods.names import in_order

LETTERS = 22  # of a row's label in one line


@white
def forest(
    by_panel: Mapping[str, Mapping[str, Estimate]],
    *,
    xlabel: str,
    columns: int = 2,
    dots: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
) -> Figure:
    """Value and interval of each method, one panel per network and dataset; a line at the `random` baseline.

    Args:
        by_panel: title → method → Estimate (value, low, high).
        xlabel: what is estimated.
        columns: of panels, at most.
        dots: title → method → the values behind an estimate, such as one per training.

    >>> found = {"gweebp": Estimate(0.8, 0.7, 0.9), "random": Estimate(0.5, 0.4, 0.6)}
    >>> [label.get_text() for label in forest({"VGG16": found}, xlabel="area").axes[0].get_yticklabels()]
    ['random', 'gweEBP']
    """
    figure, axes, names = _rows(by_panel, columns)
    for ax, (title, methods) in zip(axes, by_panel.items(), strict=True):
        if "random" in methods:
            ax.axvline(methods["random"].value, color=style_of("random").color, linestyle=":", linewidth=1.4)
        for y, name in enumerate(names):
            if name in methods:
                _interval(ax, y, methods[name], style_of(name).color, style_of(name).marker, filled=True)
                single = (dots or {}).get(title, {}).get(name, [])
                ax.plot(single, [y - 0.28] * len(single), "|", color=INK, markersize=7, markeredgewidth=1.4)
        ax.set_title(title)
    label_edges(axes, min(columns, len(axes)), xlabel)
    return figure


@white
def differences(
    by_panel: Mapping[str, Mapping[str, Difference]], *, xlabel: str, columns: int = 2, level: float = 0.05
) -> Figure:
    """Paired differences against a reference method, with their intervals and a line at zero.

    Args:
        by_panel: title → other method → Difference (value, low, high, p).
        xlabel: of what they are differences.
        columns: of panels, at most.
        level: a marker is filled where p < `level`, and hollow where the sign is not settled.

    >>> figure = differences({"VGG16": {"ebp": Difference(0.1, 0.02, 0.2, 0.01)}}, xlabel="gweEBP minus other")
    >>> len(figure.axes)
    1
    """
    figure, axes, names = _rows(by_panel, columns)
    for ax, (title, methods) in zip(axes, by_panel.items(), strict=True):
        ax.axvline(0, color=INK, linewidth=1.2)
        for y, name in enumerate(names):
            if name in methods:
                style, found = style_of(name), methods[name]
                _interval(ax, y, Estimate(*found[:3]), style.color, style.marker, filled=found.p < level)
        ax.set_title(title)
    label_edges(axes, min(columns, len(axes)), xlabel)
    drawn: dict[str, Any] = {"color": INK, "linestyle": "-", "marker": "o", "markersize": 7}
    settled, open_ = Line2D([], [], **drawn), Line2D([], [], **drawn, markerfacecolor="white")
    legend_below(figure, {f"p < {level:g}": settled, f"p ≥ {level:g}": open_})
    return figure


def _rows(by_panel: Mapping[str, Mapping[str, object]], columns: int) -> tuple[Figure, list[Axes], list[str]]:
    # The book's order from the top down, as in its tables. Long names of rows that are not methods are broken.
    names = in_order(list({name: None for methods in by_panel.values() for name in methods}))
    labels = [fill(style_of(name).label, LETTERS) for name in names]
    lines = sum(label.count("\n") + 1 for label in labels)
    figure, axes = panels(len(by_panel), columns, 0.9 + 0.215 * max(lines, 2), share=True)
    axes[0].set_yticks(range(len(names)), labels)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    return figure, axes, names


def _interval(ax: Axes, y: int, found: Estimate, color: str, marker: str, filled: bool) -> None:
    ax.plot([found.low, found.high], [y, y], color=color, linewidth=2.2, solid_capstyle="butt")
    inside = color if filled else "white"
    # "+" and "." have no inside: baselines get a disc, so that filled and hollow can be told apart.
    shape = "o" if marker in "+." else marker
    ax.plot(found.value, y, marker=shape, color=color, markerfacecolor=inside, markersize=7, markeredgewidth=1.6)
