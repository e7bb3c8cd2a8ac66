import pytest
from matplotlib.colors import to_hex

from gweebp.figures import by_depth, neurons
from gweebp.figures.style import SIGNS


def test_a_connection_is_as_thick_as_its_number_and_dashed_where_negative():
    figure = neurons({"toy": ([[1.0], [0.75, -0.25, 0.0]], [[[0.9, -0.3, 0.0]]])}, ["top", "bottom"])
    thick, thin = figure.axes[0].lines  # none is drawn for the zero
    assert thick.get_linewidth() > 2 * thin.get_linewidth()
    assert (to_hex(thick.get_color()), to_hex(thin.get_color())) == (SIGNS[0].lower(), SIGNS[1].lower())
    assert (thick.get_linestyle(), thin.get_linestyle()) == ("-", "--")
    assert [text.get_text() for text in figure.axes[0].texts] == ["top", "1", "bottom", ".75", "−.25", "0"]


def test_connections_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 2\).*\(2, 1\)"):
        neurons({"toy": ([[1.0], [1.0, 2.0]], [[[1.0], [2.0]]])}, ["top", "bottom"])


def test_rows_run_from_the_top_layer_down_and_panels_keep_their_own():
    panels = {"a": {"x": {"head": 0.5, "conv": 0.25}, "y": {"head": 0.0, "conv": 1.0}}, "b": {"x": {"fc": 0.1}}}
    figure = by_depth(panels, xlabel="share")
    a, b = figure.axes
    assert [label.get_text() for label in b.get_yticklabels()] == ["fc"]
    assert a.get_ylim()[0] > a.get_ylim()[1]  # head above conv
    assert list(a.lines[0].get_xdata()) == [0.5, 0.25]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["x", "y"]
