"""`prepare draw`: synthetic faces as files, on which the other steps can be tried."""

import pytest
import torch

from gweebp.__main__ import main
from gweebp.faces import FaceSet, synthetic
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.parse import miou, read_labels
from gweebp.faces.readers import cuhk
from gweebp.support import files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("draw")
    assert run(folder) == 0
    return folder


def run(folder, more=""):
    line = f"prepare draw --kind drawn --subjects 8 --distractors 2 --size 64 --seed 3 --out {folder}/drawn {more}"
    return main(line.split())


def test_the_files_are_the_worlds_own_faces(folder):
    faces = synthetic.faceset("drawn", subjects=8, distractors=2, size=64, seed=3, doppelgangers=0)
    listing = cuhk.listing(folder / "drawn")
    assert tuple(pair.id for pair in listing.pairs) == faces.ids
    for i, pair in enumerate(listing.pairs):
        assert torch.equal(files.read_image(pair.photo), faces.photos[i])
        assert torch.equal(files.read_image(pair.sketch), faces.sketches[i])
    for i, path in enumerate(listing.distractors.values()):
        assert torch.equal(files.read_image(path), faces.distractors[i])
    world = synthetic.World(**faces.record["world"])
    xy = world.photo_landmarks(torch.arange(8), world.people(torch.arange(8)))
    torch.testing.assert_close(
        landmarks.read(folder / "drawn/landmarks.csv")["photo", faces.ids[5]], xy[5], atol=6e-4, rtol=0
    )


def test_the_parts_are_the_masks(folder):
    world, people = synthetic.World("drawn", 64, 3, 0.1), torch.arange(8)
    for kind, draw in (("photo", world.photos), ("sketch", world.sketches)):
        masks = draw(people, world.people(people), masks=True).masks
        for i in range(8):
            labels = read_labels(folder / f"drawn/parts/{kind}/person-{i:07d}.png")
            for part in range(6):
                assert torch.equal(labels == part, masks[i, part])
            assert torch.equal(labels == 255, ~masks[i].any(0))


def test_a_second_run_draws_what_is_missing(folder):
    image = folder / "drawn/sketches/person-0000002.png"
    before = files.sha256(image)
    image.unlink()
    assert run(folder) == 0
    assert files.sha256(image) == before
    assert files.read_json(folder / "drawn/manifest.json")["draw"]["counts"] == {"made": 1, "kept": 17, "skipped": 0}


def test_drawn_faces_go_through_the_other_steps(folder):
    assert (
        main(
            f"prepare align --kind pairs --folder {folder}/drawn --landmarks landmarks.csv --size 48"
            f" --out {folder}/aligned".split()
        )
        == 0
    )
    assert main(f"prepare parse --folder {folder}/aligned --out {folder}/aligned".split()) == 0
    assert len(list((folder / "aligned/parts").rglob("*.png"))) == 16
    line = f"prepare faces --kind pairs --folder {folder}/aligned --dataset mine --size 48 --no-quadruplets"
    assert main(f"{line} --out {folder}/set".split()) == 0
    faces = FaceSet.load(folder / "set")
    assert (len(faces.ids), len(faces.distractors)) == (8, 2)


def test_polygons_agree_with_the_drawn_parts(folder):
    """The exact landmarks and the exact parts belong together."""
    assert main(f"prepare parse --folder {folder}/drawn --out {folder}/polygons".split()) == 0
    predicted, true = (
        torch.stack([read_labels(folder / root / f"parts/photo/person-{i:07d}.png") for i in range(8)])
        for root in ("polygons", "drawn")
    )
    scores = miou(predicted, true)
    assert scores["eyes"] > 0.4 and scores["nose"] > 0.4 and scores["skin"] > 0.5


@pytest.mark.parametrize(
    ("more", "message"),
    [("--subjects 0", "--subjects: expected a whole number, 1"), ("--error 2", "--error"), ("--size 3", "--size")],
)
def test_what_cannot_be_drawn(tmp_path, capsys, more, message):
    with pytest.raises(SystemExit):
        run(tmp_path, more)
    assert message in capsys.readouterr().err
