"""A translator between sketches and photos, for `prepare translate` and `prepare quadruplets`: CycleGAN, unpaired."""

from __future__ import annotations

import argparse
from pathlib import Path

from gweebp.datasets.synthetic.world import KINDS
from gweebp.preparation import cyclegan
from gweebp.preparation.cyclegan_training import Recipe, fit
from gweebp.stages.common import add_recipe, add_run, device_of, progress, recipe_of
from gweebp.stages.prepare.learn.faces import add_faces, look


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the training takes."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".safetensors")
    add_faces(parser, 96, ", a multiple of 4")
    parser.add_argument("--kind", choices=KINDS, default="drawn", help="of sketch, to draw (default: drawn)")
    parser.add_argument("--width", type=float, default=0.25, help="times the published network's (default: 0.25)")
    parser.add_argument("--blocks", type=int, default=6, help="residual blocks; published: 9 (default: 6)")
    add_recipe(parser, Recipe)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the weights, with recipe, losses and environment as metadata; a training that was stopped goes on."""
    device = device_of(options)
    net = cyclegan.build(options.width, options.blocks, options.size, seed=options.seed)
    sketches, photos = look(options, options.kind), look(options, "photo", world=1)  # of other people: unpaired
    snapshot = options.out.with_suffix(".unfinished.safetensors")
    recipe = recipe_of(options, Recipe)
    fit(net, sketches, photos, out=options.out, device=device, snapshot=snapshot, progress=progress(), **recipe)
    snapshot.unlink(missing_ok=True)
