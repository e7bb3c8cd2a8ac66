"""Sketches turned into photos, or photos into sketches, under the names that they had.

`prepare parse` and `prepare quadruplets` translate by themselves, as the paper does with drawings (Sec. 4.4.2): this
step is for looking, and for other uses.
"""

from __future__ import annotations

import argparse
import time

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_run, device_of
from gweebp.commands.prepare import tools
from gweebp.faces.preparation.manifest import Manifest
from gweebp.support import files
from gweebp.support.record import environment

SOURCES = {"photo": "sketches", "sketch": "photos"}  # what becomes a photo lies in sketches/, and stays there
WAYS = {"photo": "photos", "sketch": "sketches"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--folder", type=to_path, required=True, help="the folder with prepared photos/ and sketches/")
    parser.add_argument("--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write, another one")
    parser.add_argument("--to", choices=SOURCES, required=True, help="what the images are turned into")
    parser.add_argument("--translator", type=to_path, required=True, metavar="FILE", help=tools.TRANSLATE)
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write sketches/<id>.png (or photos/), and the section "translate" of manifest.json, into the folder `out`."""
    started, device = time.perf_counter(), device_of(options)
    if options.out.resolve() == options.folder.resolve():
        raise ValueError(f"--out {options.out} holds the images to be translated: name another folder")
    into = tools.translator(options.translator, WAYS[options.to], device)
    parameters = {"translator": tools.digest(options.translator), "to": options.to}
    manifest = Manifest(options.out, f"translate to {options.to}", source=options.folder, parameters=parameters)
    name = SOURCES[options.to]
    paths = sorted((options.folder / name).glob("*.png"))
    if not paths:
        raise FileNotFoundError(f"no {name}/*.png in {options.folder}: name a folder of `prepare align`")
    for path in paths:
        out, inputs = options.out / name / path.name, {"image": path}
        if manifest.has(path.stem, inputs):
            continue
        try:
            files.write_image(out, into(files.read_image(path)[None])[0])
        except (OSError, ValueError) as error:
            manifest.skip(path.stem, error)
        else:
            manifest.add(path.stem, inputs, [out])
    manifest.finish(environment=environment(seed=options.seed, started=started, device=device))
