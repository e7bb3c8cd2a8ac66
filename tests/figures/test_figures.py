"""The figures: legible, white in any theme, nothing overlapping, styles told apart, and what they draw is the data."""

import itertools
import warnings
from dataclasses import replace
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb

from gweebp import figures
from gweebp.commands.casework.examiner import Examined
from gweebp.commands.casework.explanation import Explanation
from gweebp.commands.casework.page import explanation
from gweebp.commands.casework.pictures import Picture
from gweebp.faces import PARTS
from gweebp.figures.curves import STRONG
from gweebp.figures.style import METHOD_STYLES, PAIR, PLAIN, REST, RUNS, SIGNS, WIDTH
from gweebp.games.bootstrap import Curve, Difference, Estimate
from gweebp.methods.names import in_order

METHODS = list(METHOD_STYLES)
PANELS = ["VGG16 · composite", "LCNN9 · composite", "VGG16 · drawn", "LCNN9 · drawn"]
LINE = Curve(*(np.linspace(0, 1, 21) for _ in range(4)))
FACE = np.random.default_rng(0).integers(0, 256, (3, 20, 16), dtype=np.uint8)
MAP = np.random.default_rng(1).random((5, 4))
REGION = np.pad(np.ones((6, 6), dtype=bool), ((0, 14), (5, 5)))
STEPS = np.arange(50)
BUDGET = Curve(*np.array([[25, 50], [0.1, 0.2], [0.0, 0.1], [0.2, 0.3]]))
LABELS = np.full((20, 16), 255, dtype=np.uint8)
LABELS[:6], LABELS[6:9, 4:12] = 0, 2

CASE = Examined(
    *(Picture("a-very-long-file-name.png", torch.from_numpy(FACE)), [Picture("mate.png", torch.from_numpy(FACE))] * 3),
    *(Picture("nonmate.png", torch.from_numpy(FACE)), True),
    Explanation(torch.from_numpy(MAP), 0.31, 0.33, 0.32, "lcnn9", "gweebp", ("A note.",)),
)

FIGURES = {
    "a case": lambda: explanation(CASE),
    "a case without a map": lambda: explanation(
        replace(CASE, mates=CASE.mates[:1], explanation=Explanation(None, 1.9, 0.0, 1.95, "lcnn9", "ebp"))
    ),
    "grid": lambda: figures.image_grid([FACE] * 5, list("abcde"), columns=3, rows=["one", "two"]),
    "overlay": lambda: figures.map_on_image(FACE, MAP, "gweEBP", REGION),
    "triplet": lambda: figures.triplet(FACE, FACE, FACE, dict.fromkeys(METHODS, MAP)),
    "quadruplet": lambda: figures.quadruplet(FACE, FACE, FACE, FACE, REGION, {"gweebp": MAP, "mine": MAP}),
    "parts": lambda: figures.parts([FACE] * 3, [None, LABELS, LABELS], list("abc"), rows=["photo"], columns=3),
    "curves": lambda: figures.curves(
        {p: dict.fromkeys(METHODS, LINE) for p in PANELS}, xlabel="false alarm rate (FAR)", ylabel="success rate"
    ),
    "three panels": lambda: figures.curves({p: {"ebp": LINE} for p in PANELS[:3]}, xlabel="FAR", ylabel="SR"),
    "training": lambda: figures.training(
        dict.fromkeys(PANELS, (STEPS, 1 / (STEPS + 1))), dict.fromkeys(PANELS, (STEPS, STEPS / 50)), {PANELS[0]: 40}
    ),
    "roc": lambda: figures.roc({p: ([0, 0.01, 1], [0.1, 0.8, 1]) for p in PANELS}, {PANELS[0]: (0.01, 0.8, 0.7)}),
    "distances": lambda: figures.distances({p: (np.linspace(0, 1, 50), np.linspace(1, 2, 90), 0.9) for p in PANELS}),
    "forest": lambda: figures.forest(
        {p: dict.fromkeys(METHODS, Estimate(0.5, 0.4, 0.6)) for p in PANELS}, xlabel="mean SR for FAR up to 10 %"
    ),
    "heatmap": lambda: figures.heatmap(
        {p: {m: dict.fromkeys(PARTS, 0.5) for m in METHODS} for p in PANELS},
        parts=PARTS,
        label="exchanged part",
        counts={p: dict.fromkeys(PARTS, 120) for p in PANELS},
    ),
    "cascade": lambda: figures.cascade(
        {p: ([f"conv{k}" for k in range(21)], dict.fromkeys(METHODS[:8], LINE)) for p in PANELS}, ylabel="similarity"
    ),
    "budget": lambda: figures.budget({p: {"corrrise": BUDGET} for p in PANELS}, xlabel="masks", ylabel="precision"),
    "bars": lambda: figures.bars({"EBP": 90.0, "a stage": 30.5}, xlabel="seconds", colours={"EBP": "#56B4E9"}),
    "differences": lambda: figures.differences(
        {p: dict.fromkeys(METHODS[:-1], Difference(0.1, -0.1, 0.2, 0.3)) for p in PANELS}, xlabel="gweEBP minus other"
    ),
}


def texts(figure):
    """Visible, non-empty texts of a figure."""
    found = figure.findobj(lambda artist: hasattr(artist, "get_text") and hasattr(artist, "get_fontsize"))
    return [t for t in found if t.get_visible() and t.get_text().strip()]


@pytest.mark.parametrize("name", FIGURES)
def test_white_whatever_the_theme_and_left_unregistered(name):
    with plt.style.context("dark_background"):
        figure = FIGURES[name]()
        file = BytesIO()
        figure.savefig(file, format="png")
    file.seek(0)
    pixels = (255 * plt.imread(file)).round()
    assert to_hex(figure.get_facecolor()) == "#ffffff"
    assert (pixels[0, :, :3] == 255).mean() > 0.5
    assert (pixels[..., 3:] == 255).all()
    for text in texts(figure):
        assert max(to_rgb(text.get_color())) < 0.5, text
    assert not plt.get_fignums()  # a notebook shows it once


@pytest.mark.parametrize("name", FIGURES)
def test_text_is_legible_at_360_px_and_inside(name):
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    assert figure.get_figwidth() == WIDTH
    for text in texts(figure):
        least = 5 if text.get_gid() == "fine print" else 8  # hashes of a case: JSON and the report have them, too
        assert text.get_fontsize() / 72 * 360 / WIDTH >= least, text
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) > -0.02
    assert drawn.x1 < width + 0.02
    assert drawn.y1 < height + 0.02


@pytest.mark.parametrize("name", FIGURES)
def test_labels_titles_and_legend_do_not_overlap(name):
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    boxes = [legend.get_window_extent() for legend in figure.legends]
    for axes in figure.axes:
        boxes += [t.get_window_extent() for t in (axes.title, axes.xaxis.label, axes.yaxis.label) if t.get_text()]
    for one, two in itertools.combinations(boxes, 2):
        assert not one.padded(-1).overlaps(two.padded(-1))


def seen(color, matrix):
    """CIELAB of a colour as seen with a colour-vision deficiency (a matrix on linear RGB)."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(matrix @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(xyz / np.array([0.9505, 1, 1.089]))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Machado, Oliveira and Fernandes (2009), severity 1.
SIGHT = {
    "common": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}


@pytest.mark.parametrize("sight", SIGHT)
def test_methods_are_told_apart(sight):
    """Two methods differ in colour as seen, or else in dashes and marker or extended/plain dashes."""
    for a, b in itertools.combinations(METHOD_STYLES.values(), 2):
        apart = np.linalg.norm(seen(a.color, np.array(SIGHT[sight])) - seen(b.color, np.array(SIGHT[sight])))
        assert apart > 12 or a.line != b.line, (a.label, b.label, apart)
    for style in METHOD_STYLES.values():
        assert seen(style.color, np.eye(3))[0] < 75, style.label  # dark enough on white


def test_curves_draw_the_data_once_a_method_in_the_books_order():
    found = {"gweebp": LINE, "mine": LINE._replace(value=LINE.value**2), "ebp": LINE}
    figure = figures.curves({"VGG16": found}, xlabel="FAR", ylabel="SR", xlim=(0, 0.1), bands=["gweebp"])
    (axes,) = figure.axes
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["EBP", "gweEBP", "mine"]
    assert len(axes.lines) == 3
    assert len(axes.collections) == 1
    np.testing.assert_allclose(axes.lines[2].get_ydata(), LINE.value**2)
    assert axes.lines[1].get_color() == METHOD_STYLES["gweebp"].color
    assert axes.get_xlim() == (0, 0.1)


def test_one_method_alone_has_room():
    """A layout that collapses is a warning in matplotlib, an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = [
            figures.forest({"VGG16": {"ebp": Estimate(0.5, 0.4, 0.6)}}, xlabel="area"),
            figures.differences({"VGG16": {"ebp": Difference(0.1, 0, 0.2, 0.1)}}, xlabel="gweEBP minus other"),
            figures.image_grid([FACE], ["one"]),
        ]
        for figure in made:
            figure.canvas.draw()
    assert all(min(figure.axes[0].get_position().size) > 0.2 for figure in made)


def test_forest_draws_intervals_at_their_method():
    figure = figures.forest({"VGG16": {"gweebp": Estimate(0.8, 0.7, 0.95), "ebp": Estimate(0.5, 0.4, 0.6)}}, xlabel="x")
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    drawn = {tuple(line.get_ydata()): tuple(line.get_xdata()) for line in figure.axes[0].lines}
    y = labels.index("gweEBP")
    assert drawn[(y, y)] == (0.7, 0.95)
    assert drawn[(y,)] == (0.8,)


def test_differences_fill_what_is_settled():
    found = {"ebp": Difference(0.1, 0.02, 0.2, 0.01), "cebp": Difference(0.1, -0.1, 0.2, 0.4)}
    axes = figures.differences({"VGG16": found}, xlabel="x").axes[0]
    faces = {
        line.get_color(): line.get_markerfacecolor() for line in axes.lines if line.get_marker() not in ("None", "")
    }
    assert faces[METHOD_STYLES["ebp"].color] == METHOD_STYLES["ebp"].color
    assert faces[METHOD_STYLES["cebp"].color] == "white"


def test_images_are_drawn_as_given():
    figure = figures.image_grid([torch.from_numpy(FACE), torch.from_numpy(FACE[:1] / 255)])
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), FACE.transpose(1, 2, 0) / 255)
    np.testing.assert_allclose(figure.axes[1].images[0].get_array()[..., 2], FACE[0] / 255)


def test_map_and_region_lie_on_their_pixels():
    axes = figures.map_on_image(FACE, MAP, "EBP", REGION).axes[1]
    assert axes.images[1].get_extent() == axes.images[0].get_extent()
    np.testing.assert_allclose(axes.images[1].get_array(), MAP)
    outline = np.concatenate([p.vertices for c in axes.collections for p in c.get_paths()])
    np.testing.assert_allclose(outline.min(0), [5, 0], atol=0.01)  # REGION: columns 5..11, rows 0..6
    np.testing.assert_allclose(outline.max(0), [11, 6], atol=0.01)


def test_parts_are_painted_where_they_are():
    figure = figures.parts([FACE, FACE], [None, LABELS])
    plain, painted = (np.asarray(axes.images[0].get_array()) for axes in figure.axes)
    changed = np.abs(plain - painted).max(2) > 1e-6
    assert np.array_equal(changed, LABELS != 255)
    (key,) = figure.legends
    legend = {text.get_text(): patch for text, patch in zip(key.get_texts(), key.get_patches(), strict=True)}
    mix = 0.3 * plain[LABELS == 0] + 0.7 * np.array(to_rgb(legend["hair"].get_facecolor()))
    np.testing.assert_allclose(painted[LABELS == 0], mix)
    assert len({patch.get_facecolor() for patch in legend.values()}) == 6


def test_zero_map_draws_nothing_on_the_image():
    axes = figures.map_on_image(FACE, np.zeros((4, 4))).axes[1]
    assert axes.images[1].to_rgba(np.zeros((1, 1)))[..., 3].max() == 0


def test_order_of_methods():
    assert in_order(["mine", *reversed(METHODS)]) == [*METHODS, "mine"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.image_grid([]), "nothing to draw"),
        (lambda: figures.image_grid([FACE], ["a", "b"]), "2 titles for 1 images"),
        (lambda: figures.image_grid([FACE[:2]]), r"image has shape \(2, 20, 16\)"),
        (lambda: figures.image_grid([FACE / 128 - 1]), "outside 0..1"),
        (lambda: figures.map_on_image(FACE, -MAP), "finite and >= 0"),
        (lambda: figures.map_on_image(FACE, MAP * np.nan), "finite and >= 0"),
        (lambda: figures.curves({}, xlabel="", ylabel=""), "nothing to draw"),
        (
            lambda: figures.curves({"a": {"ebp": LINE._replace(low=LINE.low[1:])}}, xlabel="", ylabel=""),
            "unequal lengths",
        ),
        (lambda: figures.distances({"a": ([], [1.0], None)}), "empty or not finite"),
        (lambda: figures.forest({}, xlabel=""), "nothing to draw"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    assert not plt.get_fignums()


def test_a_note_has_axes_and_fits_its_figure():
    text = "This dataset has no quadruplets: its people have no doppelgängers. The inpainting game is not played on it."
    figure = figures.note(text)
    figure.draw_without_rendering()
    assert figure.axes  # Jupyter shows no figure without axes
    box = figure.axes[0].texts[0].get_window_extent()
    width, height = figure.get_size_inches() * figure.dpi
    assert 0 <= box.x0 < box.x1 <= width
    assert 0 <= box.y0 < box.y1 <= height


def test_a_heatmap_leaves_unplayed_parts_empty():
    table = {"VGG16": {"ebp": {"hair": 0.25}, "gweebp": {"hair": 0.5, "nose": 1.0}}}
    figure = figures.heatmap(table, parts=["hair", "nose"], label="part", counts={"VGG16": {"hair": 4}})
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["EBP", "gweEBP"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["hair\n4", "nose\n0"]
    assert sorted(t.get_text() for t in axes.texts) == ["100", "25", "50"]


def test_conditions_fill_only_what_qualified():
    distances = {"near": [0.2, 0.9], "far": [0.8, 0.9]}
    (axes,) = figures.conditions(distances, 0.5, [True, False], ["near"]).axes
    filled = [line for line in axes.lines if line.get_marker() == "o" and line.get_markerfacecolor() != "none"]
    assert [list(line.get_xdata()) for line in filled] == [[0.2], [0.8]]


def test_each_panel_of_a_heatmap_counts_its_own_trials():
    table = {title: {"ebp": {"hair": 0.5}} for title in PANELS}
    counts = {title: {"hair": i} for i, title in enumerate(PANELS)}
    axes = figures.heatmap(table, parts=["hair"], label="part", counts=counts).axes
    assert [ax.get_xticklabels()[0].get_text() for ax in axes] == ["hair 0", "hair 1", "hair 2", "hair 3"]


def test_of_many_curves_the_rest_is_grey_and_ends_are_named():
    curves = {m: Curve(LINE.x, LINE.value * (i + 1) / 20, LINE.low, LINE.high) for i, m in enumerate(METHODS)}
    (axes,) = figures.curves({"VGG16": curves}, xlabel="FAR", ylabel="SR").axes
    coloured = [line for line in axes.lines if line.get_color() != REST]
    best = METHODS[-1]  # as drawn here
    assert {line.get_color() for line in coloured} == {METHOD_STYLES[m].color for m in (*STRONG, best)}
    assert len(axes.lines) == len(METHODS)
    assert {t.get_text() for t in axes.texts} == {METHOD_STYLES[m].label for m in (*STRONG, best)}
    boxes = [t.get_window_extent() for t in axes.texts]
    assert not any(a.padded(-2).overlaps(b.padded(-2)) for a, b in itertools.combinations(boxes, 2))


def test_one_colour_has_one_meaning():
    """What is not a method has a colour that no method has, and that is told from every method's."""
    others = {*PAIR, SIGNS[1], PLAIN, *(color for color, _ in RUNS)}
    for other in others:
        for style in METHOD_STYLES.values():
            apart = np.linalg.norm(seen(other, SIGHT["common"]) - seen(style.color, SIGHT["common"]))
            assert apart > 8, (other, style)


@pytest.mark.parametrize("long", ["a name of a data set that somebody has chosen without a thought of figures"])
def test_long_titles_are_broken_and_do_not_overlap(long):
    found = {f"{p}, {long}": {"a measure with a long name of its own": Estimate(0.5, 0.4, 0.6)} for p in PANELS}
    figure = figures.forest(found, xlabel=f"the measure, {long}")
    titles = [ax.title.get_window_extent() for ax in figure.axes]
    labels = [ax.xaxis.label.get_window_extent() for ax in figure.axes if ax.xaxis.label.get_text()]
    for boxes in (titles, labels):
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_an_outline_leaves_its_part_free():
    """Each of its points lies outside the region."""
    region = np.zeros((100, 100), dtype=bool)
    region[40:60, 30:70] = True
    (axes,) = figures.image_grid([np.zeros((100, 100))], regions=[region]).axes
    points = np.concatenate([p.vertices for c in axes.collections for p in c.get_paths()])
    inside = (points[:, 0] > 30) & (points[:, 0] < 70) & (points[:, 1] > 40) & (points[:, 1] < 60)
    assert len(points) > 20 and not inside.any()


def test_a_tall_image_does_not_make_a_tall_page():
    figure = figures.image_grid([np.zeros((3, 6000, 16), np.uint8)] * 4, columns=4)
    assert figure.get_size_inches()[1] < 10
