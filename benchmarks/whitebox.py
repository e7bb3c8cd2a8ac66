"""White-box maps beside the forward pass that any explanation needs: time, operations, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torchvision.models import VisionTransformer

from benchmarks.clock import Row, interleaved, ratio, row
from benchmarks.subjects import forward, forward_and_backward, network, triplet
from gweebp import explain
from gweebp.experiment.cost import cost, peak_bytes

# forward passes a map, at most
TARGETS = {
    "vgg16": {"ebp": 1.35, "eebp": 1.4, "ecebp": 1.5, "etcebp": 1.5, "gweebp": 1.5},
    "lcnn9": {"ebp": 1.7, "eebp": 2.0, "ecebp": 2.5, "etcebp": 2.5, "gweebp": 2.5},
}
# passes over the part above the saliency layer, besides the forward pass: what a map can't do without, in closed form
PASSES = {
    "vgg16": {"ebp": 2, "cebp": 3, "tcebp": 3, "eebp": 2, "ecebp": 3, "etcebp": 3, "gweebp": 3},
    "lcnn9": {"ebp": 2, "cebp": 3, "tcebp": 3, "eebp": 3, "ecebp": 5, "etcebp": 5, "gweebp": 5},
}
# further products with the embedding's own weights: it is linear, so below it signs are mixed on VGG16, too
HEAD = {"vgg16": {"eebp": 1, "ecebp": 2, "etcebp": 2, "gweebp": 2}, "lcnn9": dict[str, int]()}
METHODS = ("ebp", "cebp", "tcebp", "eebp", "ecebp", "etcebp", "gweebp", "gradcam")


def rows(name: str, rounds: int, batch: int = 8) -> Iterator[Row]:
    """Every method on one of the networks, to its saliency layer."""
    net = network(name)
    sample = triplet(net, batch)
    calls: dict[str, Callable[[], Any]] = {"forward": partial(forward, net, sample[0])}
    calls["forward + backward"] = partial(forward_and_backward, net, sample[0], net.saliency_layer)
    calls |= {method: partial(explain, net, *sample, method=method) for method in METHODS}
    seconds = interleaved(calls, rounds)
    base, memory = cost(calls["forward"]).flops, peak_bytes(calls["forward + backward"])
    head = 2 * batch * sum(p.numel() for p in net.head.parameters() if p.ndim == 2) / base
    title, above = f"{name}, to the saliency layer", cost(calls["forward + backward"]).flops / base - 1
    for method, call in calls.items():
        if method == "forward":
            continue
        yield row(title, method, "time ÷ forward", ratio(seconds, method, "forward"), TARGETS[name].get(method))
        floor = 1 + PASSES[name][method] * above + HEAD[name].get(method, 0) * head if method in PASSES[name] else None
        yield row(title, method, "operations ÷ forward", cost(call).flops / base, floor and round(floor, 2))
        target = 1.3 if method in METHODS else None
        yield row(title, method, "memory ÷ (forward + backward)", peak_bytes(call) / memory, target)
    for what, share in spent(calls["gweebp"]).items():
        yield row(f"{name}, where the time of gweebp goes", what, "share of the time", share)


def to_the_image(rounds: int) -> Iterator[Row]:
    """VGG16 and LCNN9, down to the image."""
    yield from walks(network("vgg16"), "input", rounds, 1, "vgg16, down to the image", {"gweebp": 4.5})
    targets = {"eebp": 8.0, "gweebp": 8.0}
    yield from walks(network("lcnn9"), "input", rounds, 8, "lcnn9, down to the image", targets, 2.0)


def transformer(rounds: int) -> Iterator[Row]:
    """A ViT-S/16 of torchvision, 224 pixels, down to its patch embedding."""
    torch.manual_seed(0)
    net: Any = VisionTransformer(224, 16, 12, 6, 384, 1536, num_classes=128).eval().requires_grad_(False)
    torch.nn.init.normal_(net.heads[-1].weight, 0, 0.05)  # it is made with zeros
    net.channels, net.size = 3, 224
    targets = {"eebp": 7.0, "gweebp": 10.0}
    yield from walks(net, "conv_proj", rounds, 2, "ViT-S, down to the patch embedding", targets)


def walks(
    net: Any, layer: str, rounds: int, batch: int, title: str, targets: dict[str, float], memory: float | None = None
) -> Iterator[Row]:
    """What walks to a layer cost beside a forward pass, and what they hold beside a forward and a backward pass.

    Args:
        net: the network. layer: to walk to. batch: probes at a time. title: of the topic.
        targets: method → time ÷ forward, at most. memory: held ÷ (forward + backward), at most.
    """
    sample = triplet(net, batch)
    calls: dict[str, Callable[[], Any]] = {"forward": partial(forward, net, sample[0])}
    calls |= {method: partial(explain, net, *sample, method=method, layer=layer) for method in targets}
    calls["forward + backward"] = partial(forward_and_backward, net, sample[0], layer)
    seconds, base = interleaved(calls, rounds), cost(calls["forward"]).flops
    held = peak_bytes(calls["forward + backward"])
    title = f"{title} (batches of {batch})"
    for method in (*targets, "forward + backward"):
        yield row(title, method, "time ÷ forward", ratio(seconds, method, "forward"), targets.get(method))
        yield row(title, method, "operations ÷ forward", cost(calls[method]).flops / base)
        if method in targets:
            yield row(title, method, "memory ÷ (forward + backward)", peak_bytes(calls[method]) / held, memory)


def spent(call: Callable[[], Any]) -> dict[str, float]:
    """Kind of operation → its share of the time of call()."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        call()
    kinds = {"convolution": 0.0, "pooling and maxima": 0.0, "matrix products": 0.0, "element by element": 0.0}
    for event in profiled.key_averages():
        names = {
            "conv": "convolution",
            "pool": "pooling and maxima",
            "max": "pooling and maxima",
            "mm": "matrix products",
        }
        kind = next((kind for part, kind in names.items() if part in event.key), "element by element")
        kinds[kind] += event.self_cpu_time_total
    return {kind: time / sum(kinds.values()) for kind, time in kinds.items()}
