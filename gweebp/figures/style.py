"""How every figure of the book looks: white in any theme, one colour and marker a method, legible at 360 px.

Legibility: a figure `WIDTH` inches wide that a phone shows at 360 px has 5·points/WIDTH pixels a letter; the sizes
below give 8 pixels or more. Colours are those of Okabe and Ito (2008) with three of Paul Tol's, told apart in the
common colour blindnesses; markers and dashes tell methods apart in grey print. A method keeps its style across the
book: extended variants share the colour of what they extend, full line against dashes.

One colour has one meaning: what is not a method (a run, a sign, one of two sides, a plain amount) has colours that no
method has.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from textwrap import fill
from typing import Any, NamedTuple, ParamSpec

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from gweebp.methods.names import LABELS

WIDTH = 6.0
INK = "#222222"
FAINT = "#d9d9d9"
PAIR = ("#117A8B", "#A0740B")  # two sides: the same person and another one
SIGNS = (INK, "#B2182B")  # positive, negative
PLAIN = "#66727F"  # amounts of one kind
REST = "#c9c9c9"  # lines that are there to compare with, not to be told apart
RUNS: tuple[tuple[str, Any], ...] = (
    ("#222222", "-"),
    ("#8C564B", "--"),
    ("#7A8B00", "-."),
    ("#9A9AA8", ":"),
    ("#4F2D7F", (0, (5, 1, 1, 1))),
)  # networks, datasets, trainings: colour, line style

RC: dict[Any, Any] = {
    "figure.facecolor": "white", "savefig.facecolor": "white", "axes.facecolor": "white", "figure.dpi": 192,
    "figure.edgecolor": "white", "savefig.transparent": False,
    "font.size": 10.5, "axes.titlesize": 10.5, "axes.labelsize": 10.5, "xtick.labelsize": 10, "ytick.labelsize": 10,
    "legend.fontsize": 10, "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"],
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "axes.titlecolor": INK,
    "xtick.color": INK, "ytick.color": INK, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": FAINT, "grid.linewidth": 0.6, "legend.frameon": False, "svg.hashsalt": "gweebp",
    "text.parse_math": False,  # the names of files, methods and layers are text: a$1$b is no formula
}  # fmt: skip


class MethodStyle(NamedTuple):
    """Name in print, colour, line style, marker, line width."""

    label: str
    color: str
    line: Any = "-"
    marker: str = "o"
    width: float = 1.6


_DRAWN: dict[str, tuple[Any, ...]] = {
    "random": ("#8a8a8a", ":", "."),
    "center": ("#555555", (0, (4, 1, 1, 1, 1, 1)), "+"),
    "gradient-input": ("#117733", (0, (3, 1, 1, 1)), "^"),
    "integrated-gradients": ("#117733", (0, (8, 2, 2, 2)), "^"),
    "gradcam": ("#E69F00", "-", "s"),
    "ebp": ("#56B4E9", "--", "v"),
    "cebp": ("#009E73", "--", "<"),
    "tcebp": ("#0072B2", "--", ">"),
    "eebp": ("#56B4E9", "-", "v"),
    "ecebp": ("#009E73", "-", "<"),
    "etcebp": ("#0072B2", "-", ">"),
    "gweebp": ("#D55E00", "-", "o", 2.6),
    "gweebp-paper-code": ("#D55E00", "--", "o"),
    "pairwisesim": ("#CC79A7", "-.", "P"),
    "xface": ("#882255", "-", "X"),
    "corrrise": ("#332288", (0, (6, 2)), "D"),
    "xssab": ("#661100", (0, (2, 1)), "p"),
    "fggb": ("#AA4499", (0, (5, 1, 2, 1)), "h"),
    "attention": ("#999933", ":", "d"),
    "rollout": ("#999933", "-", "8"),
    "gradient-rollout": ("#999933", "--", "H"),
}  # method → colour, line style, marker, line width
METHOD_STYLES = {name: MethodStyle(label, *_DRAWN[name]) for name, label in LABELS.items()}  #: in the book's order


def style_of(method: str) -> MethodStyle:
    """Style of a method; one that the book does not know is drawn in black under its own name.

    Args:
        method: its name.

    >>> style_of("gweebp").label, style_of("mine").label
    ('gweEBP', 'mine')
    """
    return METHOD_STYLES.get(method, MethodStyle(method, INK, (0, (1, 1)), "*"))


def drawable(text: str) -> str:
    """A text in which the figures' font has every letter: others are escaped, as Python does.

    Args:
        text: any.

    >>> print(drawable("café 木.png"))
    café \\u6728.png
    """
    known = _letters()
    return "".join(c if c == "\n" or ord(c) in known else c.encode("unicode_escape").decode() for c in text)


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(RC["font.sans-serif"][0])).get_charmap())


P = ParamSpec("P")


def white(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorate a function that draws: its figure has the book's look whatever the session's settings are.

    The figure is closed for pyplot, so that a notebook shows it once, where it is returned.

    Args:
        draw: the function.
    """

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        before = set(plt.get_fignums())
        try:
            with plt.style.context(["default", RC]):
                figure = draw(*args, **kwargs)
                for axes in figure.axes:  # ticks are made late, outside this context: fix their colours now
                    axes.tick_params(colors=INK, which="both")
                figure.draw_without_rendering()
                if _wrap(figure):
                    figure.draw_without_rendering()
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)
        return figure

    return drawn


def _wrap(figure: Figure) -> bool:
    """Break the titles and x labels that are wider than their panel, so that none runs over its neighbour's.

    The figure grows by the lines that this adds.
    """
    added: dict[int, int] = {}  # row of panels, by its upper edge -> lines
    for axes in figure.axes:
        room = axes.get_window_extent().width * 1.04
        for text in (axes.title, axes.xaxis.label):
            words, width = text.get_text(), text.get_window_extent().width
            if words.strip() and width > room:
                letters = max(6, int(max(map(len, words.split("\n"))) * room / width))
                text.set_text("\n".join(fill(line, letters) for line in words.split("\n")))
                row = round(axes.get_window_extent().y1)
                added[row] = max(added.get(row, 0), text.get_text().count("\n") - words.count("\n"))
    if added:
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + 0.17 * sum(added.values()))
    return bool(added)


def panels(
    count: int, columns: int, height: float, *, share: bool = False, **options: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure of some panels; spare places stay empty.

    Args:
        count: of panels, 1 or more.
        columns: per row.
        height: of a panel, in inches.
        share: True for common axes.
        options: of matplotlib's `subplots`.

    Raises:
        ValueError: for no panel.
    """
    if count < 1:
        raise ValueError("nothing to draw: expected at least one panel")
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * height), squeeze=False, layout="constrained",
        sharex=share, sharey=share, **options,
    )  # fmt: skip
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    for above in axes[max(0, count - columns) : count]:
        above.xaxis.set_tick_params(labelbottom=True)  # the last of each column keeps its labels under a spare place
    return figure, axes[:count]


def label_edges(axes: Sequence[Axes], columns: int, xlabel: str, ylabel: str = "") -> None:
    """Axis labels at the outer panels only: below the last of each column, at the left of each row.

    Args:
        axes: the panels, in reading order.
        columns: per row.
        xlabel, ylabel: the labels.
    """
    for i, ax in enumerate(axes):
        if i + columns >= len(axes):
            ax.set_xlabel(xlabel)
        if i % columns == 0:
            ax.set_ylabel(ylabel)


def tighten(figure: Figure) -> None:
    """Leave hardly any room between the panels of a figure made of images.

    Args:
        figure: to change.
    """
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)


def legend_below(figure: Figure, handles: Mapping[str, Any], columns: int = 4) -> None:
    """One legend for the whole figure, under it.

    Args:
        figure: to write below.
        handles: label → artist.
        columns: of the legend.
    """
    columns = min(columns, len(handles))
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns, handlelength=2.6,
                  columnspacing=1.2)  # fmt: skip
