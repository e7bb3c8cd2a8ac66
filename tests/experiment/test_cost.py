"""What a map costs, in counts: a slower form, a convolution run twice or a wait is noticed without a clock."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gweebp
from gweebp import networks, saliency
from gweebp.excitation import propagation
from gweebp.excitation.layers import run_from
from gweebp.experiment.cost import Cost, cost, peak_bytes

WHITE = ("ebp", "cebp", "tcebp", "eebp", "ecebp", "etcebp", "gweebp")
#: passes over the part above the saliency layer, on top of the probe's plain forward pass: excitations and ways back
PASSES = {
    "lcnn9": dict(ebp=1 + 1, cebp=1 + 2, tcebp=1 + 2, eebp=1 + 2, ecebp=1 + 4, etcebp=1 + 4, gweebp=1 + 2 + 2),
    "vgg16": dict(ebp=1 + 1, cebp=1 + 2, tcebp=1 + 2, eebp=1 + 1, ecebp=1 + 2, etcebp=1 + 2, gweebp=1 + 1 + 1),
}


def sample(net, b=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    probe = torch.rand(b, net.channels, net.size, net.size, generator=g)
    with torch.no_grad():
        e = net(probe)
    return probe, e * (1 + 0.3 * torch.rand(e.shape, generator=g)), torch.randn(e.shape, generator=g)


def forward_and_backward(net, probe):
    activation, embedding = run_from(net, probe, net.saliency_layer)
    torch.autograd.grad(embedding.sum(), activation)


@pytest.fixture(scope="module", params=["lcnn9", "vgg16"])
def known(request):
    """A network, a sample, its forward pass' cost and that of one pass over the part above the saliency layer."""
    width = {"lcnn9": 1.0, "vgg16": 0.25}[request.param]
    net = networks.build(request.param, seed=0, width=width, size=64).eval()
    net.requires_grad_(False)
    triplet = sample(net)
    forward = cost(lambda: net(triplet[0]))
    both = cost(lambda: forward_and_backward(net, triplet[0]))
    above = Cost(both.flops - forward.flops, both.convolutions - forward.convolutions, 0)
    return request.param, net, triplet, forward, above


@pytest.mark.parametrize("method", WHITE)
def test_passes_of_every_method(known, method):
    name, net, triplet, forward, above = known
    found, passes = cost(lambda: gweebp.explain(net, *triplet, method=method)), PASSES[name][method]
    assert found.convolutions == forward.convolutions + passes * above.convolutions
    # the fully connected layer under a VGG16's embedding has parents of both signs: |W||a| and one more way back each
    dense = 2 * len(triplet[0]) * net.head[-1].weight.numel() if name == "vgg16" else 0
    streams = {"eebp": 1, "ecebp": 2, "etcebp": 2, "gweebp": 2}.get(method, 0)
    expected = forward.flops + passes * above.flops + streams * dense
    assert expected <= found.flops <= expected * 1.002  # the head


def deep(depth):
    """Convolutions with maxima of two halves or ReLUs in turn, of both signs."""
    torch.manual_seed(0)
    layers = []
    for k in range(depth):
        layers += [nn.Conv2d(8, 8, 3, padding=1), nn.ReLU() if k % 2 else nn.LeakyReLU(0.5)]
    return nn.Sequential(nn.Conv2d(1, 8, 1), *layers, nn.Flatten(), nn.Linear(8 * 16, 6)).eval()


@pytest.mark.parametrize("method", [*WHITE, "gradcam", "gweebp-paper-code"])
def test_the_device_is_not_waited_for_on_the_walk(method, monkeypatch):
    monkeypatch.setattr(propagation, "warn_of_loss", lambda *args: None)  # reads one number more where mass was lost
    monkeypatch.setattr(saliency, "warn_of_empty", lambda *args: None)  # runs the network again where a map is zero
    waits = set()
    for depth in (2, 8):
        net = deep(depth)
        net.channels, net.size = 1, 4
        triplet = sample(net)
        waits.add(cost(lambda: gweebp.explain(net, *triplet, method=method, layer="0")).waits)  # noqa: B023
    assert len(waits) == 1, waits


class Block(nn.Module):
    """One rule after the other on a residual path: gates, attention, norms, products, a recurrence, winners."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.conv, self.line, self.norm = kind, nn.Conv2d(8, 16, 1), nn.Linear(8, 8), nn.LayerNorm(8)
        self.attention, self.lstm = nn.MultiheadAttention(8, 2, batch_first=True), nn.LSTM(8, 8, batch_first=True)

    def forward(self, x):
        a, b = self.conv(x).chunk(2, 1)
        tokens = self.norm(x.flatten(2).mT)
        if self.kind == "gate":
            return x + a * torch.sigmoid(b.mean((2, 3), keepdim=True))
        if self.kind == "product":
            return x + a * b
        if self.kind == "winners":
            return x + nn.functional.max_pool2d(a, 3, 1, 1) - a.flatten(2).topk(3, -1)[0].mean(-1)[..., None, None]
        if self.kind == "attention":
            found = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        elif self.kind == "softmax":
            found = (tokens @ tokens.mT / 3).softmax(-1) @ self.line(tokens)
        else:
            found = self.lstm(tokens)[0]
        return x + found.mT.reshape(x.shape)


@pytest.mark.parametrize("kind", ["gate", "product", "winners", "attention", "softmax", "lstm"])
@pytest.mark.parametrize("method", ["etcebp", "gweebp"])
def test_no_rule_waits_for_the_device(kind, method, monkeypatch):
    monkeypatch.setattr(propagation, "warn_of_loss", lambda *args: None)
    monkeypatch.setattr(saliency, "warn_of_empty", lambda *args: None)
    waits = set()
    for depth in (1, 4):
        torch.manual_seed(0)
        blocks = [Block(kind) for _ in range(depth)]
        net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *blocks, nn.Flatten(), nn.Linear(8 * 36, 6)).eval()
        net.channels, net.size = 1, 6
        triplet = sample(net)
        waits.add(cost(lambda: gweebp.explain(net, *triplet, method=method, layer="0")).waits)  # noqa: B023
    assert len(waits) == 1, waits


@pytest.mark.parametrize(("method", "most"), [("ebp", 1.3), ("eebp", 2.1), ("gweebp", 2.1)])
def test_a_walk_to_the_image_holds_little_more_than_a_forward_and_backward_pass(method, most):
    net = networks.build("lcnn9", seed=0).eval().requires_grad_(False)
    triplet = sample(net, b=4)

    def both():
        images = triplet[0].clone().requires_grad_()
        torch.autograd.grad(net(images).sum(), images)

    held = peak_bytes(lambda: gweebp.explain(net, *triplet, method=method, layer="input"))
    assert held <= most * peak_bytes(both)


def test_a_wait_is_counted():
    x = torch.rand(3)
    calls = [
        lambda: x.sum().item(),
        lambda: x.tolist(),
        lambda: bool((x > 0).any()),
        lambda: float(x[0]),
        lambda: x.nonzero(),
        lambda: x[x > 0.5],
        lambda: x.masked_select(x > 0.5),
        lambda: x.numpy(),
    ]
    assert [cost(call).waits for call in calls] == [1] * len(calls)
    assert cost(lambda: torch.where(x > 0.5, x, 0)).waits == 0
