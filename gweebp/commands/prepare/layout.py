"""The authors' own quadruplets, read from their inpainting-game layout; the people in them become the test faces.

With them and a published checkpoint, `verify`, `maps` and `play` run as on any other set.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from gweebp.commands.arguments import to_name, to_path
from gweebp.commands.common import add_optional, add_run, device_of
from gweebp.commands.prepare.tools import SET, write_set
from gweebp.faces import inpainting_game
from gweebp.support.claim import claim
from gweebp.support.ranges import SIDE
from gweebp.support.record import environment

STAGE = "prepare layout"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument(
        "--root", type=to_path, required=True, metavar="FOLDER", help="the folder that holds data/inpainting-game"
    )
    parser.add_argument("--dataset", type=to_name, required=True, help="name of the folder in it, such as UoM")
    parser.add_argument("--network", type=to_name, required=True, help="the network whose table is read, such as lcnn9")
    add_optional(parser, size=(SIDE, "side of the images in pixels (default: as they are)"))
    parser.add_argument("--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write")
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write faces.safetensors, record.json and quadruplets.safetensors into the folder `out`."""
    with claim(options.out, STAGE, inputs={"root": options.root}, names=SET):
        _layout(options)


def _layout(options: argparse.Namespace) -> None:
    started = time.perf_counter()
    device_of(options)
    found = inpainting_game.read(options.root, options.dataset, options.network, size=options.size)
    faces = inpainting_game.faceset(found, options.dataset)
    source = {"network": options.network, "environment": environment(seed=options.seed, started=started)}
    write_set(options.out, STAGE, replace(faces, record=faces.record | source), found.quadruplets)
