"""Draw the figure of the page "Your own images" from a build of the book: `gweebp explain` of a typical case.

    python book/guide_figure.py          (after `make book`)

Typical is a rule: the triplet of the hiding game whose gain is nearest to the median.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gweebp import cases
from gweebp.casework.examiner import Examined
from gweebp.casework.explanation import explained
from gweebp.casework.pictures import Picture
from gweebp.figures.explanation import explanation
from gweebp.files import atomic
from gweebp.results import Run, open_runs
from gweebp.verification import embed

OUT = Path(__file__).with_name("_static") / "explain.png"


def typical(run: Run) -> Examined:
    """The case of the median gain, at the threshold of the verification."""
    chosen = run.trials["hiding"]
    gallery, test = run.faces.gallery(), run.faces.test
    probe = embed(run.net, run.faces.sketches[test[chosen["probe"]]])
    far, near = ((probe - embed(run.net, gallery[chosen[who]])).norm(dim=1) for who in ("nonmate", "mate"))
    images = [x[0] for x in run.triplet(cases.choose((far - near).numpy())["typical"])]
    found = explained(run.net, *images, threshold=run.trials["threshold"])
    probe_, mate, nonmate = (Picture(f"{name}.png", x) for name, x in zip(("probe", "mate", "nonmate"), images))
    return Examined(probe_, [mate], nonmate, False, found)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="_build/book")
    parser.add_argument("--dataset", default="synthetic-drawn")
    parser.add_argument("--network", default="lcnn9")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    (run,) = open_runs(options.build, options.dataset, options.network)
    with atomic(options.out) as temporary:
        explanation(typical(run)).savefig(temporary, dpi=160)
    return 0


if __name__ == "__main__":
    sys.exit(main())
