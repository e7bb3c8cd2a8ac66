"""The book's answer in a few lines, for its first page: which method leads each game, and which claims hold.

Nothing is typed: every name, number and verdict is read from the results of a build.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from gweebp.experiment import claims, evidence, scores
from gweebp.experiment.build import Run, open_runs
from gweebp.experiment.paper import METHODS
from gweebp.experiment.scores import MEASURES
from gweebp.methods.names import label_of

GAMES = {"hiding": "Hiding game", "inpainting-10": "Inpainting game"}  # measure → its game


def answer(runs: list[Run], seeds: int = 1) -> str:
    """Markdown: one item per game, one about the baseline that reads nothing, one about the paper's claims."""
    items = [item for measure in GAMES if (item := game(runs, measure))]
    return "\n".join(
        f"- {item}" for item in [*items, *baseline(runs), f"**The paper's claims**: {verdicts(runs, seeds)}"]
    )


def game(runs: list[Run], measure: str) -> str:
    """On how many runs gweEBP is first among the paper's methods, and who is first elsewhere; "" if not played."""
    first, behind = list[str](), list[str]()
    for run in runs:
        found = scores.estimates([run], measure, METHODS).get(run.title, {})
        if "gweebp" not in found:
            continue
        best = max(found, key=lambda name: found[name].value)
        if best == "gweebp":
            first.append(f"{run.title} ({found[best].value:.2f})")
        else:
            behind.append(f"{run.title} ({label_of(best)} {found[best].value:.2f}, gweEBP {found['gweebp'].value:.2f})")
    if not first and not behind:
        return ""
    label = MEASURES[measure].label.partition(": ")[2] or MEASURES[measure].label
    said = f"**{GAMES[measure]}** ({label}): gweEBP is first in {len(first)} of {len(first) + len(behind)} experiments"
    return (
        said + (f": {'; '.join(first)}" if first else "") + (f"; behind on {'; '.join(behind)}" if behind else "") + "."
    )


def baseline(runs: list[Run]) -> Iterable[str]:
    """How many methods a fixed blob in the centre beats in the inpainting game."""
    beaten, methods = list[int](), 0
    for run in runs:
        found = scores.estimates([run], "inpainting-10").get(run.title, {})
        if "center" in found:
            others = [name for name in found if name not in ("center", "random")]
            beaten.append(sum(found[name].value < found["center"].value for name in others))
            methods = max(methods, len(others))
    if beaten:
        span = f"{min(beaten)}" if len(set(beaten)) == 1 else f"{min(beaten)} to {max(beaten)}"
        yield (
            "**A warning**: a fixed blob in the centre of the image, which reads neither image nor network, beats "
            f"{span} of {methods} methods in the inpainting game."
        )


def verdicts(runs: list[Run], seeds: int = 1) -> str:
    """One sentence: which of the paper's claims hold here."""
    found: dict[str, list[str]] = {}
    for judged in claims.judge(evidence.of_build(runs, seeds)):
        found.setdefault(judged.verdict, []).append(judged.claim.key)
    return "; ".join(f"{', '.join(keys)} {verdict}" for verdict, keys in found.items()) + "."


def of_build(build: Path) -> str:
    """The answer of the build in a folder, with the networks and datasets that its profile reports."""
    profile = json.loads((build / "profile.json").read_text(encoding="utf-8"))
    runs = open_runs(build, ",".join(profile["report"]), ",".join(profile["networks"]))
    return answer(runs, profile["replicates"]["seeds"])
