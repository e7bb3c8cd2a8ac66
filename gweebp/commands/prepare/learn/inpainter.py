"""An inpainter, for `prepare inpaint` and `prepare quadruplets`: photos and sketches with holes in them."""

from __future__ import annotations

import argparse

from gweebp.commands.arguments import Distinct, to_path
from gweebp.commands.common import add_recipe, add_run, device_of, progress, recipe_of
from gweebp.commands.prepare.learn.lessons import add_faces, labelled
from gweebp.commands.prepare.learn.start import add_start, made_by, start
from gweebp.commands.prepare.tools import PARSER, parser_of
from gweebp.faces.preparation import inpainter
from gweebp.faces.preparation.inpainter_training import Recipe, fit
from gweebp.faces.preparation.parser_training import LOOKS
from gweebp.support.ranges import WIDTH, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the training takes."""
    parser.add_argument(
        "--out", type=to_path, required=True, metavar="FILE", help="the weights to write, a .safetensors file"
    )
    add_faces(parser)
    add_start(
        parser,
        size=(whole(96, 4096), 96, "side of the images, a multiple of 32"),
        width=(WIDTH, 0.25, "times the published network's"),
    )
    parser.add_argument("--parser", type=to_path, metavar="FILE", help=f"with --layout, {PARSER}")
    why = "looks of the training images: drawn, or of the folder's photos and sketches (default: photo composite)"
    parser.add_argument("--looks", nargs="+", choices=LOOKS, action=Distinct, default=["photo", "composite"], help=why)
    add_recipe(parser, Recipe)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the weights, with recipe, losses and environment as metadata; a training that was stopped goes on."""
    device = device_of(options)
    net, origin = start(options, inpainter.build, inpainter.load)
    images, labels = labelled(options, parser_of(options.parser, device))
    snapshot = options.out.with_suffix(".unfinished.safetensors")
    recipe = recipe_of(options, Recipe)
    how = {"device": device, "snapshot": snapshot, "progress": progress(), "origin": origin, "record": made_by(options)}
    fit(net, images, labels, out=options.out, **how, **recipe)
    snapshot.unlink(missing_ok=True)
