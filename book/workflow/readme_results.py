"""Write the README's results from the outcomes of the study in data/study, between their two marks.

    python book/workflow/readme_results.py

Nothing in the tables is typed: verdicts are those of gweebp/experiment/claims.py, figures those of the study's chapter.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import marked
from answer import GAMES, STUDY, few

from gweebp.experiment.evidence import Evidence
from gweebp.experiment.paper import METHODS
from gweebp.experiment.scores import with_interval
from gweebp.experiment.study.evidence import of_study
from gweebp.experiment.study.standings import standings
from gweebp.experiment.study.summary import WANTED, missing
from gweebp.experiment.study.verdicts import Verdict, of_claims, outlook, verdicts
from gweebp.experiment.study.words import span
from gweebp.support.files import atomic

README = Path(__file__).resolve().parents[2] / "README.md"
START, END = "<!-- results: written by book/workflow/readme_results.py -->", "<!-- end of results -->"
SCORES = {"hiding": "area under TPR", "inpainting": "mean SR up to FAR 10 %"}


def claims_table(rows: Sequence[Verdict]) -> str:
    """Markdown: one line per claim, with the sentence of the paper that decided its verdict."""
    lines = ["| claim | the paper says | verdict | for / open / against |", "|---|---|---|---|"]
    for row in of_claims(rows):
        counts = " / ".join(str(row.counts[side]) for side in ("for", "open", "against"))
        lines.append(f"| {row.claim} | “{row.words}” ({row.where}) | {row.text} | {counts} |")
    return "\n".join(lines)


def games_table(study: Sequence[Evidence]) -> str:
    """Markdown: one line per game and run: gweEBP, and its lead over the paper's method that is nearest or ahead."""
    lines = ["| game | network, faces | gweEBP | less the best other |", "|---|---|---|---|"]
    for game in GAMES:
        for s in standings(study, game):
            lead = f"{with_interval(s.lead, 2)}, {s.against}"
            lines.append(f"| {game}, {SCORES[game]} | {s.run} | {with_interval(s.value, 2)} | {lead} |")
    return "\n".join(lines)


def block(study: Sequence[Evidence]) -> str:
    """All that the README says of results."""
    rows = verdicts(study)
    made = span([len(run.units) for run in study])
    where = (
        f"{made} of {WANTED} trainings of each network and dataset; intervals: 95 %, over people and trainings. A lead "
        "is on the trials that both methods played. Of a claim, the sentence that decided it."
    )
    lacking = missing(study, METHODS)
    rest = f" Not complete yet: {lacking}; `make study` goes on." if lacking else ""
    parts = (claims_table(rows), outlook(rows), games_table(study), f"{where}{few(rows)}{rest}")
    return "\n\n".join(filter(None, parts))


def filled(text: str, block: str) -> str:
    """The text with `block` between the marks; ValueError where a mark is missing.

    >>> filled(f"a\\n{START}\\nold\\n{END}\\nb", "new").splitlines()[2]
    'new'
    """
    return marked.filled(text, START, block, END, "the README")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=STUDY, help="folder of outcomes (default: data/study)")
    parser.add_argument("--readme", type=Path, default=README)
    options = parser.parse_args()
    text = filled(options.readme.read_text(encoding="utf-8"), block(of_study(options.study)))
    with atomic(options.readme) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
