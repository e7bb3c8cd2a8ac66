"""Saliency maps of some methods on the trials of both games."""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from gweebp import networks
from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_inputs, add_methods, add_numbers, add_run, device_of
from gweebp.commands.plugins import plug_in
from gweebp.commands.trials import inputs_of, load
from gweebp.methods import Method
from gweebp.methods.stopping import noted
from gweebp.networks import as_input, verification
from gweebp.saliency import check_options, explain, find_method, in_place
from gweebp.support import files
from gweebp.support.claim import claim
from gweebp.support.ranges import BATCH
from gweebp.support.record import environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    add_inputs(parser, "faces", "quadruplets", "weights", "trials", "out")
    add_methods(parser)
    parser.add_argument("--plugin", type=to_path, metavar="FILE", help="a Python file that registers a method")
    add_numbers(parser, batch=(BATCH, 32, "triplets per call of a method"))
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write one tensor (n, h, w) for each game and method, under "<game>/<method>"."""
    with claim(options.out, "maps", inputs=inputs_of(options) | {"plugin": options.plugin}):
        _maps(options)


def _maps(options: argparse.Namespace) -> None:
    started = time.perf_counter()
    device = device_of(options)
    if options.plugin is not None:
        plug_in(options.plugin, options.weights)
    chosen_methods = variants(options)
    given = load(options)
    net = given.net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    maps, warned, spent, seconds = {}, {}, {}, dict.fromkeys(options.methods, 0.0)
    for game, trials in given.games.items():
        images = trials.mate, trials.nonmate
        # embedded once for all methods that read embeddings
        others = {"images": images, "embeddings": [verification.embed(net, x).to(device) for x in images]}
        for name, method, chosen in chosen_methods:
            key, began = f"{game}/{name}", time.perf_counter()
            triplets = [x.split(options.batch) for x in (trials.probe, *others[method.reads])]
            bar = tqdm(list(zip(*triplets, strict=True)), desc=f"{name}, {game} game", disable=None)
            with warnings.catch_warnings(record=True) as caught, noted() as stopped:
                warnings.simplefilter("always")  # a warning a batch would drown the terminal: they go to the record
                parts = [_explained(net, method.name, chosen, *triplet) for triplet in bar]
            maps[key] = torch.cat(parts)
            warned[key] = [f"{w.category.__name__}: {w.message}" for w in caught]
            if stopped:  # at a tolerance
                spent[key] = [one.masks for one in stopped]
            seconds[name] += time.perf_counter() - began
    record = environment(seed=options.seed, started=started, device=device)
    extra = {
        "stage": "maps",
        "rests_on": given.rests_on | ({} if options.plugin is None else {"plugin": files.sha256(options.plugin)}),
        "options": options.options,
        "seconds_by_method": seconds,
        "warnings": {key: texts for key, texts in warned.items() if texts},
    }
    if spent:
        extra["masks"] = spent
    files.write_tensors(options.out, maps, {"record": record | extra})


def variants(options: argparse.Namespace) -> list[tuple[str, Method, dict[str, Any]]]:
    """The methods of --methods with their --options, each as `variant` gives it.

    Errors: ValueError for an unknown method or option, or options of a method that --methods does not name.
    """
    for name in options.options.keys() - set(options.methods):
        raise ValueError(f"--options has options of {name}, which --methods does not name: {' '.join(options.methods)}")
    return [variant(name, options.options.get(name, {})) for name in options.methods]


def variant(name: str, options: dict[str, Any]) -> tuple[str, Method, dict[str, Any]]:
    """(name, method, its options) of a method, or of a variant: options that say of which method they are.

    `layer` may be among the options: another that carries the map.

    Errors: ValueError for an unknown method, or an option that it does not have.

    >>> name, method, options = variant("cosine", {"method": "gweebp", "gain": "cosine"})
    >>> name, method.name, options
    ('cosine', 'gweebp', {'gain': 'cosine'})
    """
    options = dict(options)
    method = find_method(options.pop("method", name))
    try:
        check_options(method, {key: value for key, value in options.items() if key != "layer"})
    except TypeError as error:
        raise ValueError(str(error)) from error
    return name, method, options


def _explained(net: networks.EmbeddingNetwork, method: str, options: dict[str, Any], *triplet: Tensor) -> Tensor:
    """Maps (b, h, w) of one batch; what is not yet an embedding is an image at rest."""
    probe, mate, nonmate = (x if x.is_floating_point() else as_input(net, x) for x in triplet)
    maps = explain(net, probe, mate, nonmate, method=method, **options)
    return in_place(maps, net, probe, method=method, layer=options.get("layer")).cpu()
