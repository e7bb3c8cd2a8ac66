"""The closed form of Eq. (3)-(4): equal to four streams where it stands, and it stands aside where it would cancel."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
import torch
from helpers import literal
from helpers.oracles import MFM
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp.excitation import closed_form, equations

MODES = {"eebp": False, "gweebp": True}


@contextlib.contextmanager
def forms():
    """Notes, of each operation of the walks inside, whether it went in closed form."""
    found, choose = [], equations.choose_forms

    def noted(*args):
        forms = choose(*args)
        found.extend(form.excited is not None for form in forms.values())
        return forms

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(equations, "choose_forms", noted)
        yield found


def walk(net, probe, mate, nonmate, weighted, layer="input", four=False):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", gweebp.LostMassWarning)
        if four:
            patch.setattr(closed_form, "CONDITION", torch.inf)
        return gweebp.mwp(net, probe, mate, nonmate, layer=layer, weighted=weighted)


def mfm_network(seed, width=24, bias=0.1, dtype=torch.float64):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(width, 2 * width, 3, padding=1), MFM(), nn.Conv2d(width, 2 * width, 1), MFM(), nn.Flatten(),
        nn.Linear(9 * width, 12), nn.Unflatten(1, (12, 1, 1)), MFM(), nn.Flatten(),
    ).to(dtype)  # fmt: skip
    for p in net.parameters():
        if p.ndim == 1:
            nn.init.normal_(p, std=bias)
    return net


def triplet(net, width, seed, b=1, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    probe = torch.randn(b, width, 3, 3, generator=g, dtype=torch.float64).to(dtype)
    with torch.no_grad():
        e = net(probe)
    return (
        probe,
        e * (1 + 0.3 * torch.rand(e.shape, generator=g).to(dtype)),
        torch.randn(e.shape, generator=g).to(dtype),
    )


@settings(max_examples=6)
@given(seed=st.integers(0, 10_000), mode=st.sampled_from(list(MODES)))
def test_literal_loop_where_the_closed_form_stands(seed, mode):
    net = mfm_network(seed)
    probe, mate, nonmate = triplet(net, 24, seed)
    with forms() as closed:
        got = walk(net, probe, mate, nonmate, MODES[mode])
    assume(any(closed))  # by the accuracy that it would have; it nearly always stands somewhere
    wanted = literal.mwp(
        literal.steps_of(nn.Sequential(*list(net)[:6]), (24, 3, 3))[0] + [("max", [(i, i + 6) for i in range(6)])],
        probe.flatten(), mate[0], nonmate[0], extended=True, weighted=MODES[mode], towards=0,
    )[0]  # fmt: skip
    np.testing.assert_allclose(got.flatten().numpy(), wanted, atol=1e-13, rtol=0)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10_000),
    width=st.sampled_from([4, 24]),
    bias=st.sampled_from([0.0, 0.1, 10.0, 1e4]),
    mode=st.sampled_from(list(MODES)),
)
def test_equal_to_four_streams(seed, width, bias, mode):
    net = mfm_network(seed, width, bias)
    sample = triplet(net, width, seed, b=3)
    chosen, four = walk(net, *sample, MODES[mode]), walk(net, *sample, MODES[mode], four=True)
    assert (chosen >= 0).all()
    torch.testing.assert_close(chosen, four, atol=1e-13, rtol=0)
    net.float()  # against itself: what rounding ∂G/∂a does is not the form's doing
    sample = [x.float() for x in sample]
    chosen, four = walk(net, *sample, MODES[mode]), walk(net, *sample, MODES[mode], four=True)
    assert (chosen - four).abs().max() <= 5e-6 * four.max()


def one_layer(weight, bias, response):
    """A layer of 64 children under parents with the given rows, and a head in which each parent has its part."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, len(weight), bias=True)).double()
    with torch.no_grad():
        net[1].weight.copy_(weight), net[1].bias.copy_(bias)
    probe = response.view(1, 1, 8, 8)
    e = net(probe).detach()
    return net, probe, e, e.flip(1)


def rows():
    """Responses of both signs, and the weights of five parents: each sign mixed, well conditioned, sum not 0."""
    g = torch.Generator().manual_seed(3)
    return torch.randn(64, generator=g, dtype=torch.float64), torch.randn(5, 64, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("left", [0.0, 1e-3, 1e-9, 1e-17, 1e-30])
def test_a_parent_with_next_to_no_excitatory_child_hands_all_to_it_or_loses_it(left, weighted):
    a, w = rows()
    bias = torch.zeros(5, dtype=torch.float64)
    w[0] = -w[0].abs() * a.sign()  # each child inhibits the first parent, which its bias keeps positive
    w[0, 0] *= -left
    bias[0] = 1e3
    net, probe, mate, nonmate = one_layer(w, bias, a)
    with forms() as closed:
        chosen = walk(net, probe, mate, nonmate, weighted)
    assert not closed[0]
    torch.testing.assert_close(chosen, walk(net, probe, mate, nonmate, weighted, four=True), atol=0, rtol=1e-12)
    if not weighted and left == 0:
        steps = literal.steps_of(net, (1, 8, 8))[0]
        wanted = literal.mwp(steps, a, mate[0], nonmate[0], extended=True, weighted=False, towards=0)[0]
        assert wanted.sum() < 0.9  # the first parent's part is lost
        np.testing.assert_allclose(chosen.flatten().numpy(), wanted, atol=1e-15)
        with pytest.warns(gweebp.LostMassWarning):
            gweebp.mwp(net, probe, mate, nonmate, layer="input", weighted=False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ratio", [0.02, 0.05, 0.1, 0.2])
def test_digits_at_the_edge_of_the_condition(ratio, dtype):
    """One parent's excitation is a given share of |W||a|; its eight excitatory children are known exactly."""
    a, w = rows()
    w[0] = -w[0].abs() * a.sign()
    w[0, :8] *= -1  # eight excitatory children
    inside, outside = ((w[0, k] * a[k]).abs().sum() for k in (slice(0, 8), slice(8, 64)))
    w[0, :8] *= ratio / (1 - ratio) * outside / inside
    bias = torch.zeros(5, dtype=torch.float64)
    bias[0] = 1 + (w[0] @ a).abs()
    net, probe, mate, nonmate = one_layer(w, bias, a)
    mate, nonmate = torch.eye(5).double()[:1], torch.eye(5).double()[1:2]
    exact = torch.zeros(64, dtype=torch.float64)
    exact[:8] = (w[0, :8] * a[:8]) / (w[0, :8] * a[:8]).sum()
    with forms() as closed:
        got = walk(net.to(dtype), probe.to(dtype), mate.to(dtype), nonmate.to(dtype), False)
    assert closed[0] == (ratio == 0.2)  # its |bias| and |W||a| are as large
    tolerance = 1e-5 if dtype == torch.float32 else 1e-13
    torch.testing.assert_close(got.flatten().double(), exact, atol=tolerance * exact.max().item(), rtol=0)


def test_where_all_responses_are_zero_nothing_is_inexact():
    net = mfm_network(0)
    probe, mate, nonmate = triplet(net, 24, 0)
    probe[:, :, 0] = 0
    probe[:, :, 1] = 0  # the corners of the 3 × 3 convolution see zeros alone
    net[0].bias.data.fill_(0.05)
    with forms() as closed:
        chosen = walk(net, probe, mate, nonmate, False)
    assert closed[0]
    torch.testing.assert_close(chosen, walk(net, probe, mate, nonmate, False, four=True), atol=1e-14, rtol=0)


class Overwriting(nn.Module):
    """y is changed in place after it was made: its value less the bias is no product W a any more."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.out = nn.Linear(64, 32), nn.Linear(32, 6)

    def forward(self, x):
        y = self.fc(x.flatten(1))
        y.mul_(-0.5).add_(0.25)
        return self.out(y)


def test_an_output_that_the_network_overwrites():
    net = Overwriting().double()
    probe = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mate, nonmate = torch.eye(6).double()[:1], torch.eye(6).double()[1:2]
    with forms() as closed:
        chosen = walk(net, probe, mate, nonmate, False)
    assert any(closed)
    torch.testing.assert_close(chosen, walk(net, probe, mate, nonmate, False, four=True), atol=1e-14, rtol=0)


WRITTEN = {
    "conv1d": lambda w, b, x: nn.functional.conv1d(x.view(-1, 16, 4), w[:, :, None], b),
    "conv3d": lambda w, b, x: nn.functional.conv3d(x.view(-1, 16, 4, 1, 1), w[:, :, None, None, None], b),
    "conv_transpose2d": lambda w, b, x: nn.functional.conv_transpose2d(
        x.view(-1, 16, 2, 2), w.T[:, :, None, None], b, stride=2
    ),
    "grouped": lambda w, b, x: nn.functional.conv2d(x.view(-1, 32, 2, 1), w[:, :, None, None], b, groups=2),
    "linear on the last axis": lambda w, b, x: nn.functional.linear(x.view(-1, 4, 16), w, b),
    "addmm": lambda w, b, x: torch.addmm(b, x.flatten(1)[:, :16], w.T, beta=0.5, alpha=2),
    "matmul": lambda w, b, x: x.view(-1, 4, 16) @ w.T,
    "einsum": lambda w, b, x: torch.einsum("oc,bnc->bno", w, x.view(-1, 4, 16)),
    "difference": lambda w, b, x: x - x.flip(3),
}


class Written(nn.Module):
    def __init__(self, call):
        super().__init__()
        torch.manual_seed(0)
        self.call, self.weight, self.bias = call, nn.Parameter(torch.randn(16, 16)), nn.Parameter(0.1 * torch.randn(16))
        self.out = nn.LazyLinear(6)

    def forward(self, x):
        return self.out(self.call(self.weight, self.bias, x).flatten(1))


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_way_to_write_it(name, weighted, monkeypatch):
    net = Written(WRITTEN[name])
    probe = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    net(probe), net.double()
    probe = probe.double()
    mate, nonmate = net(probe).detach(), torch.eye(6).double()[:2]
    four = walk(net, probe, mate, nonmate, weighted, four=True)
    monkeypatch.setattr(closed_form, "CONDITION", 0)  # in closed form wherever both signs occur
    torch.testing.assert_close(walk(net, probe, mate, nonmate, weighted), four, atol=1e-12, rtol=0)


def test_rectified_parents_need_their_own_sign_alone():
    torch.manual_seed(0)
    signs = []
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 1), nn.ReLU(),
        nn.Conv2d(8, 8, 1), nn.LeakyReLU(), nn.Flatten(), nn.Linear(8, 4),
    ).double()  # fmt: skip
    choose = equations.choose_forms

    def noted(*args):
        forms = choose(*args)
        signs.extend(form[:2] for form in forms.values())
        return forms

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(equations, "choose_forms", noted)
        probe = torch.randn(4, 2, 2, 2).double()
        walk(net, probe, torch.eye(4).double(), torch.eye(4).double().flip(0), False)
    both, plus = (+1, -1), (+1,)
    assert signs[:4] == [(both, plus), (plus, plus), (plus, both), (both, both)]
