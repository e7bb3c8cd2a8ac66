"""Other people's packages in the same run, where they install; the literal four streams for what no package has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.clock import Row, interleaved, ratio, row
from benchmarks.subjects import forward, forward_and_backward, network, triplet
from gweebp import explain
from gweebp.excitation import closed_form


def four_streams(net: nn.Module, *sample: Tensor, method: str) -> None:
    """Eq. (3)-(4) with none of the shortcuts."""
    condition, closed_form.CONDITION = closed_form.CONDITION, torch.inf
    try:
        explain(net, *sample, method=method)
    finally:
        closed_form.CONDITION = condition


def classifier(net: nn.Module, mate: Tensor, nonmate: Tensor) -> nn.Sequential:
    """The network with a head of two classes, mate and non-mate: what peers explain."""
    head = nn.Linear(mate.shape[1], 2, bias=False)
    with torch.no_grad():
        head.weight.copy_(nn.functional.normalize(torch.cat([mate[:1], nonmate[:1]]), dim=1))
    return nn.Sequential(net, head).eval().requires_grad_(False)


def peers(net: Any, probe: Tensor, mate: Tensor, nonmate: Tensor, masks: int) -> dict[str, Callable[[], Any] | str]:
    """Name → a call, or why there is none."""
    model = classifier(net, mate, nonmate)
    found: dict[str, Callable[[], Any] | str] = {}

    def add(name: str, make: Callable[[], Callable[[], Any]]) -> None:
        try:
            call = make()
            call()
            found[name] = call
        except Exception as error:  # whatever a peer raises: it is left out, and the table says so
            found[name] = f"{type(error).__name__}: {error}".splitlines()[0]

    def torchray_ebp() -> Callable[[], Any]:
        from torchray.attribution.excitation_backprop import excitation_backprop

        return lambda: excitation_backprop(model, probe, 0, saliency_layer=f"0.{net.saliency_layer}")

    def torchray_rise() -> Callable[[], Any]:
        from torchray.attribution.rise import rise

        return lambda: rise(model, probe, 0, num_masks=masks, batch_size=64)

    def zennit_ebp() -> Callable[[], Any]:
        from zennit.attribution import Gradient
        from zennit.composites import ExcitationBackprop

        def call() -> None:
            with Gradient(model=model, composite=ExcitationBackprop()) as attributor:
                attributor(probe, torch.eye(2)[[0] * len(probe)])

        return call

    def captum_gradcam() -> Callable[[], Any]:
        from captum.attr import LayerGradCam

        method = LayerGradCam(model, dict(model.named_modules())[f"0.{net.feature_layer}"])
        return lambda: method.attribute(probe, target=0)

    def grad_cam() -> Callable[[], Any]:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        method = GradCAM(model=model, target_layers=[dict(model.named_modules())[f"0.{net.feature_layer}"]])
        return lambda: method(
            input_tensor=probe.clone().requires_grad_(), targets=[ClassifierOutputTarget(0)] * len(probe)
        )

    makers = {
        "EBP, torchray": torchray_ebp,
        "EBP to the image, zennit": zennit_ebp,
        "RISE, torchray": torchray_rise,
        "Grad-CAM, captum": captum_gradcam,
        "Grad-CAM, grad-cam": grad_cam,
    }
    for name, make in makers.items():
        add(name, make)
    return found


def rows(rounds: int, masks: int = 16) -> Iterator[Row]:
    """VGG16 at 224², one image at a time, as peers are used: time over forward and over forward + backward."""
    net = network("vgg16")
    sample = triplet(net, 1)
    ours: dict[str, Callable[[], Any]] = {
        "EBP, gweebp": partial(explain, net, *sample, method="ebp"),
        "EBP to the image, gweebp": partial(explain, net, *sample, method="ebp", layer="input"),
        "CorrRISE, gweebp": partial(explain, net, *sample, method="corrrise", masks=masks),
        "Grad-CAM, gweebp": partial(explain, net, *sample, method="gradcam"),
        "gweEBP, gweebp": partial(explain, net, *sample),
        "gweEBP in four streams": partial(four_streams, net, *sample, method="gweebp"),
    }
    found = peers(net, *sample, masks)
    calls = ours | {name: call for name, call in found.items() if not isinstance(call, str)}
    base = {
        "forward": partial(forward, net, sample[0]),
        "forward + backward": partial(forward_and_backward, net, sample[0], "input"),
    }
    seconds = interleaved(base | calls, rounds)
    title = "beside peers, vgg16, one image"
    for name in sorted(calls):
        yield row(title, name, "time ÷ forward", ratio(seconds, name, "forward"))
    if "RISE, torchray" in calls:
        value = ratio(seconds, "CorrRISE, gweebp", "RISE, torchray")
        yield row(title, "CorrRISE ÷ RISE of torchray, equal masks", "time", value, 0.5)
    for name, call in found.items():
        if isinstance(call, str):
            yield row(title, name, f"not measured: {call}", float("nan"))
