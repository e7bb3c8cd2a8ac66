"""One piece of the study: the test people, the trials of a training, a group of methods played, or a budget."""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from gweebp import networks
from gweebp.commands.arguments import to_note, to_path
from gweebp.commands.common import add_methods, add_numbers, add_run, device_of, progress
from gweebp.commands.maps import variant
from gweebp.experiment.study import budget, outcomes, playing
from gweebp.experiment.study import people as test_people
from gweebp.experiment.study import trials as choosing
from gweebp.faces.faceset import FaceSet
from gweebp.faces.synthetic.dataset import OTHERS
from gweebp.faces.synthetic.world import KINDS, World
from gweebp.networks import as_input, verification
from gweebp.support import files
from gweebp.support.ranges import BATCH, COUNT, SHARE, whole
from gweebp.support.record import environment
from gweebp.support.rests_on import belong_together

FILE: dict[str, Any] = {"type": to_path, "required": True, "metavar": "FILE"}
SIZE, ERROR = (
    (whole(16, 8192), None, "side of the images in pixels"),
    (SHARE, None, "error of the eyewitness whose memory a sketch is drawn from"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the four pieces."""
    pieces = parser.add_subparsers(dest="piece", required=True, metavar="PIECE")
    people = pieces.add_parser("people", help="draw the test people of a dataset and their gallery")
    people.add_argument("--kind", choices=sorted(KINDS), required=True, help="kind of sketch")
    add_numbers(
        people,
        error=ERROR,
        size=SIZE,
        count=(whole(2, OTHERS), None, "test people"),
        distractors=(whole(0, OTHERS), None, "other people in the gallery"),
    )
    people.add_argument("--out", type=to_path, required=True, metavar="FOLDER", help="the folder to write")
    trials = pieces.add_parser("trials", help="choose what one training plays")
    trials.add_argument("--people", **FILE, help="faces.safetensors of `study people`")
    trials.add_argument("--weights", **FILE, help="weights of this training")
    add_numbers(
        trials,
        training=(COUNT, None, "number of this training"),
        trainings=(whole(1), None, "number of trainings"),
        triplets=(whole(1), None, "number of triplets of the hiding game, at most"),
        quadruplets=(whole(1), None, "number of quadruplets of the inpainting game, at most"),
        fpr=(SHARE, None, "false-positive rate that sets the threshold"),
    )
    trials.add_argument("--out", **FILE, help="the file to write")
    play = pieces.add_parser("play", help="explain and play a group of methods; what is kept goes to --out")
    play.add_argument("--trials", **FILE, help="the file of `study trials`")
    play.add_argument("--weights", **FILE, help="weights of the training")
    add_methods(play)
    add_numbers(
        play,
        triplets=(COUNT, None, "number of triplets of the hiding game, at most"),
        quadruplets=(COUNT, None, "number of quadruplets of the inpainting game, at most"),
        crossed=(COUNT, None, "quadruplets on which the hiding game is played too"),
        steps=(whole(2, 10_001), None, "points per curve"),
        batch=(BATCH, 16, "triplets per call of a method"),
    )
    play.add_argument(
        "--budget", type=to_path, metavar="FILE", help="the file of `study budget`, with options of black-box methods"
    )
    play.add_argument("--rules", type=to_note, default="", help="the commit that holds the rules, for the record")
    play.add_argument("--out", **FILE, help="the file to write")
    climb = pieces.add_parser("budget", help="the fewest masks that a black-box method needs")
    climb.add_argument("--weights", **FILE, help="weights of a training")
    climb.add_argument("--kind", choices=sorted(KINDS), required=True, help="kind of sketch")
    add_numbers(
        climb, error=ERROR, size=SIZE, trials=(whole(1, 10_000), 10, "other people on whom budgets are compared")
    )
    climb.add_argument("--out", **FILE, help="the file to write")
    for piece in (people, trials, play, climb):
        add_run(piece)


def run(options: argparse.Namespace) -> None:
    """Do the piece."""
    started, device = time.perf_counter(), device_of(options)
    PIECES[options.piece](options, started, device)


def _world(options: argparse.Namespace) -> World:
    return World(options.kind, options.size, options.seed, options.error)


def _people(options: argparse.Namespace, started: float, device: torch.device) -> None:
    test_people.people(_world(options), options.count, options.distractors).save(options.out)


def _trials(options: argparse.Namespace, started: float, device: torch.device) -> None:
    net = networks.load(options.weights).to(device)
    names = ("training", "trainings", "fpr", "triplets", "quadruplets", "seed")
    asked = {name: getattr(options, name) for name in names}
    made = belong_together({"faces": options.people, "weights": options.weights})
    chosen = choosing.choose(net, FaceSet.load(options.people), progress=progress(), **asked)
    chosen.save(options.out, {"stage": "study trials", "rests_on": made})


def _play(options: argparse.Namespace, started: float, device: torch.device) -> None:
    given = {"weights": options.weights, "trials": options.trials}
    belong_together(given, {"trials": ("weights",)}, may_differ={"trials": ""})
    net = networks.load(options.weights).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trials = choosing.Trials.load(options.trials)
    budgets = files.read_record(options.budget).get("found", {}) if options.budget else {}
    chosen = {name: options.options.get(name, {}) | budget.chosen(budgets.get(name, [])) for name in options.methods}
    variants = [variant(name, own) for name, own in chosen.items()]
    numbers = {name: getattr(options, name) for name in ("triplets", "quadruplets", "crossed", "steps", "batch")}
    kept, extra = playing.play(net, trials, variants, progress=progress(), **numbers)
    record = environment(seed=options.seed, started=started, device=device) | extra | numbers
    record |= {
        "rules": options.rules,
        "options": {name: own for name, own in chosen.items() if own},
        "weights_sha256": files.sha256(options.weights),
        "network": net.config,
        "found": trials.found,
    }
    outcomes.write(options.out, kept, record)


def _budget(options: argparse.Namespace, started: float, device: torch.device) -> None:
    net = networks.load(options.weights).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    faces = test_people.people(_world(options), 4 * options.trials, 0, first=test_people.ASIDE)
    probe, gallery = (verification.embed(net, x) for x in (faces.sketches, faces.photos))
    distance = verification.distances(probe, gallery)
    distance.fill_diagonal_(torch.inf)
    own = torch.arange(options.trials)
    triplet = tuple(
        as_input(net, x) for x in (faces.sketches[own], faces.photos[own], faces.photos[distance.argmin(1)[own]])
    )
    found = {name: [[o, c] for o, c in budget.climb(net, name, triplet)] for name in budget.LADDER}
    record = environment(seed=options.seed, started=started, device=device)
    files.write_json(options.out, {"enough": budget.ENOUGH, "found": found, "record": record})


PIECES = {"people": _people, "trials": _trials, "play": _play, "budget": _budget}
