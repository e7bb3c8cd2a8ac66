"""Aligned faces: photos, sketches and distractors turned, scaled and cut so that eyes and mouth coincide.

Landmarks come from a CSV (id, kind, x0, y0 ... x67, y67; a file in the folder, or elsewhere), or from dlib's
predictor: that of the extra "dlib", or a model file (.dat). A person of whom a face can't be found, or an image can't
be read, is listed in manifest.json with the reason. Run again, the step makes only what is missing or has changed.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_numbers, progress
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.align import FRAMES, align
from gweebp.faces.preparation.manifest import Manifest
from gweebp.faces.preparation.predictor import Predictor
from gweebp.faces.readers.layouts import LAYOUTS, listing
from gweebp.faces.readers.listing import DISTRACTORS, Listing, Pair
from gweebp.support import files
from gweebp.support.ranges import SIDE
from gweebp.support.record import environment

FOLDERS = {"photo": "photos", "sketch": "sketches", "distractor": DISTRACTORS}
COLUMNS = ("id", "photo", "sketch", "split", "photo_sha256", "sketch_sha256")
_WRITE_AFTER = 25  # people: what a killed run loses at most

Points = dict[tuple[str, str], Tensor]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the step takes."""
    parser.add_argument("--kind", choices=LAYOUTS, required=True, help="how the folder is laid out")
    parser.add_argument("--folder", type=to_path, required=True, help="the folder with your photos and sketches")
    parser.add_argument(
        "--distractors-from", type=to_path, metavar="FOLDER", help="photos of other people, for the gallery"
    )
    parser.add_argument(
        "--landmarks",
        type=to_path,
        metavar="FILE",
        help="a CSV of landmarks, or the model file of dlib's predictor (.dat; default: that of the extra dlib)",
    )
    parser.add_argument("--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write")
    add_numbers(parser, size=(SIDE, None, "side of the aligned images in pixels"))
    parser.add_argument(
        "--frame",
        choices=FRAMES,
        default="head",
        help="what fills the image: the whole head, or the face alone (default: head)",
    )


def run(options: argparse.Namespace) -> None:
    """Write photos/, sketches/, distractors/, pairs.csv, landmarks.csv and manifest.json into the folder `out`."""
    started = time.perf_counter()
    found = listing(options.kind, options.folder, options.distractors_from)
    finder = _finder(options)
    parameters = {"kind": options.kind, "size": options.size, "frame": options.frame}
    parameters["predictor"] = files.sha256(finder.model) if isinstance(finder, Predictor) else None
    step = _Step(Manifest(options.out, "align", source=options.folder, parameters=parameters), finder, options)
    for pair in tqdm(found.pairs, desc="align", disable=not progress()):
        step.person(pair.id, pair.id, {"photo": pair.photo, "sketch": pair.sketch}, pair)
    for name, path in tqdm(found.distractors.items(), desc="align distractors", disable=not progress()):
        step.person(f"distractor {name}", name, {"distractor": path})
    step.write(found)
    step.manifest.finish(facts=dict(found.facts), environment=environment(started=started))


def _finder(options: argparse.Namespace) -> Points | Predictor:
    """Landmarks by kind and id, of a CSV; or what finds them, by the model that was named, or by the extra's."""
    if options.landmarks is None:
        return Predictor()
    inside = options.folder / options.landmarks  # an absolute path stays as it is
    given = options.landmarks if options.landmarks.is_file() and not inside.is_file() else inside
    return Predictor(given) if given.suffix == ".dat" else landmarks.read(given)


class _Step:
    """The state of one run: what is found, and what was aligned so far."""

    def __init__(self, manifest: Manifest, finder: Points | Predictor, options: argparse.Namespace) -> None:
        self.manifest, self.finder, self.out = manifest, finder, options.out
        self.size, self.frame = options.size, FRAMES[options.frame]
        path = self.out / landmarks.LANDMARKS
        self.before = landmarks.read(path) if path.is_file() else {}
        self.aligned: Points = {}
        self.unwritten = 0

    def person(self, item: str, name: str, images: Mapping[str, Path | None], pair: Pair | None = None) -> None:
        """Align the images of one person, all of them or none."""
        try:
            if not re.fullmatch(r"[\w.+=@ -]+", name):
                raise ValueError(f"the id {name!r} can't be a file name")
            present = {kind: path for kind, path in images.items() if path is not None}
            for kind in sorted(images.keys() - present.keys()):
                raise ValueError(f"it has no {kind}")
            inputs: dict[str, Path | str] = {**present}
            if not isinstance(self.finder, Predictor):
                inputs |= {f"{kind} landmarks": landmarks.digest(self.listed(kind, name)) for kind in images}
            known = {(kind, name): self.before[kind, name] for kind in images if (kind, name) in self.before}
            if len(known) == len(images) and self.manifest.has(item, inputs):
                self.aligned |= known
                return
            done = {kind: self.align(kind, name, path, pair) for kind, path in present.items()}
        except (OSError, ValueError) as error:
            self.manifest.skip(item, error)
            return
        for kind, (image, points) in done.items():
            files.write_image(self.path(kind, name), image)
            self.aligned[kind, name] = points
        self.unwritten += 1
        if self.unwritten % _WRITE_AFTER == 0:
            landmarks.write(self.out / landmarks.LANDMARKS, self.before | self.aligned)
        self.manifest.add(item, inputs, [self.path(kind, name) for kind in images])

    def align(self, kind: str, name: str, path: Path, pair: Pair | None) -> tuple[Tensor, Tensor]:
        """The aligned image and its landmarks; an error names the image."""
        image = files.read_image(path)
        expected = getattr(pair, f"{kind}_sha256", "")
        if expected and files.sha256(path) != expected:
            raise ValueError(f"{path} is not the file that pairs.csv lists: its sha256 differs")
        try:
            points = self.finder(image) if isinstance(self.finder, Predictor) else self.listed(kind, name)
            return align(image, points, self.size, self.frame)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def listed(self, kind: str, name: str) -> Tensor:
        """Landmarks of the CSV."""
        assert isinstance(self.finder, dict)
        if (kind, name) not in self.finder:
            raise ValueError(f"the CSV has no landmarks of its {kind}")
        return self.finder[kind, name]

    def path(self, kind: str, name: str) -> Path:
        """Where an aligned image goes."""
        return self.out / FOLDERS[kind] / f"{name}.png"

    def write(self, found: Listing) -> None:
        """Write pairs.csv and landmarks.csv of all that is aligned."""
        landmarks.write(self.out / landmarks.LANDMARKS, self.aligned)
        with (
            files.atomic(self.out / "pairs.csv") as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(self.row(pair) for pair in found.pairs if ("photo", pair.id) in self.aligned)

    def row(self, pair: Pair) -> list[str]:
        """Of pairs.csv."""
        images = [self.path(kind, pair.id) for kind in ("photo", "sketch")]
        relative = [image.relative_to(self.out).as_posix() for image in images]
        return [pair.id, *relative, pair.usual, *map(files.sha256, images)]
