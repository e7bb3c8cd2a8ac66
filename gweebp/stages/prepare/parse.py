"""The six face parts of aligned photos and sketches, as label maps parts/<kind>/<id>.png.

By polygons through the landmarks of `prepare align`, or by a parser (--parser): the published checkpoint, or one of
`prepare learn parser`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from torch import Tensor

from gweebp import files
from gweebp.preparation import landmarks
from gweebp.preparation.manifest import Manifest
from gweebp.preparation.parse import polygons
from gweebp.preparation.parser import Parser
from gweebp.record import environment
from gweebp.stages.common import add_run, device_of

FOLDERS = {"photo": "photos", "sketch": "sketches"}  # kind -> folder; distractors play no inpainting game


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--folder", type=Path, required=True, help="prepared photos/ and sketches/")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="may be the same folder")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--parser", type=Path, metavar="FILE", help="weights of a parser")
    how.add_argument("--landmarks", type=Path, metavar="FILE", help="(default: landmarks.csv of the folder)")
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the label maps, and the section "parse" of manifest.json, into the folder `out`."""
    started = time.perf_counter()
    device = device_of(options)
    found = [(kind, path) for kind, name in FOLDERS.items() for path in sorted((options.folder / name).glob("*.png"))]
    if not found:
        raise FileNotFoundError(f"no photos/*.png and sketches/*.png in {options.folder}: name one of `prepare align`")
    parser = None if options.parser is None else Parser.load(options.parser)
    if parser:
        parser.net.to(device)
        how, points = {"parser": files.sha256(options.parser)}, {}
    else:
        how, points = {"by": "landmarks"}, landmarks.read(options.landmarks or options.folder / landmarks.LANDMARKS)
    manifest = Manifest(options.out, "parse", source=options.folder, parameters=how)
    for kind, path in found:
        item, out = f"{kind} {path.stem}", options.out / "parts" / kind / f"{path.stem}.png"
        mine = points.get((kind, path.stem))
        inputs: dict[str, Path | str] = {"image": path}
        if mine is not None:
            inputs["landmarks"] = landmarks.digest(mine)
        if manifest.has(item, inputs):
            continue
        try:
            files.write_image(out, _labels(files.read_image(path), parser, mine))
        except (OSError, ValueError) as error:
            manifest.skip(item, error)
        else:
            manifest.add(item, inputs, [out])
    manifest.finish(environment=environment(seed=options.seed, started=started, device=device))


def _labels(image: Tensor, parser: Parser | None, points: Tensor | None) -> Tensor:
    if parser:
        return parser.labels(image[None])[0]
    if points is None:
        raise ValueError("it has no landmarks")
    return polygons(points, (image.shape[1], image.shape[2]))
