"""`prepare align`: from a folder of photos and sketches to aligned pairs that every later step reads."""

import bz2
import csv
import shutil
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from gweebp.__main__ import main
from gweebp.faces import FaceSet
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.align import HEAD, align
from gweebp.faces.preparation.predictor import Predictor
from gweebp.faces.readers import cuhk
from gweebp.faces.synthetic import World
from gweebp.support import files

N, SIDE = 10, 72


@pytest.fixture
def folder(tmp_path):
    """Ten people of the synthetic world as files, with two distractors."""
    world, people = World("drawn", SIDE, seed=0, error=0.1), torch.arange(N + 2)
    latents = world.people(people)
    drawn = {
        "photo": (world.photos(people, latents).images, world.photo_landmarks(people, latents)),
        "sketch": (world.sketches(people, latents).images, world.sketch_landmarks(people, latents)),
    }
    points = {}
    for kind, (images, xy) in drawn.items():
        for i in range(N):
            where = tmp_path / "raw" / {"photo": "photos", "sketch": "sketches"}[kind] / f"p{i}.png"
            files.write_image(where, images[i])
            points[kind, f"p{i}"] = xy[i]
    for i in range(N, N + 2):
        files.write_image(tmp_path / f"others/o{i}.png", drawn["photo"][0][i])
        points["distractor", f"o{i}"] = drawn["photo"][1][i]
    landmarks.write(tmp_path / "raw/landmarks.csv", points)
    return tmp_path


def run(folder, extra="", given="landmarks.csv"):
    line = f"prepare align --kind pairs --folder {folder}/raw --distractors-from {folder}/others --landmarks {given}"
    return main(f"{line} --out {folder}/out --size 48 {extra}".split())


def manifest(folder):
    return files.read_json(folder / "out/manifest.json")["align"]


def test_aligned_pairs_are_a_set_of_pairs(folder):
    before = {path: files.sha256(path) for path in (folder / "raw").rglob("*.png")}
    assert run(folder) == 0
    assert {path: files.sha256(path) for path in before} == before  # the originals
    listing = cuhk.listing(folder / "out")
    assert [pair.id for pair in listing.pairs] == sorted(f"p{i}" for i in range(N))
    assert list(listing.distractors) == ["o10", "o11"]
    points = landmarks.read(folder / "out/landmarks.csv")
    assert len(points) == 2 * N + 2
    given = landmarks.read(folder / "raw/landmarks.csv")
    for kind, name, where in (("photo", "p3", "photos"), ("sketch", "p3", "sketches")):
        image, moved = align(files.read_image(folder / f"raw/{where}/{name}.png"), given[kind, name], 48, HEAD)
        assert torch.equal(files.read_image(folder / f"out/{where}/{name}.png"), image)
        torch.testing.assert_close(points[kind, name], moved, atol=6e-4, rtol=0)
    assert manifest(folder)["counts"] == {"made": N + 2, "kept": 0, "skipped": 0}
    assert str(folder) not in (folder / "out/manifest.json").read_text()


def test_faces_read_the_aligned_pairs_whole(folder):
    assert run(folder) == 0
    line = (
        f"prepare faces --kind pairs --folder {folder}/out --dataset mine --size 48 --no-quadruplets --out {folder}/set"
    )
    assert main(line.split()) == 0
    faces = FaceSet.load(folder / "set")
    assert faces.name == "mine"
    assert (len(faces.ids), len(faces.distractors)) == (N, 2)
    assert torch.equal(faces.photos[0], files.read_image(folder / "out/photos/p0.png"))
    # the same faces with the distractors from elsewhere
    shutil.rmtree(folder / "out/distractors")
    assert main(f"{line} --distractors-from {folder}/others".split()) == 0
    assert len(FaceSet.load(folder / "set").distractors) == 2


def test_a_second_run_makes_what_changed_and_no_more(folder):
    assert run(folder) == 0
    made = (folder / "out/photos/p1.png").stat().st_mtime_ns
    shutil.copy(folder / "raw/sketches/p2.png", folder / "raw/sketches/p5.png")
    points = landmarks.read(folder / "raw/landmarks.csv")
    points["photo", "p6"] = points["photo", "p6"] + 2
    landmarks.write(folder / "raw/landmarks.csv", points)
    assert run(folder) == 0
    assert manifest(folder)["counts"] == {"made": 2, "kept": N, "skipped": 0}
    assert (folder / "out/photos/p1.png").stat().st_mtime_ns == made
    assert run(folder, "--frame face") == 0
    assert manifest(folder)["counts"]["made"] == N + 2


def test_a_person_without_a_face_or_an_image_is_listed_and_counted(folder):
    points = landmarks.read(folder / "raw/landmarks.csv")
    del points["sketch", "p1"], points["distractor", "o11"]
    points["photo", "p2"] = torch.full((68, 2), 30.0)
    landmarks.write(folder / "raw/landmarks.csv", points)
    (folder / "raw/photos/p3.png").write_bytes(b"broken")
    (folder / "raw/photos/p4.png").unlink()
    with pytest.warns(UserWarning, match="skipped 5 of 12 items"):
        assert run(folder) == 0
    why = {item["item"]: item["why"] for item in manifest(folder)["skipped"]}
    assert why["p1"] == "the CSV has no landmarks of its sketch"
    assert why["p2"] == "photos/p2.png: all points coincide: these are no landmarks of a face"
    assert "photos/p3.png can't be read as an image" in why["p3"]
    assert why["p4"] == "it has no photo"
    assert why["distractor o11"] == "the CSV has no landmarks of its distractor"
    with (folder / "out/pairs.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["p0", "p5", "p6", "p7", "p8", "p9"]
    assert not (folder / "out/photos/p1.png").exists()
    line = (
        f"prepare faces --kind pairs --folder {folder}/out --dataset mine --size 48 --no-quadruplets --out {folder}/set"
    )
    assert main(line.split()) == 0
    alignment = FaceSet.load(folder / "set").record["alignment"]
    assert (alignment["counts"]["skipped"], alignment["skipped"]) == (5, manifest(folder)["skipped"])
    assert "items" not in alignment


def test_files_that_are_not_those_of_pairs_csv_are_not_aligned(folder):
    rows = ["id,photo,sketch,split,photo_sha256,sketch_sha256"]
    for i in range(N):
        sha = "0" * 64 if i == 4 else files.sha256(folder / f"raw/photos/p{i}.png")
        rows.append(f"p{i},photos/p{i}.png,sketches/p{i}.png,{'test' if i > 6 else 'train'},{sha},")
    (folder / "raw/pairs.csv").write_text("\n".join(rows))
    with pytest.warns(UserWarning, match=r"p4: photos/p4\.png is not the file that pairs\.csv lists"):
        assert run(folder) == 0
    assert [pair.usual for pair in cuhk.listing(folder / "out").pairs] == ["train"] * 6 + ["test"] * 3


def test_input_that_cannot_be(folder, capsys):
    assert run(folder, given="gone.csv") == 1
    assert "expected the CSV of landmarks" in capsys.readouterr().err
    assert run(folder, given="gone.dat") == 1
    assert "expected dlib's shape_predictor" in capsys.readouterr().err
    assert run(folder, f"--out {folder}/raw/out") == 1
    assert "where your originals are" in capsys.readouterr().err


def test_uom_sgfs_as_distributed_becomes_aligned_pairs_and_faces(tmp_path):
    """Sketches as .bmp, photos as .ppm.bz2, higher than wide; two subjects without a sketch are distractors."""
    world, people = World("composite", SIDE, seed=0, error=0.3), torch.arange(N + 2)
    latents = world.people(people)
    photos, sketches = world.photos(people, latents).images, world.sketches(people, latents).images
    points = {}
    for i, xy in enumerate(world.photo_landmarks(people, latents)):
        subject, high = f"{100 + i:05d}", F.pad(photos[i], (0, 0, 6, 12))
        ppm = tmp_path / f"raw/colorferet/dvd1/data/images/{subject}/{subject}_931230_fa.ppm"
        files.write_image(ppm, high)
        ppm.with_name(f"{ppm.name}.bz2").write_bytes(bz2.compress(ppm.read_bytes()))
        ppm.unlink()
        moved = xy + torch.tensor([0, 6])
        if i < N:
            files.write_image(tmp_path / f"raw/UoM-SGFS-v2/Sketches/Set A/Images/{subject}.bmp", sketches[i])
            points["photo", subject] = moved
            points["sketch", subject] = world.sketch_landmarks(people, latents)[i]
        else:
            points["distractor", f"{subject}_931230_fa"] = moved
    landmarks.write(tmp_path / "landmarks.csv", points)
    line = f"prepare align --kind uom-sgfs --folder {tmp_path}/raw --landmarks {tmp_path}/landmarks.csv --size 48"
    assert main(f"{line} --out {tmp_path}/out".split()) == 0
    section = manifest(tmp_path)
    assert section["counts"] == {"made": N + 2, "kept": 0, "skipped": 0}
    assert section["facts"] == {"sketch_set": "A", "photos_named": 0}
    line = f"prepare faces --kind pairs --folder {tmp_path}/out --dataset uom-sgfs --size 48 --no-quadruplets"
    assert main(f"{line} --out {tmp_path}/set".split()) == 0
    faces = FaceSet.load(tmp_path / "set")
    assert (len(faces.ids), len(faces.distractors)) == (N, 2)
    # where the rows added above and below do not reach, the face is as aligned without them
    whole, _ = align(photos[3], points["photo", "00103"] - torch.tensor([0, 6]), 48)
    difference = (faces.photos[3].float() - whole.float())[:, 14:36, 12:36].abs()
    assert difference.mean() < 3  # a pixel off is 8 and more


class FakeDlib:
    """What dlib answers for an image in which a face is a rectangle of one grey."""

    def __init__(self, parts=68):
        self.parts = parts

    def get_frontal_face_detector(self):
        def detect(pixels, larger):
            areas = {grey: int((pixels == grey).sum()) for grey in (100, 200)}
            return [SimpleNamespace(grey=g, area=partial(int, n)) for g, n in areas.items() if n]

        return detect

    def shape_predictor(self, path):
        if "bad" in path:
            raise RuntimeError("Error deserializing")

        def predict(pixels, face):
            part = lambda i: SimpleNamespace(x=face.grey, y=i)  # noqa: E731
            return SimpleNamespace(num_parts=self.parts, part=part)

        return predict


def test_dlib_finds_the_largest_face(tmp_path, monkeypatch):
    (tmp_path / "model.dat").touch()
    (tmp_path / "bad.dat").touch()
    monkeypatch.setitem(sys.modules, "dlib", FakeDlib())
    image = torch.zeros(3, 40, 40, dtype=torch.uint8)
    predict = Predictor(tmp_path / "model.dat")
    with pytest.raises(ValueError, match="no face found in it"):
        predict(image)
    image[:, :5, :5] = 100
    image[:, 20:, 20:] = 200
    assert predict(image)[[0, 67]].tolist() == [[200, 0], [200, 67]]
    with pytest.raises(ValueError, match="is no shape predictor of dlib"):
        Predictor(tmp_path / "bad.dat")
    monkeypatch.setitem(sys.modules, "dlib", FakeDlib(parts=5))
    with pytest.raises(ValueError, match="predicts 5 points, expected 68"):
        Predictor(tmp_path / "model.dat")(image)


def test_without_dlib_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "model.dat").touch()
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "gweebp\[dlib\]"'):
        Predictor(tmp_path / "model.dat")


class Choosy(FakeDlib):
    """Finds the face as the CSV has it for p0, but in no grey image."""

    def __init__(self, points):
        super().__init__()
        self.points = points
        self.looked = 0

    def get_frontal_face_detector(self):
        def detect(pixels, larger):
            self.looked += 1
            return [self] if (pixels[..., 0] != pixels[..., 1]).any() else []

        return detect

    def area(self):
        return 1

    def shape_predictor(self, path):
        def part(i):
            return SimpleNamespace(x=float(self.points[i, 0]), y=float(self.points[i, 1]))

        return lambda pixels, face: SimpleNamespace(num_parts=68, part=part)


@pytest.fixture
def dlib(folder, monkeypatch):
    """A dlib that sees one face in every coloured image; the sketch of p7 is grey, the others are photos."""
    (folder / "raw/model.dat").touch()
    for i in range(N):
        shutil.copy(folder / f"raw/photos/p{i}.png", folder / f"raw/sketches/p{i}.png")
    files.write_image(folder / "raw/sketches/p7.png", torch.full((3, SIDE, SIDE), 90, dtype=torch.uint8))
    dlib = Choosy(landmarks.read(folder / "raw/landmarks.csv")["photo", "p0"])
    monkeypatch.setitem(sys.modules, "dlib", dlib)
    return dlib


def test_images_in_which_dlib_finds_no_face_are_listed(folder, dlib, monkeypatch, capsys):
    with pytest.warns(UserWarning, match=r"skipped 1 of 12 items, .* p7: sketches/p7\.png: no face found in it"):
        assert run(folder, given="model.dat") == 0
    assert manifest(folder)["parameters"]["predictor"] == files.sha256(folder / "raw/model.dat")
    with pytest.warns(UserWarning, match="skipped 1 of 12"):
        assert run(folder, given="model.dat") == 0
    assert manifest(folder)["counts"] == {"made": 0, "kept": 11, "skipped": 1}
    monkeypatch.setattr(dlib, "get_frontal_face_detector", lambda: lambda pixels, larger: [])
    (folder / "raw/model.dat").write_text("another model")
    assert run(folder, given="model.dat") == 1
    assert "none of 12 items" in capsys.readouterr().err


def test_landmarks_alone_as_a_csv(folder, dlib):
    line = f"prepare landmarks --kind pairs --folder {folder}/raw --distractors-from {folder}/others"
    line += f" --model {folder}/raw/model.dat --out {folder}/points"
    with pytest.warns(UserWarning, match=r"skipped 1 of 22 items, .* sketch p7: no face found in it"):
        assert main(line.split()) == 0
    found = landmarks.read(folder / "points/landmarks.csv")
    assert len(found) == 2 * N + 2 - 1
    torch.testing.assert_close(found["distractor", "o10"], dlib.points, atol=6e-4, rtol=0)
    shutil.copy(folder / "raw/photos/p7.png", folder / "raw/sketches/p7.png")
    dlib.looked = 0
    assert main(line.split()) == 0
    assert dlib.looked == 1
    assert len(landmarks.read(folder / "points/landmarks.csv")) == 2 * N + 2


def test_a_killed_alignment_goes_on_where_it_stopped(folder, monkeypatch):
    monkeypatch.setattr("gweebp.faces.preparation.manifest._SAVE_AFTER", -1.0)
    monkeypatch.setattr("gweebp.commands.prepare.align._WRITE_AFTER", 1)
    calls = []

    def killed(*given):
        calls.append(given)
        if len(calls) == 9:  # both images of four people, and one of the fifth
            raise KeyboardInterrupt
        return align(*given)

    monkeypatch.setattr("gweebp.commands.prepare.align.align", killed)
    assert run(folder) == 130
    monkeypatch.setattr("gweebp.commands.prepare.align.align", align)
    assert not (folder / "out/pairs.csv").exists()
    assert run(folder) == 0
    assert manifest(folder)["counts"] == {"made": N + 2 - 4, "kept": 4, "skipped": 0}
    assert len(landmarks.read(folder / "out/landmarks.csv")) == 2 * N + 2


def test_the_real_pairs(shared, tmp_path, monkeypatch):
    source = shared / "data" / "cuhk"
    if not (source / "landmarks68.csv").is_file():
        pytest.skip("the folder shared has no landmarks of CUHK")
    raw = tmp_path / "raw"
    for kind in ("photos", "sketches"):
        (raw / kind).mkdir(parents=True)
        for path in sorted((source / kind).iterdir())[:6]:
            shutil.copy(path, raw / kind)
    line = (
        f"prepare align --kind pairs --folder {raw} --landmarks {source}/landmarks68.csv --size 64 --out {tmp_path}/out"
    )
    assert main(line.split()) == 0
    points = landmarks.read(tmp_path / "out/landmarks.csv")
    assert len(points) == 12
    off = landmarks.centres(torch.stack(list(points.values()))) - HEAD.target(64)
    assert off.norm(dim=-1).max() < 3
    with Image.open(next((tmp_path / "out/photos").iterdir())) as image:
        assert (image.mode, image.size) == ("RGB", (64, 64))
