"""Which regions of a probe made a network choose one person over another: an annotated picture, a page, and sentences.

    gweebp explain --demo
    gweebp explain probe.png candidate.png alternative.png --weights net.safetensors --out out.png
    gweebp explain probe.png candidate.png --gallery others/ --weights net.safetensors --out out.png --json out.json
    gweebp explain --batch cases.csv --weights net.safetensors --out folder

MATE is the candidate, the person whom the question is about, whether or not it is the probe's mate; NONMATE is the
alternative. Several pictures of the candidate (--mate more.png) are averaged as embeddings. Without an alternative, the
face of --gallery that is nearest to the probe is taken; nobody in there may be the person whom the probe shows.

--demo explains three drawn pictures by a small network; both come with the package.
--html writes a report of the case, one page with all pictures, numbers, limits and hashes, to print or to send.

--batch reads a CSV with the columns probe, mate (several with ";"), nonmate and id; paths are relative to it. It writes
<id>.png, <id>.html and <id>.json, and about all results.csv and the page index.html; run again, it does what is missing
or failed. Several processes, or machines, share a table by --shard 1/4 to --shard 4/4; a last run without --shard puts
their results into one table.

How much a difference means is measured by strangers: of two of them, one is always nearer. Where more than one stranger
in twenty is as near as the candidate, or the difference is small beside theirs, the map is faded. The strangers are
those of --trials, or of --gallery; without both, only what holds of any network is said.

No input is overwritten. An existing file is replaced only where this command wrote it and it was not changed since,
which a seal in each output shows.

The map is not evidence of identity: it shows what one network used, not who the people are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gweebp
from gweebp import networks
from gweebp.commands.arguments import to_json, to_label, to_path, to_shard
from gweebp.commands.casework import Case, Examiner, demo, pictures, read_table, run_table
from gweebp.commands.casework.alignment import Aligner
from gweebp.commands.casework.conditions import Threshold, of_trials
from gweebp.commands.casework.explanation import WORDS
from gweebp.commands.casework.pictures import Picture, printable
from gweebp.commands.casework.places import Named, check_folder, check_free, refuse_inputs
from gweebp.commands.casework.running import outputs_of, pictures_of
from gweebp.commands.casework.summary import tables_of
from gweebp.commands.casework.writing import FORMATS, write
from gweebp.commands.common import add_run, device_of, progress
from gweebp.commands.plugins import plug_in
from gweebp.faces.preparation.predictor import Predictor
from gweebp.networks import EmbeddingNetwork
from gweebp.networks.frames import FRAMES, HEAD, Frame
from gweebp.saliency import check_options, find_method
from gweebp.support import files
from gweebp.support.extras import extra
from gweebp.support.record import environment

FILE: dict[str, Any] = {"type": to_path, "metavar": "FILE"}
FOLDER: dict[str, Any] = {"type": to_path, "metavar": "FOLDER"}

GROUPS: dict[str, dict[str, dict[str, Any]]] = {
    "the case": {
        "--mate": FILE
        | {
            "dest": "mates",
            "action": "append",
            "default": [],
            "help": "a further picture of the candidate; it may be given several times",
        },
        "--gallery": FOLDER | {"help": "folder of images of other people, the nearest of whom is the alternative"},
        "--batch": {"type": to_path, "metavar": "CSV", "help": "a table of cases instead of one"},
        "--shard": {
            "type": to_shard,
            "metavar": "I/N",
            "help": "explain only every N-th case of the table, from the I-th on",
        },
        "--demo": {"action": "store_true", "help": "explain three drawn pictures that come with the package"},
        "--words": {
            "nargs": 2,
            "type": to_label,
            "default": WORDS,
            "metavar": "WORD",
            "help": "what MATE and NONMATE are called (default: candidate alternative)",
        },
    },
    "the alignment": {
        "--align": {"action": "store_true", "help": "find landmarks and align all images: pip install 'gweebp[dlib]'"},
        "--landmarks": FILE | {"help": "align by these: a CSV (id, kind, x0, y0, ..., y67), or dlib's model (.dat)"},
        "--frame": {
            "choices": ["network", *FRAMES],
            "default": "network",
            "help": "where eyes and mouth shall lie (default: where the network learned them)",
        },
    },
    "the network": {
        "--weights": FILE | {"help": "weights of `gweebp train`, or a published checkpoint"},
        "--network": {
            "metavar": "NAME",
            "help": f"refuse weights of another network: {', '.join(sorted(networks.NETWORKS))}",
        },
    },
    "the decision": {
        "--threshold": {
            "type": float,
            "metavar": "T",
            "help": "accept pairs up to this L2 distance between unit embeddings, 0 to 2",
        },
        "--trials": FILE | {"help": "JSON of `gweebp verify` for these weights: its threshold and its strangers"},
    },
    "the map": {
        "--method": {"default": "gweebp", "help": "a name in gweebp.METHODS (default: gweebp)"},
        "--options": {
            "type": to_json,
            "default": {},
            "metavar": "JSON",
            "help": 'options of the method, such as {"gain": "cosine"}',
        },
        "--layer": {"help": "name of the layer that the map is of (default: the network's own)"},
        "--plugin": FILE | {"help": "a Python file that registers a method or a network"},
    },
    "what is written": {
        "--out": FILE | {"help": "the picture to write (.png, .jpg, .pdf, .svg); with --batch a folder"},
        "--html": FILE | {"help": "a report of the case to write, one page to print or to send"},
        "--json": FILE | {"help": "a file for all numbers, the map, and how it was made"},
    },
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    for name, shown in (("probe", "probe"), ("mate", "candidate"), ("nonmate", "alternative")):
        parser.add_argument(name, nargs="?", type=to_path, metavar=name.upper(), help=f"image of the {shown}")
    for title, flags in GROUPS.items():
        group = parser.add_argument_group(title)
        for flag, options in flags.items():
            group.add_argument(flag, **options)
    add_run(parser)


def run(options: argparse.Namespace) -> int:
    """Explain one case or a table of them; 1 where a case of the table failed."""
    started = time.perf_counter()
    if options.demo:
        demo.fill(options)
    _check(options)
    cases = read_table(options.batch) if options.batch is not None else {}
    case = None if cases else Case(options.probe, (options.mate, *options.mates), options.nonmate)
    _check_places(options, cases, case)
    if options.out is not None:
        with extra("figures"):
            import matplotlib  # noqa: F401 - said now, and not after the work
    examiner, settings = _examiner(options)
    if case is None:
        return _table(options, cases, examiner, settings)
    rests_on = examiner.rests_on(case)
    try:
        examined = examiner.examine(case)
    except (TypeError, NotImplementedError) as error:  # an option's type; an operation of the network without a rule
        raise ValueError(str(error)) from error
    record = environment(seed=options.seed, started=started, device=next(examiner.net.parameters()).device)
    document = examined.document(inputs={"gweebp": gweebp.__version__, **rests_on, **settings}, record=record)
    write(examined, document, options.out, options.json, report=options.html)
    found = examined.explanation
    print("\n".join([*found.said, *(f"Note: {note}" for note in found.notes)]))
    if options.demo:
        written = [str(path) for path in (options.out, options.html, options.json) if path is not None]
        print(f"Written: {', '.join(map(printable, written))}")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Say what is missing, or too much, before anything is read."""
    if options.weights is None:
        raise ValueError("no network: add --weights net.safetensors, or try gweebp explain --demo")
    if options.align and options.landmarks is not None:
        raise ValueError("--align finds landmarks and --landmarks gives them: give one")
    if options.words[0] == options.words[1]:
        raise ValueError(f"--words calls both people {options.words[0]!r}: give two words")
    if options.threshold is not None and options.trials is not None:
        raise ValueError("--threshold and --trials both name a threshold: give one")
    if options.batch is not None:
        if options.probe or options.mates or options.json or options.html:
            raise ValueError("--batch names all cases: leave out PROBE, MATE, NONMATE, --mate, --json and --html")
        if options.out is None:
            raise ValueError("--batch needs a folder for its results: --out folder")
        return
    if options.shard is not None:
        raise ValueError("--shard parts a table of cases: give one with --batch")
    if options.mate is None:
        raise ValueError("expected a PROBE, a MATE and a NONMATE image, or --batch cases.csv")
    if (options.nonmate is None) == (options.gallery is None):
        raise ValueError("expected either a NONMATE image or --gallery with images of other people")
    if options.out is None and options.json is None and options.html is None:
        raise ValueError("nowhere to write: add --out picture.png, --html report.html or --json numbers.json")
    if options.html is not None and options.html.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--html {options.html}: expected a name that ends in .html")
    if options.out is not None and options.out.suffix.lower() not in FORMATS:
        raise ValueError(f"--out {options.out}: expected a name that ends in {', '.join(FORMATS)}")


def _check_places(options: argparse.Namespace, cases: Mapping[str, Case], case: Case | None) -> None:
    """Say, before anything runs, where a result would be written over a file that is read, or that is not ours."""
    flags = ("batch", "weights", "trials", "landmarks", "plugin", "gallery")
    given = {f"--{flag}": getattr(options, flag) for flag in flags}
    given |= {name.upper(): getattr(options, name) for name in ("probe", "mate", "nonmate")}
    read: list[Named] = [(flag, path) for flag, path in given.items() if path is not None]
    read += [("--mate", path) for path in options.mates] + pictures_of(cases)
    wanted = {"--out": options.out, "--html": options.html, "--json": options.json}
    written: list[Named] = [(flag, path) for flag, path in wanted.items() if path is not None]
    if case is None:
        written = outputs_of(options.out, cases, options.shard)
    if options.gallery is not None and options.gallery.is_dir():
        read += [("a file of --gallery", path) for path in sorted(options.gallery.iterdir())]
        for _, path in written:
            if path.parent.is_dir() and path.parent.samefile(options.gallery):
                raise ValueError(f"{path} would stand among the pictures of --gallery: name another folder")
    refuse_inputs(written, read)
    if case is None:
        check_folder(options.out)
        return
    for _, path in written:
        check_folder(path.parent)
        check_free(path)


def _examiner(options: argparse.Namespace) -> tuple[Examiner, dict[str, Any]]:
    """The examiner that the options describe, and the settings that its results rest on."""
    device = device_of(options)
    net, hashes = _network(options)
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
        **hashes,
        "network": net.config,
        "method": options.method,
        "options": chosen,
        "layer": options.layer,
        "words": list(options.words),
    }
    read: Callable[[Path], Picture] = pictures.read
    frame, look = None, None
    if options.align or options.landmarks is not None:
        frame = _frame(options, net)
        read = aligner = Aligner(options.landmarks, net.size, frame)
        settings |= {"landmarks_sha256": files.sha256(aligner.source), "frame": frame.record()}
    elif getattr(net, "frame", None) is not None and Predictor.available():
        look = Predictor()
        settings["looked"] = files.sha256(look.model)
    decision = _threshold(options, known, frame)
    settings |= {"threshold": decision.value, "trials_sha256": decision.sha256}
    given = {key: settings[key] for key in ("method", "layer", "threshold")} | chosen
    given |= {"words": tuple(options.words), "conditions": decision.conditions}
    if decision.strangers is not None:
        given["strangers"] = decision.strangers
    sha256 = str(hashes["weights_sha256"])
    return Examiner(net.to(device), given, options.gallery, read, look, sha256), settings


def _frame(options: argparse.Namespace, net: EmbeddingNetwork) -> Frame:
    """Where eyes and mouth are brought: where the network learned them, if it says so, unless another was named."""
    if options.frame != "network":
        return FRAMES[options.frame]
    return getattr(net, "frame", None) or HEAD


def _network(options: argparse.Namespace) -> tuple[EmbeddingNetwork, dict[str, str | None]]:
    """The network, and the hashes of the files that it and the method are from, as they were before anything ran."""
    hashes: dict[str, str | None] = {"weights_sha256": files.sha256(options.weights), "plugin_sha256": None}
    if options.plugin is not None:
        hashes["plugin_sha256"] = files.sha256(options.plugin)
        plug_in(options.plugin, options.weights)
    net = networks.load(options.weights)
    if files.sha256(options.weights) != hashes["weights_sha256"]:
        raise ValueError(f"{options.weights} was changed while it was read: run again")
    return net, hashes


def _threshold(options: argparse.Namespace, network: str, frame: Frame | None) -> Threshold:
    """The threshold, and of which pictures it holds."""
    if options.trials is None:
        return Threshold(options.threshold)
    return of_trials(options.trials, network, options.weights, frame)


def _table(options: argparse.Namespace, cases: Mapping[str, Case], examiner: Examiner, settings: dict[str, Any]) -> int:
    """Explain the cases, say what came of them, and 1 where one failed."""
    rows = run_table(examiner, cases, options.out, settings, shard=options.shard, progress=progress())
    failed = [row for row in rows if row["outcome"] == "error"]
    counts = {name: sum(row["outcome"] == name for row in rows) for name in dict.fromkeys(r["outcome"] for r in rows)}
    print(
        f"{len(rows)} case{'s' * (len(rows) != 1)}: "
        + ", ".join(f"{n} {name}" for name, n in counts.items())
        + "; see "
        + " and ".join(printable(str(path)) for path in tables_of(options.out, options.shard)[::2])
    )
    for row in failed[:5]:
        print(f"error: {printable(row['id'])}: {row['error']}", file=sys.stderr)
    if len(failed) > 5:
        print(f"error: and {len(failed) - 5} more", file=sys.stderr)
    return 1 if failed else 0
