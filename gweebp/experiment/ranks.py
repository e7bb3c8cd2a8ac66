"""All methods at a glance: ranks in both games, and which method should lead where a comparison is against a claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gweebp.experiment.claims import AGAINST, Judged
from gweebp.experiment.sentences import AGREEMENT, CONTRASTIVE, TRUTH
from gweebp.games.bootstrap import Estimate
from gweebp.methods.names import in_order, label_of

__all__ = ["losers", "ranks"]


def losers(judged: Iterable[Judged]) -> dict[str, int]:
    """Methods that should lead where a comparison is against a claim: name in print -> how often, in the book's order.

    gweEBP is always listed, with 0 where no such comparison has it.

    Args:
        judged: claims with their verdicts, of `claims.judge`.
    """
    found: dict[str, int] = {"gweebp": 0}
    for one in judged:
        for f in one.findings:
            if f.side == AGAINST and f.comparison.game not in (AGREEMENT, TRUTH):
                found[f.comparison.first] = found.get(f.comparison.first, 0) + 1
    return {"the methods that see the non-mate" if m == CONTRASTIVE else label_of(m): found[m] for m in in_order(found)}


def ranks(games: Mapping[str, Mapping[str, Mapping[str, Estimate]]]) -> list[dict[str, str]]:
    """One row per method: its rank in each game and run, and its value; methods in the book's order.

    games: name of a game -> title of a run -> method -> Estimate.

    >>> found = {"VGG16": {"ebp": Estimate(0.4, 0.3, 0.5), "gweebp": Estimate(0.6, 0.5, 0.7)}}
    >>> ranks({"hiding": found})[1]
    {'method': 'gweEBP', 'hiding: VGG16': '1 (.60)'}
    """
    names = in_order({m: None for found in games.values() for row in found.values() for m in row})
    rows = []
    for name in names:
        row = {"method": label_of(name)}
        for game, found in games.items():
            for title, estimates in found.items():
                row[f"{game}: {title}"] = _rank(name, estimates)
        rows.append(row)
    return rows


def _rank(name: str, estimates: Mapping[str, Estimate]) -> str:
    if name not in estimates:
        return ""
    value = estimates[name].value
    place = 1 + sum(other.value > value for other in estimates.values())
    return f"{place} ({f'{value:.2f}'.removeprefix('0')})"
