"""What the golden files share: where they are, of which chapters they are, and what in a notebook is a picture."""

from pathlib import Path

from chapters import executed, shows_results
from profiles import read

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"
FIGURES = GOLDEN / "figures.json"  # the numbers of the chapters that show results, as `make compare` reads them
SMOKE = ROOT / "_build/smoke"
PICTURES = {f"{prefix}image/{kind}" for prefix in ("", "application/papermill.record/") for kind in ("png", "svg+xml")}

TOLERANCE = 0.005  # on the same faces, other instructions changed a threshold by 4e-7, and one pixel of one game

GROWING = "study"  # its outcomes are kept as they are computed, training after training
CHAPTERS = executed(read("smoke")["extra_chapters"])
KEPT = [chapter for chapter in CHAPTERS if not shows_results(chapter) and chapter != GROWING]
