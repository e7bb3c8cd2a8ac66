"""Maps on the mate, evidence for the non-mate, signed maps, and batches that are split."""

from __future__ import annotations

import gc
import re
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp.excitation.gain import distance_gain, triplet_gain
from gweebp.experiment.cost import peak_bytes
from gweebp.methods.maps import divided_by_sum

QUICK = {"corrrise": dict(masks=12), "xface": dict(patches=(56,), stride=56), "integrated-gradients": dict(steps=2)}
SEEDS = st.integers(0, 99)
SOME = st.sampled_from(
    ["gweebp", "ebp", "etcebp", "gweebp-paper-code", "gradcam", "gradient-input", "xssab", "corrrise"]
)


def network(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 8)).eval().double()
    net.saliency_layer = net.feature_layer = "1"
    return net


def triplet(net, b=3, seed=0):
    """Images (b, 2, 6, 6), each probe nearer to its mate, which resembles it."""
    probe, mate, nonmate = torch.rand(3, b, 2, 6, 6, generator=torch.Generator().manual_seed(seed)).double()
    return probe, 0.5 * (probe + mate), nonmate


def quietly(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gweebp.explain(*args, **QUICK.get(kwargs["method"], {}), **kwargs)


@settings(max_examples=16, deadline=None)
@given(seed=SEEDS, method=SOME)
def test_a_map_on_the_mate_is_that_of_the_exchanged_triplet(seed, method):
    net = network(seed)
    probe, mate, nonmate = triplet(net, seed=seed)
    on_mate = quietly(net, probe, mate, nonmate, method=method, on="mate")
    assert torch.equal(on_mate, quietly(net, mate, probe, nonmate, method=method))
    one = quietly(net, probe, mate[:1], nonmate, method=method, on="mate")  # one mate, a map on it for each probe
    torch.testing.assert_close(one, quietly(net, mate[:1].expand_as(mate), probe, nonmate, method=method))
    with torch.no_grad():
        torch.testing.assert_close(quietly(net, net(probe), mate, nonmate, method=method, on="mate"), on_mate)


@settings(max_examples=16, deadline=None)
@given(seed=SEEDS, method=SOME)
def test_a_signed_map_is_one_side_less_the_other(seed, method):
    net, options = network(seed), {"method": method}
    images = triplet(net, seed=seed)
    signed = quietly(net, *images, signed=True, **options)
    torch.testing.assert_close(signed, -quietly(net, *images, signed=True, towards="nonmate", **options))
    for_it, against = quietly(net, *images, **options), quietly(net, *images, towards="nonmate", **options)
    with torch.no_grad():
        gains = triplet_gain(*(net(x) for x in images))
    there = gains > 1e-9  # where there is a gain its hinge changes nothing
    torch.testing.assert_close(signed[there], (for_it - against)[there])
    assert there.any()


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, on=st.sampled_from(["probe", "mate"]))
def test_signed_gradients_are_those_of_the_difference_of_distances(seed, on):
    """A literal gradient of ‖p − n‖ − ‖p − m‖, positive parts and negative parts each over their sum."""
    net = network(seed)
    images = dict(zip(("probe", "mate", "nonmate"), triplet(net, b=1, seed=seed)))
    x = images[on].clone().requires_grad_()
    other = net(images["mate" if on == "probe" else "probe"]).detach()
    (gradient,) = torch.autograd.grad(distance_gain(net(x), other, net(images["nonmate"]).detach()).sum(), x)
    shares = (gradient * x).detach().sum(1)
    wanted = divided_by_sum(shares.clamp(min=0)) - divided_by_sum((-shares).clamp(min=0))
    got = quietly(net, *images.values(), method="gradient-input", on=on, signed=True)
    torch.testing.assert_close(got, wanted)


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, extended=st.booleans())
def test_evidence_for_the_nonmate_is_the_walk_from_its_row(seed, extended):
    net, method = network(seed), "eebp" if extended else "ebp"
    images = triplet(net, seed=seed)
    p = gweebp.mwp(net, *images, layer="1", towards="nonmate", extended=extended, weighted=False)
    got = quietly(net, *images, method=method, towards="nonmate")
    torch.testing.assert_close(got, divided_by_sum(p.sum(1)))


def test_what_is_said_is_said_of_the_callers_arguments():
    net = network()
    probe, mate, nonmate = triplet(net)
    with pytest.warns(
        gweebp.NoGainWarning, match=r"the mates at batch indices \[0, 1, 2\] are not nearer to their probe"
    ):
        gweebp.explain(net, nonmate, probe, mate, on="mate")
    bad = mate.clone()
    bad[1] = torch.nan
    for on, towards in (("probe", "mate"), ("mate", "mate"), ("probe", "nonmate"), ("mate", "nonmate")):
        for name, images in (("mate", (probe, bad, nonmate)), ("nonmate", (probe, nonmate, bad)),
                             ("probe", (bad, mate, nonmate))):  # fmt: skip
            with pytest.raises(ValueError, match=rf"^{name} holds NaN or infinity at batch indices \[1\]"):
                gweebp.explain(net, *images, on=on, towards=towards)
    with pytest.raises(ValueError, match=r"on='mate' needs the mate's images \(b, c, h, w\); got embeddings \(3, 8\)"):
        gweebp.explain(net, probe, torch.rand(3, 8), nonmate, on="mate")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(on="nonmate"), ValueError, "on='nonmate' is unknown; expected 'probe' or 'mate'"),
        (dict(towards="both"), ValueError, "towards='both' is unknown; expected 'mate' or 'nonmate'"),
        (dict(signed="yes"), TypeError, "signed='yes': expected True or False"),
        (dict(batch_size=0), ValueError, "batch_size=0: expected an integer above 0, or None"),
        (dict(batch_size=2.5), ValueError, "batch_size=2.5"),
    ],
)
def test_unknown_sides_are_named(options, error, message):
    net = network()
    with pytest.raises(error, match=message):
        gweebp.explain(net, *triplet(net), **options)


def test_no_nonmate_names_where_one_is_found():
    net = network()
    probe, mate, _ = triplet(net)
    for call in (gweebp.explain, lambda *args: gweebp.mwp(*args, layer="1")):
        with pytest.raises(
            TypeError, match=r"nonmate must be.*got NoneType.*gweebp\.networks\.gallery\.nearest_impostor"
        ):
            call(net, probe, mate, None)


def test_a_layer_may_be_a_module():
    net = network()
    images = triplet(net)
    for method in ("gweebp", "gradcam"):
        by_module = quietly(net, *images, method=method, layer=net[0])
        assert torch.equal(by_module, quietly(net, *images, method=method, layer="0"))
    with pytest.raises(ValueError, match=r"no layer 'a ReLU' in the network; choose layer= among"):
        gweebp.explain(net, *images, layer=nn.ReLU())


# ---- batches that are split ----


@settings(max_examples=16, deadline=None)
@given(
    seed=SEEDS, method=SOME, b=st.integers(1, 5), size=st.integers(1, 6),
    one=st.sampled_from(["", "mate", "nonmate"]), on=st.sampled_from(["probe", "mate"]), embedded=st.booleans(),
)  # fmt: skip
def test_a_split_batch_gives_what_a_whole_one_gives(seed, method, b, size, one, on, embedded):
    net = network(seed)
    images = dict(zip(("probe", "mate", "nonmate"), triplet(net, b, seed)))
    if one:
        images[one] = images[one][:1]
    if embedded:
        with torch.no_grad():
            images["nonmate"] = net(images["nonmate"])
    whole = quietly(net, **images, method=method, on=on)
    parts = quietly(net, **images, method=method, on=on, batch_size=size)
    torch.testing.assert_close(parts, whole, rtol=1e-7, atol=1e-12)


@settings(max_examples=12, deadline=None)
@given(without=st.sets(st.integers(0, 6)), size=st.integers(1, 4))
def test_warnings_name_the_rows_of_the_whole_batch(without, size):
    net = network()
    probe, mate, nonmate = triplet(net, 7)
    turned = torch.tensor([i in without for i in range(7)]).view(-1, 1, 1, 1)
    mate, nonmate = torch.where(turned, nonmate, mate), torch.where(turned, mate, nonmate)
    with torch.no_grad():
        wanted = (triplet_gain(net(probe), net(mate), net(nonmate)) <= 0).nonzero().flatten().tolist()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        gweebp.explain(net, probe, mate, nonmate, batch_size=size)
    told = [str(w.message) for w in seen if w.category is gweebp.NoGainWarning]
    assert sorted(int(i) for text in told for i in re.search(r"indices \[(.*?)\]", text)[1].split(", ")) == wanted


def test_a_lost_mass_warning_counts_its_rows_as_the_caller_does():
    net = network()
    with torch.no_grad():
        net[0].bias.fill_(5.0)  # neurons that only their bias keeps alive, on a black image
    probe, mate, nonmate = triplet(net, 4)
    probe[3] = -probe[3]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        gweebp.explain(net, probe, mate, nonmate, method="ebp", layer="input", batch_size=3)
    (told,) = [w.message for w in seen if w.category is gweebp.LostMassWarning]
    assert told.indices == [3] and "batch indices [3]" in str(told)


def test_errors_name_the_row_of_the_whole_batch():
    net = network()
    probe, mate, nonmate = triplet(net, 5)
    mate[4] = nonmate[4]
    with pytest.raises(ValueError, match=r"mate and nonmate are equal at batch indices \[4\]"):
        gweebp.explain(net, probe, mate, nonmate, batch_size=2)
    with pytest.raises(ValueError, match="nonmate has batch size 2; expected 5"):
        gweebp.explain(net, probe, mate, nonmate[:2], batch_size=2)


@pytest.mark.parametrize("method", ["ebp", "gweebp", "gradcam", "gradient-input", "fggb"])
def test_the_memory_of_a_split_batch_is_that_of_a_part(method):
    """And the maps: n triplets in parts hold what one part holds, without waiting for the garbage collector."""
    net = network()
    images = triplet(net, 24)
    layer = {} if gweebp.METHODS[method].layer is None else {"layer": "1"}

    def held(n, **options):
        return peak_bytes(lambda: quietly(net, *(x[:n] for x in images), method=method, **layer, **options))

    maps = 2 * 24 * 36 * 8  # the parts, and all of them as one tensor
    gc.disable()
    try:
        assert held(24, batch_size=4) <= 1.1 * held(4) + maps
        assert held(24) > 1.5 * held(24, batch_size=4)  # which the whole does not
    finally:
        gc.enable()
