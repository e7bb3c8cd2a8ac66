"""Gradient x input and integrated gradients of the triplet gain, against loops and finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from helpers.live import Counted, triplet
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp.methods.integrated_gradients import path_gradient

METHODS = ("gradient-input", "integrated-gradients")


def gain(net, image, mate, nonmate, kind="triplet"):
    """Eq. (5), or the cosine gain, written out for one image."""
    p, m, n = (F.normalize(net(x), dim=1)[0] for x in (image, mate, nonmate))
    if kind == "cosine":
        return p @ m - p @ n
    return ((p - n).square().sum().sqrt() - (p - m).square().sum().sqrt()).clamp(min=0)


def with_gain(net, seed, b=2):
    """Images of which each probe is nearer to its mate, which resembles it."""
    probe, mate, nonmate = triplet(b, seed)
    mate = 0.5 * probe + 0.5 * mate
    for i in range(b):
        if gain(net, *(x[i : i + 1] for x in (probe, mate, nonmate))) == 0:
            mate[i], nonmate[i] = nonmate[i].clone(), mate[i].clone()
    return probe, mate, nonmate


def gradients(net, image, *others, kind):
    image = image.clone().requires_grad_()
    return torch.autograd.grad(gain(net, image, *others, kind), image)[0]


def normalised(signed, negative):
    shown = signed.clamp(min=0) if negative == "clamp" else signed - signed.min()
    return shown / shown.sum().clamp(min=1e-300)


@pytest.mark.filterwarnings("ignore::gweebp.EmptyMapWarning")
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 99),
    kind=st.sampled_from(["triplet", "cosine"]),
    baseline=st.sampled_from([0.0, -0.5, 0.25]),
    negative=st.sampled_from(["clamp", "minimum"]),
    steps=st.integers(1, 4),
)
def test_both_agree_with_a_loop_over_images_and_steps(seed, kind, baseline, negative, steps):
    net, images = Counted(), with_gain(Counted(), seed)
    options = dict(gain=kind, baseline=baseline, negative=negative)
    got = {
        "gradient-input": gweebp.explain(net, *images, method="gradient-input", **options),
        "integrated-gradients": gweebp.explain(net, *images, method="integrated-gradients", steps=steps, **options),
    }
    for i in range(2):
        p, m, n = (x[i : i + 1] for x in images)
        step = p - baseline
        signed = {"gradient-input": gradients(net, p, m, n, kind=kind) * step}
        on_the_way = [baseline + (k - 0.5) / steps * step for k in range(1, steps + 1)]
        signed["integrated-gradients"] = step * sum(gradients(net, x, m, n, kind=kind) for x in on_the_way) / steps
        for name in METHODS:
            torch.testing.assert_close(
                got[name][i], normalised(signed[name].sum(1)[0], negative), rtol=1e-9, atol=1e-12
            )


def test_the_gradient_is_that_of_finite_differences():
    net = Counted()
    p, m, n = with_gain(net, 3, b=1)
    h, loop = 1e-6, torch.zeros(12, 12, dtype=torch.float64)
    for y in range(12):
        for x in range(12):
            there = torch.zeros_like(p)
            there[0, 0, y, x] = h
            loop[y, x] = (gain(net, p + there, m, n) - gain(net, p - there, m, n)) / (2 * h) * p[0, 0, y, x]
    got = gweebp.explain(net, p, m, n, method="gradient-input", negative="minimum")[0]
    torch.testing.assert_close(got, normalised(loop, "minimum").detach(), rtol=1e-5, atol=1e-9)


def test_integrated_gradients_are_complete():
    """They sum to what the gain is above that of the baseline; a step more or less changes that by less and less."""
    net = Counted()
    p, m, n = with_gain(net, 5, b=1)
    with torch.no_grad():
        given_m, given_n = net(m), net(n)
    start = torch.full((1, 1, 1, 1), 0.1, dtype=torch.float64)
    wanted = (gain(net, p, m, n, "cosine") - gain(net, start.expand_as(p), m, n, "cosine")).item()
    off = []
    for steps in (2, 8, 32):
        found = path_gradient(net, p, start, given_m, given_n, "cosine", steps) * (p - start)
        off.append(abs(found.sum().item() - wanted))
    assert off[2] < 1e-3 * abs(wanted) and off[0] > off[1] > off[2]


def test_one_step_to_a_linear_score_is_gradient_times_input():
    """Cosines of an embedding that grows with the image alone: from a zero baseline the way has one direction."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(9, 3, bias=False)).double()
    p, m, n = torch.rand(3, 1, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        both = net(m), net(n)
    zero = torch.zeros(1, 1, 1, 1)
    few, many = (path_gradient(net, p, zero, *both, "cosine", k) * p for k in (1, 5))
    torch.testing.assert_close(few.sum(), many.sum(), atol=1e-12, rtol=0)  # the cosine does not change on the way: 0
    assert abs(few.sum()) < 1e-12 < few.abs().max()


@pytest.mark.parametrize("method", METHODS)
def test_without_gain_the_map_is_zero_and_said_once(method):
    net = Counted()
    p, m, n = with_gain(net, 0)
    with pytest.warns(gweebp.NoGainWarning, match=r"indices \[0, 1\]") as told:
        maps = gweebp.explain(net, p, n, m, method=method)
    assert maps.eq(0).all() and len(told) == 1
    with_sign = gweebp.explain(net, p, n, m, method=method, gain="cosine")
    assert (with_sign.flatten(1).sum(1) > 0).all()


def test_black_is_what_the_network_calls_black():
    net = Counted()
    net.mean, net.std = 0.5, 0.25
    images = with_gain(net, 2)
    for method in METHODS:
        black = gweebp.explain(net, *images, method=method, gain="cosine", baseline="black")
        assert torch.equal(black, gweebp.explain(net, *images, method=method, gain="cosine", baseline=-2.0))
        assert not torch.allclose(black, gweebp.explain(net, *images, method=method, gain="cosine"))


def test_passes_are_those_that_the_steps_say():
    net = Counted()
    p, m, n = with_gain(net, 4)
    with torch.no_grad():
        both = net(m), net(n)
    net.calls.clear()
    gweebp.explain(net, p, *both, method="integrated-gradients", steps=5)
    assert net.calls == [2] * 6  # one says whether there is a gain
    net.calls.clear()
    gweebp.explain(net, p, *both, method="gradient-input", gain="cosine")
    assert net.calls == [2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(steps=0), "steps=0: expected an integer above 0"),
        (dict(baseline="white"), "baseline='white': expected a number in the network's input range, or 'black'"),
        (dict(gain="loss"), "gain='loss' is unknown"),
        (dict(layer="net.0"), "'integrated-gradients' has no layer"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        gweebp.explain(Counted(), *triplet(), method="integrated-gradients", **options)
