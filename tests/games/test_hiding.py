"""The hiding game: known answers on a transparent network, invariances and bad input."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gweebp.games import hiding


def blocks(x):
    return F.avg_pool2d(x, 2).flatten(1)


def world(t=8, size=8, seed=0):
    """Probes whose mate differs from the non-mate in one 4 x 4 quarter alone: the truth."""
    g = torch.Generator().manual_seed(seed)
    probe = torch.rand(t, 1, size, size, generator=g, dtype=torch.float64)
    truth = torch.zeros(t, size, size, dtype=torch.float64)
    truth[:, 2:6, 2:6] = 1
    nonmate = torch.where(truth[:, None] > 0, 1 - probe, probe)
    return probe, probe + 0.01, nonmate, truth


def test_truth_beats_random_beats_inverse():
    probe, mate, nonmate, truth = world(32)
    maps = {"truth": truth, "random": torch.rand(truth.shape), "inverse": 1 - truth}
    area = {k: hiding.area(hiding.play(blocks, probe, mate, nonmate, m)).value for k, m in maps.items()}
    assert area["truth"] > 0.8  # three quarters of the pixels go for free
    assert area["inverse"] < 0.2
    assert area["inverse"] + 0.2 < area["random"] < area["truth"] - 0.2


def test_starts_at_the_probe_and_ends_at_the_nonmate():
    probe, mate, nonmate, truth = world()
    matched = hiding.play(blocks, probe, mate, nonmate, truth, steps=9)
    assert matched.shape == (8, 9)
    assert matched.dtype == torch.bool
    assert matched[:, 0].all()
    assert not matched[:, -1].any()


def test_equals_one_blend_at_a_time():
    probe, mate, nonmate, _ = world(3)
    maps = torch.rand(3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    matched = hiding.play(blocks, probe, mate, nonmate, maps, steps=9, batch=4)
    for i in range(3):
        for k in range(9):
            hidden = torch.zeros(64, dtype=torch.bool)
            hidden[maps[i].flatten().argsort()[: round(64 * k / 8)]] = True
            blend = torch.where(hidden.view(8, 8), nonmate[i], probe[i])[None]
            e, m, n = (F.normalize(blocks(x), dim=1) for x in (blend, mate[i : i + 1], nonmate[i : i + 1]))
            assert bool(matched[i, k]) == bool((e - m).norm() < (e - n).norm()), (i, k)


@pytest.mark.parametrize("steps", [2, 4, 8, 64, 65])
def test_the_share_hidden_is_that_of_the_step_to_the_nearest_pixel(steps):
    zeros, ones = torch.zeros(1, 1, 8, 8, dtype=torch.float64), torch.ones(1, 1, 8, 8, dtype=torch.float64)
    hidden = set()

    def embed(x):
        hidden.update(x.sum((1, 2, 3)).int().tolist())
        return 1 + x.flatten(1)

    hiding.play(embed, zeros, zeros, ones, torch.rand(1, 8, 8), steps=steps)
    assert hidden == {round(64 * k / (steps - 1)) for k in range(steps)}


def test_a_probe_as_near_to_both_is_not_matched():
    probe, mate, _, truth = world(2)
    assert not hiding.play(blocks, probe, mate, mate, truth, steps=3).any()


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_batch_size_changes_nothing(batch):
    probe, mate, nonmate, _ = world()
    maps = torch.rand(8, 4, 4, generator=torch.Generator().manual_seed(1)).round(decimals=1)  # with ties
    expected = hiding.play(blocks, probe, mate, nonmate, maps, steps=33)
    assert torch.equal(hiding.play(blocks, probe, mate, nonmate, maps, steps=33, batch=batch), expected)


def test_scale_of_a_map_does_not_matter():
    probe, mate, nonmate, _ = world()
    maps = torch.rand(8, 4, 4, dtype=torch.float64)
    expected = hiding.play(blocks, probe, mate, nonmate, maps)
    for scale in (1e-30, 1e30):
        assert torch.equal(hiding.play(blocks, probe, mate, nonmate, maps * scale), expected)


def test_repeated_blends_are_embedded_once():
    probe, mate, nonmate, truth = world(4)
    seen = []

    def embed(x):
        seen.append(len(x))
        return blocks(x)

    hiding.play(embed, probe, mate, nonmate, truth, batch=8)
    # 64 pixels, 101 steps, only 16 pixels differ: at most 17 blends, and mate and non-mate, a triplet.
    assert sum(seen) <= 4 * (17 + 2)
    assert max(seen) <= 8


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_ties_are_broken_by_seed_not_position(value):
    """A flat map hides the left half no sooner than the right; bilinear rounding must not order it either."""
    t = 300
    probe = torch.ones(t, 1, 8, 8, dtype=torch.float64)
    probe[..., 4:] = 2
    nonmate = torch.ones_like(probe) * torch.linspace(3, 5, 8)
    flat = torch.full((t, 3, 3), value)
    count = torch.zeros(8, 8, dtype=torch.float64)

    def embed(x):
        count.add_((x != probe[0]).sum((0, 1)) * (len(x) == t))
        return x.flatten(1) + 1

    first = hiding.play(embed, probe, probe, nonmate, flat, steps=3, batch=t)
    share = count / count.mean()
    assert share.min() > 0.85
    assert share.max() < 1.15
    assert torch.equal(first, hiding.play(embed, probe, probe, nonmate, flat, steps=3, batch=t))


def test_curve_and_area():
    matched = np.array([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], dtype=bool)
    found = hiding.curve(matched)
    np.testing.assert_allclose(found.x, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.value, [1, 0.5, 0.5, 0, 0])
    np.testing.assert_allclose(found.low[1], 0)
    np.testing.assert_allclose(found.high[1], 1)
    assert hiding.area(matched).value == pytest.approx((0.625 + 0.125) / 2)
    assert hiding.difference(matched[:1], matched[1:]).value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": torch.rand(8, 8)}, "expected \\(8, h, w\\)"),
        ({"maps": torch.full((8, 8, 8), torch.inf)}, "infinite"),
        ({"mate": torch.rand(7, 1, 8, 8)}, "mate has shape"),
        ({"probe": torch.rand(8, 8, 8)}, "expected network inputs"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_bad_input_is_named(change, message):
    names = ("probe", "mate", "nonmate", "maps")
    with pytest.raises(ValueError, match=message):
        hiding.play(blocks, **(dict(zip(names, world(), strict=True)) | change))


def test_empty_sets_are_named():
    probe, mate, nonmate, truth = (x[:0] for x in world())
    with pytest.raises(ValueError, match="probe is empty"):
        hiding.play(blocks, probe, mate, nonmate, truth)
    with pytest.raises(ValueError, match="triplets >= 1"):
        hiding.area(np.ones((0, 5)))
    with pytest.raises(ValueError, match="same samples"):
        hiding.difference(np.ones((2, 5)), np.ones((3, 5)))
