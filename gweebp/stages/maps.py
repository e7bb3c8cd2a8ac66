"""Saliency maps of some methods on the trials of both games."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import torch
from torch import Tensor
from tqdm.auto import tqdm

from gweebp import files, networks
from gweebp.networks import as_input
from gweebp.record import environment
from gweebp.saliency import explain
from gweebp.stages.common import add_inputs, add_run, device_of
from gweebp.stages.trials import Trials, load_trials


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    add_inputs(parser, "faces", "quadruplets", "weights", "trials", "out")
    parser.add_argument("--methods", nargs="+", required=True, help="names in gweebp.METHODS")
    parser.add_argument("--batch", type=int, default=32, help="triplets at a time (default: 32)")
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write one tensor (n, h, w) for each game and method, under "<game>/<method>"."""
    started = time.perf_counter()
    device = device_of(options)
    net = networks.load(options.weights).to(device)
    trials = load_trials(options)
    maps, seconds = {}, {}
    for method in options.methods:
        began = time.perf_counter()
        for game, triplets in trials.items():
            maps[f"{game}/{method}"] = _explained(net, triplets, method, options, f"{method}, {game} game")
        seconds[method] = round(time.perf_counter() - began, 3)
    record = environment(seed=options.seed, started=started, device=device)
    files.write_tensors(options.out, maps, {"record": record | {"seconds_by_method": seconds}})


def _explained(
    net: networks.EmbeddingNetwork, triplets: Trials, method: str, options: argparse.Namespace, title: str
) -> Tensor:
    torch.manual_seed(options.seed)
    return torch.cat(
        [
            explain(net, *(as_input(net, images) for images in batch), method=method).cpu()
            for batch in tqdm(list(_batches(triplets, options.batch)), desc=title, disable=None)
        ]
    )


def _batches(triplets: Trials, batch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    images = (triplets.probe, triplets.mate, triplets.nonmate)
    yield from zip(*(x.split(batch) for x in images), strict=True)
