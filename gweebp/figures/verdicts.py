"""What comparisons say of each sentence: a bar of those for it, open, against it, and not made yet."""

from collections.abc import Mapping
from textwrap import fill

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gweebp.figures.style import FAINT, INK, PAIR, SIGNS, legend_below, panels, white

SIDES = {"for": PAIR[0], "open": FAINT, "against": SIGNS[1], "not made": "white"}  #: side -> colour
LETTERS = 34  # of a sentence in one line


@white
def verdicts(by_row: Mapping[str, Mapping[str, int]], words: Mapping[str, str]) -> Figure:
    """One bar per sentence, as long as the shares of its comparisons on each side; what it comes to at the right.

    Args:
        by_row: sentence → side ("for", "open", "against", "not made") → how many, first row on top.
        words: sentence → its verdict.

    >>> figure = verdicts({"gweEBP is best": {"for": 3, "open": 1}}, {"gweEBP is best": "not resolved"})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['3', '1', 'not resolved']
    """
    labels = [fill(row, LETTERS) for row in by_row]
    says = [fill(words.get(row, ""), 18) for row in by_row]
    lines = [max(2, *(text.count("\n") + 1 for text in pair)) for pair in zip(labels, says, strict=True)]
    height = [0.16 * n + 0.13 for n in lines]
    figure, (ax,) = panels(1, 1, 0.9 + sum(height))
    at = 0.0
    centres = []
    for counts, said, room in zip(by_row.values(), says, height, strict=True):
        centres.append(at + room / 2)
        total, left = sum(counts.values()), 0.0
        for side, colour in SIDES.items():
            if share := counts.get(side, 0) / max(total, 1):
                ax.barh(
                    centres[-1],
                    share,
                    left=left,
                    height=min(room * 0.6, 0.26),
                    color=colour,
                    edgecolor=INK,
                    linewidth=0.6,
                )
                light = side in ("open", "not made")
                ax.text(left + share / 2, centres[-1], str(counts[side]), ha="center", va="center_baseline", fontsize=9,
                        color=INK if light else "white")  # fmt: skip
                left += share
        ax.text(1.03, centres[-1], said, ha="left", va="center", fontsize=9.5)
        at += room
    ax.set_yticks(centres, labels, fontsize=9.5)
    ax.set_ylim(at, 0)
    ax.set_xlim(0, 1.006)  # the last edge is drawn whole
    ax.set_xticks([])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    used = [side for side in SIDES if any(counts.get(side) for counts in by_row.values())]
    legend_below(figure, {side: Patch(facecolor=SIDES[side], edgecolor=INK, linewidth=0.6) for side in used})
    return figure
