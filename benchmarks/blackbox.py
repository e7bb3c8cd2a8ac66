"""Black-box methods and the games: how much of their time goes to the network itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.clock import Row, interleaved, ratio, row
from benchmarks.subjects import forward, network, triplet
from gweebp import explain
from gweebp.experiment.cost import peak_bytes
from gweebp.games import hiding, inpainting


class Timed(nn.Module):
    """A network that adds up the seconds spent in it, and the images that it has seen."""

    def __init__(self, net: nn.Module) -> None:
        """`net`: the network."""
        super().__init__()
        self.net, self.seconds, self.images = net, 0.0, 0

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings of x."""
        started = time.perf_counter()
        e = self.net(x)
        self.seconds += time.perf_counter() - started
        self.images += len(x)
        return e


def share_inside(net: nn.Module, call: Any) -> float:
    """Share of the time of call(timed network) that is spent inside it."""
    timed = Timed(net)
    call(timed)
    timed.seconds, started = 0.0, time.perf_counter()
    call(timed)
    return timed.seconds / (time.perf_counter() - started)


def rows(rounds: int) -> Iterator[Row]:
    """XFace and CorrRISE, then both games."""
    for name, masks, stride in (("lcnn9", 512, 14), ("vgg16", 32, 42)):
        net = network(name)
        probe, *others = torch.rand(3, 1, net.channels, net.size, net.size, generator=torch.Generator().manual_seed(0))
        for method, options in (("xface", {"patches": (28,), "stride": stride}), ("corrrise", {"masks": masks})):
            share = share_inside(net, partial(_explained, probe, *others, method=method, **options))
            yield row(f"{name}, black-box", method, "share of time in the network", share, 0.95, least=True)
    net = network("lcnn9")
    images = torch.rand(3, 1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    few, many = (peak_bytes(partial(_explained, *images, net, method="corrrise", masks=n)) for n in (128, 256))
    yield row("lcnn9, black-box", "corrrise", "memory at 256 masks ÷ at 128", many / few, 1.01)
    yield from games(net, rounds)


def _explained(probe: Tensor, mate: Tensor, nonmate: Tensor, net: nn.Module, **options: Any) -> None:
    explain(net, probe, mate, nonmate, **options)


def games(net: Any, rounds: int, q: int = 4, batch: int = 64, steps: int = 51) -> Iterator[Row]:
    """Images a second of each game over those of the raw network in batches of the same size."""
    g = torch.Generator().manual_seed(0)
    images = torch.rand(4, q, net.channels, net.size, net.size, generator=g)
    images[2] = images[0]
    images[2, ..., : net.size // 4, :] = images[3, ..., : net.size // 4, :]  # inpainted: the original but for its top
    region = torch.zeros(q, net.size, net.size, dtype=torch.bool)
    region[:, : net.size // 4] = True
    maps = torch.arange(16.0, 0, -1).view(1, 16, 1) + torch.rand(q, 16, 16, generator=g)  # from the top downwards
    raw = triplet(net, batch)[0]
    for name in ("hiding", "inpainting"):
        timed = Timed(net)

        def play(name: str = name, timed: Timed = timed) -> None:
            if name == "hiding":
                hiding.play(timed, images[0], images[1], images[3], maps, steps=steps, batch=batch)
            else:
                inpainting.play(timed, *images, region, maps, steps=steps, batch=batch)

        play()
        seen, timed.images = timed.images, 0
        seconds = interleaved({"raw": partial(forward, net, raw), name: play}, rounds)
        throughput = seen / batch / ratio(seconds, name, "raw")
        yield row("games", name, "images a second ÷ raw", throughput, 0.9, least=True)
        yield row("games", name, "images evaluated ÷ (steps and references)", seen / (q * (steps + 2)), 1.0)
