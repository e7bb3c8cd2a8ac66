"""Saliency maps of some methods on the trials of both games."""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from gweebp import networks
from gweebp.commands.common import add_inputs, add_run, device_of
from gweebp.commands.plugins import load_plugin
from gweebp.commands.trials import load_trials
from gweebp.methods import Method
from gweebp.networks import as_input, verification
from gweebp.saliency import check_options, explain, find_method
from gweebp.support import files
from gweebp.support.record import environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    add_inputs(parser, "faces", "quadruplets", "weights", "trials", "out")
    parser.add_argument("--methods", nargs="+", required=True, help="names in gweebp.METHODS, or of --options")
    parser.add_argument(
        "--options",
        type=json.loads,
        default={},
        metavar="JSON",
        help='options by name, {"corrrise": {"masks": 500}}; "method" among them makes the name a variant of it',
    )
    parser.add_argument("--plugin", type=Path, metavar="FILE", help="a Python file that registers a method")
    parser.add_argument("--batch", type=int, default=32, help="triplets at a time (default: 32)")
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write one tensor (n, h, w) for each game and method, under "<game>/<method>"."""
    started = time.perf_counter()
    device = device_of(options)
    if options.plugin is not None:
        load_plugin(options.plugin)
    net = networks.load(options.weights).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    variants = [variant(name, options.options.get(name, {})) for name in options.methods]
    maps, warned, seconds = {}, {}, dict.fromkeys(options.methods, 0.0)
    for game, trials in load_trials(options).items():
        images = trials.mate, trials.nonmate
        # embedded once for all methods that read embeddings
        others = {"images": images, "embeddings": [verification.embed(net, x).to(device) for x in images]}
        for name, method, chosen in variants:
            key, began = f"{game}/{name}", time.perf_counter()
            triplets = [x.split(options.batch) for x in (trials.probe, *others[method.reads])]
            bar = tqdm(list(zip(*triplets, strict=True)), desc=f"{name}, {game} game", disable=None)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")  # a warning a batch would drown the terminal: they go to the record
                parts = [_explained(net, method.name, chosen, *triplet) for triplet in bar]
            maps[key] = torch.cat(parts)
            warned[key] = [f"{w.category.__name__}: {w.message}" for w in caught]
            seconds[name] += time.perf_counter() - began
    record = environment(seed=options.seed, started=started, device=device)
    extra = {
        "options": options.options,
        "seconds_by_method": seconds,
        "warnings": {key: texts for key, texts in warned.items() if texts},
    }
    files.write_tensors(options.out, maps, {"record": record | extra})


def variant(name: str, options: dict[str, Any]) -> tuple[str, Method, dict[str, Any]]:
    """(name, method, its options) of a method, or of a variant: options that say of which method they are.

    Errors: ValueError for an unknown method, TypeError for an option that it does not have.

    >>> name, method, options = variant("cosine", {"method": "gweebp", "gain": "cosine"})
    >>> name, method.name, options
    ('cosine', 'gweebp', {'gain': 'cosine'})
    """
    options = dict(options)
    method = find_method(options.pop("method", name))
    check_options(method, options)
    return name, method, options


def _explained(net: networks.EmbeddingNetwork, method: str, options: dict[str, Any], *triplet: Tensor) -> Tensor:
    """Maps (b, h, w) of one batch; what is not yet an embedding is an image at rest."""
    probe, mate, nonmate = (x if x.is_floating_point() else as_input(net, x) for x in triplet)
    return explain(net, probe, mate, nonmate, method=method, **options).cpu()
