"""Random graphs of operations: mass is conserved, a batch is what single calls are, and constants are no neurons."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp

C, SIDE = 4, 4


def linear(x, w):
    return torch.einsum("oc,bchw->bohw", w, x)


#: name → (x, y, weight (4, 4)) → another response (b, 4, 4, 4); each conserves probability without a bias
STEPS = {
    "conv": lambda x, y, w: F.conv2d(x, w[:, :, None, None].expand(-1, -1, 3, 3) / 9, padding=1),
    "linear": lambda x, y, w: linear(x, w),
    "sum": lambda x, y, w: x + y,
    "difference": lambda x, y, w: x - 0.5 * y,
    "in place": lambda x, y, w: x.clone().add_(y),
    "product": lambda x, y, w: x * y,
    "gate": lambda x, y, w: x * y.sigmoid(),
    "channel gate": lambda x, y, w: y.mean((2, 3), keepdim=True).sigmoid() * x,
    "swish": lambda x, y, w: x * torch.sigmoid(x),
    "leaky": lambda x, y, w: F.leaky_relu(x, 0.2),
    "gelu": lambda x, y, w: F.gelu(x),
    "maximum": lambda x, y, w: torch.maximum(x, y),
    "layer norm": lambda x, y, w: F.layer_norm(x.permute(0, 2, 3, 1), (C,)).permute(0, 3, 1, 2),
    "group norm": lambda x, y, w: F.group_norm(x, 2),
    "rms norm": lambda x, y, w: x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-3),
    "by hand": lambda x, y, w: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-3),
    "attention": lambda x, y, w: attend(x, y, linear(y, w)),
    "bilinear": lambda x, y, w: (x @ y) / SIDE,
    "concatenation": lambda x, y, w: linear(torch.cat([x[:, :2], y[:, 2:]], 1), w),
    "stack": lambda x, y, w: torch.stack([x, y]).mean(0),
    "where": lambda x, y, w: torch.where(x > y, x, y),
    "reshaped": lambda x, y, w: x.permute(0, 2, 3, 1).reshape(len(x), -1, C).transpose(1, 2).reshape(x.shape),
    "unfolded": lambda x, y, w: F.fold(F.unfold(x, 3, padding=1), SIDE, 3, padding=1) / 9,
    "rolled": lambda x, y, w: x.roll(1, 3).flip(2),
    "pooled": lambda x, y, w: F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear"),
    "sequence": lambda x, y, w: torch.stack([a * 0.5 + b for a, b in zip(x.unbind(1), y.flip(1).unbind(1))], 1),
    "identity": lambda x, y, w: F.dropout(0 + x * 1.0, 0.5, False),
}


def attend(q, k, v):
    q, k, v = (a.flatten(2).transpose(1, 2) for a in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).view(-1, C, SIDE, SIDE)


class Random(nn.Module):
    """Each step takes two of what was computed before; the last few enter the embedding."""

    def __init__(self, steps, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.steps = steps
        self.stem = nn.Conv2d(2, C, 1, bias=False)
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(C, C)) for _ in steps)
        self.fc = nn.Linear(C * SIDE**2, 5, bias=False)

    def forward(self, x):
        seen = [self.stem(x)]
        for (name, i, j), w in zip(self.steps, self.weights):
            seen.append(STEPS[name](seen[i % len(seen)], seen[j % len(seen)], w))
        return self.fc(seen[-1].flatten(1))


steps = st.lists(st.tuples(st.sampled_from(list(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=7)


@settings(max_examples=60)
@given(steps=steps, seed=st.integers(0, 999), mode=st.sampled_from(["ebp", "eebp", "gweebp"]))
def test_mass_is_conserved_and_a_batch_is_what_single_calls_are(steps, seed, mode):
    net = Random(steps, seed).double()
    probe = torch.randn(3, 2, SIDE, SIDE, dtype=torch.float64)
    with torch.no_grad():
        e = net(probe)
    assume((e.abs().amax(1) > 1e-6).all())
    mate, nonmate = e * (1 + 0.3 * torch.rand_like(e)), torch.randn_like(e)
    options = dict(extended=mode != "ebp", weighted=mode == "gweebp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for layer in ("stem", "input"):
            together = gweebp.mwp(net, probe, mate, nonmate, layer=layer, **options)
            assert (together >= 0).all()
            mass = together.flatten(1).sum(1)
            assert (mass <= 1 + 1e-9).all()
            if mode == "eebp":
                torch.testing.assert_close(mass, torch.ones_like(mass), atol=1e-9, rtol=0)
            for i in range(3):
                one = slice(i, i + 1)
                single = gweebp.mwp(net, probe[one], mate[one], nonmate[one], layer=layer, **options)
                torch.testing.assert_close(together[one], single, atol=1e-10, rtol=1e-7)


class WithConstants(nn.Module):
    """A constant made in the forward pass has the shape of the responses, whatever the batch."""

    def __init__(self, use):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.fc, self.use = nn.Conv2d(2, C, 3, padding=1), nn.LazyLinear(5), use
        self.learned = nn.Parameter(torch.randn(1, C, SIDE, SIDE))

    def forward(self, x):
        return self.fc(self.use(self, self.stem(x)).flatten(1))


def positions(net, x):
    return torch.linspace(-1, 1, C * SIDE**2, dtype=x.dtype).view(1, C, SIDE, SIDE)


CONSTANTS = {
    "ones_like": lambda net, x: x + torch.ones_like(x),
    "zeros": lambda net, x: x - torch.full(x.shape, 0.3, dtype=x.dtype),
    "positions": lambda net, x: x + positions(net, x).expand(len(x), -1, -1, -1),
    "learned": lambda net, x: x + net.learned,
    "learned, expanded": lambda net, x: x + net.learned.expand(len(x), -1, -1, -1).clone(),
    "a function of a weight": lambda net, x: x * F.softplus(net.learned),
    "cast like": lambda net, x: x + net.learned.type_as(x).expand_as(x),
    "in a product": lambda net, x: x @ positions(net, x),
    "in a maximum": lambda net, x: torch.maximum(x, x.new_full((), -0.1)),
    "weights made here": lambda net, x: F.conv2d(x, positions(net, x)[0].expand(2, -1, -1, -1)),
}


@pytest.mark.parametrize("mode", ["ebp", "eebp", "gweebp"])
@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_is_no_neuron_at_any_batch_size(name, mode):
    net = WithConstants(CONSTANTS[name])
    probe = torch.randn(2, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    net(probe.float()), net.double()
    with torch.no_grad():
        e = net(probe)
    mate, nonmate = e * torch.linspace(0.7, 1.3, 5), e.flip(1)
    options = dict(layer="stem", extended=mode != "ebp", weighted=mode == "gweebp")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        both = gweebp.mwp(net, probe, mate, nonmate, **options)
        for i in range(2):
            one = slice(i, i + 1)
            torch.testing.assert_close(gweebp.mwp(net, probe[one], mate[one], nonmate[one], **options), both[one])
    if mode == "eebp" and name != "in a maximum":
        assert not caught
        torch.testing.assert_close(both.flatten(1).sum(1), torch.ones(2).double())


AROUND = {
    "same shape": (lambda around: around, 1.0),
    "one per channel": (lambda around: around.mean((2, 3), keepdim=True), 1.0),
    "one per place": (lambda around: around.mean(1, keepdim=True), 1.0),
    "one number": (lambda around: around.mean((1, 2, 3), keepdim=True), 1.0),
}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", AROUND)
def test_a_path_around_the_layer_counts_also_where_it_broadcasts(name, batch):
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch, self.fc = nn.Conv2d(1, 1, 1, bias=False), nn.Linear(16, 3, bias=False)

        def forward(self, x):
            return self.fc((self.branch(x) + AROUND[name][0](x)).flatten(1))

    net = Skip().double()
    with torch.no_grad():
        net.branch.weight.fill_(3), net.fc.weight.abs_()
    probe = torch.ones(batch, 1, 4, 4, dtype=torch.float64)
    with pytest.warns(gweebp.LostMassWarning, match="25.0%") as caught:
        p = gweebp.mwp(net, probe, torch.eye(3)[:1], torch.eye(3)[1:2], layer="branch", weighted=False)
    torch.testing.assert_close(p.flatten(1).sum(1), torch.full((batch,), 0.75).double())  # 3x beside x
    warning = caught[0].message
    assert warning.indices == list(range(batch)) and abs(warning.share - 0.25) < 1e-9
    assert abs(warning.places[0][1] - 0.25) < 1e-9
