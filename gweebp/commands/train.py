"""Train a network with a triplet loss on the training faces; the weights that validate best are kept."""

from __future__ import annotations

import argparse
from inspect import signature

from gweebp import networks
from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_inputs, add_numbers, add_recipe, add_run, device_of, progress, recipe_of
from gweebp.experiment.training.fit import RECORD, WEIGHTS, fit
from gweebp.experiment.training.precision import drawn
from gweebp.experiment.training.recipe import Recipe
from gweebp.faces.faceset import FaceSet
from gweebp.support.claim import claim
from gweebp.support.ranges import SIDE, WIDTH, whole
from gweebp.support.rests_on import belong_together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes: the network, and every field of `training.Recipe`."""
    add_inputs(parser, "faces")
    parser.add_argument(
        "--out",
        type=to_path,
        required=True,
        metavar="FOLDER",
        help="the folder for weights.safetensors and record.json",
    )
    parser.add_argument("--init", type=to_path, metavar="FILE", help="weights to start from (default: random)")
    parser.add_argument("--network", choices=sorted(networks.NETWORKS), required=True, help="its architecture")
    add_numbers(
        parser,
        width=(WIDTH, 1.0, "factor on the number of channels of every layer"),
        size=(SIDE, None, "side of the input image in pixels"),
        embedding=(whole(1, 65_536), None, "dimensions of the embedding"),
        depth=(whole(0, 1000), 0, "blocks of a network that has as many as one says (vit); 0: its own number"),
    )
    add_recipe(parser, Recipe)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Train, and write weights.safetensors and record.json into the folder `out`."""
    inputs = {"faces": options.faces, "init": options.init}
    with claim(options.out, "train", inputs=inputs, names=(WEIGHTS, RECORD)):
        _train(options, belong_together({name: path for name, path in inputs.items() if path is not None}))


def _train(options: argparse.Namespace, rests_on: dict[str, str]) -> None:
    device = device_of(options)
    faces = FaceSet.load(options.faces)
    shape = {"width": options.width, "size": options.size, "embedding": options.embedding}
    if options.depth:
        if "depth" not in signature(networks.NETWORKS[options.network]).parameters:
            raise ValueError(
                f"--depth {options.depth}: {options.network} has a number of blocks of its own; leave it out"
            )
        shape |= {"depth": options.depth}
    net = drawn(options.network, options.precision, seed=options.seed, **shape)
    recipe = recipe_of(options, Recipe)
    made = {"stage": "train", "rests_on": rests_on}
    fit(net, faces, out=options.out, init=options.init, device=device, progress=progress(), record=made, **recipe)
