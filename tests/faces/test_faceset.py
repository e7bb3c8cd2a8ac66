from dataclasses import replace

import pytest
import torch

from gweebp.faces import FaceSet, split_identities
from gweebp.support import files


def test_save_and_load(faces, tmp_path):
    faces.save(tmp_path / "set")
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["faces.safetensors", "record.json"]
    again = FaceSet.load(tmp_path / "set")
    for name, value in vars(faces).items():
        other = getattr(again, name)
        assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other


def test_a_set_without_distractors_and_doppelgangers(faces, tmp_path):
    small = FaceSet("small", faces.ids, faces.photos, faces.sketches, faces.split)
    small.save(tmp_path)
    again = FaceSet.load(tmp_path)
    assert again.sizes == {"train": 12, "validation": 4, "test": 4, "distractors": 0, "doppelgangers": 0}
    assert torch.equal(again.gallery(), faces.photos[16:])


def test_gallery_starts_with_the_mates(faces):
    gallery = faces.gallery()
    assert gallery.shape == (4 + 3, 3, 32, 32)
    assert torch.equal(gallery[:4], faces.photos[faces.test])
    assert torch.equal(gallery[4:], faces.distractors)


@pytest.mark.parametrize(("name", "code"), [("train", 0), ("validation", 1), ("test", 2)])
def test_an_empty_split(faces, name, code):
    plain = FaceSet("plain", faces.ids, faces.photos, faces.sketches, torch.full((20,), (code + 1) % 3))
    with pytest.raises(ValueError, match=rf"plain has no {name} subjects .*use more subjects"):
        getattr(plain, name)


def test_fields_that_do_not_fit(faces):
    for change, message in [
        ({"photos": faces.photos[:-1]}, r"photos must be uint8 \(20, 3, 32, 32\), got torch\.uint8 \(19, "),
        ({"sketches": faces.sketches.float()}, r"sketches must be uint8 .*got torch\.float32"),
        ({"sketches": faces.sketches[:, :1]}, r"sketches must be uint8 .*\(20, 1, 32, 32\)"),
        ({"distractors": faces.distractors[..., :-1]}, r"distractors must be uint8 \(3, 3, 32, 32\)"),
        ({"ids": ("a",) * 20}, r"ids must differ; repeated: \['a'\]"),
        ({"split": faces.split + 1}, r"split must be int64 \(20,\) with values in 0\.\.2"),
        ({"split": faces.split.float()}, "split must be int64"),
        ({"doppelganger_of": faces.doppelganger_of + 10}, r"doppelganger_of must be .*0\.\.19|training subjects only"),
        ({"doppelganger_part": faces.doppelganger_part + 4}, r"doppelganger_part .*0\.\.5"),
        ({"doppelganger_photos": faces.doppelganger_photos[:3]}, r"doppelganger_photos must be uint8 \(12, "),
    ]:
        with pytest.raises(ValueError, match=message):
            replace(faces, **change)


def test_a_doppelganger_of_a_test_subject_leaks(faces):
    of = faces.doppelganger_of.clone()
    of[0] = 19
    with pytest.raises(ValueError, match="training subjects only"):
        replace(faces, doppelganger_of=of)


def test_files_of_something_else(tmp_path):
    with pytest.raises(FileNotFoundError):
        FaceSet.load(tmp_path)
    files.write_tensors(tmp_path / "faces.safetensors", {"maps": torch.ones(2)})
    with pytest.raises(ValueError, match=r"is not a set of faces; it holds \['maps'\]"):
        FaceSet.load(tmp_path)


def test_a_set_whose_record_is_missing_is_not_whole(faces, tmp_path):
    faces.save(tmp_path)
    (tmp_path / "record.json").unlink()
    with pytest.raises(FileNotFoundError, match="record"):
        FaceSet.load(tmp_path)


def test_split_is_by_share_seed_and_identity():
    state = torch.get_rng_state()
    split = split_identities(598, seed=0)
    assert torch.bincount(split).tolist() == [358, 90, 150]  # 598 = 448 + 150; 20 % of 448 = 90
    assert torch.equal(split, split_identities(598, seed=0))
    assert not torch.equal(split, split_identities(598, seed=1))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.bincount(split_identities(10, seed=0, test=0.0), minlength=3).tolist() == [8, 2, 0]
    with pytest.raises(ValueError, match=r"shares in 0\.\.1"):
        split_identities(10, seed=0, test=25)
