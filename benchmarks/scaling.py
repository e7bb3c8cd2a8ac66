"""How time and memory grow: the slope of their logarithms, 1 where they grow as the size does, 0 where they do not."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.blackbox import _explained
from benchmarks.clock import Row, interleaved, row, slope
from benchmarks.subjects import network, triplet
from gweebp import explain
from gweebp.experiment.cost import peak_bytes
from gweebp.games import inpainting
from gweebp.networks.verification import ranks, unit


def grown(topic: str, sizes: list[int], call: Callable[[int], Callable[[], Any]], rounds: int) -> Iterator[Row]:
    """The slopes of call(size) in time and memory."""
    calls = {str(size): call(size) for size in sizes}
    seconds = interleaved(calls, rounds)
    times = [statistics.median(seconds[str(size)]) for size in sizes]
    what = f"{sizes[0]:,} to {sizes[-1]:,}"
    yield row(f"growth with {topic}", what, "slope of time", slope([*sizes], times), 1.1)
    yield row(
        f"growth with {topic}",
        what,
        "slope of memory",
        slope([*sizes], [peak_bytes(calls[str(s)]) for s in sizes]),
        1.05,
    )


def rows(rounds: int) -> Iterator[Row]:
    """Batch, pixels, masks, gallery, quadruplets."""
    net = network("lcnn9", width=0.5)
    yield from grown("the batch (gweebp)", [4, 8, 16, 32], lambda b: partial(explain, net, *triplet(net, b)), rounds)
    nets = {size**2: network("lcnn9", width=0.5, size=size) for size in (64, 96, 128, 192)}
    yield from grown(
        "pixels (gweebp)", [*nets], lambda pixels: partial(explain, nets[pixels], *triplet(nets[pixels], 4)), rounds
    )
    small = network("lcnn9", width=0.25, size=64)
    images = torch.rand(3, 1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    yield from grown(
        "masks (corrrise)",
        [256, 512, 1024, 2048],
        lambda n: partial(_explained, *images, small, method="corrrise", masks=n),
        rounds,
    )
    g = torch.Generator().manual_seed(0)
    gallery, probe = unit(torch.randn(1_000_000, 128, generator=g)), unit(torch.randn(16, 128, generator=g))
    yield from grown(
        "the gallery (ranks)",
        [125_000, 250_000, 500_000, 1_000_000],
        lambda n: partial(ranks, probe, gallery[:n], torch.arange(16)),
        rounds,
    )
    yield from grown("quadruplets (inpainting game)", [4, 8, 16, 32], lambda q: partial(_game, small, q), rounds)


def _game(net: Any, q: int) -> None:
    g = torch.Generator().manual_seed(0)
    op, om, ip, in_ = torch.rand(4, q, 1, net.size, net.size, generator=g)
    region: Tensor = torch.zeros(q, net.size, net.size, dtype=torch.bool)
    region[..., : net.size // 2] = True
    maps = torch.rand(q, 4, 4, generator=g)
    inpainting.play(net, op, om, ip, in_, region, maps, steps=21, batch=16)
