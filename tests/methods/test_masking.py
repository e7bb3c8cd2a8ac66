"""Passes under masks: the same image under the same masks passes once, and its maps are those of separate calls."""

from __future__ import annotations

import pytest
import torch
from helpers.live import Counted, triplet
from hypothesis import given, settings
from hypothesis import strategies as st

import gweebp
from gweebp.methods.masking import Masked, distinct, masked_embeddings, shared_passes

ZERO = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
MASKS = torch.rand(5, 12, 12, generator=torch.Generator().manual_seed(1))


@settings(max_examples=50, deadline=None)
@given(
    kinds=st.lists(st.integers(0, 3), min_size=0, max_size=8),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    strided=st.booleans(),
)
def test_distinct_finds_each_kind_where_it_first_stands(kinds, dtype, strided):
    pictures = torch.rand(4, 2, 3, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    images = pictures[torch.tensor(kinds, dtype=torch.long)]
    images = images.transpose(2, 3) if strided else images
    first, index = distinct(images)
    wanted = list(dict.fromkeys(kinds))
    assert [kinds[i] for i in first] == wanted and first == [kinds.index(k) for k in wanted]
    assert [wanted[k] for k in index] == kinds


@settings(max_examples=20, deadline=None)
@given(kinds=st.lists(st.integers(0, 2), min_size=1, max_size=5), masks=st.integers(1, 5))
def test_a_batch_costs_a_pass_for_each_image_that_differs(kinds, masks):
    net, images = Counted(), triplet(3)[0]
    found = Masked(net, images[kinds], ZERO)(MASKS[:masks])
    assert net.calls == [masks] * len(set(kinds))
    one_by_one = [masked_embeddings(net, images[[k]], MASKS[:masks], ZERO) for k in kinds]
    assert torch.equal(found, torch.cat(one_by_one))


def maps_of(net, calls):
    net.calls.clear()
    found = [gweebp.explain(net, *images, method=method, **options) for method, images, options in calls]
    return found, sum(net.calls)


def embedded(net, images):
    with torch.no_grad():
        return images[0], net(images[1]), net(images[2])


def test_many_nonmates_of_one_probe_cost_one_set_of_passes():
    net = Counted()
    probe, mate, nonmates = embedded(net, triplet(4))
    calls = [("corrrise", (probe[:1], mate[:1], n), dict(masks=90, cells=4)) for n in nonmates.split(1)]
    calls += [("corrrise", (probe[:1], nonmates[:1], mate[:1]), dict(masks=90, cells=4, estimate="controlled"))]
    alone, cost = maps_of(net, calls)
    assert cost == 5 * 90
    with shared_passes():
        together, cost = maps_of(net, calls)
    assert cost == 90
    assert all(map(torch.equal, together, alone))
    _, cost = maps_of(net, calls[:1])
    assert cost == 90  # nothing is kept after the block


@pytest.mark.parametrize("pairing", [1, 2, 3])
def test_sizes_of_squares_are_shared_between_calls(pairing):
    net, images = Counted(), triplet(1)
    calls = [("xface", images, dict(patches=p, stride=14, pairing=pairing)) for p in [(28,), (56,), (28, 56), (56, 28)]]
    alone, _ = maps_of(net, calls)
    _, wanted = maps_of(net, calls[2:3])
    with shared_passes():
        together, cost = maps_of(net, calls)
    assert cost == wanted
    assert all(map(torch.equal, together, alone))


def test_a_tolerance_shares_its_passes_with_a_smaller_one():
    net = Counted()
    images = embedded(net, triplet(1, seed=1))
    calls = [("corrrise", images, dict(masks=9000, cells=4, tolerance=t)) for t in (0.6, 0.3)]
    alone, _ = maps_of(net, calls)
    _, wanted = maps_of(net, calls[1:])
    with shared_passes():
        together, cost = maps_of(net, calls)
    assert cost == wanted
    assert all(map(torch.equal, together, alone))


def weights_changed(net):
    with torch.no_grad():
        net.net[0].weight.mul_(2)
    return net


@pytest.mark.parametrize(
    "change",
    [weights_changed, lambda net: net.train(not net.training), lambda net: Counted(), lambda net: net.float().double()],
    ids=["weights", "mode", "another network", "rounded"],
)
def test_what_is_not_the_same_network_passes_again(change):
    net, image = Counted(), triplet(1)[0]
    with shared_passes():
        first = masked_embeddings(net, image, MASKS, ZERO)
        net = change(net)
        net.calls.clear()
        again = masked_embeddings(net, image, MASKS, ZERO)
        assert net.calls == [5]
        masked_embeddings(net, image, MASKS, ZERO)
        assert net.calls == [5]
    assert torch.equal(again, masked_embeddings(net, image, MASKS, ZERO)) and first.shape == again.shape


def test_other_images_masks_and_fills_pass_again_and_inner_blocks_share_with_outer_ones():
    net, (a, b, _) = Counted(), triplet(1)
    with shared_passes():
        masked_embeddings(net, a, MASKS, ZERO)
        for image, masks, fill in [(b, MASKS, ZERO), (a, MASKS.flip(0), ZERO), (a, MASKS, ZERO + 1)]:
            net.calls.clear()
            masked_embeddings(net, image, masks, fill)
            assert net.calls == [5]
        with shared_passes():
            masked_embeddings(net, a, MASKS, ZERO)
        masked_embeddings(net, b, MASKS, ZERO)
        assert net.calls == [5]


def test_what_fails_is_not_kept():
    net, image = Counted(), triplet(1)[0]
    with pytest.raises(ValueError, match="masked images"), shared_passes():
        masked_embeddings(net, image[..., :6], MASKS[..., :6], ZERO)
    net.calls.clear()
    masked_embeddings(net, image, MASKS, ZERO)
    assert net.calls == [5]
