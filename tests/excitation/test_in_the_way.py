"""What stands between a network and its operations: checkpoints, autocast, parametrisations, hooks, compiled parts."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.utils.checkpoint import checkpoint

import gweebp

METHODS = ["ebp", "eebp", "gweebp", "gradcam"]


class Net(nn.Module):
    def __init__(self, run=None):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.fc = nn.Conv2d(2, 6, 3), nn.Linear(6 * 16, 5)
        self.body = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.GELU(), nn.BatchNorm2d(6), nn.Conv2d(6, 6, 1))
        self.run = run or (lambda body, x: body(x))

    def forward(self, x):
        x = self.stem(x)
        return self.fc((x + self.run(self.body, x)).flatten(1))


def triplet():
    p, n = torch.rand(2, 2, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    return p, 0.9 * p + 0.1 * n.flip(0), n


def explain(net, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gweebp.LostMassWarning)
        return gweebp.explain(net.eval(), *triplet(), method=method, layer="stem")


@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_is_run_once_and_explained(method):
    kept = Net(lambda body, x: checkpoint(body, x, use_reentrant=False))
    assert torch.equal(explain(kept, method), explain(Net(), method))


@pytest.mark.filterwarnings("ignore:.*None of the inputs have requires_grad.*:UserWarning")
def test_a_reentrant_checkpoint_is_refused_with_what_to_do():
    with pytest.raises(gweebp.UnsupportedOperation, match=r"checkpoint.*Use use_reentrant=False"):
        explain(Net(lambda body, x: checkpoint(body, x, use_reentrant=True)), "gweebp")


def of_the_same_triplet(net, method):
    """As `explain`, with embeddings of mate and non-mate that no rounding of the network's own changes."""
    p, m, n = triplet()
    with torch.no_grad():
        m, n = Net().eval()(m), Net().eval()(n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gweebp.LostMassWarning)
        return gweebp.explain(net.eval(), p, m, n, method=method, layer="stem")


def in_autocast(body, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return body(x).float()


@pytest.mark.parametrize("method", ["ebp", "eebp", "gweebp"])
def test_an_autocast_inside_is_left_out_above_the_layer(method):
    assert torch.equal(of_the_same_triplet(Net(in_autocast), method), of_the_same_triplet(Net(), method))


def in_half(body, x):
    return body.to(torch.bfloat16)(x.to(torch.bfloat16)).to(x.dtype)


@pytest.mark.parametrize("method", ["ebp", "eebp", "gweebp"])
def test_a_part_in_half_precision_is_explained_in_float32(method):
    rounded = Net()
    rounded.body.to(torch.bfloat16).float()
    assert torch.equal(of_the_same_triplet(Net(in_half), method), of_the_same_triplet(rounded, method))


PARAMETRISED = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
}


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", PARAMETRISED)
def test_parametrised_weights_are_constants(name, method, cached):
    net, plain = Net(), Net()
    PARAMETRISED[name](net.body[3]), net.eval()
    with torch.no_grad():
        plain.body[3].weight.copy_(net.body[3].weight.detach())
    with parametrize.cached() if cached else warnings.catch_warnings():
        net.body[3].weight  # noqa: B018  computed outside, and kept, where cached
        got = explain(net, method)
    torch.testing.assert_close(got, explain(plain, method), rtol=1e-5, atol=1e-7)


def test_forward_hooks_that_change_what_passes_are_a_part_of_the_network():
    net, plain = Net(), Net(lambda body, x: 2 * body[3](F.relu(body[2](body[1](body[0](x))))))
    net.body[2].register_forward_hook(lambda module, args, output: output.relu())
    net.body.register_forward_pre_hook(lambda module, args: (args[0] + 0,))
    net.body.register_forward_hook(lambda module, args, output: 2 * output)
    for method in ("ebp", "eebp", "gweebp"):
        torch.testing.assert_close(explain(net, method), explain(plain, method))


def test_features_that_a_hook_keeps_do_not_keep_the_graph_of_another_call():
    net, seen = Net(), []
    net.body[1].register_forward_hook(lambda module, args, output: seen.append(output))
    for _ in range(2):
        explain(net, "gweebp")
    assert len(seen) >= 2
    torch.testing.assert_close(explain(net, "gweebp"), explain(Net(), "gweebp"))


class Changed(nn.Module):
    """Changes a response in place after a convolution has read it."""

    def forward(self, x):
        y = self.conv(x)
        x.mul_(2)
        return y + x

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(6, 6, 1)


def test_a_response_that_is_overwritten_after_it_was_read_is_refused_with_what_to_do():
    net = Net()
    net.body = Changed()
    with pytest.raises(
        gweebp.UnsupportedOperation, match=r"changes the input of Conv2d 'body\.conv' in place.*inplace=False"
    ):
        explain(net, "eebp")


@torch.compile(backend="eager")
def compiled(x):
    return x * 2 + 1


def test_a_compiled_function_runs_as_it_was_written():
    torch._dynamo.reset()
    for method in METHODS:
        got = explain(Net(lambda body, x: compiled(x)), method)
        torch.testing.assert_close(got, explain(Net(lambda body, x: x * 2 + 1), method))
