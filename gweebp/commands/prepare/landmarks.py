"""Landmarks of all photos, sketches and distractors of a folder, found by dlib's predictor, as landmarks.csv.

`prepare align` can find them itself; a CSV can be looked at and corrected first, and sets that need no alignment, such
as CUHK's crops, need it for their face parts. An image without a face is listed in manifest.json with the reason.
"""

from __future__ import annotations

import argparse
import time

from tqdm import tqdm

from gweebp.commands.arguments import to_path
from gweebp.commands.common import progress
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.manifest import Manifest
from gweebp.faces.preparation.predictor import Predictor
from gweebp.faces.readers.layouts import LAYOUTS, listing
from gweebp.support import files
from gweebp.support.record import environment

_WRITE_AFTER = 50  # images: what a killed run loses at most


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--kind", choices=LAYOUTS, required=True, help="how the folder is laid out")
    parser.add_argument("--folder", type=to_path, required=True, help="the folder with your photos and sketches")
    parser.add_argument(
        "--distractors-from", type=to_path, metavar="FOLDER", help="photos of other people, for the gallery"
    )
    parser.add_argument(
        "--model",
        type=to_path,
        metavar="FILE",
        help="model file of dlib's predictor of 68 landmarks (.dat; default: that of the extra dlib)",
    )
    parser.add_argument("--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write")


def run(options: argparse.Namespace) -> None:
    """Write landmarks.csv and manifest.json into the folder `out`."""
    started = time.perf_counter()
    found = listing(options.kind, options.folder, options.distractors_from)
    predict = Predictor(options.model)
    parameters = {"kind": options.kind, "predictor": files.sha256(predict.model)}
    manifest = Manifest(options.out, "landmarks", source=options.folder, parameters=parameters)
    images = [("photo", pair.id, pair.photo) for pair in found.pairs if pair.photo]
    images += [("sketch", pair.id, pair.sketch) for pair in found.pairs if pair.sketch]
    images += [("distractor", name, path) for name, path in found.distractors.items()]
    table = options.out / landmarks.LANDMARKS
    before = landmarks.read(table) if table.is_file() else {}
    points = {}
    for kind, name, path in tqdm(images, desc="landmarks", disable=not progress()):
        item, inputs = f"{kind} {name}", {"image": path}
        if (kind, name) in before and manifest.has(item, inputs):
            points[kind, name] = before[kind, name]
            continue
        try:
            points[kind, name] = predict(files.read_image(path))
        except (OSError, ValueError) as error:
            manifest.skip(item, error)
            continue
        if len(points) % _WRITE_AFTER == 0:
            landmarks.write(table, before | points)
        manifest.add(item, inputs, [table])
    landmarks.write(table, points)
    manifest.finish(environment=environment(started=started))
