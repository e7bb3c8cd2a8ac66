import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gweebp.faces.readers import cuhk
from gweebp.support import files


def write_set(folder: Path, n: int = 12) -> Path:
    """Generated files in the layout of the set, sketches in palette mode, without pairs.csv."""
    random = np.random.default_rng(0)
    (folder / "photos").mkdir(parents=True)
    (folder / "sketches").mkdir()
    for i in range(n):
        pixels = random.integers(0, 256, (250, 200, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"m-{i:03d}-01.png")
        sketch = Image.fromarray(pixels).convert("L").convert("P")
        sketch.save(folder / "sketches" / f"m-{i:03d}-01-sz1.png")
    return folder


def write_pairs(folder: Path, splits: list[str], hashes: bool = True, columns: tuple[str, ...] = ()) -> None:
    rows = []
    for photo, split in zip(sorted((folder / "photos").iterdir()), splits, strict=True):
        sketch = folder / "sketches" / f"{photo.stem}-sz1.png"
        row = {"id": photo.stem, "split": split, "photo": f"photos/{photo.name}", "sketch": f"sketches/{sketch.name}"}
        if hashes:
            row |= {"photo_sha256": files.sha256(photo), "sketch_sha256": files.sha256(sketch)}
        rows.append({key: value for key, value in row.items() if not columns or key in columns})
    with (folder / "pairs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_pairs_by_name(tmp_path):
    faces = cuhk.load(write_set(tmp_path / "set"), size=32, seed=0)
    assert faces.name == "cuhk"
    assert faces.ids == tuple(f"m-{i:03d}-01" for i in range(12))
    assert faces.photos.shape == faces.sketches.shape == (12, 3, 32, 32)
    assert (faces.sizes["train"], faces.sizes["validation"], faces.sizes["test"]) == (7, 2, 3)
    assert faces.record["sizes"] == {
        "listed": 12, "read": 12, "skipped": 0, "train": 7, "validation": 2, "test": 3, "distractors": 0
    }  # fmt: skip
    assert faces.record["seed"] == 0
    assert str(tmp_path) not in str(faces.record)


def test_crop_and_size(tmp_path):
    folder = write_set(tmp_path / "set")
    faces = cuhk.load(folder, size=136, seed=0)
    whole = files.read_image(folder / "photos" / "m-003-01.png")
    assert torch.equal(faces.photos[3], whole[:, 66:202, 32:168])  # no resizing is left to do
    grey = files.read_image(folder / "sketches" / "m-003-01-sz1.png")
    assert torch.equal(faces.sketches[3], grey[:, 66:202, 32:168])
    assert torch.equal(grey[0], grey[1])
    assert cuhk.load(folder, size=16, seed=0, crop=(0, 0, 200, 200)).photos.shape == (12, 3, 16, 16)
    assert cuhk.load(folder, size=16, seed=0, crop=None).photos.shape == (12, 3, 16, 16)


def test_pairs_csv_gives_the_same_faces_and_the_usual_split(tmp_path):
    folder = write_set(tmp_path / "set")
    by_name = cuhk.load(folder, size=24, seed=0)
    write_pairs(folder, ["train"] * 5 + ["test"] * 7)
    listed = cuhk.load(folder, size=24, seed=0)
    assert torch.equal(listed.photos, by_name.photos)
    assert torch.equal(listed.sketches, by_name.sketches)
    assert torch.equal(listed.split, by_name.split)
    usual = cuhk.load(folder, size=24, seed=0, split="usual")
    assert usual.test.tolist() == list(range(5, 12))
    assert usual.sizes["validation"] == 1
    assert not torch.equal(cuhk.load(folder, size=24, seed=3).split, listed.split)


def test_bad_items_are_skipped_counted_and_listed(tmp_path):
    folder = write_set(tmp_path / "set")
    clean = cuhk.load(folder, size=24, seed=0)
    (folder / "photos" / "m-001-01.png").unlink()  # a sketch without its photo
    (folder / "sketches" / "m-002-01-sz1.png").unlink()
    path = folder / "photos" / "m-004-01.png"
    path.write_bytes(path.read_bytes()[:300])
    (folder / "sketches" / "m-006-01-sz1.png").write_text("no image")
    Image.new("RGB", (100, 120)).save(folder / "photos" / "m-008-01.png")
    (folder / "photos" / "notes.txt").write_text("not an image, and not meant to be")
    with pytest.warns(UserWarning, match=r"skipped 5 of 12 people .*first: m-001-01: it has no photo"):
        faces = cuhk.load(folder, size=24, seed=0)
    skipped = {item["item"]: item["why"] for item in faces.record["skipped"]}
    assert skipped["m-001-01"] == "it has no photo"
    assert skipped["m-002-01"] == "it has no sketch"
    assert "photos/m-004-01.png can't be read" in skipped["m-004-01"]
    assert "sketches/m-006-01-sz1.png can't be read" in skipped["m-006-01"]
    assert "100x120 pixels: faces are cut out of images of 200x250" in skipped["m-008-01"]
    assert faces.record["sizes"]["read"] == len(faces.ids) == 7
    assert faces.record["sizes"]["skipped"] == len(skipped) == 5
    assert str(tmp_path) not in str(faces.record)
    # nobody else changed split because of them
    before = dict(zip(clean.ids, clean.split.tolist(), strict=True))
    assert all(before[i] == code for i, code in zip(faces.ids, faces.split.tolist(), strict=True))


def test_files_that_pairs_csv_lists_and_that_are_gone_or_changed(tmp_path):
    folder = write_set(tmp_path / "set")
    write_pairs(folder, ["train"] * 6 + ["test"] * 6)
    (folder / "photos" / "m-000-01.png").unlink()
    shutil.copy(folder / "sketches" / "m-001-01-sz1.png", folder / "sketches" / "m-003-01-sz1.png")
    with pytest.warns(UserWarning, match="skipped 2 of 12"):
        faces = cuhk.load(folder, size=24, seed=0)
    assert [item["item"] for item in faces.record["skipped"]] == ["m-000-01", "m-003-01"]
    assert "no file photos/m-000-01.png" in faces.record["skipped"][0]["why"]
    assert "its sha256 differs" in faces.record["skipped"][1]["why"]


def test_folders_that_hold_no_set(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere: name the folder that holds photos/"):
        cuhk.load(tmp_path / "nowhere", size=24, seed=0)
    with pytest.raises(
        FileNotFoundError, match=r"no folder .*photos: expected photos/ and sketches/, pairs\.csv, or CUHK"
    ):
        cuhk.load(tmp_path, size=24, seed=0)
    (tmp_path / "photos").mkdir()
    (tmp_path / "sketches").mkdir()
    with pytest.raises(ValueError, match="lists no photo and no sketch: it is empty"):
        cuhk.load(tmp_path, size=24, seed=0)
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    (tmp_path / "sketches" / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"none of 1 people .*; first: a: photos/a\.png can't be read"):
        cuhk.load(tmp_path, size=24, seed=0)


def test_too_few_people_for_every_split(tmp_path):
    folder = write_set(tmp_path / "two", n=2)
    with pytest.raises(ValueError, match=r"cuhk has no (validation|test) subjects"):
        cuhk.load(folder, size=24, seed=0)
    write_pairs(folder, ["train", "train"])
    with pytest.raises(ValueError, match=r"cuhk has no (validation|test) subjects"):
        cuhk.load(folder, size=24, seed=0, split="usual")


def test_lists_that_are_wrong(tmp_path):
    folder = write_set(tmp_path / "set")
    with pytest.raises(ValueError, match=r'split="usual" needs pairs\.csv'):
        cuhk.load(folder, size=24, seed=0, split="usual")
    write_pairs(folder, ["train"] * 12, columns=("id", "photo"))
    with pytest.raises(ValueError, match=r"pairs\.csv lacks the columns \['sketch'\]; it has \['id', 'photo'\]"):
        cuhk.load(folder, size=24, seed=0)
    write_pairs(folder, ["train"] * 12)
    with (folder / "pairs.csv").open("a") as file:
        file.write("m-000-01,train,photos/m-000-01.png,sketches/m-000-01-sz1.png,,\n")
    with pytest.raises(ValueError, match=r"lists a person twice: \['m-000-01'\]"):
        cuhk.load(folder, size=24, seed=0)
    (folder / "pairs.csv").write_text("")
    with pytest.raises(ValueError, match="lacks the columns"):
        cuhk.load(folder, size=24, seed=0)


def test_two_images_of_one_person(tmp_path):
    folder = write_set(tmp_path / "set")
    Image.new("RGB", (200, 250)).save(folder / "photos" / "m-000-01.jpg")
    with pytest.raises(ValueError, match="two images of one person: remove one"):
        cuhk.load(folder, size=24, seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be at least 1 pixel"),
        ({"crop": (10, 10, 5, 20)}, "left < right"),
        ({"crop": (-5, 0, 5, 20)}, "left < right"),
        ({"split": "official"}, '"seeded" or "usual"'),
    ],
)
def test_options_that_cannot_be(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        cuhk.load(write_set(tmp_path / "set", n=1), **{"size": 24, "seed": 0, **options})


def test_the_archives_as_distributed(tmp_path):
    photo = Image.new("RGB", (200, 250), "blue")
    for path in (
        "CUHK_training_cropped_photos/photos/f-005-01.jpg",
        "CUHK_training_cropped_sketches/sketches/F2-005-01-sz1.jpg",
        "CUHK_training_sketch/sketch/F2-005-01-sz1.jpg",
        "CUHK_testing_cropped_photos/photos/m1-001-01.jpg",
        "CUHK_testing_cropped_sketches/sketches/m1-001-01-sz1.jpg",
        "CUHK_testing_cropped_photos/photos/f-039-01.jpg",
        "AR_sketch/sketch/Mp-002-1-sz1.jpg",
        "notes/f-040-01.jpg",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        photo.save(tmp_path / path)
    listing = cuhk.listing(tmp_path)
    assert [(pair.id, pair.usual) for pair in listing.pairs] == [
        ("f-005-01", "train"),
        ("f-039-01", "test"),
        ("m1-001-01", "test"),
    ]
    assert listing.pairs[0].sketch == tmp_path / "CUHK_training_cropped_sketches/sketches/F2-005-01-sz1.jpg"
    assert listing.pairs[1].sketch is None


def test_original_sketches_find_their_photos(tmp_path):
    for path in ("photos/f-005-01.png", "photos/f2-006-01.png", "sketches/F2-005-01-sz1.png", "sketches/f2-006-01.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 250)).save(tmp_path / path)
    assert [(p.photo.name, p.sketch.name) for p in cuhk.listing(tmp_path).pairs] == [
        ("f-005-01.png", "F2-005-01-sz1.png"),
        ("f2-006-01.png", "f2-006-01.png"),  # a name of the user's own stays as it is
    ]


def test_distractors_and_square_images(tmp_path):
    folder = write_set(tmp_path / "set")
    for i in range(4):
        (folder / f"distractors/batch{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 60), (i, 50, 90)).save(folder / f"distractors/batch{i % 2}/{i}.png")
    (folder / "distractors/batch0/0.png").write_bytes(b"broken")
    assert list(cuhk.listing(folder).distractors) == ["batch0-0", "batch0-2", "batch1-1", "batch1-3"]
    with pytest.warns(
        UserWarning, match=r"skipped 1 of 16 people .*: distractor batch0-0: distractors/batch0/0\.png can't"
    ):
        faces = cuhk.load(folder, size=24, seed=0)
    assert faces.distractors[:, 0, 5, 5].tolist() == [2, 1, 3]  # a square is taken whole
    assert faces.record["sizes"]["distractors"] == 3
    assert len(faces.gallery()) == 3 + 3
    more = tmp_path / "more"
    more.mkdir()
    Image.new("RGB", (60, 60)).save(more / "x.jpg")
    assert list(cuhk.listing(folder).extended(more).distractors)[-1] == "x"
    with pytest.raises(ValueError, match="has already: "):
        cuhk.listing(folder).extended(folder / "distractors")
    with pytest.raises(FileNotFoundError, match="name one that holds photos of other people"):
        cuhk.listing(folder).extended(tmp_path / "gone")


def test_the_real_set(shared):
    folder = shared / "data" / "cuhk"
    if not folder.is_dir():
        pytest.skip("the folder shared has no data/cuhk")
    faces = cuhk.load(folder, size=32, seed=0)
    assert faces.record["sizes"] == {
        "listed": 188, "read": 188, "skipped": 0, "train": 113, "validation": 28, "test": 47, "distractors": 0
    }  # fmt: skip
    usual = cuhk.load(folder, size=32, seed=0, split="usual")
    assert (usual.sizes["train"] + usual.sizes["validation"], usual.sizes["test"]) == (88, 100)
    # sketches are grey, photos are not
    sketches, photos = faces.sketches.float(), faces.photos.float()
    assert (sketches.amax(1) - sketches.amin(1)).mean() < 3
    assert (photos.amax(1) - photos.amin(1)).mean() > 20
