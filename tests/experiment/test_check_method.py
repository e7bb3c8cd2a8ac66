"""Every method keeps what every method promises; and one that does not is found out, whichever promise it breaks."""

import time

import pytest
import torch

import gweebp
from gweebp.excitation.layers import run_from
from gweebp.experiment.check_method import PROMISES, Broken, check_method
from gweebp.methods import method

QUICK = {
    "corrrise": {"masks": 20},
    "xface": {"patches": (56,), "stride": 56},
    "integrated-gradients": {"steps": 3},
}


@pytest.mark.parametrize("name", gweebp.METHODS)
def test_every_method_keeps_the_promises(name):
    check_method(name, **QUICK.get(name, {}))


def activation(net, probe, layer):
    return run_from(net, probe, layer)[0].detach().abs().sum(1) + 1e-3


def remember(net, probe, mate, layer):
    net.seen = getattr(net, "seen", 0) + 1
    return activation(net, probe, layer) + net.seen


def change(net, probe, mate, layer):
    with torch.no_grad():
        next(net.parameters()).add_(1e-6)
    return activation(net, probe, layer)


def to_eval(net, probe, mate, layer):
    net.eval()
    return activation(net, probe, layer)


def leave_gradients(net, probe, mate, layer):
    net(probe).sum().backward()
    return activation(net, probe, layer)


def leave_a_hook(net, probe, mate, layer):
    net.get_submodule(layer).register_forward_hook(lambda *_: None)
    return activation(net, probe, layer)


def freeze(net, probe, mate, layer):
    net.requires_grad_(False)
    return activation(net, probe, layer)


def dirty(net, probe, mate, layer):
    probe.mul_(0.5)
    return activation(net, probe, layer)


def draw(net, probe, mate, layer):
    torch.rand(1)
    return activation(net, probe, layer)


def noise(probe):
    return torch.rand(len(probe), 2, 2, generator=torch.Generator().manual_seed(time.monotonic_ns()))


BAD = {
    "wrong resolution": (lambda net, probe, mate, layer: probe.mean(1)[:, ::3, ::3], "shape"),
    "negative": (lambda net, probe, mate, layer: 1e-3 - activation(net, probe, layer), "shape"),
    "NaN": (lambda net, probe, mate, layer: activation(net, probe, layer) / 0, "shape"),
    "empty": (lambda net, probe, mate, layer: 0 * activation(net, probe, layer), "shape"),
    "random": (lambda net, probe, mate, layer: noise(probe), "repeatable"),
    "state": (remember, "repeatable"),
    "mixes the batch": (lambda net, probe, mate, layer: activation(net, probe - probe.mean(0), layer), "batch"),
    "first mate": (
        lambda net, probe, mate, layer: (
            activation(net, probe, layer) * mate.flatten(1)[:1].norm(dim=1).view(-1, 1, 1) + mate[:1, :1, None] ** 2
        ),
        "batch",
    ),
    "length of the mate": (
        lambda net, probe, mate, layer: activation(net, probe, layer).pow(mate.norm(dim=1).view(-1, 1, 1)),
        "scale",
    ),
    "weights": (change, "left as it was"),
    "flags": (to_eval, "left as it was"),
    "gradients": (leave_gradients, "left as it was"),
    "hook": (leave_a_hook, "left as it was"),
    "frozen": (freeze, "left as it was"),
    "images": (dirty, "left as it was"),
    "random state": (draw, "left as it was"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_promise_is_named(case):
    compute, promise = BAD[case]

    @method(f"test: {case}")
    def bad(net, probe, mate, nonmate, *, layer):
        return compute(net, probe, mate, layer)

    try:
        with pytest.raises(Broken, match=f"breaks the promise '{promise}'"):
            check_method(f"test: {case}")
    finally:
        del gweebp.METHODS[f"test: {case}"]


def test_no_gain_must_not_be_nan():
    @method("test: no gain")
    def bad(net, probe, mate, nonmate, *, layer):
        gain = gweebp.excitation.gain.triplet_gain(net(probe), mate, nonmate).view(-1, 1, 1).detach()
        return activation(net, probe, layer) * gain / gain

    try:
        with pytest.raises(Broken, match="breaks the promise 'no gain'"):
            check_method("test: no gain")
    finally:
        del gweebp.METHODS["test: no gain"]


def test_the_promises_are_those_of_the_docstring():
    import gweebp.experiment.check_method

    assert all(f"\n    {promise}  " in gweebp.experiment.check_method.__doc__ for promise in PROMISES)
