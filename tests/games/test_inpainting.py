"""The inpainting game: against the reference implementation, against known answers, and on bad input."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.oracles import ORACLES
from torch import nn

from gweebp.games import inpainting, masks
from gweebp.games.inpainting import Outcome

STAGES = {"1": "12", "2": "12", "3": "123", "4": "123", "5": "123"}
KINDS = [(t, z) for t in masks.THRESHOLDS for z in (False, True)]


def blocks(x):
    """A transparent network: the mean of each 2 x 2 block."""
    return F.avg_pool2d(x, 2).flatten(1)


def world(q=6, size=8, seed=0):
    """Quadruplets on noise: the region is one 4 x 4 quarter, IP and IN differ from OP and OM there alone."""
    g = torch.Generator().manual_seed(seed)
    op = torch.rand(q, 1, size, size, generator=g, dtype=torch.float64)
    region = torch.zeros(q, size, size, dtype=torch.bool)
    for i in range(q):
        region[i, 4 * (i % 2) : 4 * (i % 2) + 4, 4 * (i // 2 % 2) : 4 * (i // 2 % 2) + 4] = True
    ip = torch.where(region[:, None], 1 - op, op)
    return op, op + 0.01, ip, ip + 0.01, region


class Counted:
    def __init__(self):
        self.images = 0
        self.largest = 0

    def __call__(self, x):
        self.images += len(x)
        self.largest = max(self.largest, len(x))
        return blocks(x)


def oracle_network(data):
    """The oracle's vgg8, from its stored weights."""
    convolutions: list[nn.Module] = []
    for block, layers in STAGES.items():
        for i in layers:
            weight = torch.from_numpy(data[f"w/conv{block}_{i}.weight"])
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1).double()
            conv.weight.data, conv.bias.data = weight, torch.from_numpy(data[f"w/conv{block}_{i}.bias"])
            convolutions += [conv, nn.ReLU()]
        convolutions.append(nn.MaxPool2d(2))
    fc = nn.Linear(16, 12).double()
    fc.weight.data, fc.bias.data = torch.from_numpy(data["w/fc.weight"]), torch.from_numpy(data["w/fc.bias"])
    return nn.Sequential(*convolutions, nn.Flatten(), fc)


def play_oracle(data, thresholds, include_zero, seed=7):
    images = (torch.from_numpy(data[k])[None] for k in ("OP", "OM", "IP", "IN", "region", "saliency"))
    net = oracle_network(data)
    return inpainting.play(net, *images, thresholds=thresholds, include_zero=include_zero, seed=seed)


@pytest.fixture
def oracle():
    with np.load(ORACLES / "inpainting_game.npz") as data:
        return dict(data)


@pytest.mark.parametrize(("thresholds", "include_zero"), KINDS)
def test_agrees_with_reference(oracle, thresholds, include_zero):
    out = play_oracle(oracle, thresholds, include_zero)
    key = f"{thresholds}/inc0={include_zero}"
    np.testing.assert_array_equal(out.success[0], oracle[f"cls/{key}"])
    np.testing.assert_array_equal(out.false_positives[0], oracle[f"fp/{key}"])
    np.testing.assert_array_equal(out.true_positives[0], oracle[f"tp/{key}"])
    np.testing.assert_allclose(out.d_in[0], oracle[f"dist_IN/{key}"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(out.d_om[0], oracle[f"dist_OM/{key}"], rtol=0, atol=1e-12)
    assert int(out.outside) == (~oracle["region"]).sum()


@pytest.mark.parametrize(("thresholds", "include_zero"), KINDS)
def test_masks_are_the_reference_masks(oracle, thresholds, include_zero):
    saliency = torch.from_numpy(oracle["saliency"])[None]
    order, mass = masks.ranked(masks.normalised(saliency, (32, 32)), np.random.RandomState(7), include_zero)
    counts = masks.step_counts(mass, 101, thresholds)[0]
    expected = oracle[f"masks/{thresholds}/inc0={include_zero}"].reshape(101, -1)
    for step, count in enumerate(counts):
        assert set(order[0, :count].tolist()) == set(np.flatnonzero(expected[step])), step


@pytest.mark.parametrize("seed", [0, 1])
def test_noise_decides_only_ties(oracle, seed):
    """Another seed gives the reference's masks wherever no pixels tied to within the noise are at stake."""
    out = play_oracle(oracle, "percent-density", True, seed)
    key = "percent-density/inc0=True"
    np.testing.assert_array_equal(out.success[0], oracle[f"cls/{key}"])
    np.testing.assert_array_equal(out.false_positives[0], oracle[f"fp/{key}"])


def test_perfect_map_beats_random_beats_inverse():
    op, om, ip, in_, region = world(24)
    maps = {
        "truth": region.double(),
        "random": torch.rand(region.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64),
        "inverse": (~region).double(),
    }
    area = {k: inpainting.area(inpainting.play(blocks, op, om, ip, in_, region, m)).value for k, m in maps.items()}
    assert area["truth"] == 1  # the whole region goes before any pixel outside
    assert area["truth"] > area["random"] + 0.2 > area["inverse"] + 0.4
    assert area["inverse"] < 0.1


def test_ends_are_the_probe_and_the_inpainted_probe():
    op, om, ip, in_, region = world()
    out = inpainting.play(blocks, op, om, ip, in_, region, torch.rand(region.shape), steps=11)
    unit = [F.normalize(blocks(x), dim=1) for x in (op, ip, in_)]
    torch.testing.assert_close(out.d_in[:, 0], (unit[0] - unit[2]).norm(dim=1))
    torch.testing.assert_close(out.d_in[:, -1], (unit[1] - unit[2]).norm(dim=1))
    assert (out.false_positives[:, 0] == 0).all()
    assert (out.false_positives[:, -1] == out.outside).all()
    assert (out.true_positives[:, -1] == region.flatten(1).sum(1)).all()


@pytest.mark.parametrize("thresholds", masks.THRESHOLDS)
def test_equals_one_blend_at_a_time(thresholds):
    """The streamed game against a slow loop that builds each mask and blend from the definition."""
    op, om, ip, in_, region = world(3)
    maps = torch.rand(3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    out = inpainting.play(blocks, op, om, ip, in_, region, maps, steps=12, thresholds=thresholds, batch=5)
    for i in range(3):
        m = maps[i] / maps[i].sum()
        for k in range(1, 11):
            if thresholds == "percent-pixels":
                mask = m >= torch.quantile(m, 1 - k / 11)
            else:
                keep = [v for v in m.flatten().tolist() if m[m > v].sum() < k / 11]  # the mass above is not enough
                mask = m >= min(keep)
            e, n, o = (
                F.normalize(blocks(x), dim=1)
                for x in (torch.where(mask, ip[i], op[i])[None], in_[i : i + 1], om[i : i + 1])
            )
            assert bool(out.success[i, k]) == bool((e - n).norm() < (e - o).norm()), (i, k)
            assert int(out.false_positives[i, k]) == int((mask & ~region[i]).sum()), (i, k)


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_batch_size_changes_nothing(batch):
    images = world()
    maps = torch.rand(6, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).round(decimals=1)
    expected = inpainting.play(blocks, *images, maps, steps=21)
    found = inpainting.play(blocks, *images, maps, steps=21, batch=batch)
    for name in ("success", "false_positives", "true_positives", "d_in", "d_om"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-12)


def test_repeated_blends_are_embedded_once_and_in_batches():
    op, om, ip, in_, region = world(4)
    embed = Counted()
    inpainting.play(embed, op, om, ip, in_, region, (~region).double() * 9 + 1, batch=8, steps=101)
    # Only the 16 pixels of the region change anything: at most 17 different blends, and IN and OM, a quadruplet.
    assert embed.images <= 4 * (17 + 2)
    assert embed.largest <= 8
    few = Counted()
    inpainting.play(few, op, om, ip, in_, region, torch.rand(4, 8, 8), steps=2)
    assert few.images == 4 * (2 + 2)


def test_tau_rule_reads_the_distance():
    images = world()
    maps = torch.rand(6, 8, 8)
    out = inpainting.play(blocks, *images, maps, rule="tau", threshold=0.2)
    assert torch.equal(out.success, out.d_in <= 0.2)
    assert out.success.any()
    assert not out.success.all()
    assert not torch.equal(out.success, inpainting.play(blocks, *images, maps).success)


def test_a_distance_of_exactly_the_threshold_is_a_match():
    images, maps = world(1), torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    distance = inpainting.play(blocks, *images, maps, steps=5).d_in[0, 2].item()
    for threshold, matched in ((distance, True), (np.nextafter(distance, 0), False)):
        out = inpainting.play(blocks, *images, maps, steps=5, rule="tau", threshold=threshold)
        assert bool(out.success[0, 2]) == matched


def test_a_step_takes_the_fewest_pixels_that_hold_its_share():
    mass = torch.tensor([[0.5, 0.25, 0.125, 0.125]], dtype=torch.float64)  # shares that are reached exactly
    assert masks.step_counts(mass, 5).tolist() == [[0, 1, 1, 2, 4]]
    assert masks.step_counts(mass, 9).tolist() == [[0, 1, 1, 1, 1, 2, 2, 3, 4]]


def test_ties_are_broken_by_seed_not_position():
    op, om, ip, in_, region = (x[:1].expand(400, *x.shape[1:]) for x in world(1))
    flat = torch.ones(400, 8, 8)
    out = inpainting.play(blocks, op, om, ip, in_, region, flat, steps=5)
    inside = (out.true_positives / 16).mean(0)
    torch.testing.assert_close(inside.double(), torch.linspace(0, 1, 5).double(), rtol=0, atol=0.03)
    again = inpainting.play(blocks, op, om, ip, in_, region, flat * 5, steps=5)
    other = inpainting.play(blocks, op, om, ip, in_, region, flat, steps=5, seed=1)
    assert torch.equal(out.true_positives, again.true_positives)
    assert not torch.equal(out.true_positives, other.true_positives)


def test_zero_map_is_a_random_order():
    images = world(40)
    out = inpainting.play(blocks, *images, torch.zeros(40, 8, 8), steps=11, thresholds="percent-pixels")
    far, _ = inpainting.pooled(out)
    np.testing.assert_allclose(far, np.linspace(0, 1, 11), atol=0.04)
    alone = inpainting.play(blocks, *images, torch.zeros(40, 8, 8), include_zero=False)
    assert not alone.false_positives.any()  # no pixel has mass: nothing is ever taken
    assert not alone.success.any()


def test_region_at_another_size_covers_what_changed():
    big = torch.zeros(1, 16, 16, dtype=torch.bool)
    big[0, 3:9, 5:10] = True
    photo = torch.rand(1, 1, 16, 16)
    resize = {"size": (7, 7), "mode": "bilinear", "antialias": True}
    changed = F.interpolate(photo, **resize) != F.interpolate(torch.where(big[:, None], photo + 1, photo), **resize)
    small = masks.resized_region(big, (7, 7))
    assert bool((changed[:, 0] <= small).all())
    assert small.sum() <= changed.sum() + 4


def test_curve_statistics_on_a_known_case():
    # Two subjects: one found at FAR 0, one only when everything is taken.
    success = torch.tensor([[0, 1, 1], [0, 0, 1]]).bool()
    out = Outcome(success, torch.tensor([[0, 0, 10], [0, 0, 10]]), torch.tensor([10, 10]))
    assert inpainting.at_far(out, 0.0).value == 0.5
    assert inpainting.at_far(out, 0.1).value == pytest.approx(0.55)
    assert inpainting.area(out).value == pytest.approx(0.75)
    assert inpainting.area(out, 0.1).value == pytest.approx(0.525)
    low, high = inpainting.at_far(out, 0.0)[1:]
    assert (low, high) == (0.0, 1.0)
    band = inpainting.curve(out, groups=[3, 4])
    assert (band.low <= band.value).all()
    assert (band.value <= band.high).all()


def test_pooling_weights_images_by_their_outside():
    out = Outcome(torch.ones(2, 2).bool(), torch.tensor([[0, 9], [0, 0]]), torch.tensor([90, 10]))
    np.testing.assert_allclose(inpainting.pooled(out)[0], [0, 0.09])


def test_difference_pairs_the_resamples():
    g = torch.Generator().manual_seed(0)
    success = torch.rand(60, 1, generator=g) < torch.linspace(0, 1, 11)
    fp = torch.arange(11).expand(60, 11)
    first = Outcome(success, fp, torch.full((60,), 10))
    found = inpainting.difference(first, first, groups=torch.arange(60) // 3)
    assert found == (0, 0, 0, 1)
    better = Outcome(success | (torch.arange(60) % 3 == 0)[:, None], fp, first.outside)
    found = inpainting.difference(better, first, "area", 1.0, groups=torch.arange(60) // 3)
    assert 0 < found.low < found.value < found.high
    assert found.p < 0.01
    reverse = inpainting.difference(first, better, "area", 1.0, groups=torch.arange(60) // 3)
    assert reverse.value == pytest.approx(-found.value)
    assert reverse.low == pytest.approx(-found.high)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": torch.rand(5, 8, 8)}, r"maps have shape \(5, 8, 8\): expected \(6, h, w\)"),
        ({"maps": torch.full((6, 8, 8), torch.nan)}, "NaN"),
        ({"maps": -torch.ones(6, 8, 8)}, "negative"),
        ({"maps": torch.ones(6, 8, 8).int()}, "floating point"),
        ({"ip": torch.rand(6, 1, 8, 9)}, r"ip has shape \(6, 1, 8, 9\)"),
        ({"op": torch.zeros(6, 1, 8, 8, dtype=torch.uint8)}, "floating point"),
        ({"om": torch.full((6, 1, 8, 8), torch.nan)}, "NaN, infinite or zero embeddings"),
        ({"region": torch.zeros(6, 8, 8, dtype=torch.bool)}, r"region of quadruplets \[0, 1, 2, 3, 4, 5\] is empty"),
        ({"region": torch.ones(6, 8, 8, dtype=torch.bool)}, "whole image"),
        ({"region": torch.ones(6, 8, 8)}, "expected bool"),
        ({"steps": 1}, "steps is 1"),
        ({"thresholds": "percent"}, "unknown thresholds 'percent'"),
        ({"rule": "best"}, "unknown rule 'best'"),
        ({"rule": "tau"}, "needs the verification threshold"),
        ({"threshold": 0.3}, "takes none"),
        ({"batch": 0}, "batch is 0"),
        ({"embed": lambda x: x}, r"expected \(b, d\)"),
    ],
)
def test_bad_input_is_named(change, message):
    names = ("op", "om", "ip", "in_", "region")
    arguments = dict(zip(names, world(), strict=True)) | {"maps": torch.rand(6, 8, 8), "embed": blocks} | change
    with pytest.raises((ValueError, TypeError), match=message):
        inpainting.play(**arguments)


def test_empty_set_is_named():
    with pytest.raises(ValueError, match="op is empty"):
        inpainting.play(blocks, *(x[:0] for x in world()), torch.rand(0, 8, 8))


def test_bad_statistics_are_named():
    out = Outcome(torch.ones(2, 2).bool(), torch.ones(2, 2), torch.ones(2))
    with pytest.raises(ValueError, match="one group id a sample"):
        inpainting.area(out, groups=[1])
    with pytest.raises(ValueError, match="upto is 0"):
        inpainting.area(out, 0)
    with pytest.raises(ValueError, match="FAR asked for"):
        inpainting.at_far(out, 10)
    with pytest.raises(ValueError, match="unknown measure"):
        inpainting.difference(out, out, "auc")
    with pytest.raises(ValueError, match="q >= 1"):
        inpainting.area(Outcome(torch.ones(0, 2), torch.ones(0, 2), torch.ones(0)))
