"""Scores against a known region: by hand, against scikit-style counting, and at chance for a blind map."""

from __future__ import annotations

import pytest
import torch

from gweebp.games import truth

REGION = torch.zeros(1, 4, 4, dtype=torch.bool)
REGION[:, :2, :2] = True


def literal_average_precision(values, inside):
    """One threshold a distinct value, counted pixel by pixel."""
    result, previous = 0.0, 0.0
    for threshold in sorted(set(values), reverse=True):
        taken = [hit for value, hit in zip(values, inside) if value >= threshold]
        recall = sum(taken) / sum(inside)
        result += (recall - previous) * sum(taken) / len(taken)
        previous = recall
    return result


def test_average_precision_against_a_literal_count():
    generator = torch.Generator().manual_seed(0)
    for levels in (2, 3, 50):
        values = torch.randint(levels, (6, 30), generator=generator).double()
        inside = torch.rand(6, 30, generator=generator) < 0.3
        inside[:, 0] = True
        got = truth.average_precision(values, inside)
        for i in range(6):
            expected = literal_average_precision(values[i].tolist(), inside[i].tolist())
            assert got[i].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_blind_map_gets_chance(value):
    found = truth.score(torch.full((1, 2, 2), value), REGION)
    for name in truth.SCORES:
        assert found[name].item() == pytest.approx(truth.chance(REGION).item()), name


def test_the_region_itself_is_perfect_and_its_complement_is_not():
    perfect, wrong = (truth.score(m.double(), REGION) for m in (REGION, ~REGION))
    assert all(perfect[name].item() == 1 for name in truth.SCORES)
    assert wrong["energy"].item() == 0
    assert wrong["pointing"].item() == 0
    assert wrong["precision"].item() == pytest.approx(0.25)  # the region comes last, whole


def test_a_scale_does_not_matter_and_samples_are_apart():
    maps = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1))
    region = REGION.expand(3, -1, -1)
    whole, scaled = truth.score(maps, region), truth.score(1000 * maps, region)
    for name in truth.SCORES:
        torch.testing.assert_close(whole[name], scaled[name])
        single = torch.cat([truth.score(maps[i : i + 1], REGION)[name] for i in range(3)])
        torch.testing.assert_close(whole[name], single)


@pytest.mark.parametrize(
    ("maps", "region", "message"),
    [
        (torch.rand(2, 4, 4), REGION, r"expected \(1, h, w\)"),
        (torch.rand(1, 4, 4), REGION.float(), "expected bool"),
        (torch.rand(1, 4, 4), REGION & False, "empty or the whole image"),
        (torch.rand(1, 4, 4), REGION | True, "empty or the whole image"),
        (torch.full((1, 4, 4), torch.nan), REGION, "NaN"),
        (-torch.rand(1, 4, 4), REGION, "negative"),
    ],
)
def test_bad_input(maps, region, message):
    with pytest.raises(ValueError, match=message):
        truth.score(maps, region)
