"""An inpainter, for `prepare inpaint` and `prepare quadruplets`: photos and sketches with holes in them."""

from __future__ import annotations

import argparse
from pathlib import Path

from gweebp.preparation import inpainter
from gweebp.preparation.inpainter_training import Recipe, fit
from gweebp.preparation.parser_training import LOOKS
from gweebp.stages.common import add_recipe, add_run, device_of, progress, recipe_of
from gweebp.stages.prepare.learn.faces import add_faces, labelled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the training takes."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".safetensors")
    add_faces(parser, 96, ", 96 or more, a multiple of 32")
    why = "to draw; drawings are filled through a translator"
    parser.add_argument("--looks", nargs="+", choices=LOOKS, default=["photo", "composite"], help=why)
    parser.add_argument("--width", type=float, default=0.25, help="times the published network's (default: 0.25)")
    add_recipe(parser, Recipe)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the weights, with recipe, losses and environment as metadata; a training that was stopped goes on."""
    device = device_of(options)
    net = inpainter.build(options.width, options.size, seed=options.seed)
    snapshot = options.out.with_suffix(".unfinished.safetensors")
    recipe = recipe_of(options, Recipe)
    fit(net, *labelled(options), out=options.out, device=device, snapshot=snapshot, progress=progress(), **recipe)
    snapshot.unlink(missing_ok=True)
