"""Figures made of lines: game curves, training, verification ROC and distances."""

from collections.abc import Collection, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter, PercentFormatter
from numpy.typing import ArrayLike

from gweebp.figures.style import INK, PAIR, REST, RUNS, label_edges, legend_below, panels, style_of, white
from gweebp.games.bootstrap import Curve
from gweebp.methods.names import in_order

STRONG = ("random", "center", "ebp", "gweebp")  # drawn in colour among many, with the best of the others
FEW = 6  # up to so many methods are all drawn in colour


@white
def curves(
    by_panel: Mapping[str, Mapping[str, Curve]],
    *,
    xlabel: str,
    ylabel: str,
    xlim: tuple[float, float] = (0, 1),
    bands: Collection[str] | None = None,
    strong: Collection[str] = STRONG,
    columns: int = 2,
) -> Figure:
    """Curves of several methods with bootstrap bands, one panel per network and dataset.

    Of more than six methods, the `strong` ones and the best of the others are drawn in their colours; the rest is grey.
    Lines that end apart carry their name at the right.

    Args:
        by_panel: title → method → Curve (x, value, low, high), shares in 0..1.
        xlabel, ylabel: of the axes.
        xlim: the part of the x axis that is shown.
        bands: methods whose band is drawn; None: of all that are not grey.
        strong: methods that are never grey.
        columns: of panels, at most.

    >>> line = Curve(*np.linspace([0, 0, 0, 0], [1, 1, 1, 1]).T)
    >>> figure = curves({"VGG16": {"gweebp": line, "random": line}}, xlabel="FAR", ylabel="SR")
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['random', 'gweEBP']
    """
    columns = min(columns, len(by_panel)) or 1
    height = 2.7 if columns > 1 else 3.4
    figure, axes = panels(len(by_panel), columns, height, share=True)
    handles: dict[str, Line2D] = {}
    for ax, (title, methods) in zip(axes, by_panel.items(), strict=True):
        chosen = _chosen(methods, strong, xlim)
        for method in in_order(methods):
            if method in chosen:
                with_band = bands is None or method in bands
                handles[method] = _method_line(ax, method, methods[method], xlim, with_band)
            else:
                handles[""] = _grey_line(ax, methods[method])
        label_ends(ax, {m: float(np.interp(xlim[1], methods[m].x, methods[m].value)) for m in chosen}, height)
        ax.set(title=title, xlim=xlim, ylim=(-0.02, 1.02))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
    label_edges(axes, columns, xlabel, ylabel)
    named = {style_of(m).label: handles[m] for m in in_order(handles) if m}
    legend_below(figure, named | ({"every other method": handles[""]} if "" in handles else {}))
    return figure


def _chosen(methods: Mapping[str, Curve], strong: Collection[str], xlim: tuple[float, float]) -> list[str]:
    """The methods of a panel that are drawn in colour: all of a few; of many the strong ones and the best other."""
    if len(methods) <= FEW:
        return in_order(methods)
    others = [m for m in methods if m not in strong]
    at = np.linspace(*xlim, 50)
    best = max(others, key=lambda m: float(np.interp(at, methods[m].x, methods[m].value).mean()), default="")
    return [m for m in in_order(methods) if m in strong or m == best]


def label_ends(ax: Axes, ends: Mapping[str, float], height: float) -> None:
    """Write each method's name right of its line's end, shifted where two would touch; nothing if all end together.

    Args:
        ax: the panel.
        ends: method → y of its line's end, in 0..1.
        height: of the panel, in inches.
    """
    if len(ends) < 2 or max(ends.values()) - min(ends.values()) < 0.25:
        return
    apart = 0.16 / (0.75 * height)
    names = sorted(ends, key=lambda m: ends[m])
    places = [ends[m] for m in names]
    for _ in range(200):
        for i in range(1, len(places)):
            if (gap := places[i] - places[i - 1]) < apart:
                places[i] += (apart - gap) / 2
                places[i - 1] -= (apart - gap) / 2
    for name, y in zip(names, places, strict=True):
        ax.annotate(
            style_of(name).label, (1, ends[name]), xycoords=("axes fraction", "data"), xytext=(1.05, y),
            textcoords=("axes fraction", "data"), va="center", fontsize=9.6, color=INK, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": style_of(name).color, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _grey_line(ax: Axes, curve: Curve) -> Line2D:
    (line,) = ax.plot(curve.x, curve.value, color=REST, linewidth=1.1, zorder=2)
    return line


def _method_line(ax: Axes, method: str, curve: Curve, xlim: tuple[float, float], band: bool) -> Line2D:
    style = style_of(method)
    x = np.asarray(curve.x)
    if not len(x) == len(curve.value) == len(curve.low) == len(curve.high):
        raise ValueError(f"curve of {method!r} has unequal lengths of x, value, low and high")
    # Markers at seven places of the visible part, shifted from method to method so that they do not cover each other.
    shift = (sum(map(ord, method)) % 5) / 5
    at = [int(np.abs(x - xlim[0] - (k + shift) / 7 * (xlim[1] - xlim[0])).argmin()) for k in range(7)]
    front = 4 if method == "gweebp" else 3
    if band:
        ax.fill_between(x, curve.low, curve.high, color=style.color, alpha=0.14, linewidth=0, zorder=front - 1.5)
    (line,) = ax.plot(
        x, curve.value, color=style.color, linestyle=style.line, linewidth=style.width,
        marker=style.marker, markersize=5, markevery=sorted(set(at)), zorder=front,
    )  # fmt: skip
    return line


@white
def training(
    losses: Mapping[str, tuple[ArrayLike, ArrayLike]],
    scores: Mapping[str, tuple[ArrayLike, ArrayLike]],
    best: Mapping[str, float] | None = None,
    *,
    score_label: str = "validation rank-1",
) -> Figure:
    """Loss (faint: every step; strong: running mean) above validation score; a ring at the checkpoint kept.

    Args:
        losses: run → (steps, values), each (n,).
        scores: run → (steps, values), shares in 0..1.
        best: run → step of the checkpoint that was kept.
        score_label: what the scores are.

    >>> figure = training({"VGG16": ([0, 1, 2], [1.0, 0.5, 0.4])}, {"VGG16": ([0, 2], [0.1, 0.6])}, {"VGG16": 2})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['training loss', 'validation rank-1']
    """
    figure, (top, bottom) = panels(2, 1, 2.1)
    handles = {}
    for i, run in enumerate(dict.fromkeys([*losses, *scores])):
        color, line = RUNS[i % len(RUNS)]
        handles[run] = Line2D([], [], color=color, linestyle=line)
        if run in losses:
            x, y = (np.asarray(v, dtype=float) for v in losses[run])
            width = max(1, len(y) // 25)
            top.plot(x, y, color=color, alpha=0.2, linewidth=0.8)
            if len(y) >= width:
                smooth = np.convolve(y, np.ones(width) / width, "valid")
                top.plot(x[width - 1 :], smooth, color=color, linestyle=line, linewidth=1.8)
        if run in scores:
            x, y = (np.asarray(v, dtype=float) for v in scores[run])
            bottom.plot(x, y, color=color, linestyle=line, linewidth=1.8, marker=".")
            if best is not None and run in best:
                at = int(np.abs(x - best[run]).argmin())
                bottom.plot(x[at], y[at], "o", markersize=11, markerfacecolor="none", color=color)
    top.set(ylabel="training loss", ylim=(0, None))
    bottom.set(ylabel=score_label, xlabel="step", ylim=(0, 1.06))
    bottom.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend_below(figure, handles, columns=2)
    return figure


@white
def roc(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]],
    operating: Mapping[str, tuple[float, float, float]] | None = None,
    *,
    log: bool = True,
) -> Figure:
    """Verification ROC, with the operating point of each line marked by its threshold τ.

    Args:
        lines: name → (fpr, tpr), each (n,), in 0..1.
        operating: name → (fpr, tpr, τ), τ an L2 distance of unit embeddings.
        log: True for FPR on a logarithmic axis, from the smallest positive FPR up.

    >>> figure = roc({"VGG16": ([0, 0.1, 1], [0.2, 0.9, 1])}, {"VGG16": (0.1, 0.9, 0.8)})
    >>> figure.legends[0].get_texts()[0].get_text()
    'VGG16: τ = 0.800 at FPR 10.0 %'
    """
    figure, (ax,) = panels(1, 1, 3.8)
    handles = {}
    positive = [v for fpr, _ in lines.values() for v in np.asarray(fpr, dtype=float) if v > 0]
    for i, (name, (fpr, tpr)) in enumerate(lines.items()):
        color, line = RUNS[i % len(RUNS)]
        (handle,) = ax.plot(fpr, tpr, color=color, linestyle=line, linewidth=1.8, drawstyle="steps-post")
        label = name
        if operating is not None and name in operating:
            x, y, tau = operating[name]
            ax.plot(
                max(x, min(positive, default=x)), y, "o", color=color, markersize=9, markeredgecolor="white", zorder=4
            )
            label = f"{name}: τ = {tau:.3f} at FPR {100 * x:.1f} %"
        handles[label] = handle
    if log and positive:
        ax.set_xscale("log")
        ax.set_xlim(min(positive), 1)
        ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:g}%")
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_xlim(0, 1)
    ax.set(xlabel="false positive rate", ylabel="true positive rate", ylim=(0, 1.02))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend_below(figure, handles, columns=1 if operating else 2)
    return figure


@white
def distances(
    by_panel: Mapping[str, tuple[ArrayLike, ArrayLike, float | None]], *, bins: int = 50, columns: int = 2
) -> Figure:
    """Histograms of genuine and impostor distances (L2, unit embeddings, 0..2), with τ; each has area 1.

    Args:
        by_panel: title → (genuine (g,), impostor (i,), τ or None).
        bins: of the histograms, over 0..2.
        columns: of panels, at most.

    Raises:
        ValueError: for distances that are empty or not finite.

    >>> len(distances({"VGG16": ([0.4, 0.5], [1.0, 1.2, 1.3], 0.8)}).axes)
    1
    """
    columns = min(columns, len(by_panel)) or 1
    figure, axes = panels(len(by_panel), columns, 2.2 if columns > 1 else 3.0)
    for ax, (title, (genuine, impostor, tau)) in zip(axes, by_panel.items(), strict=True):
        sides = [np.asarray(side, dtype=float).ravel() for side in (genuine, impostor)]
        if not all(len(side) and np.isfinite(side).all() for side in sides):
            raise ValueError(f"distances of {title!r} are empty or not finite: expected L2 distances in 0..2")
        edges = np.linspace(min(s.min() for s in sides), max(max(s.max() for s in sides), 1e-6), bins + 1).tolist()
        for side, color, hatch in zip(sides, PAIR, ("", "////"), strict=True):
            ax.hist(side, edges, density=True, histtype="stepfilled", facecolor=color, alpha=0.25)
            ax.hist(side, edges, density=True, histtype="step", color=color, linewidth=1.4, hatch=hatch)
        if tau is not None:
            ax.axvline(tau, color=INK, linewidth=1.4, linestyle="--")
        ax.set(title=title if tau is None else f"{title}, τ = {tau:.2f}", yticks=[])
    label_edges(axes, columns, "L2 distance")
    shown = {
        "genuine": Patch(facecolor=to_rgba(PAIR[0], 0.25), edgecolor=PAIR[0]),
        "impostor": Patch(facecolor=to_rgba(PAIR[1], 0.25), edgecolor=PAIR[1], hatch="////"),
        "τ": Line2D([], [], color=INK, linestyle="--"),
    }
    legend_below(figure, shown)
    return figure
