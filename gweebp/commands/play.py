"""Both games on the maps of some methods."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gweebp import networks
from gweebp.commands.common import add_inputs, add_numbers, add_run, device_of, progress
from gweebp.commands.trials import Given, inputs_of, load
from gweebp.faces.quadruplets import Quadruplets
from gweebp.games import hiding, inpainting, masks
from gweebp.networks import as_input
from gweebp.support import files
from gweebp.support.claim import claim
from gweebp.support.ranges import BATCH, whole
from gweebp.support.record import environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    add_inputs(parser, "faces", "quadruplets", "weights", "trials", "maps", "out")
    add_numbers(parser, steps=(whole(2, 10_001), 101, "points per curve"), batch=(BATCH, 64, "images per forward pass"))
    parser.add_argument(
        "--thresholds",
        choices=masks.THRESHOLDS,
        default="percent-density",
        help="inpainting game: masks grow by equal shares of the map's sum, or of pixels (default: percent-density)",
    )
    parser.add_argument(
        "--rule",
        choices=inpainting.RULES,
        default="nearest",
        help="inpainting game: a blended probe counts as matched to the inpainted non-mate where it is nearer to it "
        "than to the mate, or within the threshold (tau) of it (default: nearest)",
    )
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the outcome of each trial at each step, under "<game>/<method>/<what>", and whose trial it was."""
    with claim(options.out, "play", inputs=inputs_of(options)):
        _play(options)


def _play(options: argparse.Namespace) -> None:
    started = time.perf_counter()
    device = device_of(options)
    given = load(options)
    net = given.net.to(device)
    maps, _ = files.read_tensors(options.maps)
    results = {f"{game}/subject": trial.subject for game, trial in given.games.items()}
    probe, mate, nonmate = (as_input(net, getattr(given.hiding, x)) for x in ("probe", "mate", "nonmate"))
    play: dict[str, Any] = {
        "steps": options.steps,
        "seed": options.seed,
        "batch": options.batch,
        "progress": progress(),
    }
    for method in _methods(maps, "hiding"):
        matched = hiding.play(_fast(net), probe, mate, nonmate, maps[f"hiding/{method}"].to(device), **play)
        results[f"hiding/{method}/matched"] = matched
    if given.qualified is not None:
        results |= _inpainting(given, given.qualified, maps, options, play)
    record = environment(seed=options.seed, started=started, device=device)
    made = {"stage": "play", "rests_on": given.rests_on}
    settings = {"steps": options.steps, "thresholds": options.thresholds, "rule": options.rule}
    files.write_tensors(options.out, results, {"record": record | made | settings})


def _inpainting(
    given: Given, four: Quadruplets, maps: dict[str, Tensor], options: argparse.Namespace, play: dict[str, Any]
) -> dict[str, Tensor]:
    net = given.net
    op, om, ip, in_ = (as_input(net, images) for images in (four.op, four.om, four.ip, four.in_))
    region = four.region.to(op.device)
    rule: dict[str, Any] = {"rule": options.rule, "thresholds": options.thresholds}
    if options.rule == "tau":
        rule["threshold"] = given.threshold
    results = {"inpainting/part": four.part}
    for method in _methods(maps, "inpainting"):
        saliency = maps[f"inpainting/{method}"].to(op.device)
        outcome = inpainting.play(_fast(net), op, om, ip, in_, region, saliency, **rule, **play)
        results[f"inpainting/{method}/success"] = outcome.success
        results[f"inpainting/{method}/false_positives"] = outcome.false_positives
        results["inpainting/outside"] = outcome.outside
    return results


def _methods(maps: dict[str, Tensor], game: str) -> list[str]:
    return [key.removeprefix(f"{game}/") for key in maps if key.startswith(f"{game}/")]


def _fast(net: networks.EmbeddingNetwork) -> Callable[[Tensor], Tensor]:
    """The network as a function of images, channels last: up to twice as fast on narrow networks."""
    return lambda images: net(images.contiguous(memory_format=torch.channels_last))
