"""What every method promises, as checks that a method gets for free: `check_method("mine")`.

    left as it was   weights, gradients, flags, hooks, the images, and the global random state
    shape            (b, h, w), at the layer's resolution or, without a layer, the image's (also where the method
                     smooths at image size); finite, non-negative, sum 1
    repeatable       the same call gives the same map
    batch            a batch gives what single calls give
    one for all      a mate of batch size 1 serves every probe
    scale            the length of an embedding does not change a map (methods that read embeddings)
    no gain          a probe that is not nearer to its mate gives no NaN, no infinity and no negative value

Run in float64 on a small ReLU network and on one with max-feature-map activations, negative responses and biases; on a
small transformer, if the method reads attention.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gweebp import networks
from gweebp.excitation import LostMassWarning
from gweebp.excitation.gain import NoGainWarning, triplet_gain
from gweebp.excitation.layers import at_least_float32, run_from
from gweebp.methods import Method
from gweebp.methods.maps import divided_by_sum
from gweebp.saliency import check_options, find_method, prepared

__all__ = ["PROMISES", "Broken", "check_method"]


class Broken(AssertionError):
    """A method does not keep what every method promises; the message says what, and on which network."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A method and a network in eval mode; three triplets (3, c, h, w) with gain."""

    method: Method
    options: dict[str, Any]
    network: str
    net: networks.EmbeddingNetwork
    probe: Tensor
    mate: Tensor
    nonmate: Tensor

    @property
    def triplet(self) -> tuple[Tensor, Tensor, Tensor]:
        """The images."""
        return self.probe, self.mate, self.nonmate

    def maps(self, probe: Tensor, mate: Tensor, nonmate: Tensor) -> Tensor:
        """The method's maps of a triplet, each over its sum, as `explain` makes them, but not yet checked.

        Args:
            probe, mate, nonmate: images (c, h, w) each.

        Returns:
            (1, h', w').
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoGainWarning)
            warnings.simplefilter("ignore", LostMassWarning)
            *given, options = prepared(self.method, self.net, (probe, mate, nonmate), None, self.options)
            return divided_by_sum(at_least_float32(self.method.run(*given, **options).detach()))


def check_method(name: str, **options: Any) -> None:
    """Check that a registered method keeps each of `PROMISES`.

    Args:
        name: in `gweebp.METHODS`.
        options: of the method, to make a slow one quick (masks=20).

    Raises:
        Broken: a promise is not kept. ValueError, TypeError: no such method or option.

    >>> check_method("ebp")
    """
    check_options(find_method(name), options)
    for trial in _trials(find_method(name), options):
        for promise, check in PROMISES.items():
            try:
                check(trial)
            except Broken as error:
                text = f"method {name!r} on {trial.network} breaks the promise {promise!r}: {error}"
                raise Broken(text) from None


def _trials(method: Method, options: dict[str, Any]) -> Iterator[Trial]:
    for network in ("vit",) if method.attention else ("vgg16", "lcnn9"):
        # float64: what differs then is not rounding, which differences of nearly equal maps magnify
        net = networks.build(network, seed=0, width=0.0625, size=32, embedding=8).eval().double()
        with torch.no_grad():
            for parameter in (p for key, p in net.named_parameters() if key.endswith("bias")):
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        images = torch.rand(3, 3, net.channels, 32, 32, generator=torch.Generator().manual_seed(2)).double()
        probe, mate, nonmate = images
        with torch.no_grad():
            near = (triplet_gain(net(probe), net(mate), net(nonmate)) > 0).view(-1, 1, 1, 1)
        mate, nonmate = torch.where(near, mate, nonmate), torch.where(near, nonmate, mate)
        yield Trial(method, options, network, net, probe, mate, nonmate)


def _shape(trial: Trial) -> None:
    maps, method = trial.maps(*trial.triplet), trial.method
    expected = tuple(trial.probe.shape[2:])
    if method.layer is not None and method.options.get("smoothing") != "image":
        expected = tuple(run_from(trial.net, trial.probe[:1], getattr(trial.net, method.layer))[0].shape[2:])
    _demand(tuple(maps.shape) == (3, *expected), f"shape {tuple(maps.shape)}, expected {(3, *expected)}")
    _demand(maps.isfinite().all(), "NaN or infinity in the maps")
    _demand((maps >= 0).all(), f"negative values, down to {maps.min():.3g}: clamp them, or see gweebp.methods.maps")
    _demand((maps.flatten(1).sum(1) > 0).all(), "an empty map of a triplet with gain")
    _close(maps.flatten(1).sum(1), torch.ones(3), "the sums")
    _demand(not maps.requires_grad, "the maps carry a graph")


def _repeatable(trial: Trial) -> None:
    first, second = trial.maps(*trial.triplet), trial.maps(*trial.triplet)
    _demand(torch.equal(first, second), "two equal calls give different maps: seed what is drawn by an option `seed`")


def _batch(trial: Trial) -> None:
    singles = [trial.maps(*(x[i : i + 1] for x in trial.triplet)) for i in range(3)]
    _close(trial.maps(*trial.triplet), torch.cat(singles), "a batch and its single calls")


def _one_for_all(trial: Trial) -> None:
    with torch.no_grad():
        near = (triplet_gain(trial.net(trial.probe), *(trial.net(x[:1]) for x in trial.triplet[1:])) > 0).nonzero()
    probe = trial.probe[near.flatten()]
    whole = trial.maps(probe, *(x[:1].expand(len(probe), -1, -1, -1) for x in trial.triplet[1:]))
    _close(trial.maps(probe, trial.mate[:1], trial.nonmate[:1]), whole, "one mate, and the same for each probe")


def _scale(trial: Trial) -> None:
    if trial.method.reads != "embeddings":
        return
    with torch.no_grad():
        mate, nonmate = trial.net(trial.mate), trial.net(trial.nonmate)
    scaled = trial.maps(trial.probe, 3 * mate, 0.5 * nonmate)
    _close(scaled, trial.maps(trial.probe, mate, nonmate), "the maps of longer or shorter embeddings")


def _no_gain(trial: Trial) -> None:
    maps = trial.maps(trial.probe, trial.nonmate, trial.mate)
    _demand(maps.isfinite().all() and (maps >= 0).all(), "NaN, infinity or negative values without gain")


def _left_as_it_was(trial: Trial) -> None:
    net, images = trial.net, [x.clone() for x in trial.triplet]
    net.features.train()  # flags that differ from module to module must come back as they were
    try:
        before, state = _state(net), torch.get_rng_state()
        trial.maps(*trial.triplet)
        for what, value in _state(net).items():
            _demand(value == before[what], f"{what} of the network changed")
        _demand(torch.equal(torch.get_rng_state(), state), "the global random state moved: draw from a generator")
        _demand(torch.is_grad_enabled(), "gradients are switched off")
        _demand(all(map(torch.equal, images, trial.triplet)), "the images changed")
    finally:
        net.eval()


def _state(net: nn.Module) -> dict[str, Any]:
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "weights": {key: (id(x), x.detach().numpy().tobytes()) for key, x in tensors.items()},
        "requires_grad": {key: x.requires_grad for key, x in tensors.items()},
        "gradients": {key: x.grad is None for key, x in tensors.items()},
        "training flags": {key: module.training for key, module in net.named_modules()},
        "modules": {key: (id(module), type(module)) for key, module in net.named_modules()},
        "hooks": {key: [len(getattr(module, hook)) for hook in hooks] for key, module in net.named_modules()},
    }


def _close(found: Tensor, expected: Tensor, what: str) -> None:
    _demand(found.shape == expected.shape, f"{what} differ in shape: {tuple(found.shape)}, {tuple(expected.shape)}")
    apart = (found - expected.to(found)).abs().max().item()
    _demand(apart <= 1e-6 * expected.max().item(), f"{what} differ by {apart:.2g}")


def _demand(kept: Any, message: str) -> None:
    if not kept:
        raise Broken(message)


#: promise -> its check, in the order of the table above
PROMISES: dict[str, Callable[[Trial], None]] = {
    "left as it was": _left_as_it_was,
    "shape": _shape,
    "repeatable": _repeatable,
    "batch": _batch,
    "one for all": _one_for_all,
    "scale": _scale,
    "no gain": _no_gain,
}
