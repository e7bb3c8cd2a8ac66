"""Drawings of networks of a few neurons, for the chapters that work an example by hand."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gweebp.figures.style import FAINT, INK, REST, SIGNS, panels, tighten, white

Panel = tuple[Sequence[ArrayLike], Sequence[ArrayLike]]


@white
def neurons(
    by_panel: Mapping[str, Panel],
    layers: Sequence[str],
    *,
    numbered: bool = False,
    columns: int = 2,
    reached: int | None = None,
) -> Figure:
    """A small network, its head on top: a number in each neuron, a line for each connection.

    A line is as thick as its number is large; what is negative is red, dashed and square.

    Args:
        by_panel: title → (values, connections). Values: a vector for each layer, top first; connections: between each
            layer and the next a matrix (neurons above, neurons below), 0 where there is none.
        layers: their names.
        numbered: True for each connection's number on it.
        columns: of panels, at most.
        reached: the last layer that a walk down has come to; what lies below it is grey and without numbers. None: all.

    Raises:
        ValueError: for connections whose shapes do not fit the layers.

    >>> figure = neurons({"forward": ([[2.0], [1.0, -1.0]], [[[1.0, -1.0]]])}, ["output", "input"], numbered=True)
    >>> sorted(text.get_text() for text in figure.axes[0].texts)
    ['1', '1', '2', 'input', 'output', '−1', '−1']
    """
    figure, axes = panels(len(by_panel), columns, 0.45 + 0.78 * len(layers))
    for ax, (title, (values, connections)) in zip(axes, by_panel.items(), strict=True):
        rows = [np.asarray(v, dtype=float) for v in values]
        matrices = [np.asarray(c, dtype=float) for c in connections]
        expected = [(len(above), len(below)) for above, below in pairwise(rows)]
        if len(rows) != len(layers) or [m.shape for m in matrices] != expected:
            raise ValueError(
                f"{title!r}: {len(layers)} layers of {[len(r) for r in rows]} neurons need connections of shapes "
                f"{expected}, got {[m.shape for m in matrices]}"
            )
        _draw(ax, rows, matrices, layers, numbered, len(rows) if reached is None else reached)
        ax.set_title(title)
    tighten(figure)
    return figure


def _draw(ax: Axes, rows: list[Any], matrices: list[Any], layers: Sequence[str], numbered: bool, reached: int) -> None:
    widest = max(map(len, rows))
    places = [
        [((k + 0.5) * widest / len(row), len(rows) - 1 - y) for k in range(len(row))] for y, row in enumerate(rows)
    ]
    for depth, (matrix, above, below) in enumerate(zip(matrices, places, places[1:])):
        largest = np.abs(matrix).max() or 1
        taken: list[Any] = []
        for i, j in zip(*matrix.nonzero()):
            value, start, end = matrix[i, j], np.array(above[i]), np.array(below[j])
            color, dash = (SIGNS[1], (0, (3, 1.5))) if value < 0 else (SIGNS[0], "-")
            width = 0.6 + 4 * abs(value) / largest
            if depth >= reached:
                color, width = REST, 0.8
            ax.plot(*zip(start, end), color=color, linestyle=dash, linewidth=width, zorder=1)
            if numbered and depth < reached:
                x, y = _free(start, end, taken)
                taken.append((x, y))
                ax.text(
                    x, y, _number(value), ha="center", va="center", fontsize=9.5, color=color, zorder=2,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                )  # fmt: skip
    for depth, (name, row, at) in enumerate(zip(layers, rows, places)):
        ax.text(-0.12, at[0][1], name, ha="right", va="center")
        for value, (x, y) in zip(row, at):
            style = "square" if value < 0 else "round"
            edge = SIGNS[1] if value < 0 else SIGNS[0] if value > 0 else FAINT
            edge, said = (edge, _number(value)) if depth <= reached else (REST, "   ")
            ax.text(
                x, y, said, ha="center", va="center", zorder=3, color=INK,
                bbox={"boxstyle": f"{style},pad=0.35", "facecolor": "white", "edgecolor": edge, "linewidth": 1.6},
            )  # fmt: skip
    ax.set(xlim=(-1.0, widest), ylim=(-0.45, len(rows) - 0.55))
    ax.axis("off")


def _free(start: Any, end: Any, taken: list[Any]) -> Any:
    """A place on the line from start to end that is far from the numbers that are there already."""
    places = [start + t * (end - start) for t in (0.5, 0.4, 0.6, 0.3, 0.7, 0.25, 0.75)]
    apart = [min((np.hypot(*((p - np.array(q)) * (1, 1.4))) for q in taken), default=9.0) for p in places]
    return places[int(np.argmax(np.minimum(apart, 0.5)))]


def _number(value: float) -> str:
    """As short as it can be read: 2, −3, .188."""
    text = f"{value:.3f}".rstrip("0").rstrip(".").replace("-", "−")
    return text.replace("0.", ".", 1) if text.lstrip("−").startswith("0.") else text
