"""The six parts by polygons: where they lie on a schematic face, and that they turn, grow and mirror with it."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from gweebp.faces import PARTS
from gweebp.faces.preparation.parse import NONE, dilate, miou, polygons, read_labels
from gweebp.support import files

HAIR, BROWS, EYES, NOSE, MOUTH, SKIN = range(6)


def schematic(size: float = 100.0) -> torch.Tensor:
    """68 landmarks of a drawn face, mirrored about the middle: eyes 32 % of the image apart."""

    def arc(cx, cy, rx, ry, angles):
        return [(cx + rx * math.cos(math.radians(a)), cy - ry * math.sin(math.radians(a))) for a in angles]

    jaw = arc(50, 50, 34, 42, np.linspace(180, 360, 17))
    left_brow = [(24, 40), (29, 37), (34, 36), (39, 37), (44, 39)]
    right_brow = [(100 - x, y) for x, y in reversed(left_brow)]
    bridge = [(50, 48), (50, 53), (50, 58), (50, 62)]
    base = [(43, 66), (46.5, 67.5), (50, 68), (53.5, 67.5), (57, 66)]
    eyes = [arc(x, 48, 6, 3, (180, 120, 60, 0, -60, -120)) for x in (34, 66)]
    outer = arc(50, 78, 12, 5, np.linspace(180, -150, 12))
    inner = arc(50, 78, 9, 2, np.linspace(180, -135, 8))
    points = [*jaw, *left_brow, *right_brow, *bridge, *base, *eyes[0], *eyes[1], *outer, *inner]
    return torch.tensor(points, dtype=torch.float64) * size / 100 - 0.5


@pytest.fixture(scope="module")
def labels() -> torch.Tensor:
    return polygons(schematic(), 100)


@pytest.mark.parametrize(
    ("x", "y", "label"),
    [
        (34, 48, EYES), (66, 48, EYES), (34, 37, BROWS), (66, 37, BROWS), (50, 60, NOSE), (50, 78, MOUTH),
        (50, 30, SKIN), (28, 62, SKIN), (50, 88, SKIN), (50, 43, SKIN), (50, 3, HAIR), (12, 45, HAIR), (88, 45, HAIR),
        (3, 3, NONE), (97, 97, NONE), (50, 97, NONE), (13, 85, NONE),
    ],
)  # fmt: skip
def test_what_lies_where(labels, x, y, label):
    assert labels[y, x] == label


def test_every_part_has_a_sensible_size(labels):
    shares = {part: (labels == code).float().mean().item() for code, part in enumerate(PARTS)}
    assert 0.25 < shares["skin"] < 0.6
    assert 0.1 < shares["hair"] < 0.35
    assert all(0.01 < shares[part] < 0.1 for part in ("eyebrows", "eyes", "nose", "mouth"))
    assert labels.dtype == torch.uint8


def test_a_mirrored_face_gives_mirrored_parts(labels):
    """The schematic face is its own mirror image."""
    agree = (labels == labels.flip(1)).float().mean()
    assert agree > 0.98


def test_it_grows_and_turns_with_the_face(labels):
    large = polygons(schematic(200), 200)
    assert (large[::2, ::2] == labels).float().mean() > 0.95
    centre, angle = torch.tensor([49.5, 49.5]), math.radians(90)
    turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]], dtype=torch.float64)
    turned = polygons((schematic() - centre) @ turn + centre, 100)
    agreement = max((turned == labels.rot90(k)).float().mean().item() for k in (1, 3))
    assert agreement > 0.95


def test_a_part_beyond_the_border_is_cut_and_other_shapes_work():
    assert polygons(schematic() - 60, 100).unique().tolist() != [NONE]
    assert polygons(schematic(), (120, 80)).shape == (120, 80)


def test_no_landmarks_of_a_face():
    for bad, message in [
        (schematic()[:51], r"landmarks must be \(68, 2\), got \(51, 2\)"),
        (schematic().fill_(math.nan), "must be finite"),
        (torch.zeros(68, 2), "both eyes lie in one place"),
    ]:
        with pytest.raises(ValueError, match=message):
            polygons(bad, 64)


def test_real_landmarks_give_six_parts(shared):
    """Every pair of CUHK: all parts are there, of sensible size, photo and sketch alike."""
    path = shared / "data/cuhk/landmarks68.csv"
    if not path.is_file():
        pytest.skip("no landmarks of CUHK")
    table = np.genfromtxt(path, delimiter=",", skip_header=1)[:, 2:].reshape(-1, 68, 2)
    for points in torch.from_numpy(table[::16]):
        labels = polygons(points, (250, 200))
        counts = torch.bincount(labels.flatten().long(), minlength=256)[: len(PARTS)]
        assert (counts > 300).all(), counts
        assert labels[int(points[30, 1]), int(points[30, 0])] == NOSE
        assert labels[int(points[8, 1]) - 4, int(points[8, 0])] == SKIN


def test_label_maps_are_read_by_index(tmp_path, labels):
    files.write_image(tmp_path / "grey.png", labels)
    assert torch.equal(read_labels(tmp_path / "grey.png"), labels)
    palette = Image.fromarray(labels.numpy())
    palette.putpalette([7 * i % 256 for i in range(768)])
    palette.save(tmp_path / "palette.png")
    assert torch.equal(read_labels(tmp_path / "palette.png"), labels)
    for pixels, message in [
        (torch.full((2, 2), 6, dtype=torch.uint8), r"holds the labels \[6\]; expected 0\.\.5"),
        (torch.zeros(3, 2, 2, dtype=torch.uint8), "is RGB, no label map"),
    ]:
        files.write_image(tmp_path / "bad.png", pixels)
        with pytest.raises(ValueError, match=message):
            read_labels(tmp_path / "bad.png")
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(ValueError, match="can't be read as an image"):
        read_labels(tmp_path / "bad.png")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_labels(tmp_path / "gone.png")


def test_dilate_by_hand():
    masks = torch.zeros(2, 9, 9, dtype=torch.bool)
    masks[0, 4, 4] = masks[1, 0, 0] = True
    grown = dilate(masks, 3)
    y, x = torch.meshgrid(torch.arange(9), torch.arange(9), indexing="ij")
    assert torch.equal(grown[0], (y - 4) ** 2 + (x - 4) ** 2 <= 9)
    assert torch.equal(grown[1], y**2 + x**2 <= 9)
    assert torch.equal(dilate(masks, 0), masks)
    with pytest.raises(ValueError, match="must not be negative"):
        dilate(masks, -1)


def test_miou_by_hand():
    true = torch.tensor([[[0, 0, 5, NONE]], [[0, 5, 5, 5]]], dtype=torch.uint8)
    found = torch.tensor([[[0, 5, 5, 5]], [[NONE, 5, 5, 5]]], dtype=torch.uint8)
    assert miou(found, true) == pytest.approx({"hair": 1 / 3, "skin": 4 / 6, "mean": 0.5})
    assert miou(true, true) == {"hair": 1.0, "skin": 1.0, "mean": 1.0}
    assert miou(true[:0], true[:0]) == {}
    with pytest.raises(ValueError, match="label maps of one shape"):
        miou(found[:1], true)
