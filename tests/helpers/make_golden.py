"""Make tests/golden from the smoke build: its executed chapters, without their figures. `make golden` calls this.

nbval replays them and compares every printed number. A figure is kept as a mark that there is one.
"""

import json

import nbformat
from helpers.replay import CHANGING, FIGURES, GOLDEN, SMOKE, machine
from nbformat import NotebookNode

FIGURE = "a figure"
SLIDER = '<div class="interactive"'  # it holds its images


def without_figures(notebook: NotebookNode) -> NotebookNode:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in FIGURES & set(output.get("data", {})):
                output.data[kind] = FIGURE
            if "".join(output.get("data", {}).get("text/html", "")).startswith(SLIDER):
                output.data["text/html"] = FIGURE
    return notebook


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.ipynb"):
        old.unlink()
    for path in sorted((SMOKE / "chapters").glob("*.ipynb")):
        if path.stem not in CHANGING:
            notebook = without_figures(nbformat.read(path, as_version=4))
            (GOLDEN / path.name).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    (GOLDEN / "machine.json").write_text(json.dumps(machine(), indent=2) + "\n")


if __name__ == "__main__":
    main()
