"""Face parts of aligned photos and sketches, invented anew: inpainted/<part>/<kind>/<id>.png.

Reads a folder of aligned photos/<id>.png and sketches/<id>.png (`prepare align`) with label maps (`prepare parse`).
Photo and sketch of one person share the draw; with --draws, more fillings lie in inpainted/<part>-2 and so on.
`prepare quadruplets` does the same by itself: this step is for looking, and for other uses.
"""

from __future__ import annotations

import argparse
import time
import zlib
from itertools import product
from pathlib import Path

from torch import Tensor

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_numbers, add_run, device_of
from gweebp.commands.prepare import tools
from gweebp.commands.prepare.parse import FOLDERS
from gweebp.faces.preparation.inpaint import Completion, fill
from gweebp.faces.preparation.manifest import Manifest
from gweebp.faces.preparation.parse import dilate, read_labels
from gweebp.faces.quadruplets import PARTS
from gweebp.support import files
from gweebp.support.ranges import whole
from gweebp.support.record import environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--folder", type=to_path, required=True, help="the folder with prepared photos/ and sketches/")
    parser.add_argument("--labels", type=to_path, metavar="FOLDER", help="the folder with parts/ (default: --folder)")
    parser.add_argument(
        "--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write; it may be the same folder"
    )
    parser.add_argument(
        "--fill", type=tools.to_fill, default="telea", metavar="WHO", help=f"{tools.FILL} (default: telea)"
    )
    tools.add_parts(parser)
    add_numbers(parser, draws=(whole(1, 10_000), 1, "different fillings of each part"))
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the images, and the section "inpaint" of manifest.json, into the folder `out`."""
    started, device = time.perf_counter(), device_of(options)
    method, digest = tools.inventor(options.fill, device)
    parameters = {"fill": digest} | {name: getattr(options, name) for name in ("margin", "seed")}
    manifest = Manifest(options.out, "inpaint", source=options.folder, parameters=parameters)
    found = [(kind, path) for kind, name in FOLDERS.items() for path in sorted((options.folder / name).glob("*.png"))]
    if not found:
        raise FileNotFoundError(f"no photos/*.png and sketches/*.png in {options.folder}: name one of `prepare align`")
    for (kind, path), part, draw in product(found, options.parts, range(1, options.draws + 1)):
        labels = (options.labels or options.folder) / "parts" / kind / path.name
        item, inputs = f"{kind} {path.stem} {part} {draw}", {"image": path, "labels": labels}
        out = options.out / "inpainted" / (part if draw == 1 else f"{part}-{draw}") / kind / path.name
        if manifest.has(item, inputs):
            continue
        try:
            seed = zlib.crc32(f"{options.seed} {path.stem} {part} {draw}".encode())
            files.write_image(out, _filled(path, labels, part, options.margin, method, seed))
        except (OSError, ValueError) as error:
            manifest.skip(item, error)
        else:
            manifest.add(item, inputs, [out])
    manifest.finish(environment=environment(seed=options.seed, started=started, device=device))


def _filled(path: Path, labels: Path, part: str, margin: float, method: str | Completion, seed: int) -> Tensor:
    image, parts = files.read_image(path), read_labels(labels)
    mask = parts == PARTS.index(part)
    if not mask.any():
        raise ValueError(f"its label map shows no {part}")
    return fill(image[None], dilate(mask[None], round(margin * mask.shape[0])), method, seed=seed)[0]
