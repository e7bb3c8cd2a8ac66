"""Draw the figure of the page "Your own images" from a build of the book: `gweebp explain` of a typical case.

    python book/workflow/guide_figure.py          (after `make book`)

Typical is a rule: the triplet of the hiding game whose gain is nearest to the median.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gweebp.commands.casework.examiner import Examined
from gweebp.commands.casework.explanation import explained
from gweebp.commands.casework.page import explanation
from gweebp.commands.casework.pictures import Picture
from gweebp.experiment import typical_cases
from gweebp.experiment.build import Run, open_runs
from gweebp.experiment.triplets import hiding_images
from gweebp.networks.verification import embed
from gweebp.support.files import atomic

OUT = Path(__file__).parents[1] / "_static" / "explain.png"


def typical(run: Run) -> Examined:
    """The case of the median gain, at the threshold of the verification."""
    *triplets, _ = hiding_images(run.faces, run.trials["hiding"])
    probe, mate, nonmate = (embed(run.net, images) for images in triplets)
    far, near = ((probe - other).norm(dim=1) for other in (nonmate, mate))
    images = [x[0] for x in run.triplet(typical_cases.choose((far - near).numpy())["typical"])]
    found = explained(run.net, *images, threshold=run.trials["threshold"])
    shown = [Picture(f"{name}.png", x) for name, x in zip(("probe", "mate", "nonmate"), images)]
    return Examined(shown[0], [shown[1]], shown[2], False, found)


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
