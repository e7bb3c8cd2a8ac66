"""Draw the README's figure from a build of the book: a typical case of the inpainting game, on synthetic faces.

    python book/workflow/readme_figure.py          (after `make book`)

Typical is what the gallery calls typical: the quadruplet whose gweEBP map scores nearest to the median.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gweebp import figures
from gweebp.experiment import typical_cases
from gweebp.experiment.agreement import maps_of
from gweebp.experiment.build import open_runs
from gweebp.support.files import atomic

OUT = Path(__file__).parents[1] / "_static" / "readme.png"
METHODS = ("gweebp", "ebp", "gradcam", "center")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="_build/book")
    parser.add_argument("--dataset", default="synthetic-composite")
    parser.add_argument("--network", default="lcnn9")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    (run,) = open_runs(options.build, options.dataset, options.network)
    row = typical_cases.choose(typical_cases.inpainting_scores(run, "gweebp"))["typical"]
    four, maps = run.quadruplet(row), maps_of(run, "inpainting")
    images = (four.op[0], four.om[0], four.ip[0], four.in_[0], four.region[0])
    figure = figures.quadruplet(*images, {name: maps[name][row] for name in METHODS})
    with atomic(options.out) as temporary:
        figure.savefig(temporary, dpi=160, bbox_inches="tight")
    return 0


if __name__ == "__main__":
    sys.exit(main())
