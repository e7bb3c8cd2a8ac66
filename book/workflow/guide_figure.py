"""Draw the figure of the page "Your own images": what `gweebp explain --demo` draws today.

    python book/workflow/guide_figure.py

Draw it again where the picture of a case, its words or the demo have changed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from gweebp.__main__ import main as gweebp
from gweebp.support.files import atomic

OUT = Path(__file__).parents[1] / "_static" / "explain.png"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder, "demo.png")
        if status := gweebp(["explain", "--demo", "--out", str(drawn)]):
            return status
        with atomic(options.out) as temporary:
            shutil.copyfile(drawn, temporary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
