"""Propagation: against a literal loop over Eq. (1)-(6), against peers' outputs, and what must hold for any network."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import literal, oracles
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp import networks

MODES = {
    "ebp": dict(extended=False, weighted=False),
    "ebp to non-mate": dict(extended=False, weighted=False, towards="nonmate"),
    "eebp": dict(extended=True, weighted=False),
    "eebp to non-mate": dict(extended=True, weighted=False, towards="nonmate"),
    "gweebp": dict(extended=True, weighted=True),
    "weighted ebp": dict(extended=False, weighted=True),
    "printed": dict(extended=True, weighted=True, clamp=False),
    "dead ends": dict(extended=True, weighted=True, dead_ends="unweighted"),
}


class MFM(nn.Module):
    def forward(self, x):
        return torch.max(*x.chunk(2, dim=1))


def conv(*args, **kwargs):
    return nn.Conv2d(*args, **kwargs)


SMALL = {
    "relu": lambda: nn.Sequential(conv(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), conv(4, 5, 2), nn.ReLU()),
    "mfm": lambda: nn.Sequential(conv(2, 6, 3, padding=1), MFM(), nn.MaxPool2d(2), conv(3, 8, 1), MFM()),
    "average": lambda: nn.Sequential(conv(2, 4, 3), nn.LeakyReLU(), nn.AvgPool2d(2), conv(4, 4, 1), nn.PReLU()),
    "grouped": lambda: nn.Sequential(
        conv(2, 4, 3, groups=2, dilation=2, padding=2), nn.ReLU6(), conv(4, 4, 3, stride=2)
    ),
    "normed": lambda: nn.Sequential(conv(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Hardtanh(), conv(4, 3, 2)),
    "reflect": lambda: nn.Sequential(conv(2, 4, 3, padding=1, padding_mode="reflect"), nn.AdaptiveAvgPool2d(2)),
    "transposed": lambda: nn.Sequential(conv(2, 3, 3), nn.ReLU(), nn.ConvTranspose2d(3, 2, 2, stride=2)),
}


def small_network(kind: str, seed: int) -> nn.Sequential:
    """A random network (2, 4, 4) → 5 in float64, biases not zero, batch norm with statistics not trivial."""
    torch.manual_seed(seed)
    body = SMALL[kind]().double().eval()
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean), nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight), nn.init.normal_(module.bias)
        if getattr(module, "bias", None) is not None:
            nn.init.normal_(module.bias, std=0.3)
    n = body(torch.zeros(1, 2, 4, 4, dtype=torch.float64)).numel()
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(n, 5).double())


def triplet(net, seed: int, b: int = 1, shape=(2, 4, 4)):
    """A random probe and two embeddings, ordered so that the probe is nearer to the first."""
    g = torch.Generator().manual_seed(seed)
    probe = torch.randn(b, *shape, generator=g, dtype=torch.float64)
    with torch.no_grad():
        e = F.normalize(net(probe), dim=1)
    m, n = (torch.randn(b, e.shape[1], generator=g, dtype=torch.float64) for _ in range(2))
    swap = ((e - F.normalize(m)).norm(dim=1) > (e - F.normalize(n)).norm(dim=1))[:, None]
    return probe, torch.where(swap, n, m), torch.where(swap, m, n)


def quietly(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gweebp.LostMassWarning)
        return call(*args, **kwargs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SMALL)
def test_literal_loop_at_every_layer(kind, mode):
    for seed in range(4):
        net = small_network(kind, seed)
        probe, mate, nonmate = triplet(net, seed + 100)
        steps, names = literal.steps_of(net, (2, 4, 4))
        options = dict(MODES[mode])
        towards = ["mate", "nonmate"].index(options.pop("towards", "mate"))
        expected = literal.mwp(steps, probe.flatten(), mate[0], nonmate[0], towards=towards, **options)
        shapes = gweebp.excitation.layers.spatial_layers(net, probe)
        for layer in ["input", *shapes]:
            got = quietly(gweebp.mwp, net, probe, mate, nonmate, layer=layer, **MODES[mode])
            wanted = expected[0 if layer == "input" else names.index(layer) + 1]
            np.testing.assert_allclose(got.flatten().numpy(), wanted, atol=1e-10, rtol=0, err_msg=f"{kind} {layer}")


class Residual(nn.Module):
    """conv → (+ its input) → linear, with the addition written in the way asked for."""

    def __init__(self, add):
        super().__init__()
        self.stem, self.conv, self.fc, self.add = (
            conv(2, 3, 3, padding=1),
            conv(3, 3, 3, padding=1),
            nn.Linear(48, 5),
            add,
        )

    def forward(self, x):
        x = self.stem(x)
        return self.fc(self.add(self.conv(x), x).flatten(1))


def add_in_place(a, b):
    a += b
    return a


ADDITIONS = {
    "+": lambda a, b: a + b,
    "torch.add": torch.add,
    "+=": add_in_place,
    "add_": lambda a, b: a.add_(b),
    "stack and sum": lambda a, b: torch.stack([a, b]).sum(0),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("written", ADDITIONS)
def test_residual_addition(written, mode):
    for seed in range(3):
        torch.manual_seed(seed)
        net = Residual(ADDITIONS[written]).double()
        probe, mate, nonmate = triplet(net, seed)
        stem, inner, fc = (
            ("affine", literal.matrix(m, s), m(torch.zeros(1, *s, dtype=torch.float64)).flatten().detach().numpy())
            for m, s in ((net.stem, (2, 4, 4)), (net.conv, (3, 4, 4)), (net.fc, (48,)))
        )
        options = dict(MODES[mode])
        towards = ["mate", "nonmate"].index(options.pop("towards", "mate"))
        steps = [stem, inner, ("add", 1), fc]
        expected = literal.mwp(steps, probe.flatten(), mate[0], nonmate[0], towards=towards, **options)
        for layer, k in (("input", 0), ("stem", 1)):
            got = quietly(gweebp.mwp, net, probe, mate, nonmate, layer=layer, **MODES[mode])
            np.testing.assert_allclose(got.flatten().numpy(), expected[k], atol=1e-10, rtol=0)


class Dense(nn.Module):
    """Each layer sees all earlier ones, concatenated: the same neuron in several tensors."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.fc = conv(2, 2, 3, padding=1), conv(2, 3, 3, padding=1), nn.Linear(80, 5)

    def forward(self, x):
        x = self.stem(x)
        return self.fc(torch.cat([self.conv(x.clone()), x], 1).flatten(1))


@pytest.mark.parametrize("mode", MODES)
def test_concatenation_copies_neurons(mode):
    for seed in range(3):
        torch.manual_seed(seed)
        net = Dense().double()
        probe, mate, nonmate = triplet(net, seed)
        stem, inner, fc = (
            ("affine", literal.matrix(m, s), m(torch.zeros(1, *s, dtype=torch.float64)).flatten().detach().numpy())
            for m, s in ((net.stem, (2, 4, 4)), (net.conv, (2, 4, 4)), (net.fc, (80,)))
        )
        options = dict(MODES[mode])
        towards = ["mate", "nonmate"].index(options.pop("towards", "mate"))
        steps = [stem, inner, ("cat", 1), fc]
        expected = literal.mwp(steps, probe.flatten(), mate[0], nonmate[0], towards=towards, **options)
        for layer, k in (("input", 0), ("stem", 1)):
            got = quietly(gweebp.mwp, net, probe, mate, nonmate, layer=layer, **MODES[mode])
            np.testing.assert_allclose(got.flatten().numpy(), expected[k], atol=1e-10, rtol=0)


PEERS = {  # the peers of plain EBP know no max-feature-map
    ("ebp_torchray_zennit", "dense_mate"): (["tinyrelu", "vgg8"], MODES["ebp"]),
    ("ebp_torchray_zennit", "dense_nonmate"): (["tinyrelu", "vgg8"], MODES["ebp to non-mate"]),
    ("gwe_whitebox", "dense_eebp_mate"): (["tinyrelu", "tinymfm", "vgg8"], MODES["eebp"]),
    ("gwe_whitebox", "dense_gweebp_mate_signs_from_raw"): (
        ["tinyrelu", "tinymfm", "vgg8"], {**MODES["gweebp"], "gain": "cosine"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("bias", ["nobias", "bias"])
@pytest.mark.parametrize(
    ("family", "key", "name", "options"),
    [(*peer, name, options) for peer, (names, options) in PEERS.items() for name in names],
)
def test_peers_dense_matrices(family, key, name, bias, options):
    net, z = oracles.load(f"{family}_{name}_{bias}", name)
    layers = ["input", *dict(net.named_children())]
    probe, mate, nonmate = (torch.tensor(z[k]) for k in ("probe", "mate_emb", "nonmate_emb"))
    compared = 0
    for entry in z.files:
        module = entry.rpartition("/")[2]
        if entry.startswith(f"{key}/input_of/") and z[entry].ndim == 3:
            layer = layers[layers.index(module) - 1]
            got = quietly(gweebp.mwp, net, probe, mate, nonmate, layer=layer, **options)[0]
            np.testing.assert_allclose(got.numpy(), z[entry], atol=1e-12, rtol=0)
            compared += 1
    assert compared >= 3


@st.composite
def random_networks(draw):
    """Networks with and without negative responses, any of the operations that conserve mass without a bias."""
    torch.manual_seed(draw(st.integers(0, 10_000)))
    modules, c, side = [], 2, 6
    for _ in range(draw(st.integers(1, 3))):
        out = draw(st.integers(1, 3)) * 2
        modules.append(conv(c, out, draw(st.sampled_from([1, 3])), padding=1, bias=False))
        modules.append(draw(st.sampled_from([nn.ReLU(), nn.ReLU(inplace=True), MFM(), nn.LeakyReLU(0.1), nn.PReLU()])))
        c = out // 2 if isinstance(modules[-1], MFM) else out
        modules.append(draw(st.sampled_from([nn.Identity(), nn.MaxPool2d(2, ceil_mode=True), nn.Dropout(0.5)])))
    body = nn.Sequential(*modules).double().eval()
    n = body(torch.zeros(1, 2, side, side, dtype=torch.float64)).numel()
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(n, 4, bias=False).double())


@settings(max_examples=40, deadline=None)
@given(net=random_networks(), seed=st.integers(0, 10_000), mode=st.sampled_from(list(MODES)))
def test_batch_equals_singles_and_mass_is_conserved(net, seed, mode):
    probe, mate, nonmate = triplet(net, seed, b=3, shape=(2, 6, 6))
    for layer in ("0", "input"):
        together = quietly(gweebp.mwp, net, probe, mate, nonmate, layer=layer, **MODES[mode])
        for i in range(3):
            one = slice(i, i + 1)
            single = quietly(gweebp.mwp, net, probe[one], mate[one], nonmate[one], layer=layer, **MODES[mode])
            torch.testing.assert_close(together[one], single, atol=1e-12, rtol=1e-9)
        assert (together >= 0).all()
        mass = together.flatten(1).sum(1)
        assert (mass <= 1 + 1e-9).all()
        if mode.startswith("eebp"):  # without bias, a parent in extended EBP always has an excitatory child
            with torch.no_grad():
                alive = net(probe).abs().amax(1) > 0
            torch.testing.assert_close(mass[alive], torch.ones_like(mass[alive]), atol=1e-9, rtol=0)


def state_of(net):
    return {
        "weights": {k: v.clone() for k, v in net.state_dict().items()},
        "grads": [p.grad for p in net.parameters()],
        "requires_grad": [p.requires_grad for p in net.parameters()],
        "training": [m.training for m in net.modules()],
        "hooks": [
            len(getattr(m, name))
            for m in net.modules()
            for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        ],
        "rng": torch.get_rng_state(),
    }


@pytest.mark.parametrize("method", [name for name, method in gweebp.METHODS.items() if not method.attention])
@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(method, training):
    torch.manual_seed(0)
    net = nn.Sequential(
        conv(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(), nn.Flatten(), nn.Linear(16, 4)
    )
    net.train(training)
    net[1].eval()
    net.saliency_layer, net.feature_layer = "1", "2"
    probe, mate, nonmate = torch.randn(3, 2, 2, 4, 4)
    given_probe, before = probe.clone(), state_of(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gweebp.explain(net, probe, mate, nonmate, method=method)
    after = state_of(net)
    assert all(torch.equal(before["weights"][k], after["weights"][k]) for k in before["weights"])
    assert torch.equal(before["rng"], after["rng"]) and torch.equal(probe, given_probe)
    for key in ("grads", "requires_grad", "training", "hooks"):
        assert before[key] == after[key], key
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("build", [networks.vgg16, networks.lcnn9])
@pytest.mark.parametrize("mode", ["ebp", "eebp", "gweebp"])
def test_float32_within_1e5_of_float64_at_full_size(build, mode):
    torch.manual_seed(1)
    net = build().eval()
    g = torch.Generator().manual_seed(2)
    probe, mate, nonmate = torch.rand(3, 1, net.channels, net.size, net.size, generator=g)
    with torch.no_grad():
        e = F.normalize(net(torch.cat([probe, mate, nonmate])), dim=1)
    mate, nonmate = e[1:2], e[2:3]
    if (e[0] - e[1]).norm() > (e[0] - e[2]).norm():
        mate, nonmate = nonmate, mate
    single = quietly(gweebp.mwp, net, probe, mate, nonmate, layer=net.saliency_layer, **MODES[mode]).sum(1)
    double = copy.deepcopy(net).double()
    exact = quietly(
        gweebp.mwp, double, probe.double(), mate.double(), nonmate.double(), layer=net.saliency_layer, **MODES[mode]
    ).sum(1)
    assert ((single - exact).abs().max() / exact.max()).item() < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_networks_propagate_in_float32(dtype):
    net = small_network("relu", 0)
    probe, mate, nonmate = triplet(net, 0)
    exact = quietly(gweebp.mwp, net, probe, mate, nonmate, layer="2")
    half = quietly(
        gweebp.mwp, copy.deepcopy(net).to(dtype), probe.to(dtype), mate.to(dtype), nonmate.to(dtype), layer="2"
    )
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.double(), exact, atol=0.03, rtol=0)


def test_callers_in_inference_mode_autocast_or_no_grad():
    net = small_network("mfm", 0).float()
    probe, mate, nonmate = (x.float() for x in triplet(net.double(), 0))
    net.float()
    plain = quietly(gweebp.mwp, net, probe, mate, nonmate, layer="2")
    with torch.inference_mode():
        again = quietly(gweebp.mwp, net, probe.clone(), mate.clone(), nonmate.clone(), layer="2")
    assert torch.equal(plain, again)
    with torch.no_grad():
        assert torch.equal(plain, quietly(gweebp.mwp, net, probe, mate, nonmate, layer="2"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(plain, quietly(gweebp.mwp, net, probe, mate, nonmate, layer="2"))
    for p in net.parameters():
        p.requires_grad_(False)
    assert torch.equal(plain, quietly(gweebp.mwp, net, probe, mate, nonmate, layer="2"))
    channels_last = net.to(memory_format=torch.channels_last)
    got = quietly(
        gweebp.mwp, channels_last, probe.contiguous(memory_format=torch.channels_last), mate, nonmate, layer="2"
    )
    torch.testing.assert_close(got, plain)


def test_lost_mass_is_reported():
    net = nn.Sequential(conv(1, 1, 1), nn.Flatten(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        net[0].weight.fill_(-1), net[0].bias.fill_(5)  # alive by its bias alone: no excitatory child
        net[2].weight.fill_(1)
    probe = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    m, n = torch.tensor([[1.0, 1.0]]).double(), torch.tensor([[1.0, -1.0]]).double()
    for probes, extended in (([probe, probe], True), ([probe, -probe], False)):
        with pytest.warns(gweebp.LostMassWarning, match=r"up to 100\.0%") as caught:
            p = gweebp.mwp(net, torch.cat(probes), m, n, layer="input", extended=extended, weighted=False)
        assert p.sum() == 0
        assert [(one.message.share, one.message.indices) for one in caught] == [(1, [0, 1])]


def test_equation_6_as_printed_differs_where_a_negative_response_has_a_positive_gradient():
    net = small_network("mfm", 0)
    probe, mate, nonmate = triplet(net, 100)
    maps = [quietly(gweebp.mwp, net, probe, mate, nonmate, layer="1", clamp=clamp) for clamp in (True, False)]
    assert all(m.sum() > 0 for m in maps) and not torch.equal(*maps)
    with pytest.raises(TypeError, match="clamp=1: expected True or False"):
        gweebp.mwp(net, probe, mate, nonmate, layer="1", clamp=1)
