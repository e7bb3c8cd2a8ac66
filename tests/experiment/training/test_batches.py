from dataclasses import replace

import pytest
import torch

from gweebp import networks
from gweebp.experiment.training.batches import Pool, batches, inputs
from gweebp.faces import FaceSet
from gweebp.faces.variation import augment


def drawn(count, *, subjects=12, parent=None, identities=6, doppelgangers=0, seed=0):
    parent = torch.zeros(0, dtype=torch.int64) if parent is None else parent
    draw = batches(subjects, parent, identities, doppelgangers, torch.Generator().manual_seed(seed))
    return [next(draw) for _ in range(count)]


def test_batches_are_distinct_seeded_and_cover_everyone():
    rows = drawn(40)
    assert all(len(set(batch.tolist())) == 6 for batch in rows)
    assert set(torch.cat(rows).tolist()) == set(range(12))
    assert all(torch.equal(a, b) for a, b in zip(rows, drawn(40), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(rows, drawn(40, seed=1), strict=True))


def test_doppelgangers_come_with_the_subject_they_copy():
    parent = torch.arange(12).repeat(3)  # three each
    for batch in drawn(40, parent=parent, doppelgangers=2):
        copies = batch[batch >= 12]
        subjects = set(batch[batch < 12].tolist())
        assert len(copies) == 2
        assert len(set(batch.tolist())) == 6
        assert set(parent[copies - 12].tolist()) <= subjects


def test_subjects_fill_a_batch_whose_members_have_no_doppelganger():
    for batch in drawn(40, parent=torch.tensor([0, 1]), doppelgangers=3):
        assert len(set(batch.tolist())) == 6
        assert all(int(copy) - 12 in batch for copy in batch[batch >= 12])


def test_a_small_training_set_gives_smaller_batches():
    assert {len(batch) for batch in drawn(5, subjects=4)} == {4}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 1}, "at least 2 training subjects"),
        ({"identities": 1}, "at least 2 identities"),
        ({"doppelgangers": 6}, r"0\.\.5"),
        ({"doppelgangers": -1}, r"0\.\.5"),
    ],
)
def test_batches_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        drawn(1, **options)


def test_pool_keeps_sketch_photo_and_parent_together(faces):
    net = networks.lcnn9(width=0.05, size=32)
    split = torch.ones(20, dtype=torch.int64)
    split[[3, 7, 11, 19]] = 0
    few = FaceSet("few", faces.ids, faces.photos, faces.sketches, split)
    pool = Pool.training(net, few, doppelgangers=False)
    assert pool.subjects == 4
    assert torch.equal(pool.sketches, inputs(net, faces.sketches[[3, 7, 11, 19]]))
    assert pool.sketches.dtype == torch.float16
    pool = Pool.training(net, faces, doppelgangers=True)
    assert (pool.subjects, len(pool.photos)) == (12, 24)
    assert torch.equal(pool.photos[12:], inputs(net, faces.doppelganger_photos))
    assert torch.equal(pool.parent, torch.arange(12))
    # the parent is a row of the pool, not of the set
    mixed = replace(
        few,
        doppelganger_photos=faces.photos[:2],
        doppelganger_sketches=faces.sketches[:2],
        doppelganger_of=torch.tensor([19, 7]),
        doppelganger_part=torch.tensor([0, 1]),
    )
    assert Pool.training(net, mixed, doppelgangers=True).parent.tolist() == [3, 1]
    with pytest.raises(ValueError, match="few has no doppelgangers"):
        Pool.training(net, few, doppelgangers=True)


def test_augment_does_nothing_by_default_and_draws_nothing():
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    x = torch.rand(2, 3, 8, 8)
    assert augment(x, generator) is x
    assert torch.equal(generator.get_state(), state)


def test_shift_moves_the_image_and_repeats_its_border():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    seen = set()
    for seed in range(40):
        y = augment(ramp, torch.Generator().manual_seed(seed), shift=2)
        assert y.shape == ramp.shape
        offset = int(y[0, 0, 0, 4] - 4)
        seen.add(offset)
        assert torch.equal(y[0, 0, 0], (torch.arange(8.0) + offset).clamp(0, 7))
    assert seen == {-2, -1, 0, 1, 2}


def test_flip_brightness_and_contrast_are_drawn_for_each_image():
    x = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    flipped = (augment(x, torch.Generator().manual_seed(0), flip=True) == x.flip(3)).flatten(1).all(1)
    assert 16 < flipped.sum() < 48
    added = (augment(x, torch.Generator().manual_seed(0), brightness=0.5) - x).flatten(1)
    assert (added.std(1) < 1e-6).all()
    assert -0.5 <= added.min() < -0.3
    assert 0.3 < added.max() <= 0.5
    y = augment(x, torch.Generator().manual_seed(0), contrast=0.5)
    assert torch.allclose(y.mean((1, 2, 3)), x.mean((1, 2, 3)), atol=1e-6)
    factor = y.std((1, 2, 3)) / x.std((1, 2, 3))
    assert 0.5 <= factor.min() < 0.7
    assert 1.3 < factor.max() <= 1.5
