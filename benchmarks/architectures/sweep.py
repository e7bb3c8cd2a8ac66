"""What the sweep asks of one network: is it refused, which rules does it need, what arrives, where does the map sit."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gweebp import explain, mwp
from gweebp.excitation.graph import reached
from gweebp.excitation.layers import embeddings_of, no_autocast, run_from, spatial_layers
from gweebp.excitation.mixings import Mixing, Product
from gweebp.excitation.nodes import Node
from gweebp.excitation.positions import positions
from gweebp.excitation.taps import Layer, patch_embedding
from gweebp.excitation.watch import Watch

MAPS = {"ebp": dict(extended=False, weighted=False), "eebp": dict(weighted=False), "gweebp": dict()}
Row = dict[str, Any]


def settled(net: nn.Module, image: Tensor) -> nn.Module:
    """The network as a trained one is built: batch statistics of a few images, no weights that are zero throughout."""
    torch.manual_seed(0)
    for p in net.parameters():
        if p.ndim > 1 and not p.any():
            nn.init.normal_(p, std=0.05)
        elif p.ndim == 1 and p.any() and p.detach().abs().max() < 1e-3:  # a layer scale at its start
            nn.init.constant_(p, 0.5)
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    before = [m.momentum for m in norms]
    for m in norms:
        m.momentum = None
    if norms:
        net.train()
        with torch.no_grad(), contextlib.suppress(ValueError):
            net(torch.rand(8, *image.shape[1:]))
    for m, momentum in zip(norms, before):
        m.momentum = momentum
    return net.eval().requires_grad_(False)


def middle(net: nn.Module, image: Tensor) -> str:
    """The layer of a network that names none: the patch embedding, or the end of the stage of about stride 16."""
    if own := getattr(net, "saliency_layer", None) or patch_embedding(net, image):
        return own
    found = {name: shape for name, shape in spatial_layers(net, image).items() if shape[1] * shape[2] > 1}
    wanted = image.shape[2] / 16
    sides = {name: (shape[1] * shape[2]) ** 0.5 for name, shape in found.items()}
    nearest = min(sides.values(), key=lambda side: (abs(side - wanted), -side))
    at = [name for name, side in sides.items() if side == nearest]
    depth = min(name.count(".") for name in at)
    return [name for name in at if name.count(".") == depth][-1]


class Counting(Watch):
    """A watch that counts the operations that it sees, and remembers which of its mixings are centrings."""

    def close(self) -> None:
        """Forget the pass, and the counts."""
        super().close()
        self.called: Counter[str] = Counter()
        self.centrings: set[int] = set()

    def run(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Note the operation."""
        self.called[name] += 1
        return super().run(name, func, args, kwargs)

    def centre(self, x: Tensor, *args: Any) -> Tensor:
        """Note a centring."""
        y = super().centre(x, *args)
        self.centrings |= {id(self.nodes[-1])}
        return y


def kind(node: Node, centrings: set[int]) -> str:
    """The kind of rule by which an operation hands on its probability."""
    op = node.op
    if isinstance(op, Product):
        return "product of two"
    if isinstance(op, Mixing):
        if id(node) in centrings:
            return "centring"
        return "weights from the image" if op.silent else "sum" if op.is_sum else "mixing"
    return {(1.0,): "passing", (0.5, 0.5): "product of two"}.get(tuple(op.shares), "gate or scale")


def rules(net: nn.Module, probe: Tensor, layer: str) -> tuple[dict[str, int], dict[str, int]]:
    """(operation → calls above a layer, kind of rule → operations that probability reaches)."""
    watch = Counting(net, signed=True, weighted=True)
    try:
        with torch.enable_grad(), no_autocast(probe):
            _, embedding = run_from(net, probe, Layer(layer), watch)
            nodes = reached(embedding, watch.moves, watch.refused)
        return dict(watch.called), dict(Counter(kind(n, watch.centrings) for n in nodes))
    finally:
        watch.close()


def seconds(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The least time of each call, taken in turn after one round that does not count."""
    least = dict.fromkeys(calls, float("inf"))
    for k in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            least[name] = min(least[name], time.perf_counter() - started) if k else least[name]
    return least


def triplet(net: nn.Module, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A probe, and the embeddings of a mate that is near to it and of a non-mate."""
    with torch.no_grad():
        e = embeddings_of(net, torch.cat([image, image.flip(3), image.flip(2)]))
    return image, 0.8 * e[:1] + 0.2 * e[1:2], e[2:]


def row(name: str, net: nn.Module, image: Tensor, rounds: int = 2) -> Row:
    """What there is to say of one network on images like `image` (1, c, h, w)."""
    found: Row = {"name": name, "size": image.shape[2], "refused": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            net = settled(net, image)
            found["layer"] = middle(net, image)
            found["default"] = getattr(net, "saliency_layer", None) is None and bool(patch_embedding(net, image))
            sample = triplet(net, image)
            where = positions(net, image, found["layer"])
            found |= {"grid": where.grid, "first": where.first, "step": where.step, "note": where.note}
            seen, kinds = rules(net, image, found["layer"])
            found |= {"operations": seen, "rules": kinds, "kept": {}}
            for method, how in MAPS.items():
                p = mwp(net, *sample, layer=found["layer"], **how)
                found["kept"][method] = round(float(p.sum()), 4)
            if rounds:
                with torch.no_grad():
                    calls: dict[str, Callable[[], Any]] = {"forward": lambda: net(image)}
                    for method in ("eebp", "gweebp"):
                        calls[method] = lambda m=method: explain(net, *sample, method=m, layer=found["layer"])
                    least = seconds(calls, rounds)
                found["ratio"] = {m: round(least[m] / least["forward"], 2) for m in ("eebp", "gweebp")}
        except Exception as error:  # whatever it is, it is told
            found["refused"] = f"{type(error).__name__}: {error}"
    return found
