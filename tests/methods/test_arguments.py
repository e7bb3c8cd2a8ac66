"""xSSAB and FGGB against loops over the dimensions of an embedding, and what their symmetries promise."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from helpers.live import Counted, triplet
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp.methods import fggb as module

METHODS = ("xssab", "fggb")


class Colours(nn.Module):
    """Two colours per pixel, four numbers per embedding, float64."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(48, 4)).double()

    def forward(self, x):
        return self.net(x)


def images(seed, b=2):
    return torch.rand(3, b, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def unit_of(net, image):
    return F.normalize(net(image)[0], dim=0)


def halfway(net, p, m, n):
    return ((unit_of(net, p) @ unit_of(net, m) + unit_of(net, p) @ unit_of(net, n)) / 2).item()


def xssab_loop(net, image, other, t):
    """One dimension after the other: the gradients of the terms for and of those against are added up."""
    b, sums = unit_of(net, other).detach(), {True: torch.zeros(2, 6, 6), False: torch.zeros(2, 6, 6)}
    for k in range(4):
        x = image.clone().requires_grad_()
        term = unit_of(net, x)[k] * b[k]
        (gradient,) = torch.autograd.grad(term, x)
        which = term.item() >= t / 4
        sums[which] = sums[which] + gradient[0]
    return sums[True].abs().mean(0) - sums[False].abs().mean(0)


def fggb_loop(net, image, other, t, scale):
    signed = torch.zeros(6, 6, dtype=torch.float64)
    f, g = net(image)[0].detach(), net(other)[0].detach()
    for k in range(4):
        x = image.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(net(x)[0, k], x)
        height = gradient[0].abs().mean(0)
        height = height / {"maximum": height.max(), "norm": height.square().sum().sqrt(), "none": 1}[scale]
        signed = signed + height * (f[k] * g[k] / (f.norm() * g.norm()) - t / 4)
    return signed


def normalised(signed, negative):
    shown = signed.clamp(min=0) if negative == "clamp" else signed - signed.min()
    return shown / shown.sum().clamp(min=1e-300)


@pytest.mark.filterwarnings("ignore::gweebp.NoGainWarning")
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 99),
    threshold=st.sampled_from([None, 0.0, 0.3, 0.9, -0.2]),
    contrastive=st.booleans(),
    negative=st.sampled_from(["clamp", "minimum"]),
    scale=st.sampled_from(module.SCALES),
    batch=st.integers(1, 9),
)
def test_both_agree_with_a_loop_over_dimensions(seed, threshold, contrastive, negative, scale, batch):
    net, given_images = Colours(seed), images(seed)
    options = dict(threshold=threshold, contrastive=contrastive, negative=negative)
    got = {
        "xssab": gweebp.explain(net, *given_images, method="xssab", **options),
        "fggb": gweebp.explain(net, *given_images, method="fggb", scale=scale, batch=batch, **options),
    }
    loops = {"xssab": xssab_loop, "fggb": lambda *args: fggb_loop(*args, scale)}
    for i in range(2):
        p, m, n = (x[i : i + 1] for x in given_images)
        t = halfway(net, p, m, n) if threshold is None else threshold
        for name, loop in loops.items():
            signed = loop(net, p, m, t) - (loop(net, p, n, t) if contrastive else 0)
            torch.testing.assert_close(got[name][i], normalised(signed, negative), rtol=1e-8, atol=1e-12)


@pytest.mark.filterwarnings("ignore::gweebp.NoGainWarning")
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 99), signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=4, max_size=4))
def test_negating_a_dimension_of_the_network_changes_no_map(seed, signs):
    """The same network in other coordinates: every cosine is what it was."""

    class Negated(Colours):
        def forward(self, x):
            return super().forward(x) * torch.tensor(signs, dtype=torch.float64)

    for name in METHODS:
        maps = [gweebp.explain(kind(seed), *images(seed), method=name) for kind in (Colours, Negated)]
        torch.testing.assert_close(*maps)


@pytest.mark.filterwarnings("ignore::gweebp.NoGainWarning")
def test_the_threshold_cancels_in_a_contrastive_fggb_alone():
    net, given_images = Colours(1), images(1)
    options = {"fggb": dict(negative="minimum"), "xssab": dict(negative="minimum")}
    for name in METHODS:
        low, high = (gweebp.explain(net, *given_images, method=name, threshold=t, **options[name]) for t in (-0.9, 0.9))
        assert torch.equal(low, high) == (name == "fggb")
        alone = [
            gweebp.explain(net, *given_images, method=name, threshold=t, contrastive=False, negative="minimum")
            for t in (-0.9, 0.9)
        ]
        assert not torch.allclose(*alone)


def test_the_terms_for_and_against_are_the_whole_cosine():
    """With a threshold that every term reaches, xSSAB is the plain gradient of the cosine."""
    net, (p, m, n) = Colours(2), images(2, b=1)
    x = p.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(unit_of(net, x) @ unit_of(net, m).detach(), x)
    wanted = gradient[0].abs().mean(0)
    got = gweebp.explain(net, p, m, n, method="xssab", threshold=-1.0, contrastive=False)[0]
    below = (unit_of(net, p) * unit_of(net, m) < -0.25).any()
    assert below or torch.allclose(got, wanted / wanted.sum())
    assert not below  # of this seed: the comparison was made


class Unbatched(torch.autograd.Function):
    """Twice the input, whose gradient takes no vectors."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient + 0 * float(gradient.sum())  # a number read: no vectorised form


def test_a_network_without_vectorised_gradients_is_explained_too():
    class Odd(Colours):
        def forward(self, x):
            return Unbatched.apply(super().forward(x))

    given_images = images(3)
    maps = [gweebp.explain(kind(3), *given_images, method="fggb", negative="minimum") for kind in (Colours, Odd)]
    torch.testing.assert_close(*maps)


def test_one_forward_pass_serves_all_dimensions():
    net, (p, m, n) = Counted(), triplet(2)
    with torch.no_grad():
        both = net(m), net(n)
    for name in METHODS:
        net.calls.clear()
        gweebp.explain(net, p, *both, method=name, negative="minimum")
        assert net.calls == [2]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(threshold=1.5), "threshold=1.5: expected a cosine between −1 and 1, or None"),
        (dict(threshold="low"), "threshold='low'"),
        (dict(layer="net.0"), "has no layer"),
    ],
)
def test_wrong_options_are_named(method, options, message):
    with pytest.raises(ValueError, match=message):
        gweebp.explain(Counted(), *triplet(), method=method, **options)


def test_wrong_options_of_fggb_are_named():
    for options, message in ((dict(scale="max"), "scale='max' is unknown"), (dict(batch=0), "batch=0")):
        with pytest.raises(ValueError, match=message):
            gweebp.explain(Counted(), *triplet(), method="fggb", **options)
