"""The notebook executor: parameters are checked, output is reproducible, and whole or not at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from bs4 import BeautifulSoup
from execute import execute, normalise
from parameters import ChapterError, convert, defaults, meanings, parameters, table

ROOT = Path(__file__).parents[2]

CHAPTER = """# %% [markdown]
# # A chapter

# %% tags=["parameters"]
steps = 3  # how many
rate = 0.5
name = "ebp"
loud = False

# %%
import sys
from tqdm import tqdm

for step in tqdm(range(steps)):
    print(step)
print("a", "warning", file=sys.stderr)
object()

# %%
import matplotlib.pyplot as plt

_ = plt.plot(range(steps))
{last}
"""


@pytest.fixture
def chapter(tmp_path: Path) -> Path:
    path = tmp_path / "chapter.py"
    path.write_text(CHAPTER.format(last=""))
    return path


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One chapter, executed twice with steps=4, as first.ipynb and second.ipynb."""
    folder = tmp_path_factory.mktemp("executed")
    (folder / "chapter.py").write_text(CHAPTER.format(last=""))
    for name in ("first", "second"):
        execute(folder / "chapter.py", folder / f"{name}.ipynb", {"steps": "4"}, {"rate": "2", "build": "_build/x"})
    return folder


def notebook(source: str) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    return nbformat.v4.new_notebook(cells=[cell])


def text_of(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


def test_two_runs_are_byte_identical(executed):
    assert (executed / "first.ipynb").read_bytes() == (executed / "second.ipynb").read_bytes()


def test_parameters_reach_the_notebook(executed):
    assert text_of(executed / "first.ipynb") == "0\n1\n2\n3\n"


def test_nothing_on_standard_error_and_no_address_in_the_output(executed):
    written = (executed / "first.ipynb").read_text()
    assert "a warning" not in written
    assert "it/s" not in written
    assert " at 0x" not in written
    assert "<object>" in written


def test_offered_parameters_are_passed_only_where_the_chapter_has_them(executed):
    record = json.loads((executed / "first.json").read_text())
    assert record["parameters"] == {"rate": 2.0, "steps": 4}
    assert record["threads"] == 1
    assert record["seconds"] > 0
    assert record["peak_memory_mib"] > 10


def test_the_executed_notebook_is_valid_and_shows_its_figure(executed):
    read = nbformat.read(executed / "first.ipynb", as_version=4)
    nbformat.validate(read)
    kinds = {kind for cell in read.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/svg+xml"}
    assert read.metadata.kernelspec.name == "python3"


def test_unknown_parameter_names_the_nearest(chapter, tmp_path):
    with pytest.raises(ChapterError, match=r"no parameter 'setps'; did you mean 'steps'\?.*steps, rate, name, loud"):
        execute(chapter, tmp_path / "out.ipynb", {"setps": "4"}, {})
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("name", "text", "default"), [("steps", "4.5", 3), ("rate", "fast", 0.5), ("loud", "maybe", False)]
)
def test_mistyped_parameter_is_refused(name, text, default):
    with pytest.raises(ChapterError, match=f"parameter {name} is a {type(default).__name__}.*'{text}' is not one"):
        convert(name, text, default)


def test_values_take_the_type_of_the_default():
    given = parameters(notebook('steps = 3\nrate = 0.5\nname = "a"\nloud = False'), {"rate": "1", "loud": "yes"})
    assert given == {"rate": 1.0, "loud": True}
    assert isinstance(given["rate"], float)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("steps = [1, 2]", "parameter steps is a list; use int, float, str or bool"),
        ("steps = None", "parameter steps is a NoneType"),
        ("import torch", "more than assignments: import torch"),
        ("steps = int('3')", r"parameter steps is not a plain value: int\('3'\)"),
    ],
)
def test_parameters_must_be_plain_values(source, message):
    with pytest.raises(ChapterError, match=message):
        defaults(notebook(source))


def test_negative_and_annotated_defaults_are_read():
    assert defaults(notebook("low = -1\nrate: float = 0.5  # a comment")) == {"low": -1, "rate": 0.5}


def test_a_notebook_without_a_parameters_cell_is_refused():
    with pytest.raises(ChapterError, match="one cell tagged 'parameters', found 0"):
        defaults(nbformat.v4.new_notebook())


def test_a_failing_cell_leaves_nothing_behind(tmp_path, capfd):
    source = tmp_path / "broken.py"
    source.write_text(CHAPTER.format(last='raise ValueError("no faces")'))
    with pytest.raises(ChapterError, match=r"(?s)cell \d+ failed.*ValueError: no faces"):
        execute(source, tmp_path / "out" / "broken.ipynb", {}, {})
    assert not list(tmp_path.glob("out/*"))


def test_an_older_result_survives_a_failing_run(tmp_path):
    source, out = tmp_path / "broken.py", tmp_path / "broken.ipynb"
    source.write_text(CHAPTER.format(last="1 / 0"))
    out.write_text("the old one")
    with pytest.raises(ChapterError, match="ZeroDivisionError"):
        execute(source, out, {}, {})
    assert out.read_text() == "the old one"


def test_an_unknown_chapter_names_the_nearest(chapter):
    with pytest.raises(ChapterError, match="no chapter 'chaptre'; did you mean 'chapter'"):
        execute(chapter.with_name("chaptre.py"), chapter.with_name("out.ipynb"), {}, {})


def test_normalising_twice_changes_nothing(executed):
    read = nbformat.read(executed / "first.ipynb", as_version=4)
    assert nbformat.writes(normalise(read)) + "\n" == (executed / "first.ipynb").read_text()


def test_the_command_line_reports_and_fails(chapter, tmp_path):
    command = [sys.executable, ROOT / "book/workflow/execute.py", chapter, "--out", tmp_path / "x.ipynb"]
    done = subprocess.run([*command, "--parameter", "steps"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "expected NAME=VALUE, such as steps=11; got 'steps'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_every_parameter_of_every_chapter_says_what_it_means(path):
    """One cell of plain values, a comment beside each: papermill, Jupyter and the page need no more."""
    read = jupytext.read(path)
    (source,) = (cell.source for cell in read.cells if "parameters" in cell.metadata.get("tags", []))
    said = meanings(source)
    assert said.keys() == defaults(read).keys()
    assert [name for name, meaning in said.items() if not meaning] == []


def test_the_table_of_parameters_shows_default_value_here_and_meaning(executed):
    notebook = json.loads((executed / "first.ipynb").read_text())
    html = table(notebook, "chapter", {"smoke": 0.25})
    page = BeautifulSoup(html, "html.parser")
    rows = [[cell.text for cell in row.find_all("td")] for row in page.select("tbody tr")]
    assert rows[0] == ["steps", "int", "3", "4", "how many"]
    assert rows[1] == ["rate", "float", "0.5", "2.0", ""]
    assert "0.2 minutes in the profile smoke" in page.text
    assert 'make chapter NAME=chapter PARAMS="steps=3"' in page.text


@pytest.mark.parametrize("command", ["papermill", "jupyter"])
def test_a_chapter_runs_by_other_hands(command, tmp_path):
    """After `jupytext --to ipynb`, plain papermill and Jupyter's own executor run a chapter, wherever it lies."""
    source, out = tmp_path / "chapter.ipynb", tmp_path / "out.ipynb"
    chapter = jupytext.read(ROOT / "notebooks/excitation_backprop.py")
    jupytext.write(chapter, source)
    by = {
        "papermill": ["papermill", source, out, "--parameters", "size", "32", "--no-progress-bar"],
        "jupyter": ["jupyter", "execute", source, f"--output={out.stem}"],
    }
    command = [sys.executable, "-m", *map(str, by[command])]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert "sum 1.000000, agrees with the library: True" in out.read_text()
