"""Landmarks: the CSV, and the synthetic world's own, which lie on what is drawn."""

import pytest
import torch
import torch.nn.functional as F

from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.landmarks import (
    INNER_MOUTH,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    MOUTH,
    NOSE_BASE,
    RIGHT_BROW,
    RIGHT_EYE,
)
from gweebp.faces.synthetic import World, capture, parameters, skin
from gweebp.faces.synthetic.canvas import blank
from gweebp.faces.synthetic.exact_landmarks import pixels

SIZE = 96


@pytest.fixture(scope="module", params=["drawn", "composite"])
def drawn(request):
    """Pictures with masks, and landmarks, of photos and of sketches."""
    world, people = World(request.param, SIZE, seed=1, error=0.3), torch.arange(6)
    latents = world.people(people)
    return [
        (world.photos(people, latents, masks=True), world.photo_landmarks(people, latents)),
        (world.sketches(people, latents, masks=True), world.sketch_landmarks(people, latents)),
    ]


def at(field: torch.Tensor, xy: torch.Tensor) -> torch.Tensor:
    """Values (n, c, k) of fields (n, c, h, w) at pixels (n, k, 2)."""
    grid = (2 * xy + 1) / field.shape[-1] - 1
    return F.grid_sample(field.double(), grid[:, None], padding_mode="border", align_corners=False)[:, :, 0]


@pytest.mark.parametrize(
    ("part", "points", "share"),
    [
        ("eyebrows", [*range(17, 27)], 0.7),  # half of the hairs of thin brows do not show
        ("eyes", [*range(36, 48)], 0.95),
        ("nose", [*range(28, 36)], 0.95),
        ("mouth", [*range(48, 68)], 0.95),
    ],
)
def test_points_of_a_part_lie_on_the_part_as_drawn(drawn, part, points, share):
    for picture, xy in drawn:
        mask = F.max_pool2d(picture.masks[:, parameters.PARTS.index(part), None].float(), 3, 1, 1)  # a pixel off is on
        on = at(mask, xy[:, points]).ge(0.5).double().mean((1, 2))
        assert on.median() > share  # a fringe or glasses may hide a part of it


def test_the_jaw_lies_on_the_outline_that_is_drawn():
    people = torch.arange(8)
    latents, conditions = parameters.sample(2, people), capture.sample(2, people, "photo")
    canvas = blank(latents, conditions, 200, masks=False)
    p = {name: value.double() for name, value in canvas.p.items()}
    jaw = pixels(conditions, *skin.points(p), 200)
    edge = at(skin.outline(canvas)[:, None], jaw)  # signed distance in face units
    assert edge.abs().max() < 0.5 * float(canvas.pixel.max())
    assert (jaw[:, 1:, 0] > jaw[:, :-1, 0]).all()  # from left to right
    assert (jaw[:, :, 1].argmax(1) - 8).abs().max() <= 1  # the chin is lowest


def test_pixels_undo_coordinates():
    conditions = capture.sample(2, torch.arange(4), "photo")
    u, v, _ = capture.coordinates(conditions, 32)
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    there = pixels(conditions, u.flatten(1), v.flatten(1), 32)
    torch.testing.assert_close(
        there, torch.stack([x, y], -1).flatten(0, 1).double().expand_as(there), atol=1e-4, rtol=0
    )


def test_what_is_where_in_the_order_of_ibug(drawn):
    for _, xy in drawn:
        left, right, mouth = landmarks.centres(xy).unbind(1)
        assert (left[:, 0] < right[:, 0]).all()
        assert (mouth[:, 1] > left[:, 1]).all()
        for eye, brow, inner, outer in ((LEFT_EYE, LEFT_BROW, 39, 36), (RIGHT_EYE, RIGHT_BROW, 42, 45)):
            assert (xy[:, brow, 1].mean(1) < xy[:, eye, 1].mean(1)).all()
            nose = xy[:, 27, 0]
            assert ((xy[:, inner, 0] - nose).abs() < (xy[:, outer, 0] - nose).abs()).all()
        assert (xy[:, NOSE_BASE, 0].diff(dim=1) > 0).all()
        assert (xy[:, 48, 0] == xy[:, MOUTH, 0].min(1).values).all()
        assert (xy[:, 54, 0] == xy[:, MOUTH, 0].max(1).values).all()
        # the upper lip is above the lower one, the line between the lips between them
        assert (xy[:, 51, 1] < xy[:, 62, 1]).all() and (xy[:, 66, 1] < xy[:, 57, 1]).all()
        assert (xy[:, JAW, 0].min() > 0) and (xy[:, INNER_MOUTH].max() < SIZE)


def rows(count=2):
    generator = torch.Generator().manual_seed(0)
    return {("photo", f"p{i}"): torch.rand(68, 2, generator=generator, dtype=torch.float64) * 99 for i in range(count)}


def test_a_csv_comes_back_to_a_thousandth(tmp_path):
    written = rows() | {("sketch", "p0"): rows()["photo", "p1"]}
    landmarks.write(tmp_path / "landmarks.csv", written)
    read = landmarks.read(tmp_path / "landmarks.csv")
    assert list(read) == list(written)
    for key in written:
        torch.testing.assert_close(read[key], written[key], atol=6e-4, rtol=0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id,kind", "name,kind", r"lacks the columns \['id'\]"),
        (",photo,", ",painting,", r"line 2 \(painting p0\): kind must be one of photo, sketch, distractor"),
        ("p1,photo", "p0,photo", r"line 3 .*: the same image has a row already"),
        ("p0,photo,", "p0,photo,x", r"line 2 \(photo p0\): could not convert"),
        ("p0,photo,", "p0,photo,nan,", r"line 2 \(photo p0\): landmarks must be finite"),
    ],
)
def test_a_csv_that_cannot_be_is_refused_by_line(tmp_path, old, new, message):
    path = tmp_path / "landmarks.csv"
    landmarks.write(path, rows())
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        landmarks.read(path)


def test_missing_files_and_wrong_shapes(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected the CSV of landmarks"):
        landmarks.read(tmp_path / "gone.csv")
    with pytest.raises(ValueError, match=r"landmarks must be \(68, 2\), got \(5, 2\)"):
        landmarks.write(tmp_path / "x.csv", {("photo", "a"): torch.zeros(5, 2)})
    assert not list(tmp_path.iterdir())


def test_a_digest_tells_moved_points_apart():
    points = rows()["photo", "p0"]
    moved = points.clone()
    moved[3, 1] += 0.01
    assert landmarks.digest(points) != landmarks.digest(moved)


def test_the_real_landmarks(shared):
    path = shared / "data" / "cuhk" / "landmarks68.csv"
    if not path.is_file():
        pytest.skip("the folder shared has no landmarks of CUHK")
    found = landmarks.read(path)
    assert len(found) == 376
    left, right, mouth = landmarks.centres(torch.stack(list(found.values()))).unbind(1)
    assert (right[:, 0] - left[:, 0]).mean().item() == pytest.approx(51, abs=1)
    assert (mouth[:, 1] - left[:, 1]).min() > 30
