"""Faces to learn from and to play on: drawn, read, or made step by step from photos and sketches of your own.

Each step reads files and folders and writes its own; none writes into a folder that it reads.
"""

from __future__ import annotations

import argparse

from gweebp.commands.common import add_table
from gweebp.commands.prepare import (
    align,
    draw,
    export,
    faces,
    inpaint,
    landmarks,
    layout,
    learn,
    parse,
    quadruplets,
    translate,
)
from gweebp.faces.preparation.manifest import check_place
from gweebp.support.claim import sole

STEPS = {
    "faces": faces,
    "draw": draw,
    "landmarks": landmarks,
    "align": align,
    "parse": parse,
    "inpaint": inpaint,
    "translate": translate,
    "quadruplets": quadruplets,
    "layout": layout,
    "export": export,
    "learn": learn,
}

GOES_ON = ("draw", "landmarks", "align", "parse", "inpaint", "translate")  # by the manifest in --out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the steps and what each of them takes."""
    add_table(parser, "step", STEPS)


def run(options: argparse.Namespace) -> None:
    """Run the step that the command line names; one that goes on where it stopped is alone in its folder."""
    if options.step not in GOES_ON:
        return STEPS[options.step].run(options)
    check_place(options.out, vars(options).get("folder"))
    with sole(options.out, folder=True):
        return STEPS[options.step].run(options)
