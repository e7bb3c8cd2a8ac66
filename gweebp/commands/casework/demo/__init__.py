"""A case that comes with the package: three drawn pictures, a small network that learned on such, and its trials.

`gweebp explain --demo` is `gweebp explain probe.png candidate.png alternative.png --landmarks landmarks.csv --weights
net.safetensors --trials trials.json` with the files of this folder. They are made by `python book/workflow/demo.py` in
the repository; net.safetensors and trials.json say how, and how well the network recognises.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

__all__ = ["FOLDER", "NAME", "fill"]

FOLDER = Path(__file__).parent
NAME = "gweebp-demo"  # of what it writes, into the working folder
FILES = {
    "probe": "probe.png",
    "mate": "candidate.png",
    "nonmate": "alternative.png",
    "weights": "net.safetensors",
    "trials": "trials.json",
    "landmarks": "landmarks.csv",
}
FLAGS = {"probe": "PROBE", "mate": "MATE", "nonmate": "NONMATE", "mates": "--mate"}


def fill(options: argparse.Namespace) -> None:
    """Put the files of the demo into what was asked for; ValueError where other files were named beside it.

    Without --out, --html and --json it writes gweebp-demo.html and .json, and gweebp-demo.png where matplotlib is
    installed.
    """
    for name in (*FILES, "mates", "gallery", "batch", "threshold", "align", "network"):
        if getattr(options, name) not in (None, [], False):
            raise ValueError(f"--demo brings its own pictures and network: leave out {FLAGS.get(name, f'--{name}')}")
    vars(options).update({name: FOLDER / file for name, file in FILES.items()})
    if options.out is None and options.html is None and options.json is None:
        options.out = Path(f"{NAME}.png") if find_spec("matplotlib") is not None else None
        options.html, options.json = Path(f"{NAME}.html"), Path(f"{NAME}.json")
