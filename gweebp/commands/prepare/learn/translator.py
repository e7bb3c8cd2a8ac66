"""A translator between sketches and photos, for `prepare translate` and `prepare quadruplets`: CycleGAN, unpaired."""

from __future__ import annotations

import argparse

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_recipe, add_run, device_of, progress, recipe_of
from gweebp.commands.prepare.learn.lessons import add_faces, unpaired
from gweebp.commands.prepare.learn.start import add_start, made_by, start
from gweebp.faces.preparation import cyclegan
from gweebp.faces.preparation.cyclegan_training import Recipe, fit
from gweebp.faces.synthetic.world import KINDS
from gweebp.support.ranges import WIDTH, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the training takes."""
    parser.add_argument(
        "--out", type=to_path, required=True, metavar="FILE", help="the weights to write, a .safetensors file"
    )
    add_faces(parser)
    add_start(
        parser,
        size=(whole(4, 4096), 96, "side of the images, a multiple of 4"),
        width=(WIDTH, 0.25, "times the published network's"),
        blocks=(whole(0, 64), 6, "residual blocks; published: 9"),
    )
    parser.add_argument("--kind", choices=KINDS, default="drawn", help="kind of sketch to draw (default: drawn)")
    add_recipe(parser, Recipe)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the weights, with recipe, losses and environment as metadata; a training that was stopped goes on."""
    device = device_of(options)
    net, origin = start(options, cyclegan.build, cyclegan.load)
    sketches, photos = unpaired(options, options.kind)
    snapshot = options.out.with_suffix(".unfinished.safetensors")
    recipe = recipe_of(options, Recipe)
    how = {"device": device, "snapshot": snapshot, "progress": progress(), "origin": origin, "record": made_by(options)}
    fit(net, sketches, photos, out=options.out, **how, **recipe)
    snapshot.unlink(missing_ok=True)
