"""Write the README's table of results from a build of the book, between its two marks.

    python book/workflow/readme_results.py          (after `make book`)

Nothing in the table is typed: values and intervals are those of the chapters, verdicts those of
gweebp/experiment/claims.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from answer import verdicts

from gweebp.experiment import scores
from gweebp.experiment.build import Run, open_runs
from gweebp.experiment.paper import METHODS
from gweebp.experiment.scores import MEASURES
from gweebp.figures import style_of
from gweebp.support.files import atomic
from gweebp.support.record import processor

README = Path(__file__).resolve().parents[2] / "README.md"
START, END = "<!-- results: written by book/workflow/readme_results.py -->", "<!-- end of results -->"
GAMES = {"hiding": "hiding game, area under TPR", "inpainting-10": "inpainting game, mean SR up to FAR 10 %"}


def row(run: Run, measure: str) -> dict[str, str]:
    """gweEBP and the best of the paper's other methods, with intervals."""
    found = scores.estimates([run], measure, METHODS)[run.title]
    best = max((name for name in found if name != "gweebp"), key=lambda name: found[name].value)
    return {
        "gweEBP": scores.with_interval(found["gweebp"]),
        "best other": f"{style_of(best).label} {scores.with_interval(found[best])}",
    }


def table(runs: list[Run]) -> str:
    """Markdown: one line a game and run."""
    lines = ["| game | network, faces | gweEBP | best of the paper's other methods |", "|---|---|---|---|"]
    for measure, game in GAMES.items():
        for run in runs:
            if MEASURES[measure].methods(run.games):
                cells = row(run, measure)
                lines.append(f"| {game} | {run.title} | {cells['gweEBP']} | {cells['best other']} |")
    return "\n".join(lines)


def filled(text: str, block: str) -> str:
    """The text with `block` between the marks; ValueError where a mark is missing.

    >>> filled(f"a\\n{START}\\nold\\n{END}\\nb", "new").splitlines()[2]
    'new'
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"the README lacks the line {START if not start else END}")
    return f"{before}{START}\n{block}\n{END}{after}"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="_build/book")
    parser.add_argument("--networks", default="vgg16,lcnn9")
    parser.add_argument("--datasets", default="synthetic-composite,synthetic-drawn")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of a network, at most (default: 1)")
    parser.add_argument("--readme", type=Path, default=README)
    options = parser.parse_args()
    runs = open_runs(options.build, options.datasets, options.networks)
    where = f"Intervals: 95 %, over test identities. Computed by `make book` on a CPU ({processor()})."
    block = f"{table(runs)}\n\nOf the paper's claims: {verdicts(runs, options.seeds)} {where}"
    text = filled(options.readme.read_text(encoding="utf-8"), block)
    with atomic(options.readme) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
