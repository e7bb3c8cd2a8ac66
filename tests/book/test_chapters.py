"""What every chapter has: an opening that says what is learned and shows a result, a summary, exercises that compute.

And what no chapter has: a result typed by hand, or plumbing in a cell that a reader sees.
"""

import ast
import re
from functools import cache
from pathlib import Path

import jupytext
import pytest
from chapters import executed
from execute import ANSWER, fold
from profiles import read

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted({*executed(read("smoke")["extra_chapters"]), *executed(read("cuhk")["extra_chapters"])})
ANSWERS = {"results", "gallery", "study"}  # they are answers themselves, and open with them; no theory, so no exercises
TAUGHT = [chapter for chapter in CHAPTERS if chapter not in ANSWERS]
NO_FACE = {"provenance"}  # a record of runs
BOX = "```{admonition} What you will learn\n"

# numbers with a decimal point that a chapter's text may hold, and why each is not a result
CONSTANTS = {
    r"0\.\d+ ?, 0\.\d+ ?, 0\.\d+ and 0\b|\bmass 0\.\d+ and 0\b": "the toy of the inpainting game",
    r"grey \(0\.5\)": "a given of an exercise",
    r"give 0\.60 and 0\.70|similarity is then 0\.1\b": "givens of exercises",
    r"Sec\. [\d.]+": "a section of the paper",
}


@cache
def cells(chapter: str):
    return jupytext.read(ROOT / f"notebooks/{chapter}.py").cells


def tags(cell) -> set[str]:
    return set(cell.metadata.get("tags", []))


def text(chapter: str) -> str:
    return "\n\n".join(cell.source for cell in cells(chapter) if cell.cell_type == "markdown")


@pytest.mark.parametrize("chapter", TAUGHT)
def test_a_chapter_opens_with_what_is_learned(chapter):
    first = cells(chapter)[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    assert BOX in first.source
    box = first.source.split(BOX)[1].split("```")[0]
    assert len(re.findall(r"^- ", box, re.M)) == 3
    assert "prerequisites.md" in box


@pytest.mark.parametrize("chapter", [c for c in TAUGHT if c not in NO_FACE])
def test_a_picture_comes_before_the_theory(chapter):
    """A figure before the first section and the first equation, and it shows images, not curves."""
    start = []
    for cell in cells(chapter):
        if cell.cell_type == "markdown" and re.search(r"^## ", cell.source, re.M):
            start.append(re.split(r"^## ", cell.source, maxsplit=1, flags=re.M)[0])
            break
        start.append(cell.source)
    opening = "\n".join(start)
    assert re.search(r"figures\.(quadruplet|triplet|image_grid)\(", opening)
    figure = re.search(r"^```\{glue:figure\}|display\(", opening, re.M)
    equation = re.search(r"^\$\$|\{math\}", opening, re.M)
    assert figure and not (equation and equation.start() < figure.start())


@pytest.mark.parametrize("chapter", TAUGHT)
def test_a_chapter_closes_with_a_summary_and_exercises(chapter):
    headings = re.findall(r"^## (.+)$", text(chapter), re.M)
    assert headings[-2:] == ["Summary", "Exercises"]
    summary = text(chapter).split("## Summary\n")[1].split("## Exercises")[0]
    assert len(re.findall(r"^- ", summary, re.M)) >= 2
    asked = re.findall(r"^\*\*(\d)\.\*\* .", text(chapter).split("## Exercises\n")[1], re.M)
    assert asked in (["1", "2"], ["1", "2", "3"])


@pytest.mark.parametrize("chapter", TAUGHT)
def test_every_exercise_has_a_folded_answer_that_computes(chapter):
    """The answer stands in the cell below the question, folded; it asserts something that a constant can't satisfy."""
    all_cells = cells(chapter)
    question = re.compile(r"^\*\*\d\.\*\* ", re.M)
    asked = [i for i, c in enumerate(all_cells) if c.cell_type == "markdown" and question.search(c.source)]
    assert asked
    for i in asked:
        answer = all_cells[i + 1]
        assert answer.cell_type == "code" and "hide-cell" in tags(answer)
        assert answer.source.startswith(ANSWER) and fold(answer.source) == "the answer"
        claims = [node.test for node in ast.walk(ast.parse(answer.source)) if isinstance(node, ast.Assert)]
        assert claims
        for claim in claims:
            assert any(isinstance(node, ast.Name) for node in ast.walk(claim)), ast.unparse(claim)


def numbers_typed(markdown: str) -> list[str]:
    """Decimals in a chapter's text outside of formulas, code, tables of settings and the allowed constants.

    >>> numbers_typed("rank-1 is 0.83 here")
    ['0.83']
    >>> numbers_typed("$x = 0.5$ and `alpha=0.01`, {glue:text}`a` of Sec. 4.4")
    []
    """
    bare = re.sub(r"^```\{math\}.*?^```|\$\$.*?\$\$", " ", markdown, flags=re.M | re.S)
    bare = re.sub(r"\$[^$]+\$|`[^`\n]+`", " ", bare)
    for allowed in CONSTANTS:
        bare = re.sub(allowed, " ", bare)
    return re.findall(r"(?<![\w.])\d*\.\d+\b(?!\.\d)", bare)


@pytest.mark.parametrize("chapter", TAUGHT)
def test_no_result_is_typed_by_hand(chapter):
    """Alt texts apart: those with numbers are of toys, whose values the chapters assert."""
    said = re.sub(r"^:alt:.*$", "", text(chapter), flags=re.M)
    assert not numbers_typed(said)


@pytest.mark.parametrize("chapter", TAUGHT)
def test_no_plumbing_stands_in_a_cell_that_is_seen(chapter):
    hidden = {"hide-input", "hide-cell", "remove-cell", "remove-input", "parameters"}
    for cell in cells(chapter):
        if cell.cell_type == "code" and not tags(cell) & hidden:
            assert not re.search(r"\bglue\(", cell.source), cell.source


@pytest.mark.parametrize("typed", ["0.83", ".18", "12.5"])
def test_a_typed_result_is_found(typed):
    assert numbers_typed(f"gweEBP reaches {typed} here.") == [typed]
    assert not numbers_typed(f"gweEBP reaches ${typed}$ or `{typed}`.")


def test_every_allowed_constant_is_needed():
    said = "\n".join(re.sub(r"^:alt:.*$", "", text(chapter), flags=re.M) for chapter in TAUGHT)
    assert all(re.search(allowed, said) for allowed in CONSTANTS)
