"""Make tests/golden from the smoke build. `make golden` calls this.

Chapters without results are kept as executed notebooks, without their pictures: nbval replays them and compares every
printed number. Of the others the numbers are kept, in one file. Read the diff before you commit it.
"""

import compare
import nbformat
from helpers.replay import FIGURES, GOLDEN, KEPT, PICTURES, SMOKE
from nbformat import NotebookNode

PICTURE = "a figure"  # all that is kept of one
SLIDER = '<div class="interactive"'  # it holds its images


def without_pictures(notebook: NotebookNode) -> NotebookNode:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in PICTURES & set(output.get("data", {})):
                output.data[kind] = PICTURE
            if "".join(output.get("data", {}).get("text/html", "")).startswith(SLIDER):
                output.data["text/html"] = PICTURE
    return notebook


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.ipynb"):
        old.unlink()
    for chapter in KEPT:
        notebook = nbformat.read(SMOKE / f"chapters/{chapter}.ipynb", as_version=4)
        text = nbformat.writes(without_pictures(notebook)) + "\n"
        (GOLDEN / f"{chapter}.ipynb").write_text(text, encoding="utf-8")
    compare.write_figures(FIGURES, compare.figures(SMOKE))


if __name__ == "__main__":
    main()
