"""A face parser, for `prepare parse`: photos, composites and drawings of synthetic faces, with their exact parts."""

from __future__ import annotations

import argparse
from pathlib import Path

from gweebp.commands.common import add_run, device_of, progress
from gweebp.faces.preparation import parser_training

_JUDGES = 40  # people of another world that the parser is judged on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the training takes."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".safetensors")
    for name, default, text in (
        ("size", 256, "side of the images it sees, in pixels"),
        ("people", 400, "synthetic people of each look"),
        ("steps", 600, "of the training"),
        ("batch", 8, "images a step"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default: {default})")
    parser.add_argument("--width", type=float, default=0.25, help="times the published network's (default: 0.25)")
    parser.add_argument("--lr", type=float, default=0.003, help="highest learning rate (default: 0.003)")
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the weights, with recipe, losses and the IoU on people of another world as metadata."""
    device = device_of(options)
    names = ("size", "width", "people", "steps", "batch", "lr", "seed")
    recipe = {name: getattr(options, name) for name in names}
    parser, record = parser_training.fit(**recipe, device=device, progress=progress())
    judged = {"people": _JUDGES, "size": options.size // 2, "seed": options.seed + 1}
    record["iou"] = {"on": judged, "found": parser_training.evaluate(parser, **judged)}
    parser.save(options.out, record)
    for look, row in record["iou"]["found"].items():
        print(f"{look}: mean IoU {row['mean']:.3f}")
