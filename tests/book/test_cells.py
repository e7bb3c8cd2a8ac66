"""What a reader sees of a chapter's code: lines that fit, and none of the plumbing that puts figures under captions."""

from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.py"))
FOLDED = {"hide-input", "hide-cell", "remove-cell", "remove-input", "parameters"}
WIDEST = 88  # characters that fit beside the menu of a window 1400 pixels wide


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_visible_cells_fit_and_show_no_plumbing(chapter):
    for cell in jupytext.read(chapter).cells:
        if cell.cell_type == "code" and not FOLDED & set(cell.metadata.get("tags", [])):
            lines = cell.source.splitlines()
            assert [line for line in lines if len(line) > WIDEST] == []
            assert [line for line in lines if line.lstrip().startswith("glue(")] == []
