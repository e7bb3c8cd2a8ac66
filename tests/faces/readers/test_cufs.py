"""CUFS: people of three sets, told apart by the names that the sets are distributed with."""

import pytest
from PIL import Image

from gweebp.faces.readers import cufs

FILES = (
    "CUHK/CUHK_training_photo/photo/f-005-01.jpg",
    "CUHK/CUHK_training_sketch/sketch/F2-005-01-sz1.jpg",
    "CUHK/CUHK_testing_photo/photo/m-090-01.jpg",
    "CUHK/CUHK_testing_sketch/sketch/M-090-01-sz1.jpg",
    "AR/AR_sketch/sketch/Mp-002-1-sz1.jpg",
    "AR/photos/m-002-1.bmp",
    "AR/AR_sketch/sketch/Wp-001-1-sz1.jpg",
    "AR/photos/m-002-2.bmp",  # another photo of the man
    "XM2VTS/photo/000_1_1.ppm",
    "XM2VTS/photo/000_1_2.ppm",
    "XM2VTS/photo/000_4_1.ppm",
    "XM2VTS/XM2VTS_sketch/sketch/000_1_1_sz1.jpg",
    "elsewhere/m-091-01.jpg",
)


@pytest.fixture
def folder(tmp_path):
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 250), "green").save(tmp_path / path)
    return tmp_path


def test_people_of_all_three_sets(folder):
    listing = cufs.listing(folder)
    assert [pair.id for pair in listing.pairs] == [
        "ar-m-002-1",
        "ar-w-001-1",
        "cuhk-f-005-01",
        "cuhk-m-090-01",
        "xm2vts-000_1_1",
    ]
    by_id = {pair.id: pair for pair in listing.pairs}
    assert by_id["ar-w-001-1"].photo is None
    assert by_id["ar-m-002-1"].photo == folder / "AR/photos/m-002-1.bmp"
    assert by_id["cuhk-f-005-01"].sketch.name == "F2-005-01-sz1.jpg"
    assert [by_id[i].usual for i in ("cuhk-f-005-01", "cuhk-m-090-01", "ar-m-002-1")] == ["train", "test", ""]
    assert listing.facts["listed_by_set"] == {"cuhk": 2, "ar": 2, "xm2vts": 1}
    assert sum(cufs.SETS.values()) == 606


def test_what_is_missing_is_listed(folder):
    with pytest.warns(UserWarning, match="skipped 1 of 5 people"):
        faces = cufs.load(folder, size=16, seed=0)
    assert faces.name == "cufs"
    assert faces.record["skipped"] == [{"item": "ar-w-001-1", "why": "it has no photo"}]
    assert faces.record["listed_by_set"]["ar"] == 2


def test_names_that_begin_with_their_set(tmp_path):
    for path in ("photo/AR_001.jpg", "sketch/AR_001.jpg", "photo/XM2VTS_0007.jpg", "sketch/XM2VTS_0007.jpg"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", (200, 250)).save(tmp_path / path)
    pairs = cufs.listing(tmp_path).pairs
    assert [pair.id for pair in pairs] == ["ar-001", "xm2vts-0007"]
    assert [pair.sketch.parent.name for pair in pairs] == ["sketch", "sketch"]
    assert [pair.photo.parent.name for pair in pairs] == ["photo", "photo"]


def test_cropped_images_are_preferred_where_both_are(folder):
    for path in ("AR/AR_cropped_sketches/sketches/Mp-002-1-sz1.jpg", "CUHK/cropped_photos/photos/f-005-01.jpg",
                 "CUHK/cropped_sketches/sketches/f2-005-01-sz1.jpg"):  # fmt: skip
        (folder / path).parent.mkdir(parents=True)
        Image.new("RGB", (200, 250)).save(folder / path)
    by_id = {pair.id: pair for pair in cufs.listing(folder).pairs}
    man, woman = by_id["ar-m-002-1"], by_id["cuhk-f-005-01"]
    assert {p.relative_to(folder).parts[1] for p in (woman.photo, woman.sketch)} == {
        "cropped_photos",
        "cropped_sketches",
    }
    assert man.sketch.parts[-3] == "AR_sketch"  # his photo is not cropped


def test_two_images_of_one_person_and_no_set_at_all(folder, tmp_path_factory):
    Image.new("RGB", (200, 250)).save(folder / "XM2VTS/photo/000_1_1.png")
    with pytest.raises(ValueError, match="two images of one person: remove one"):
        cufs.listing(folder)
    with pytest.raises(ValueError, match="it is empty, or is another set"):
        cufs.listing(tmp_path_factory.mktemp("empty"))
