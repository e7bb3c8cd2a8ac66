"""The network is left as it was: with several threads at once, after an interrupt at any line, with others' hooks."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import gweebp
from gweebp.excitation import guard

pytestmark = pytest.mark.promise("network: the network is left as it was")

# whole folders: a part of a name would be found in the repository's own folder, and so in the environment within it
PACKAGE, TORCH = (str(Path(module.__file__).parent) + os.sep for module in (gweebp, torch))


class Slow(nn.Module):
    """Lets other threads in, in the middle of the forward pass."""

    def forward(self, x):
        time.sleep(0.001)
        return x


def network(training=False):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), Slow(), nn.ReLU(), nn.Dropout(), nn.Conv2d(6, 4, 3), nn.Flatten(),
        nn.Linear(64, 8),
    ).train(training)  # fmt: skip
    net[1].eval()
    net.saliency_layer, net.feature_layer = "3", "5"
    return net


def triplets(n):
    return [torch.rand(3, 1, 2, 8, 8, generator=torch.Generator().manual_seed(k)) for k in range(n)]


def quietly(net, triplet, method, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gweebp.explain(net, *triplet, method=method, **options)


def at_once(*calls):
    """The results of the calls, each in a thread of its own, started together."""
    start, found = threading.Barrier(len(calls)), [None] * len(calls)

    def run(k):
        start.wait()
        found[k] = calls[k]()

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return found


def state(net):
    return {
        "training": [m.training for m in net.modules()],
        "hooks": [
            [(name, list(value.items())) for name, value in vars(m).items() if name.endswith("_hooks") and value]
            for m in net.modules()
        ],
        "grads": [p.grad for p in net.parameters()],
        "requires_grad": [p.requires_grad for p in net.parameters()],
        "values": [t.clone().flatten().tolist() for t in net.state_dict().values()],
        "modes": (torch.is_grad_enabled(), torch._C._len_torch_function_stack(), torch.is_autocast_enabled("cpu")),
        "borrowed": list(guard._BORROWED),
    }


METHODS = ["gweebp", "ecebp", "gradcam", "pairwisesim", "gradient-input", "corrrise", "xface"]
FEW = {"corrrise": dict(masks=12), "xface": dict()}


@pytest.mark.filterwarnings("ignore::gweebp.LostMassWarning", "ignore::gweebp.NoGainWarning")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_eight_threads_give_what_one_gives(method, training):
    net, given = network(training), triplets(8)
    alone = [quietly(net, t, method, **FEW.get(method, {})) for t in given]
    before = state(net)
    options = FEW.get(method, {})
    together = at_once(*(lambda t=t: gweebp.explain(net, *t, method=method, **options) for t in given))
    assert all(map(torch.equal, alone, together))
    assert state(net) == before


def test_a_loan_that_was_given_back_changes_nothing_when_it_is_given_back_again():
    """Meanwhile another thread may have borrowed the network."""
    net = nn.Dropout().train()
    first, second = guard.Loan(net, {}), guard.Loan(net, {})
    first.take()
    first.give_back()
    second.take()
    first.give_back()
    assert not net.training
    second.give_back()
    assert net.training and not guard._BORROWED


class Wrapper(nn.Module):
    def __init__(self, body, width):
        super().__init__()
        torch.manual_seed(width)
        self.body, self.fc = body, nn.Linear(8, width)

    def forward(self, x):
        return self.fc(self.body(x))


@pytest.mark.filterwarnings("ignore::gweebp.LostMassWarning", "ignore::gweebp.NoGainWarning")
def test_networks_that_share_modules():
    body = network(training=True)
    nets = [Wrapper(body, width) for width in (3, 4, 5)]
    given = triplets(3)
    alone = [quietly(net, t, "gweebp", layer="body.3") for net, t in zip(nets, given)]
    calls = (lambda net=net, t=t: gweebp.explain(net, *t, layer="body.3") for net, t in zip(nets, given))
    assert all(map(torch.equal, alone, at_once(*calls)))


def test_networks_that_share_nothing_do_not_wait_for_each_other():
    inside = threading.Barrier(2, timeout=20)
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    both = at_once(*(lambda net=net: guard.lent(net, inside.wait) for net in (first, second)))
    assert sorted(both) == [0, 1]  # each was inside while the other was


def test_another_thread_that_uses_the_network_itself_sees_no_hook_of_ours():
    net, (probe, *_) = network(), triplets(1)[0]
    plain = net(probe)

    def hook(module, args, output):
        return torch.zeros_like(output)

    found = guard.lent(net, lambda: at_once(lambda: net(probe)), {net[3]: hook})
    assert torch.equal(found[0], plain)
    assert not torch.equal(guard.lent(net, lambda: net(probe), {net[3]: hook}), plain)


def interrupted(call, at, within):
    """Run `call`, with a KeyboardInterrupt at line event number `at` in files under `within`; whether it came."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        if not frame.f_code.co_filename.startswith(within):
            return trace if event == "call" else None
        if event == "line":
            count += 1
            if count == at:
                raise KeyboardInterrupt
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    except RuntimeError:  # torch itself stumbles over some on its own lines
        if within == TORCH:
            return True
        raise
    finally:
        sys.settrace(outer)
    return False


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # one that came in a callback
@pytest.mark.parametrize("method", ["gweebp", "gradcam", "corrrise"])
def test_an_interrupt_at_any_line(method, tally):
    net, triplet = network(training=True), triplets(1)[0]
    handle = net[5].register_full_backward_hook(lambda *args: None)
    options = dict(masks=4) if method == "corrrise" else {}
    wanted, before = quietly(net, triplet, method, **options), state(net)
    at, step = 1, {"gweebp": 89, "gradcam": 31, "corrrise": 11}[method]
    while interrupted(lambda: quietly(net, triplet, method, **options), at, PACKAGE):
        assert state(net) == before, at
        at += step
        tally("interrupts")
    assert at > 100
    assert torch.equal(quietly(net, triplet, method, **options), wanted)
    handle.remove()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_line_of_the_guard_and_of_torch():
    net = network(training=True)
    probe = triplets(1)[0][0]
    before = state(net)
    for within in (guard.__file__, TORCH):
        at = 1
        while interrupted(lambda: gweebp.excitation.layers.run_from(net, probe, "3"), at, within):
            assert state(net) == before, (within, at)
            at += 41 if within == TORCH else 1
        assert at > 20


class Watching(nn.Module):
    """Asks for gradients of its responses, as the networks of many a Grad-CAM tutorial do, and for the count of one."""

    def __init__(self, watching=True):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.line, self.seen, self.watching = nn.Conv2d(2, 4, 3), nn.Linear(144, 3), [], watching

    def forward(self, x):
        x = nn.functional.pad(torch.relu(self.conv(x)), (0, 0, 0, 0))
        if x.requires_grad and self.watching:
            self.handle = x.register_hook(self.seen.append)
            x.retain_grad()
            x.register_post_accumulate_grad_hook(self.seen.append) if x.is_leaf else None
        return self.line(x.flatten(1))


@pytest.mark.parametrize("method", ["ebp", "etcebp", "gweebp", "gradcam", "fggb"])
@pytest.mark.parametrize("layer", ["conv", "input"])
def test_a_network_that_watches_its_own_gradients(method, layer):
    torch.manual_seed(0)
    triplet = torch.rand(3, 2, 2, 8, 8)
    if method == "fggb":
        layer = None
    elif method == "gradcam":
        layer = "conv"
    maps = [quietly(net := Watching(w).eval(), triplet, method, layer=layer) for w in (True, False)]
    assert torch.equal(*maps) and net.seen == []


@pytest.mark.parametrize("method", ["gweebp", "gradcam"])
def test_hooks_that_others_left(method):
    net, triplet = network(), triplets(1)[0]
    alone = quietly(net, triplet, method)
    seen = []
    net[3].register_full_backward_hook(lambda *args: seen.append("backward") or (torch.zeros_like(args[1][0]),))
    net[5].register_full_backward_pre_hook(lambda *args: seen.append("backward"))
    net[3].register_forward_hook(lambda module, args, output: seen.append("forward"))
    before = state(net)
    assert torch.equal(quietly(net, triplet, method), alone)
    assert "backward" not in seen and "forward" in seen
    assert state(net) == before


class Inside(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model, self.saliency_layer, self.feature_layer = model, "model._orig_mod.3", "model._orig_mod.5"

    def forward(self, x):
        return self.model(x)


@pytest.mark.parametrize("method", ["gweebp", "ebp", "gradcam", "corrrise"])
def test_compiled_submodules_at_the_first_call(method):
    net, triplet = network(), triplets(1)[0]
    options = dict(masks=4) if method == "corrrise" else {}
    alone = quietly(net, triplet, method, **options)
    torch._dynamo.reset()
    compiled = Inside(torch.compile(net, backend="eager"))
    forward = compiled.model.forward
    assert torch.equal(quietly(compiled, triplet, method, **options), alone)
    assert compiled.model.forward is forward
    net.compile(backend="eager")
    assert torch.equal(quietly(net, triplet, method, **options), alone)
    assert net._compiled_call_impl is not None


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(2, 8, 2, 2)
        self.block, self.fc = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 4)
        self.kept = {}

    def forward(self, x):
        x = self.block(self.patches(x).flatten(2).transpose(1, 2))
        self.kept["mask"] = torch.ones_like(x)  # a constant that the network keeps
        return self.fc(x.mean(1))


@pytest.mark.parametrize("error", [False, True])
def test_nothing_is_kept_alive(error):
    net, triplet = Attentive().eval(), triplets(1)[0]
    if error:
        net.block.activation = lambda x: x.cumsum(-1)

    def count():
        gc.collect()
        return sum(issubclass(type(o), torch.Tensor) or type(o).__name__ in ("Watch", "Node") for o in gc.get_objects())

    def call():
        try:
            quietly(net, triplet, "gweebp", layer="patches")
        except gweebp.UnsupportedOperation:
            assert error
        else:
            assert not error

    call()
    before = count()
    for _ in range(3):
        call()
    assert count() <= before
