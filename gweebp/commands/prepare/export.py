"""Quadruplets in the layout in which the paper's authors publish theirs: those that qualified for a network.

`prepare layout` reads them back.
"""

from __future__ import annotations

import argparse

from gweebp.commands.arguments import to_name, to_path
from gweebp.commands.common import add_inputs
from gweebp.commands.trials import chosen_in, inputs_of, rows_in
from gweebp.faces import inpainting_game
from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets
from gweebp.support.rests_on import belong_together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    add_inputs(parser, "faces", "quadruplets")
    parser.add_argument("--trials", type=to_path, metavar="FILE", help="the JSON of `verify` (default: all candidates)")
    parser.add_argument(
        "--root",
        type=to_path,
        required=True,
        metavar="FOLDER",
        help="the folder in which data/inpainting-game is written",
    )
    parser.add_argument("--dataset", type=to_name, help="name of the folder in it (default: the set's own)")
    parser.add_argument(
        "--network", type=to_name, help="network in the name of the table (default: that of --trials, or candidates)"
    )


def run(options: argparse.Namespace) -> None:
    """Write images, masks and then the table."""
    belong_together(inputs_of(options))
    faces, four = FaceSet.load(options.faces), Quadruplets.load(options.quadruplets)
    network = options.network or "candidates"
    if options.trials:
        trials = chosen_in(options.trials)
        four = four.select(rows_in(trials, "inpainting", "qualified", len(four), options.trials))
        network = options.network or trials["network"]
    if len(four) == 0:
        raise ValueError(f"{options.trials or options.quadruplets} holds no quadruplets: there is nothing to write")
    inpainting_game.write(options.root, options.dataset or faces.name, network, four, faces.ids)
