"""What the book's first page shows: the answer in a few lines, and a picture of the whole way to it.

Nothing is typed: the study of data/study gives the first lines, the build the last one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import abstract

from gweebp.experiment import claims, evidence, scores
from gweebp.experiment.build import Run, open_runs
from gweebp.experiment.evidence import Evidence
from gweebp.experiment.paper import METHODS
from gweebp.experiment.study import summary
from gweebp.experiment.study.evidence import of_study
from gweebp.experiment.study.standings import Standing, beaten_by, standings
from gweebp.experiment.study.verdicts import PRELIMINARY, Verdict, outlook, sentence
from gweebp.experiment.study.verdicts import verdicts as verdicts_of
from gweebp.experiment.study.words import span
from gweebp.methods.names import label_of

STUDY = Path(__file__).resolve().parents[2] / "data/study"
GAMES = {"hiding": "Hiding game", "inpainting": "Inpainting game"}
MEASURES = {"hiding": "hiding", "inpainting": "inpainting-10"}  # what decides a game in a build


def answer(study: Sequence[Evidence], rows: Sequence[Verdict], runs: list[Run], seeds: int = 1) -> str:
    """Markdown: an item per game, one each about the released code, a baseline, the claims, and this build."""
    items = [item for game in GAMES if (item := of_game(game, standings(study, game)))]
    items += [
        *code(study),
        *baseline(study),
        " ".join(filter(None, (f"**The paper's claims**: {sentence(rows)}.{few(rows)}", outlook(rows)))),
        of_runs(runs, seeds),
    ]
    return "\n".join(f"- {item}" for item in items)


def few(rows: Sequence[Verdict]) -> str:
    """What preliminary means, where a verdict is."""
    any_is = any(row.preliminary for row in rows)
    return f" *{PRELIMINARY.capitalize()}*: rests on fewer than three trainings." if any_is else ""


def of_game(game: str, found: Sequence[Standing]) -> str:
    """On how many runs gweEBP is ahead of the paper's other methods, and of which it is behind; "" if not played."""
    if not found:
        return ""
    first, behind = [s for s in found if s.first], [s for s in found if not s.first]
    text = (
        f"**{GAMES[game]}**: gweEBP is ahead of all others that were played in {len(first)} of {len(found)} experiments"
    )
    if first:
        text += "; its least lead: " + ", ".join(
            f"{scores.with_interval(s.lead, 2)} over {s.against} ({s.run})" for s in first
        )
    if behind:
        text += "; behind: " + ", ".join(f"{scores.with_interval(s.lead, 2)} to {s.against} ({s.run})" for s in behind)
    lacking = sorted({label_of(m) for s in found for m in s.lacking})
    return text + (f". Not played yet everywhere: {', '.join(lacking)}." if lacking else ".")


def code(study: Sequence[Evidence]) -> Iterable[str]:
    """In how many experiments the authors' released code does better or worse than the equations that they print."""
    said = []
    for game in GAMES:
        found = summary.differences(study, game, {"code": ("gweebp-paper-code", "gweebp")})
        rows = [row["code"] for row in found.values()]
        if rows:
            better, worse = sum(d.low > 0 for d in rows), sum(d.high < 0 for d in rows)
            said.append(f"in the {game} game it is better in {better} of {len(rows)} experiments and worse in {worse}")
    if said:
        head = "**The authors' released code is not their equations**"
        yield f"{head}: {'; '.join(said)}. The book follows the equations."


def baseline(study: Sequence[Evidence]) -> Iterable[str]:
    """How many methods a fixed blob in the centre beats in the inpainting game."""
    beaten, methods = beaten_by(study, "inpainting")
    if beaten:
        yield (
            "**A warning**: a fixed blob in the centre of the image, which reads neither image nor network, beats "
            f"{span(beaten)} of {methods} methods in the inpainting game."
        )


def of_runs(runs: list[Run], seeds: int = 1) -> str:
    """One sentence about a build's own small experiment: where gweEBP is first, and which claims hold."""
    won = list[str]()
    for game, measure in MEASURES.items():
        found = [x for run in runs if "gweebp" in (x := scores.estimates([run], measure, METHODS).get(run.title, {}))]
        first = sum(max(one, key=lambda name: one[name].value) == "gweebp" for one in found)
        if found:
            won.append(f"gweEBP is first in {first} of {len(found)} in the {game} game")
    return (
        f"**This build's own small experiment**, a replication in miniature: {'; '.join([*won, verdicts(runs, seeds)])}"
    )


def verdicts(runs: list[Run], seeds: int = 1) -> str:
    """Which of the paper's claims hold in a build."""
    found: dict[str, list[str]] = {}
    for judged in claims.judge(evidence.of_build(runs, seeds)):
        found.setdefault(judged.verdict, []).append(judged.claim.key)
    return "; ".join(f"{', '.join(keys)} {verdict}" for verdict, keys in found.items()) + "."


class FirstPage(NamedTuple):
    """What the first page shows: Markdown of the answer, HTML of the picture."""

    text: str
    picture: str


def of_build(build: Path) -> FirstPage:
    """The first page of the build in a folder, with the networks and datasets that its profile reports."""
    profile = json.loads((build / "profile.json").read_text(encoding="utf-8"))
    runs = open_runs(build, ",".join(profile["report"]), ",".join(profile["networks"]))
    study = of_study(STUDY)
    judged = claims.judge(study)
    rows = verdicts_of(study, judged)
    text = answer(study, rows, runs, profile["replicates"]["seeds"])
    return FirstPage(text, abstract.of_run(runs[-1], rows, judged))
