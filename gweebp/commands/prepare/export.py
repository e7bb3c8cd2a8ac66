"""Quadruplets in the layout in which the paper's authors publish theirs: those that qualified for a network.

`prepare layout` reads them back.
"""

from __future__ import annotations

import argparse

import torch

from gweebp.commands.arguments import to_name, to_path
from gweebp.commands.common import add_inputs
from gweebp.faces import inpainting_game
from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets
from gweebp.support import files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    add_inputs(parser, "faces", "quadruplets")
    parser.add_argument("--trials", type=to_path, metavar="FILE", help="the JSON of `verify` (default: all candidates)")
    parser.add_argument("--root", type=to_path, required=True, metavar="FOLDER", help="gets data/inpainting-game")
    parser.add_argument("--dataset", type=to_name, help="name of the folder in it (default: the set's own)")
    parser.add_argument(
        "--network", type=to_name, help="in the table's name (default: that of the trials, or candidates)"
    )


def run(options: argparse.Namespace) -> None:
    """Write images, masks and then the table."""
    faces, four = FaceSet.load(options.faces.parent), Quadruplets.load(options.quadruplets)
    network = options.network or "candidates"
    if options.trials:
        trials = files.read_json(options.trials)
        four = four.select(torch.tensor(trials["inpainting"]["qualified"], dtype=torch.int64))
        network = options.network or trials["network"]
    if len(four) == 0:
        raise ValueError(f"{options.trials or options.quadruplets} holds no quadruplets: there is nothing to write")
    inpainting_game.write(options.root, options.dataset or faces.name, network, four, faces.ids)
