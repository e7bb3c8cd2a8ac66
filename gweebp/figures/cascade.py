"""How similar maps stay while a network loses its layers."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from gweebp.figures.style import INK, label_edges, legend_below, panels, style_of, white
from gweebp.games.bootstrap import Curve
from gweebp.methods.names import in_order

LABELS = 16  # names of layers that fit below a panel


@white
def cascade(
    by_panel: Mapping[str, tuple[Sequence[str], Mapping[str, Curve]]], *, ylabel: str, columns: int = 2
) -> Figure:
    """Mean similarity by layer, one line per method, with its band; the cascade runs from left to right.

    Of very many layers, every second or third is named.

    Args:
        by_panel: title → (layer names, method → Curve over those layers, value in −1..1).
        ylabel: what is similar.
        columns: of panels, at most.

    >>> import numpy as np
    >>> line = Curve(*np.array([[0, 1], [0.9, 0.1], [0.8, 0.0], [1.0, 0.2]]))
    >>> figure = cascade({"LCNN9": (["head", "conv5"], {"gweebp": line})}, ylabel="similarity")
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['head', 'conv5']
    """
    columns = min(columns, len(by_panel)) or 1
    figure, axes = panels(len(by_panel), columns, 2.9 if columns > 1 else 3.6)
    handles = {}
    for ax, (title, (layers, methods)) in zip(axes, by_panel.items(), strict=True):
        for method in in_order(methods):
            style, curve = style_of(method), methods[method]
            (handles[style.label],) = ax.plot(
                range(len(layers)), curve.value, color=style.color, linestyle=style.line, linewidth=style.width,
                marker=style.marker, markersize=4.5,
            )  # fmt: skip
            ax.fill_between(range(len(layers)), curve.low, curve.high, color=style.color, alpha=0.1, linewidth=0)
        ax.axhline(0, color=INK, linewidth=0.8)
        every = -(-len(layers) // LABELS)
        ax.set_xticks(range(0, len(layers), every), layers[::every], rotation=90)
        ax.set_xticks(range(len(layers)), minor=True)
        ax.set(title=title, ylim=(-0.6, 1.05))
    label_edges(axes, columns, "", ylabel)
    legend_below(figure, handles)
    return figure
