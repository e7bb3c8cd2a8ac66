"""Numbers that a chapter prints are read as they stand, by names that stay when a number changes."""

import nbformat
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output
from printed import numbers, of_table, of_text, printed, shows_results

SHARES = st.floats(-1, 1, allow_nan=False).map(lambda x: round(x, 3))


@given(st.lists(SHARES | st.integers(-(10**6), 10**6), max_size=6))
def test_any_numbers_are_read_back(values):
    assert numbers(", ".join(f"x is {x:,}".replace("-", "−") for x in values)) == [float(x) for x in values]


@pytest.mark.parametrize("text", ["rank-1", "VGG16", "Fig.3", "C5", "v2.1", "conv5a", "fc1", "2x"])
def test_digits_of_a_name_are_not_numbers(text):
    assert numbers(f"{text} of conv4 is given") == []


@given(st.lists(st.lists(SHARES, min_size=2, max_size=2), min_size=1, max_size=5))
def test_a_table_is_read_row_by_row_as_pandas_writes_it(rows):
    index = pd.MultiIndex.from_tuples([("gweEBP", f"row {chr(97 + k)}") for k in range(len(rows))])
    frame = pd.DataFrame([[f"{x:+.3f}" for x in row] for row in rows], index, ["VGG16", "LCNN9"])
    assert list(of_table(frame.to_html()).values()) == rows


def test_names_that_come_twice_are_counted():
    frame = pd.DataFrame({"claim": ["C1", "C1", "C2"], "p": [0.5, 0.25, 1.0]}).set_index("claim")
    assert of_table(frame.to_html()) == {"C1": [0.5], "C1 (2)": [0.25], "C2": [1.0]}
    assert of_text("a: 1\nb\na: 2") == {"a": [1.0], "a (2)": [2.0]}


@given(st.lists(st.sampled_from(["hiding", "inpainting", "truth"]), min_size=1, max_size=6).map(sorted))
def test_a_row_below_a_label_of_several_rows_has_its_name_too(games):
    index = pd.MultiIndex.from_tuples([(game, f"method {chr(97 + k)}") for k, game in enumerate(games)])
    found = of_table(pd.DataFrame({"area": [0.5] * len(games)}, index).to_html())
    assert list(found) == [", ".join(pair) for pair in index]


def test_words_before_the_numbers_are_part_of_a_rows_name_and_words_after_them_are_not():
    frame = pd.DataFrame(
        {"first": ["gweEBP", "EBP"], "says": ["a sentence " * 5] * 2, "value": ["0.5 [0.4, 0.6]", "1"], "is": "open"},
        ["C1", "C1"],
    )
    assert of_table(frame.to_html()) == {"C1, gweEBP": [0.5, 0.4, 0.6], "C1, EBP": [1.0]}


def test_a_line_keeps_its_name_when_its_numbers_change():
    before, after = (of_text(f"- VGG16, drawn: from {x} to 200 masks.") for x in (25, 50))
    assert before.keys() == after.keys() and before != after


def test_places_are_counted_by_kind_and_pictures_are_passed_over():
    table = pd.DataFrame({"p": [0.5]}, ["C1"])
    notebook = new_notebook(
        cells=[
            new_code_cell(
                outputs=[
                    new_output("stream", name="stdout", text="area 0.625\n"),
                    new_output("display_data", {"image/png": "iVBOR", "text/plain": "<Figure size 10x20 with 1 Axes>"}),
                    new_output("display_data", {"text/html": table.to_html(), "text/plain": "C1  0.5"}),
                    new_output("display_data", {"text/html": '<div class="interactive">3</div>', "text/plain": "3"}),
                    new_output("display_data", {"text/markdown": "- C5: 4 of 6.", "text/plain": "<Markdown object>"}),
                ]
            )
        ]
    )
    assert printed(notebook) == {"text 1": {"area": [0.625]}, "table 1": {"C1": [0.5]}, "text 2": {"C5": [4.0, 6.0]}}


def test_a_chapter_shows_results_where_a_parameter_names_the_build():
    def chapter(source):
        cell = new_code_cell(source, metadata=nbformat.from_dict({"tags": ["parameters"]}))
        return new_notebook(cells=[new_code_cell('build = "elsewhere"'), cell])

    assert shows_results(chapter('build = "_build/book"  # the folder'))
    assert not shows_results(chapter("seed = 0\nbuilds = 2"))
