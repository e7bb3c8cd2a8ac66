"""Maps that stop at a tolerance: the error is what it says, and nobody pays for a probe twice."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from helpers.live import Counted, triplet
from hypothesis import given, settings
from hypothesis import strategies as st

import gweebp
from gweebp.methods.stopping import FIRST, ToleranceWarning, enough, looks, noted

CELLS = 4


def explained(net, images, **options):
    return gweebp.explain(net, *images, method="corrrise", cells=CELLS, negative="minimum", **options)


@pytest.mark.parametrize("estimate", ["plain", "controlled"])
def test_the_error_is_what_maps_of_other_seeds_differ_by(estimate, monkeypatch):
    """At a fixed number of masks: root mean square distance to the limit, as a share of what the limit varies by."""
    net, images, seen = Counted(), triplet(1, seed=3), []

    def noted(*arguments):
        seen.append(enough(*arguments))
        return seen[-1]

    monkeypatch.setattr("gweebp.methods.corrrise.enough", noted)
    monkeypatch.setattr("gweebp.methods.corrrise._warn_of_few", lambda *_: None)
    explained(net, images, masks=20000, tolerance=1e-6, estimate=estimate, batch=1024)
    limit = seen.pop().map
    for seed in range(1, 13):
        explained(net, images, masks=FIRST, tolerance=1e-6, seed=seed, estimate=estimate, batch=256)
    off = torch.stack([(found.map - limit).square().mean().sqrt() / limit.std() for found in seen])
    said = torch.tensor([found.error for found in seen])
    assert 0.75 < said.square().mean().sqrt() / off.square().mean().sqrt() < 1.35
    assert all(found.masks == FIRST for found in seen)


def test_a_smaller_tolerance_costs_more_and_the_controlled_estimate_less():
    spent = {}
    for estimate in ("plain", "controlled"):
        for tolerance in (0.6, 0.3):
            net, images = Counted(), triplet(1, seed=1)
            with torch.no_grad():
                mate, nonmate = net(images[1]), net(images[2])
            net.calls.clear()
            explained(net, (images[0], mate, nonmate), masks=8000, tolerance=tolerance, estimate=estimate)
            spent[estimate, tolerance] = sum(net.calls)
    assert spent["plain", 0.3] > spent["plain", 0.6] and spent["controlled", 0.3] < spent["plain", 0.3]
    assert set(spent.values()) <= set(looks(8000))


@pytest.mark.parametrize("estimate", ["plain", "controlled"])
def test_a_probe_of_several_triplets_passes_once_and_stops_for_each_by_itself(estimate):
    net, (p, m, n) = Counted(), triplet(5)
    p = p[[0, 1, 0, 0, 1]]
    with torch.no_grad():
        m, n = net(m), net(n)
    options = dict(masks=1500, tolerance=0.35, estimate=estimate)

    def run(rows):
        net.calls.clear()
        return explained(net, (p[rows], m[rows], n[rows]), **options), sum(net.calls)

    alone = [run([i]) for i in range(5)]
    together, cost = run([0, 1, 2, 3, 4])
    assert torch.equal(together, torch.cat([maps for maps, _ in alone]))
    spent = [cost for _, cost in alone]
    assert cost == max(spent[0], spent[2], spent[3]) + max(spent[1], spent[4])


@pytest.mark.parametrize(
    ("method", "options"), [("corrrise", dict(masks=70, cells=CELLS)), ("xface", dict(patches=(28,), stride=14))]
)
def test_an_image_that_a_batch_holds_several_times_passes_once(method, options):
    net, (p, m, n) = Counted(), triplet(4)
    p, m = p[[0, 0, 1, 0]], m[[0, 0, 0, 0]]
    if method == "corrrise":  # images that are embedded together are rounded otherwise than alone
        with torch.no_grad():
            m, n = net(m), net(n)

    def run(rows):
        net.calls.clear()
        found = gweebp.explain(net, p[rows], m[rows], n[rows], method=method, **options)
        return found, sum(net.calls)

    alone = [run([i]) for i in range(4)]
    together, cost = run([0, 1, 2, 3])
    assert torch.equal(together, torch.cat([maps for maps, _ in alone]))
    assert cost < 0.75 * sum(spent for _, spent in alone)


def test_maps_do_not_depend_on_the_masks_per_pass():
    net, images = Counted(), triplet(2)
    few, many = (explained(net, images, masks=900, tolerance=0.4, batch=batch) for batch in (17, 300))
    torch.testing.assert_close(few, many)


@pytest.mark.parametrize("contrastive", [True, False])
def test_what_is_not_reached_is_said_and_the_map_is_that_of_all_masks(contrastive):
    net, images = Counted(), triplet(3)
    options = dict(masks=300, contrastive=contrastive)
    with pytest.warns(ToleranceWarning, match=r"indices \[0, 1, 2\] did not come to tolerance=0.001 within masks=300"):
        found = explained(net, images, tolerance=0.001, **options)
    torch.testing.assert_close(found, explained(net, images, **options))
    with pytest.warns(ToleranceWarning) as caught:
        explained(net, images, tolerance=0.001, batch_size=2, **options)
    assert [w.message.indices for w in caught if w.category is ToleranceWarning] == [[0, 1], [2]]


def test_a_network_that_sees_nothing_has_no_error():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(200, 3)).double()
    torch.nn.init.zeros_(net[0].weight)
    with pytest.warns(gweebp.NoGainWarning):
        found = explained(net, (triplet()[0], *torch.eye(3, dtype=torch.float64)[:2, None]), masks=600, tolerance=0.1)
    assert not found.any()


@pytest.mark.parametrize("tolerance", [0, -0.1, 1.5, math.nan, math.inf, "0.1", True])
def test_a_tolerance_is_a_share(tolerance):
    with pytest.raises((ValueError, TypeError), match="tolerance"):
        explained(Counted(), triplet(), tolerance=tolerance)


@settings(max_examples=30, deadline=None)
@given(most=st.integers(1, 10**6))
def test_the_looks_grow_to_the_last(most):
    found = list(looks(most))
    assert found == sorted(set(found)) and found[-1] == most and len(found) < 25
    assert all(b <= 1.5 * a for a, b in itertools.pairwise(found))


def test_noted_is_how_many_masks_each_map_took():
    net, images = Counted(), triplet(3, seed=2)
    with torch.no_grad():
        given = images[0], net(images[1]), net(images[2])
    options = dict(masks=5000, tolerance=0.4, estimate="controlled")
    with noted() as found:
        explained(net, given, batch_size=2, **options)
    alone = []
    for i in range(3):
        net.calls.clear()
        explained(net, [x[i : i + 1] for x in given], **options)
        alone.append(sum(net.calls))
    assert [one.masks for one in found] == alone
    with noted() as found:
        explained(net, given, masks=64)
    assert found == []
