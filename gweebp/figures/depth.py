"""Quantities along a network, a row a layer, from the embedding down to the image."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gweebp.figures.style import RUNS, legend_below, panels, white

MARKERS = "os^Dv"


@white
def by_depth(
    by_panel: Mapping[str, Mapping[str, Mapping[str, float]]],
    *,
    xlabel: str,
    xlim: tuple[float, float] = (0, 1),
    columns: int = 2,
) -> Figure:
    """Shares by layer, one mark per series; panels need not have the same layers.

    Args:
        by_panel: title → series → layer → share in 0..1, top layer first.
        xlabel: what the shares are of.
        xlim: the part of the axis that is shown.
        columns: of panels, at most.

    >>> figure = by_depth({"LCNN9": {"ignored": {"head": 0.4, "conv5": 0.2}}}, xlabel="share")
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['head', 'conv5']
    """
    longest = max(len(shares) for series in by_panel.values() for shares in series.values())
    figure, axes = panels(len(by_panel), columns, 0.75 + 0.24 * longest)
    handles = {}
    for ax, (title, series) in zip(axes, by_panel.items(), strict=True):
        for name, shares in series.items():
            k = list(dict.fromkeys(s for found in by_panel.values() for s in found)).index(name) % len(RUNS)
            (handles[name],) = ax.plot(
                list(shares.values()), range(len(shares)), color=RUNS[k][0], linestyle=RUNS[k][1], linewidth=1,
                marker=MARKERS[k], markersize=7,
            )  # fmt: skip
            ax.set_yticks(range(len(shares)), list(shares))
        ax.invert_yaxis()
        margin = 0.03 * (xlim[1] - xlim[0])  # a mark at the end is seen whole
        ax.set(title=title, xlabel=xlabel, xlim=(xlim[0] - margin, xlim[1] + margin))
        ax.xaxis.set_major_formatter(PercentFormatter(1))
    if len(handles) > 1:
        legend_below(figure, handles)
    return figure
