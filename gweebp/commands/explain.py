"""Which regions of a probe made a network choose its mate over a non-mate: one annotated picture and one sentence.

    gweebp explain probe.png mate.png nonmate.png --weights net.safetensors --out out.png
    gweebp explain probe.png mate.png --gallery others/ --weights net.safetensors --out out.png --json out.json
    gweebp explain --batch cases.csv --weights net.safetensors --out folder

Several images of the mate (--mate more.png) are averaged as embeddings. Without a non-mate the face of --gallery that
comes nearest to the probe is taken; the person asked about must not be in there, but for the very pictures given.
--batch reads a CSV with the columns probe, mate (several with ";"), nonmate and id; paths are relative to it. It writes
<id>.png and <id>.json, and results.csv about all; run again, it does what is missing or failed.

The map is not evidence of identity: it shows what one network used, not who the people are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gweebp import networks
from gweebp.commands.casework import Case, Examiner, pictures, read_table, run_table
from gweebp.commands.casework.alignment import Aligner
from gweebp.commands.casework.pictures import Picture
from gweebp.commands.casework.writing import write
from gweebp.commands.common import add_run, device_of, progress
from gweebp.commands.plugins import load_plugin
from gweebp.faces.preparation.align import FRAMES
from gweebp.saliency import check_options, find_method
from gweebp.support import files
from gweebp.support.extras import extra
from gweebp.support.record import environment


def json_object(text: str) -> dict[str, Any]:
    """Options as JSON; argparse shows the error."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is no JSON object, such as {{"gain": "cosine"}}')
    return found


FORMATS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".pdf", ".svg")

FILE: dict[str, Any] = {"type": Path, "metavar": "FILE"}
FOLDER: dict[str, Any] = {"type": Path, "metavar": "FOLDER"}

GROUPS: dict[str, dict[str, dict[str, Any]]] = {
    "the case": {
        "--mate": FILE | {"dest": "mates", "action": "append", "default": [], "help": "a further image of the mate"},
        "--gallery": FOLDER | {"help": "images of other people, where no non-mate is named"},
        "--batch": {"type": Path, "metavar": "CSV", "help": "a table of cases instead of one"},
        "--landmarks": FILE | {"help": "align all images: a CSV (id, kind, x0, y0, ..., y67), or dlib's model (.dat)"},
        "--frame": {"choices": FRAMES, "default": "head", "help": "align the whole head, or the face (default: head)"},
    },
    "the network": {
        "--weights": FILE | {"required": True, "help": "of `gweebp train`, or a published checkpoint"},
        "--network": {"metavar": "NAME", "help": f"what they must be of: {', '.join(sorted(networks.NETWORKS))}"},
    },
    "its decision": {
        "--threshold": {"type": float, "metavar": "T", "help": "accept up to this L2 distance (unit embeddings), 0..2"},
        "--trials": FILE | {"help": "take the threshold from the JSON of `gweebp verify`"},
    },
    "the map": {
        "--method": {"default": "gweebp", "help": "a name in gweebp.METHODS (default: gweebp)"},
        "--options": {"type": json_object, "default": {}, "metavar": "JSON", "help": 'of it: {"gain": "cosine"}'},
        "--layer": {"help": "that carries the map (default: the network's own)"},
        "--plugin": FILE | {"help": "a Python file that registers a method or a network"},
    },
    "what is written": {
        "--out": FILE | {"help": "the picture (.png, .jpg, .pdf, .svg); with --batch a folder"},
        "--json": FILE | {"help": "all numbers, the map, and how it was made"},
    },
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    for name in ("probe", "mate", "nonmate"):
        parser.add_argument(name, nargs="?", type=Path, metavar=name.upper(), help=f"image of the {name}")
    for title, flags in GROUPS.items():
        group = parser.add_argument_group(title)
        for flag, options in flags.items():
            group.add_argument(flag, **options)
    add_run(parser)


def run(options: argparse.Namespace) -> int:
    """Explain one case or a table of them; 1 where a case of the table failed."""
    started = time.perf_counter()
    _check(options)
    if options.out is not None:
        with extra("figures"):
            import matplotlib  # noqa: F401 - said now, and not after the work
    if options.plugin is not None:
        load_plugin(options.plugin)
    examiner, settings = _examiner(options)
    if options.batch is not None:
        return _table(options, examiner, settings)
    case = Case(options.probe, (options.mate, *options.mates), options.nonmate)
    examined = examiner.examine(case)
    record = environment(seed=options.seed, started=started, device=next(examiner.net.parameters()).device)
    write(examined, examined.document(inputs=settings, record=record), options.out, options.json)
    found = examined.explanation
    print("\n".join([found.sentence, *(f"Note: {note}" for note in found.notes)]))
    return 0


def _check(options: argparse.Namespace) -> None:
    """Say what is missing, or too much, before anything is read."""
    if options.threshold is not None and options.trials is not None:
        raise ValueError("--threshold and --trials both name a threshold: give one")
    if options.batch is not None:
        if options.probe or options.mates or options.json:
            raise ValueError("--batch names all cases: leave out PROBE, MATE, NONMATE, --mate and --json")
        if options.out is None or options.out.is_file():
            raise ValueError("--batch needs a folder for its results: --out folder")
        return
    if options.mate is None:
        raise ValueError("expected a PROBE, a MATE and a NONMATE image, or --batch cases.csv")
    if (options.nonmate is None) == (options.gallery is None):
        raise ValueError("expected either a NONMATE image or --gallery with images of other people")
    if options.out is None and options.json is None:
        raise ValueError("nowhere to write: add --out picture.png, --json numbers.json, or both")
    if options.out is not None and options.out.suffix.lower() not in FORMATS:
        raise ValueError(f"--out {options.out}: expected a name that ends in {', '.join(FORMATS)}")


def _examiner(options: argparse.Namespace) -> tuple[Examiner, dict[str, Any]]:
    """The examiner that the options describe, and the settings that its results rest on."""
    device = device_of(options)
    net = networks.load(options.weights)
    known = net.config["network"]
    if options.network not in (None, known):
        raise ValueError(f"{options.weights} holds weights of {known}, not of {options.network}")
    method = find_method(options.method)
    chosen = dict(options.options)
    if "seed" in method.options:
        chosen.setdefault("seed", options.seed)
    try:
        check_options(method, chosen)
    except TypeError as error:
        raise ValueError(str(error)) from error
    settings = {
        "weights_sha256": files.sha256(options.weights),
        "network": net.config,
        "method": options.method,
        "options": chosen,
        "layer": options.layer,
        "threshold": _threshold(options, known),
    }
    read: Callable[[Path], Picture] = pictures.read
    if options.landmarks is not None:
        read = Aligner(options.landmarks, net.size, options.frame)
        settings |= {"landmarks_sha256": files.sha256(options.landmarks), "frame": options.frame}
    given = {key: settings[key] for key in ("method", "layer", "threshold")} | chosen
    return Examiner(net.to(device), given, options.gallery, read), settings


def _threshold(options: argparse.Namespace, network: str) -> float | None:
    if options.trials is None:
        return options.threshold
    trials = files.read_json(options.trials)
    if not isinstance(trials, dict) or "threshold" not in trials:
        raise ValueError(f"{options.trials} holds no threshold; expected the JSON of `gweebp verify`")
    if trials.get("network") != network:
        raise ValueError(
            f"the threshold in {options.trials} is of {trials.get('network')}, and the weights of {network}"
        )
    return float(trials["threshold"])


def _table(options: argparse.Namespace, examiner: Examiner, settings: dict[str, Any]) -> int:
    cases = read_table(options.batch)
    rows = run_table(examiner, cases, options.out, settings, progress=progress())
    failed = [row for row in rows if row["outcome"] == "error"]
    counts = {name: sum(row["outcome"] == name for row in rows) for name in dict.fromkeys(r["outcome"] for r in rows)}
    print(
        f"{len(rows)} cases: "
        + ", ".join(f"{n} {name}" for name, n in counts.items())
        + f"; see {options.out}/results.csv"
    )
    for row in failed[:5]:
        print(f"error: {row['id']}: {row['error']}", file=sys.stderr)
    if len(failed) > 5:
        print(f"error: and {len(failed) - 5} more", file=sys.stderr)
    return 1 if failed else 0
