"""Two builds are compared figure by figure, and disagreement is an exit status."""

import json
import shutil
from pathlib import Path

import pytest
from compare import beyond, figures, main, read_figures, report, write_figures
from hypothesis import given
from hypothesis import strategies as st

BUILD = Path(__file__).parents[2] / "_build/smoke"


def test_figures_in_one_build_only_are_differences():
    assert beyond({"x": 1.0}, {"y": 1.0}, 10) == {"x": (1.0, None), "y": (None, 1.0)}


@pytest.mark.parametrize(
    ("a", "b", "agree"), [(0.5, 0.519, True), (0.5, 0.521, False), (200, 203, True), (200, 210, False)]
)
def test_the_tolerance_is_absolute_for_shares_and_relative_for_counts(a, b, agree):
    assert (beyond({"x": a}, {"x": b}, 0.02) == {}) == agree


def test_the_report_names_the_worst_first():
    text, agree = report({"x": 0.5, "y": 0.1, "z": 1.0}, {"x": 0.6, "y": 0.9, "z": 1.0}, 0.02)
    assert not agree
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["y", "x"]
    assert lines[1].split()[1:] == ["0.1000", "0.9000", "0.8000"]
    assert lines[-1].startswith("3 figures in both, largest difference 0.8; 2 beyond")


ROWS = st.text(st.characters(codec="utf-8"), max_size=8)
SOME = st.dictionaries(st.tuples(ROWS, st.sampled_from(["1", "2", "hiding", "threshold"])), st.floats(-1e6, 1e6))


@given(SOME)
def test_numbers_are_read_as_they_were_written(tmp_path_factory, some):
    found = {f"{row}: {which}": float(f"{value:.6g}") for (row, which), value in some.items()}
    path = tmp_path_factory.mktemp("numbers") / "figures.json"
    write_figures(path, found)
    assert read_figures(path) == found == figures(path)


def test_a_row_is_a_line_of_the_file(tmp_path):
    write_figures(
        tmp_path / "a.json", {"LCNN9, gweebp: hiding": 0.5, "masks, table 1, a: 1": 1, "masks, table 1, a: 2": 2}
    )
    assert (tmp_path / "a.json").read_text().splitlines()[1:-1] == [
        '"LCNN9, gweebp": {"hiding": 0.5},',
        '"masks, table 1, a": [1.0, 2.0]',
    ]


def test_a_file_is_compared_as_a_build_is(tmp_path, capsys):
    for name, value in (("a", 0.5), ("b", 0.6)):
        write_figures(tmp_path / f"{name}.json", {"masks, table 1, VGG16: 1": value})
    assert main([str(tmp_path / "a.json"), str(tmp_path / "a.json"), "--tolerance", "0"]) == 0
    assert main([str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 1
    assert "masks, table 1, VGG16: 1" in capsys.readouterr().out
    (tmp_path / "a.json").write_text("[]")
    assert main([str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    assert "a.json is not a file of numbers" in capsys.readouterr().err


@pytest.mark.usefixtures("smoke_book")
def test_a_build_agrees_with_its_copy_and_not_with_another(tmp_path, capsys):
    for folder in ("data", "trials", "games", "chapters"):
        shutil.copytree(BUILD / folder, tmp_path / folder)
    assert main(["smoke", str(tmp_path), "--tolerance", "0"]) == 0
    assert len(figures(tmp_path)) > 100
    (path,) = tmp_path.glob("trials/synthetic-drawn/lcnn9.json")
    trials = json.loads(path.read_text())
    trials["threshold"] += 0.5
    path.write_text(json.dumps(trials))
    capsys.readouterr()
    assert main(["smoke", str(tmp_path)]) == 1
    assert "LCNN9, drawings: threshold" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_what_is_no_build_is_one_clear_line(name, capsys):
    assert main([name, name]) == 2
    assert "is not a build: expected a profile's name" in capsys.readouterr().err
