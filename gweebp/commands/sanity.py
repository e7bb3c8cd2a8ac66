"""Sanity checks of methods: how similar their maps stay when the network, or the people asked about, are random."""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor
from tqdm import tqdm

from gweebp import networks
from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_inputs, add_methods, add_numbers, add_run, device_of
from gweebp.commands.maps import variants
from gweebp.commands.trials import Given, inputs_of, load
from gweebp.experiment import sanity_checks
from gweebp.networks import as_input
from gweebp.support import files
from gweebp.support.claim import claim
from gweebp.support.ranges import whole
from gweebp.support.record import environment
from gweebp.support.rests_on import belong_together, recorded


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    add_inputs(parser, "faces", "quadruplets", "weights", "trials", "out")
    add_methods(parser)
    add_numbers(parser, samples=(whole(3), 16, "number of triplets of the hiding game, at most"))
    parser.add_argument(
        "--shuffled", type=to_path, metavar="FILE", help="weights of `train --shuffled` (default: none)"
    )
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the similarities: "<method>/cascade" (layers, n), "<method>/identity" and "<method>/labels" (n,).

    NaN where a map is flat; no labels without a network that learnt shuffled ones.
    """
    with claim(options.out, "sanity", inputs=inputs_of(options) | {"shuffled": options.shuffled}):
        _sanity(options)


def _sanity(options: argparse.Namespace) -> None:
    started = time.perf_counter()
    device = device_of(options)
    methods = variants(options)
    given = load(options)
    net = given.net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shuffled, rests_on = _shuffled(options, given)
    for other in shuffled:
        other.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trials = given.hiding
    images = [as_input(net, x[: options.samples]) for x in (trials.probe, trials.mate, trials.nonmate)]
    results: dict[str, Tensor] = {"subject": trials.subject[: options.samples]}
    layers: list[str] = []
    for name, method, chosen in tqdm(methods, disable=None):
        found = sanity_checks.cascading_randomisation(net, *images, method=method.name, seed=options.seed, **chosen)
        layers = list(found)
        results[f"{name}/cascade"] = torch.stack(list(found.values()))
        results[f"{name}/identity"] = sanity_checks.identity_randomisation(
            net, *images, method=method.name, seed=options.seed, **chosen
        )
        for other in shuffled:
            results[f"{name}/labels"] = sanity_checks.label_randomisation(
                net, other, *images, method=method.name, **chosen
            )
    record = environment(seed=options.seed, started=started) | {"stage": "sanity", "rests_on": rests_on}
    files.write_tensors(options.out, results, {"layers": layers, "record": record})


def _shuffled(options: argparse.Namespace, given: Given) -> tuple[list[networks.EmbeddingNetwork], dict[str, str]]:
    """The network that learnt shuffled labels, if one is named, and what the results rest on."""
    if options.shuffled is None:
        return [], given.rests_on
    pair = {"faces": options.faces, "shuffled": options.shuffled}
    rests_on = given.rests_on | belong_together(pair, {"shuffled": ("faces",)})
    recipe = recorded(options.shuffled).get("recipe")
    if not isinstance(recipe, dict) or recipe.get("shuffled") is not True:
        raise ValueError(f"{options.shuffled} did not learn shuffled pairs: expected weights of `train --shuffled`")
    other = networks.load(options.shuffled)
    shapes = [{key: net.config[key] for key in net.config.keys() - {"mean", "std"}} for net in (given.net, other)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{options.shuffled} holds {shapes[1]}; expected the architecture in {options.weights}: {shapes[0]}"
        )
    return [other], rests_on
