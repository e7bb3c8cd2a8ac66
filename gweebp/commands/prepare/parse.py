"""The six face parts of aligned photos and sketches, as label maps parts/<kind>/<id>.png.

By polygons through the landmarks of `prepare align`, or by a parser (--parser): the published checkpoint, or one of
`prepare learn parser`. With --parser and --landmarks, hair and skin are the parser's, the small parts polygons.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from tqdm import tqdm

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_run, device_of, progress
from gweebp.commands.prepare import tools
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.manifest import Manifest
from gweebp.faces.preparation.parse import combined, polygons
from gweebp.faces.preparation.parser import Parser
from gweebp.support import files
from gweebp.support.record import environment

FOLDERS = {"photo": "photos", "sketch": "sketches"}  # kind -> folder; distractors play no inpainting game

Look = Callable[[str, Tensor, Tensor | None], Tensor]  # kind, image, landmarks -> label map


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--folder", type=to_path, required=True, help="the folder with prepared photos/ and sketches/")
    parser.add_argument(
        "--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write; it may be the same folder"
    )
    parser.add_argument(
        "--parser", type=to_path, metavar="FILE", help="weights of a parser (default: polygons through the landmarks)"
    )
    parser.add_argument(
        "--landmarks",
        type=to_path,
        metavar="FILE",
        help="a CSV of landmarks, for polygons (default: landmarks.csv of the folder, where there is no --parser)",
    )
    parser.add_argument(
        "--translate",
        type=to_path,
        metavar="FILE",
        help=f"with --parser, turn sketches into photos first; {tools.TRANSLATE}",
    )
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Write the label maps, and the section "parse" of manifest.json, into the folder `out`."""
    started = time.perf_counter()
    device = device_of(options)
    found = [(kind, path) for kind, name in FOLDERS.items() for path in sorted((options.folder / name).glob("*.png"))]
    if not found:
        raise FileNotFoundError(f"no photos/*.png and sketches/*.png in {options.folder}: name one of `prepare align`")
    by_points = options.landmarks or not options.parser
    points = landmarks.read(options.landmarks or options.folder / landmarks.LANDMARKS) if by_points else {}
    look, how = _by_parser(options, device) if options.parser else (_polygons, {"by": "landmarks"})
    manifest = Manifest(options.out, "parse", source=options.folder, parameters=how)
    for kind, path in tqdm(found, desc="parse", disable=not progress()):
        item, out, mine = f"{kind} {path.stem}", options.out / "parts" / kind / path.name, points.get((kind, path.stem))
        inputs = {"image": path} | ({} if mine is None else {"landmarks": landmarks.digest(mine)})
        if manifest.has(item, inputs):
            continue
        try:
            files.write_image(out, look(kind, files.read_image(path), mine))
        except (OSError, ValueError) as error:
            manifest.skip(item, error)
        else:
            manifest.add(item, inputs, [out])
    manifest.finish(environment=environment(seed=options.seed, started=started, device=device))


def _polygons(kind: str, image: Tensor, points: Tensor | None) -> Tensor:
    if points is None:
        raise ValueError("it has no landmarks")
    return polygons(points, (image.shape[1], image.shape[2]))


def _by_parser(options: argparse.Namespace, device: torch.device) -> tuple[Look, dict[str, str]]:
    """The parser, and what decides its labels."""
    parser = Parser.load(options.parser)
    parser.net.to(device)
    translate = tools.translator(options.translate, "photos", device) if options.translate else None

    def look(kind: str, image: Tensor, points: Tensor | None) -> Tensor:
        shown = translate(image[None]) if translate and kind == "sketch" else image[None]
        seen = parser.labels(shown)[0]
        return combined(seen, _polygons(kind, image, points)) if options.landmarks else seen

    how = {"parser": files.sha256(options.parser)}
    how |= {"translate": tools.digest(options.translate)} if options.translate else {}
    return look, how | ({"small parts by": "landmarks"} if options.landmarks else {})
