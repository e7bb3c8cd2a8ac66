"""Quadruplets of pairs read as they are: the landmarks move with the cut, and the record says what was made."""

import pytest
import torch

from gweebp.__main__ import main
from gweebp.faces import PARTS, FaceSet, Quadruplets
from gweebp.faces.preparation import inpaint, landmarks, pairs
from gweebp.faces.readers import cuhk, reading
from gweebp.faces.synthetic import World
from gweebp.support import files

PEOPLE, SIDE = 8, 136  # the side of the cut
LEFT, TOP, *_ = reading.CROP
FOLDERS = {"photo": "photos", "sketch": "sketches"}


def plain(images, masks, seeds):
    return inpaint.fill(images, masks, "mean", seed=seeds)


def write(folder, *, cut: bool):
    """Drawn faces as square images, or as the middles of images of 200x250 pixels; the same landmarks on the face."""
    world, people = World("drawn", SIDE, 3, 0.0), torch.arange(PEOPLE)
    latents = world.people(people)
    photos, points = world.photos(people, latents).images, world.photo_landmarks(people, latents)
    found = {}
    for i in range(PEOPLE):
        for kind, image in (("photo", photos[i]), ("sketch", photos[i] // 8 * 8)):
            if cut:
                whole = torch.full((3, 250, 200), 200, dtype=torch.uint8)
                whole[:, TOP : TOP + SIDE, LEFT : LEFT + SIDE] = image
                image = whole
            files.write_image(folder / FOLDERS[kind] / f"p{i}.png", image)
            found[kind, f"p{i}"] = points[i] + (torch.tensor([LEFT, TOP]) if cut else 0)
    return folder, found


@pytest.fixture(scope="module")
def square(tmp_path_factory):
    return write(tmp_path_factory.mktemp("square"), cut=False)


def made(folder, points, size=SIDE):
    listing = cuhk.listing(folder)
    faces = reading.read(listing, size, 0)
    return faces, pairs.candidates(faces, listing, points, plain, seed=0)


def test_landmarks_move_with_the_cut(square, tmp_path):
    faces, whole = made(*square)
    _, cut = made(*write(tmp_path, cut=True))
    for name, tensor in whole.quadruplets._tensors().items():
        assert torch.equal(tensor, getattr(cut.quadruplets, name)), name
    assert set(whole.quadruplets.subject.tolist()) == set(faces.test.tolist())


def test_parts_lie_where_the_face_has_them_at_any_size(square):
    folder, points = square
    faces, (four, _) = made(folder, points, size=68)
    for row in range(len(four)):
        centre = landmarks.centres(points["sketch", faces.ids[four.subject[row]]]) / 2
        left, right, mouth = (tuple(int(v) for v in point) for point in centre)
        part = ("hair", "eyebrows", "eyes", "nose", "mouth", "skin")[four.part[row]]
        inside = [bool(four.region[row, y, x]) for x, y in (left, right, mouth)]
        assert inside == {"eyes": [True, True, False], "mouth": [False, False, True]}.get(part, [False] * 3)


def test_people_without_landmarks_are_listed_and_nobody_is_an_error(square):
    folder, points = square
    faces, whole = made(folder, points)
    first = faces.ids[int(faces.test[0])]
    _, fewer = made(folder, {key: value for key, value in points.items() if key != ("photo", first)})
    assert {"item": first, "why": "its photo has no landmarks"} in fewer.skipped
    assert len(fewer.quadruplets) < len(whole.quadruplets)
    with pytest.raises(ValueError, match=r"none of \d test people has landmarks"):
        made(folder, {})


class Sees:
    """A parser that takes all for hair, but a mouth in the middle."""

    def labels(self, images):
        found = torch.full(images.shape[:1] + images.shape[2:], PARTS.index("hair"), dtype=torch.uint8)
        found[:, 20:30, 20:30] = PARTS.index("mouth")
        return found


def test_a_parser_tells_hair_and_skin_and_landmarks_the_rest(square):
    folder, points = square
    listing = cuhk.listing(folder)
    faces = reading.read(listing, 48, 0)
    plain = pairs.labelled(faces, listing, points, faces.test)
    seen = pairs.labelled(faces, listing, points, faces.test, Sees())
    assert torch.equal(plain.rows, faces.test) and torch.equal(seen.rows, faces.test)
    small = torch.isin(plain.photo, torch.tensor([PARTS.index(p) for p in ("eyebrows", "eyes", "nose", "mouth")]))
    for one, other in zip(plain[1:3], seen[1:3], strict=True):
        assert torch.equal(one[small], other[small])
        rest = other[:, 20:30, 20:30][~small[:, 20:30, 20:30]]
        assert set(rest.tolist()) <= {PARTS.index("skin")}  # the parser's mouth is skin
        assert (other[:, :20][~small[:, :20]] == PARTS.index("hair")).all()
    nobody = pairs.labelled(faces, listing, {}, faces.test)
    assert len(nobody.rows) == len(nobody.photo) == 0 and len(nobody.skipped) == len(faces.test)


def test_prepare_faces_makes_them_where_the_folder_holds_landmarks(square, tmp_path):
    folder, points = square
    command = f"prepare faces --kind pairs --dataset demo --folder {folder} --size 48 --fill mean --out {tmp_path}"
    with pytest.warns(UserWarning, match=r"no landmarks\.csv or landmarks68\.csv in the folder: no face parts"):
        assert main([*command.split(), "--quadruplets"]) == 0
    assert len(Quadruplets.load(tmp_path / "quadruplets.safetensors")) == 0
    landmarks.write(folder / "landmarks68.csv", points)
    assert main([*command.split(), "--quadruplets"]) == 0
    four = Quadruplets.load(tmp_path / "quadruplets.safetensors")
    faces = FaceSet.load(tmp_path)
    assert set(four.subject.tolist()) == set(faces.test.tolist())
    assert faces.record["quadruplets"]["counts"] == four.counts()
    assert faces.record["quadruplets"]["parameters"] == {"fill": "mean"}
    outside = ~four.region[:, None].expand_as(four.op)
    assert torch.equal(four.op[outside], four.ip[outside]) and not torch.equal(four.op, four.ip)
    assert main([*command.split(), "--no-quadruplets"]) == 0
    assert len(Quadruplets.load(tmp_path / "quadruplets.safetensors")) == 0
