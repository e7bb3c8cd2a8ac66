"""Figures made of bars: one amount for each thing."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from gweebp.figures.style import PLAIN, panels, white


@white
def bars(amounts: Mapping[str, float], *, xlabel: str, colours: Mapping[str, str] | None = None) -> Figure:
    """Horizontal bars, the first on top, each with its amount.

    Args:
        amounts: name → amount, 0 or more.
        xlabel: what the amounts are, and their unit.
        colours: name → colour, of bars that stand for a method.

    >>> [text.get_text() for text in bars({"train": 90.0, "play": 30.5}, xlabel="seconds").axes[0].texts]
    ['90', '30']
    """
    figure, (ax,) = panels(1, 1, 0.8 + 0.32 * len(amounts))
    filled = [(colours or {}).get(name, PLAIN) for name in amounts]
    drawn = ax.barh(list(amounts), list(amounts.values()), color=filled, height=0.65)
    ax.bar_label(drawn, fmt="%.0f", padding=4)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.12)
    ax.set_xlabel(xlabel)
    return figure
