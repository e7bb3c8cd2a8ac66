"""Is a trained network as good as the paper's, and does it leave the games enough trials?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gweebp.experiment.build import Run
from gweebp.experiment.paper import TARGETS, reported
from gweebp.experiment.scores import with_interval
from gweebp.faces.quadruplets import Quadruplets
from gweebp.games.bootstrap import Estimate
from gweebp.networks.verification import embed

__all__ = [
    "beside_the_paper",
    "checks",
    "conditions",
    "four_distances",
    "identification_rates",
    "quality_in_words",
    "wilson",
]

Z = 1.959964  # of 95 %


def wilson(hits: int, trials: int) -> Estimate:
    """A share with Wilson's 95 % interval, sensible also at 0 and at 1, where a bootstrap has width 0.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.

    >>> wilson(10, 10)
    Estimate(value=1.0, low=0.722..., high=1.0)
    """
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} hits of {trials} trials: expected 0 <= hits <= trials, at least one trial")
    p, n = hits / trials, trials
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * (p * (1 - p) / n + Z**2 / (4 * n**2)) ** 0.5
    return Estimate(p, 0.0 if hits == 0 else middle - half, 1.0 if hits == trials else middle + half)


def identification_rates(run: Run) -> dict[int, Estimate]:
    """k -> share of the test probes whose mate is among the k nearest of the gallery."""
    ranks = run.trials["rank"]
    return {int(k): wilson(sum(rank <= int(k) for rank in ranks), len(ranks)) for k in run.trials["rank_k"]}


def beside_the_paper(run: Run) -> dict[str, str]:
    """Our numbers and the paper's, as text: what -> "ours (paper: theirs)"."""
    found, theirs = run.trials, reported(run.dataset, run.network)
    qualified = len(found["inpainting"]["qualified"]) if found["inpainting"]["candidates"] else None
    rows: dict[str, tuple[str, str]] = {
        "rank-1": (with_interval(identification_rates(run)[1]), f"{theirs.rank1:.3f}" if theirs else ""),
        "gallery": (str(found["gallery"]), str(theirs.gallery) if theirs else ""),
        "τ": (f"{found['threshold']:.3f}", f"{theirs.threshold:g}" if theirs else ""),
        "at FPR": (f"{found['fpr_at_threshold']:.3f}", f"{theirs.fpr:g}" if theirs else ""),
        "TPR at τ": (f"{found['tpr_at_threshold']:.3f}", ""),
        "hiding game, triplets": (str(len(found["hiding"]["probe"])), str(theirs.triplets) if theirs else ""),
        "inpainting game, quadruplets": (
            "not played" if qualified is None else str(qualified),
            str(theirs.quadruplets) if theirs else "",
        ),
    }
    return {what: ours + (f" (paper: {paper})" if paper else "") for what, (ours, paper) in rows.items()}


def checks(run: Run) -> list[dict[str, Any]]:
    """The targets of the run's dataset, one by one: run, target, wanted, found, met; none where no target is set."""
    target = TARGETS.get(run.dataset)
    if target is None:
        return []
    found = run.trials
    parts = found["inpainting"]["qualified_by_part"]
    fewest = min(parts, key=lambda part: parts[part]) if parts else "no part"
    low, high = target.rank1
    rank1, fpr, count = found["rank_k"]["1"], found["fpr_at_threshold"], len(found["inpainting"]["qualified"])
    rows = [
        ("rank-1", f"{low:.0%} to {high:.0%}", f"{rank1:.1%}", low <= rank1 <= high),
        ("FPR at τ", f"≤ {target.fpr:g}", f"{fpr:.4f}", fpr <= target.fpr),
        ("qualified quadruplets", f"≥ {target.quadruplets}", str(count), count >= target.quadruplets),
        (
            "of each part",
            f"≥ {target.each_part}",
            f"{parts.get(fewest, 0)} ({fewest})",
            parts.get(fewest, 0) >= target.each_part,
        ),
    ]
    return [
        {"run": run.title, "target": what, "wanted": wanted, "found": value, "met": "yes" if met else "no"}
        for what, wanted, value, met in rows
    ]


def quality_in_words(run: Run) -> str:
    """How well the network identifies, and which targets it misses."""
    rank1, theirs, rows = identification_rates(run)[1], reported(run.dataset, run.network), checks(run)
    text = f"{run.title}: rank-1 is {with_interval(rank1)} in a gallery of {run.trials['gallery']}"
    if theirs:
        text += f", against the paper’s {theirs.rank1:.3f} in one of {theirs.gallery}"
    missed = [row["target"] for row in rows if row["met"] == "no"]
    if rows:
        text += f"; targets missed: {', '.join(missed)}" if missed else "; all targets are met"
    return f"{text}."


def conditions(run: Run) -> tuple[dict[str, Tensor], Tensor]:
    """The four distances of Eq. (7)-(8), (q,) each, of every candidate quadruplet, and which qualified, bool (q,).

    Both are empty where the dataset has no candidates.
    """
    count = len(run.candidates)
    kept = torch.zeros(count, dtype=torch.bool)
    kept[run.trials["inpainting"]["qualified"]] = True
    if count == 0:
        return {}, kept
    return four_distances(run.net, run.candidates), kept


def four_distances(net: nn.Module, four: Quadruplets) -> dict[str, Tensor]:
    """The four distances of Eq. (7)-(8), (q,) each, in the order of `quadruplets.qualified`: near, far, near, far."""
    op, om, ip, in_ = (embed(net, getattr(four, name)) for name in ("op", "om", "ip", "in_"))
    pairs = {"d(OP, OM)": (op, om), "d(OP, IN)": (op, in_), "d(IP, IN)": (ip, in_), "d(IP, OM)": (ip, om)}
    return {name: (a - b).norm(dim=1) for name, (a, b) in pairs.items()}
