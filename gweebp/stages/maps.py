"""Saliency maps of some methods on the trials of both games."""

from __future__ import annotations

import argparse
import time
import warnings

import torch
from tqdm import tqdm

from gweebp import files, networks, verification
from gweebp.networks import as_input
from gweebp.record import environment
from gweebp.saliency import explain
from gweebp.stages.common import add_inputs, add_run, device_of
from gweebp.stages.trials import load_trials


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
    maps, warned, seconds = {}, {}, dict.fromkeys(options.methods, 0.0)
    for game, trials in load_trials(options).items():
        # every method takes embeddings of mate and non-mate: computed once for all of them
        mate, nonmate = (verification.embed(net, images).to(device) for images in (trials.mate, trials.nonmate))
        triplets = [x.split(options.batch) for x in (trials.probe, mate, nonmate)]
        for method in options.methods:
            began = time.perf_counter()
            bar = tqdm(list(zip(*triplets, strict=True)), desc=f"{method}, {game} game", disable=None)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")  # a warning a batch would drown the terminal: they go to the record
                parts = [explain(net, as_input(net, p), m, n, method=method).cpu() for p, m, n in bar]
            maps[f"{game}/{method}"] = torch.cat(parts)
            warned[f"{game}/{method}"] = [f"{w.category.__name__}: {w.message}" for w in caught]
            seconds[method] += time.perf_counter() - began
    record = environment(seed=options.seed, started=started, device=device)
    extra = {"seconds_by_method": seconds, "warnings": {key: texts for key, texts in warned.items() if texts}}
    files.write_tensors(options.out, maps, {"record": record | extra})
