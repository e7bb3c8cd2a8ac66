"""How a figure changes with what is spent on it."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from gweebp.figures.style import MethodStyle, label_edges, legend_below, panels, style_of, white
from gweebp.games.bootstrap import Curve
from gweebp.methods.names import in_order


@white
def budget(
    by_panel: Mapping[str, Mapping[str, Curve]],
    *,
    xlabel: str,
    ylabel: str,
    levels: Mapping[str, Mapping[str, float]] | None = None,
    styles: Mapping[str, MethodStyle] | None = None,
    columns: int = 2,
) -> Figure:
    """Lines over a budget, which is drawn on a logarithmic axis, with bands; a thin level for each that spends nothing.

    Args:
        by_panel: title -> method -> Curve (x > 0, value, low, high).
        xlabel, ylabel: of the axes.
        levels: title -> method -> value, a horizontal line.
        styles: of what is no method of the book; of a method in its place.
        columns: of panels, at most.

    >>> import numpy as np
    >>> line = Curve(*np.array([[25, 50], [0.1, 0.2], [0.0, 0.1], [0.2, 0.3]]))
    >>> figure = budget({"LCNN9": {"corrrise": line}}, xlabel="masks", ylabel="precision")
    >>> figure.axes[0].get_xscale(), [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ('log', ['25', '50'])
    """
    columns = min(columns, len(by_panel)) or 1
    figure, axes = panels(len(by_panel), columns, 2.4 if columns > 1 else 3.2, share=True)
    handles, look = {}, lambda name: (styles or {}).get(name) or style_of(name)
    for ax, (title, methods) in zip(axes, by_panel.items(), strict=True):
        for method in in_order(methods):
            style, curve = look(method), methods[method]
            (handles[style.label],) = ax.plot(
                curve.x,
                curve.value,
                color=style.color,
                linestyle=style.line,
                marker=style.marker,
                linewidth=style.width,
            )
            ax.fill_between(curve.x, curve.low, curve.high, color=style.color, alpha=0.15, linewidth=0)
        for method, value in (levels or {}).get(title, {}).items():
            style = look(method)
            handles[style.label] = ax.axhline(value, color=style.color, linestyle=style.line, linewidth=1.2)
        ax.set(title=title, xscale="log")
        ticks = sorted({x for curve in methods.values() for x in curve.x})
        ax.set_xticks(ticks)
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
    label_edges(axes, columns, xlabel, ylabel)
    legend_below(figure, handles)
    return figure
