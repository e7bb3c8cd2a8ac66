"""Small networks of our own, trained on synthetic faces, for those who have no published checkpoint.

Each writes one safetensors file, whose metadata say how it was trained. Those in data/checkpoints were made so.
"""

from __future__ import annotations

import argparse

from gweebp.commands.common import add_table
from gweebp.commands.prepare.learn import inpainter, parser, translator
from gweebp.support.claim import claim

NETWORKS = {"parser": parser, "inpainter": inpainter, "translator": translator}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the networks and what the training of each takes."""
    add_table(parser, "learner", NETWORKS)


def run(options: argparse.Namespace) -> None:
    """Train the network that the command line names."""
    inputs = {name: vars(options).get(name) for name in ("init", "parser", "folder")}
    with claim(options.out, f"prepare learn {options.learner}", inputs=inputs):
        NETWORKS[options.learner].run(options)
