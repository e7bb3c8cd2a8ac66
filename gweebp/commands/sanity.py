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
from gweebp.commands.trials import load_trials
from gweebp.experiment import sanity_checks
from gweebp.networks import as_input
from gweebp.support import files
from gweebp.support.ranges import whole
from gweebp.support.record import environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    add_inputs(parser, "faces", "quadruplets", "weights", "trials", "out")
    add_methods(parser)
    add_numbers(parser, samples=(whole(1), 16, "triplets of the hiding game, at most"))
    parser.add_argument(
        "--shuffled", type=to_path, metavar="FILE", help="weights of `train --shuffled` (default: none)"
    )
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the similarities: "<method>/cascade" (layers, n), "<method>/identity" and "<method>/labels" (n,).

    NaN where a map is flat; no labels without a network that learnt shuffled ones.
    """
    started = time.perf_counter()
    device = device_of(options)
    given = [path for path in (options.weights, options.shuffled) if path]
    net, *shuffled = (networks.load(path).to(device, memory_format=torch.channels_last) for path in given)  # type: ignore[call-overload]
    trials = load_trials(options)["hiding"]
    images = [as_input(net, x[: options.samples]) for x in (trials.probe, trials.mate, trials.nonmate)]
    results: dict[str, Tensor] = {"subject": trials.subject[: options.samples]}
    layers: list[str] = []
    for name, method, chosen in tqdm(variants(options), disable=None):
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
    record = environment(seed=options.seed, started=started)
    files.write_tensors(options.out, results, {"layers": layers, "record": record})
