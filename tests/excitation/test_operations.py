"""What has no rule raises and names itself; what has one runs however it is written."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import gweebp


class Body(nn.Module):
    """stem → `body` → linear."""

    def __init__(self, body, n=None):
        super().__init__()
        self.stem, self.body = nn.Conv2d(1, 4, 3, padding=1), body
        with torch.no_grad():
            n = self.body(self.stem(torch.zeros(1, 1, 4, 4))).flatten(1).shape[1]
        self.fc = nn.Linear(n, 3)

    def forward(self, x):
        return self.fc(self.body(self.stem(x)).flatten(1))


class Call(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call, self.scale = call, nn.Parameter(torch.rand(4, 1, 1))
        self.matrix = nn.Parameter(torch.randn(4, 4))

    def forward(self, x):
        return self.call(self, x)


def explain(call, method="eebp"):
    """The map at the stem's output of a network whose middle is `call`."""
    torch.manual_seed(0)
    net = Body(Call(call))
    if method == "ebp":  # a positive path to every neuron
        for p in net.parameters():
            p.data.abs_()
    probe = torch.rand(2, 1, 4, 4)
    m, n = torch.eye(3)[:1], torch.eye(3)[1:2]
    return gweebp.explain(net, probe, m, n, method=method, layer="stem")


def in_parts(x, write):
    """x, written half by half into a tensor of zeros."""
    y = torch.zeros_like(x)
    for half in (slice(0, 2), slice(2, 4)):
        write(y, half, x[:, half])
    return y


def autocast(x, matrix):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = torch.einsum("oc,bchw->bohw", matrix, x)
    return y.float()


UNSUPPORTED = {
    "cumsum": lambda s, x: x.cumsum(1),
    "batch_norm": lambda s, x: F.batch_norm(x, None, None, training=True),
    "interpolate": lambda s, x: F.interpolate(x, scale_factor=2, mode="bicubic"),
    "norm": lambda s, x: torch.cat([x.flatten(1), x.norm(dim=1).flatten(1)], 1),
    "cdist": lambda s, x: torch.cdist(x, x),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_an_operation_without_a_rule_names_itself_and_its_place(name):
    with pytest.raises(gweebp.UnsupportedOperation, match=name) as error:
        explain(UNSUPPORTED[name])
    assert "'body'" in str(error.value) and "test_operations.py:" in str(error.value)


SUPPORTED = {
    "bare in-place ReLU": lambda s, x: (x.relu_(), x)[1],
    "bare in-place clamp": lambda s, x: (x.clamp_(min=0), x)[1],
    "functional in-place": lambda s, x: F.hardtanh(x, -1, 1, True),
    "normalise by hand": lambda s, x: x / x.norm(dim=1, keepdim=True).clamp(min=1e-6),
    "scale": lambda s, x: 0.5 * (s.scale * x + 1) - s.scale,
    "product with a weight": lambda s, x: torch.matmul(s.matrix, x.flatten(2)).view_as(x),
    "product from the right": lambda s, x: x.flatten(2).transpose(1, 2) @ s.matrix,
    "einsum": lambda s, x: torch.einsum("oc,bchw->bohw", s.matrix, x),
    "addmm": lambda s, x: torch.addmm(s.matrix[0], x.mean((2, 3)), s.matrix),
    "bilinear": lambda s, x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "conv1d": lambda s, x: F.conv1d(x.flatten(2), s.matrix[:, :, None]),
    "conv3d": lambda s, x: F.conv3d(x[:, :, None], s.matrix[:, :, None, None, None]),
    "difference": lambda s, x: x - x.flip(3),
    "adaptive average": lambda s, x: F.adaptive_avg_pool2d(x, 3),
    "global mean": lambda s, x: x.mean((2, 3), keepdim=True),
    "maxout": lambda s, x: x.view(-1, 2, 2, 4, 4).max(1).values,
    "concatenate": lambda s, x: torch.cat([x, x.relu()], 1),
    "softmax": lambda s, x: x.softmax(1),
    "layer_norm": lambda s, x: F.layer_norm(x, x.shape[1:]) + 3,
    "group_norm": lambda s, x: F.group_norm(x, 2) + 3,
    "instance_norm": lambda s, x: F.instance_norm(x) + 3,
    "rms_norm": lambda s, x: F.rms_norm(x, x.shape[1:]),
    "local response norm": lambda s, x: F.local_response_norm(x, 2),
    "swish": lambda s, x: x * x.sigmoid(),
    "gelu by hand": lambda s, x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
    "hard swish by hand": lambda s, x: x * F.relu6(x + 3) / 6,
    "tanhshrink": lambda s, x: F.tanhshrink(x),
    "gate": lambda s, x: x.mean((2, 3), keepdim=True).sigmoid() * x,
    "clamped gate": lambda s, x: x * (x / 6 + 0.5).clamp(0, 1),
    "gated linear unit": lambda s, x: F.glu(x, 1),
    "product": lambda s, x: (x + 3).relu() * x.flip(1),
    "square": lambda s, x: x * x,
    "product of two": lambda s, x: (x + 3) @ x,
    "sum and product of three": lambda s, x: torch.baddbmm(x[:, 0], x[:, 1], x[:, 2]),
    "attention": lambda s, x: (x @ x.transpose(2, 3)).softmax(-1) @ x,
    "scaled dot product": lambda s, x: F.scaled_dot_product_attention(x, x, x),
    "bilinear pooling": lambda s, x: torch.einsum("bchw,bdhw->bcd", x + 3, x),
    "softmax by hand": lambda s, x: x.exp() / x.exp().sum(1, keepdim=True),
    "norm by hand": lambda s, x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5) + 3,
    "rms by hand": lambda s, x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6),
    "normalise by a reciprocal": lambda s, x: x * (1 / x.norm(dim=1, keepdim=True)),
    "power pooling": lambda s, x: F.lp_pool2d(x.abs() + 0.1, 2, 2),
    "where": lambda s, x: torch.where(x > 0, x, 0.1 * x),
    "masked_fill": lambda s, x: (x + 3).masked_fill(x < -9, 0),
    "constant mask": lambda s, x: x * torch.ones(4, 4).tril() + x,
    "ReLU by a mask": lambda s, x: x * (x > 0),
    "deviation": lambda s, x: torch.cat([x.std((2, 3)), x.mean((2, 3))], 1),
    "unfold": lambda s, x: F.unfold(x, 2),
    "Tensor.unfold": lambda s, x: x.unfold(2, 2, 2).mean(-1),
    "fold": lambda s, x: F.fold(F.unfold(x, 3, padding=1), (4, 4), 3, padding=1),
    "sampled at a grid": lambda s, x: F.grid_sample(
        x, torch.linspace(-1, 1, 32).view(1, 4, 4, 2).expand(len(x), -1, -1, -1), align_corners=False
    ),
    "sampled where it says": lambda s, x: (
        F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1).tanh(), align_corners=False) + x
    ),
    "topk": lambda s, x: x.flatten(2).topk(3, 2)[0],
    "sort": lambda s, x: x.flatten(2).sort(2)[0],
    "logsumexp": lambda s, x: x.logsumexp((2, 3)),
    "no rule, but on a path to a gate only": lambda s, x: x * x.cumsum(1).sigmoid(),
    "written into": lambda s, x: x.__setitem__((0, 0), x[0, 1]) or x,
    "written into a new tensor": lambda s, x: in_parts(x, lambda y, k, v: y.__setitem__((slice(None), k), v)),
    "copied through views": lambda s, x: in_parts(x, lambda y, k, v: y[:, k].copy_(v)),
    "half precision inside": lambda s, x: x.half().float() + 1,
    "autocast inside": lambda s, x: autocast(x, s.matrix),
    "broadcast sum": lambda s, x: x + x.mean((2, 3), keepdim=True),
    "addcmul and lerp": lambda s, x: torch.lerp(torch.addcmul(x, x.sigmoid(), x), x.flip(1), x.sigmoid()),
    "reversed difference": lambda s, x: torch.rsub(x, x.flip(1), alpha=0.5) + 2 * x,
}


@pytest.mark.parametrize("method", ["ebp", "eebp"])
@pytest.mark.parametrize("name", SUPPORTED)
def test_an_operation_with_a_rule_conserves(name, method):
    maps = explain(SUPPORTED[name], method)
    assert (maps >= 0).all()
    torch.testing.assert_close(maps.flatten(1).sum(1), torch.ones(2))


def test_in_place_and_out_of_place_agree():
    pairs = [
        (lambda s, x: F.relu(x), lambda s, x: F.relu(x, inplace=True)),
        (lambda s, x: x + x.relu(), lambda s, x: x.clone().add_(x.relu())),
        (lambda s, x: F.leaky_relu(x * 2, 0.1), lambda s, x: F.leaky_relu_(x.mul_(2), 0.1)),
        (lambda s, x: s.scale * x + 1, lambda s, x: x.mul_(s.scale).add_(1)),
    ]
    for one, other in pairs:
        for method in ("ebp", "eebp", "gweebp"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", gweebp.LostMassWarning)
                torch.testing.assert_close(explain(one, method), explain(other, method))


def test_mixing_with_a_path_around_the_layer_loses_its_share():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch, self.fc = nn.Conv2d(1, 1, 1), nn.Linear(16, 3)

        def forward(self, x):
            return self.fc((self.branch(x) + x).flatten(1))

    torch.manual_seed(0)
    net, probe, m, n = Skip(), torch.rand(2, 1, 4, 4), torch.eye(3)[:1], torch.eye(3)[1:2]
    with torch.no_grad():
        net.branch.weight.fill_(3), net.branch.bias.zero_(), net.fc.weight.abs_(), net.fc.bias.zero_()
    with pytest.warns(gweebp.LostMassWarning, match="25.0%"):
        p = gweebp.mwp(net, probe, m, n, layer="branch", weighted=False)
    torch.testing.assert_close(p.flatten(1).sum(1), torch.full((2,), 0.75))  # 3x beside x


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_what_escapes_the_watch_raises():
    with pytest.raises(gweebp.UnsupportedOperation, match=r"DoubledBackward.*custom autograd\.Function"):
        explain(lambda s, x: Doubled.apply(x))
    body = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Sigmoid()).eval()
    scripted = Body(torch.jit.trace(body, torch.zeros(1, 4, 4, 4)))
    with pytest.raises(gweebp.UnsupportedOperation, match="scripted"):
        gweebp.explain(scripted, *torch.rand(3, 1, 1, 4, 4), method="ebp", layer="stem")
