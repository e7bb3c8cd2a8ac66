"""A face parser, for `prepare parse`: photos, composites and drawings of synthetic faces, with their exact parts."""

from __future__ import annotations

import argparse

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_numbers, add_run, device_of, progress
from gweebp.commands.prepare.learn.start import made_by
from gweebp.faces.preparation import parser_training
from gweebp.support.ranges import BATCH, POSITIVE, WIDTH, whole

_JUDGES = 40  # people of another world that the parser is judged on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the training takes."""
    parser.add_argument(
        "--out", type=to_path, required=True, metavar="FILE", help="the weights to write, a .safetensors file"
    )
    add_numbers(
        parser,
        size=(whole(32, 4096), 256, "side of the training images in pixels"),
        people=(whole(1, 100_000), 400, "synthetic people to draw for each look"),
        steps=(whole(1), 600, "optimiser steps"),
        batch=(BATCH, 8, "images per step"),
        width=(WIDTH, 0.25, "factor on the published network's number of channels"),
        lr=(POSITIVE, 0.003, "highest learning rate"),
    )
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the weights, with recipe, losses and the IoU on people of another world as metadata."""
    device = device_of(options)
    names = ("size", "width", "people", "steps", "batch", "lr", "seed")
    recipe = {name: getattr(options, name) for name in names}
    parser, record = parser_training.fit(**recipe, device=device, progress=progress())
    judged = {"people": _JUDGES, "size": options.size // 2, "seed": options.seed + 1}
    record["iou"] = {"on": judged, "found": parser_training.evaluate(parser, **judged)}
    parser.save(options.out, record | made_by(options))
    for look, row in record["iou"]["found"].items():
        print(f"{look}: mean IoU {row['mean']:.3f}")
