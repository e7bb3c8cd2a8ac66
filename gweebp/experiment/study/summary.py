"""What the study's chapter shows: how far it is, each method's figure over the trainings, verdicts under every view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gweebp.experiment.claims import Judged, judge
from gweebp.experiment.evidence import Evidence
from gweebp.experiment.study.evidence import VIEWS, StudyUnit, of_study
from gweebp.games.bootstrap import Difference, Estimate
from gweebp.games.jackknife import above, below, error_of, interval, share_interval
from gweebp.methods.names import in_order, label_of

WANTED = 5  #: trainings of each run in the plan
ENOUGH = 3  #: fewer trainings of a run do not carry a verdict


def progress(study: Sequence[Evidence]) -> list[dict[str, Any]]:
    """One row per run: trainings, people, trials, rank-1, methods played, and the commit of the rules."""
    rows = []
    for run in study:
        units = [unit for unit in run.units if isinstance(unit, StudyUnit)]
        records = [record for unit in units for _, record in unit.training.groups.values()]
        first = [record["found"]["rank_k"]["1"] for record in records]
        rows.append(
            {
                "run": run.title,
                "trainings": f"{len(units)} of {WANTED}",
                "test people": max(record["found"]["probes"] for record in records),
                "gallery": max(record["found"]["gallery"] for record in records),
                "rank-1": f"{min(first):.2f} to {max(first):.2f}",
                "triplets": sum(unit.training.count("hiding", "gweebp") for unit in units),
                "quadruplets": sum(unit.training.count("inpainting", "gweebp") for unit in units),
                "methods": len(set().union(*(unit.training.methods for unit in units))),
                "rules of commit": ", ".join(sorted({record["rules"] for record in records})),
            }
        )
    return rows


def missing(study: Sequence[Evidence], methods: Iterable[str]) -> str:
    """What the plan asks for and the study lacks, in words; "" where it is complete."""
    found = [f"{run.title} has {len(run.units)} of {WANTED} trainings" for run in study if len(run.units) < WANTED]
    fewest: dict[int, list[str]] = {}
    for name in methods:
        counts = [sum(name in unit.plays("inpainting") for unit in run.units) for run in study]
        if any(n < min(len(run.units), WANTED) for n, run in zip(counts, study)):
            fewest.setdefault(min(counts), []).append(label_of(name))
    for n, names in sorted(fewest.items()):
        found.append(f"{', '.join(names)} " + (f"played in {n} of {WANTED} trainings" if n else "not played yet"))
    return "; ".join(found)


def estimates(
    study: Sequence[Evidence], game: str, methods: Iterable[str] | None = None
) -> dict[str, dict[str, Estimate]]:
    """Title -> method -> mean over trainings, with an interval over people and trainings.

    game: "hiding", "inpainting" or "truth". methods: default, all that every training of a run played.
    """
    found: dict[str, dict[str, Estimate]] = {}
    for run in study:
        shared = set.intersection(*(unit.plays(game) for unit in run.units))
        for name in in_order(m for m in shared if methods is None or m in set(methods)):
            e = error_of([unit.figure(game, name, [name]) for unit in run.units])
            found.setdefault(run.title, {})[name] = Estimate(e.value, *share_interval(e))
    return found


def differences(
    study: Sequence[Evidence], game: str, pairs: dict[str, tuple[str, str]]
) -> dict[str, dict[str, Difference]]:
    """Title -> label -> first minus second over the trainings that played both; what none played is left out."""
    found: dict[str, dict[str, Difference]] = {}
    for run in study:
        for name, (first, second) in pairs.items():
            played = run.differences(game, first, second)
            if played is not None:
                e = error_of(played)
                p = min(1.0, 2 * min(above(e), below(e)))
                found.setdefault(run.title, {})[name] = Difference(e.value, *interval(e), p)
    return found


def sentences(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """One row per sentence of the paper: its words, what is compared here, verdict, and counts of comparisons."""
    return [
        {
            "": j.claim.key,
            "the paper says": f"“{one.sentence.words}” ({one.sentence.where})",
            "compared here": one.sentence.ours,
            "verdict": one.verdict,
        }
        | one.counts
        for j in judged
        for one in j.sentences
    ]


def views(folder: str | Path) -> dict[str, list[str]]:
    """Name of a view -> the verdict of each claim under it, in their order."""
    return {name: [j.verdict for j in judge(of_study(folder, **view))] for name, view in VIEWS.items()}
