"""Make the case that comes with the package (gweebp/commands/casework/demo): a network, its trials, and three pictures.

    python book/workflow/demo.py [--faces folder] [--weights net.safetensors]

It runs the commands that COMMANDS lists, in `_build/demo`, and takes from them the network, the threshold with its
conditions, and one triplet: of the test people whom the network finds first, the one whose gain is the median. Given
the faces or the weights that such a run has made, it leaves that part out.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import torch

from gweebp import networks
from gweebp.__main__ import main as gweebp
from gweebp.commands.casework.demo import FILES, FOLDER
from gweebp.experiment.triplets import hiding_images
from gweebp.faces.faceset import FaceSet
from gweebp.faces.preparation import landmarks
from gweebp.faces.synthetic.dataset import OTHERS
from gweebp.faces.synthetic.world import World
from gweebp.networks.verification import embed
from gweebp.support import files

COMMANDS = {
    "faces": "prepare faces --kind drawn --size 128 --subjects 400 --pretraining 300 --distractors 100 "
    "--doppelgangers 1 --error 0.1 --no-quadruplets --seed 20",
    "train": "train --network lcnn9 --width 0.25 --size 128 --embedding 64 --steps 400 --identities 16 "
    "--doppelgangers 4 --lr 0.001 --validate-every 100 --seed 20",
    "verify": "verify --fpr 0.01 --seed 20",
}
NAME = "drawn faces of the demo"
KEPT = ("dataset", "network", "weights_sha256", "alignment", "pairs", "strangers", "probes", "gallery", "rank_k", "fpr",
        "threshold", "fpr_at_threshold", "tpr_at_threshold")  # fmt: skip


def run(step: str, *more: str | Path) -> None:
    """One command; SystemExit where it fails."""
    if gweebp([*COMMANDS[step].split(), *map(str, more)]):
        raise SystemExit(f"gweebp {COMMANDS[step]} failed")


def median_case(net: networks.EmbeddingNetwork, faces: FaceSet, hiding: dict[str, list[int]]) -> tuple[int, int]:
    """Rows of the test person and of the non-mate in the gallery, of the triplet whose gain is the median."""
    probe, mate, nonmate = (embed(net, images) for images in hiding_images(faces, hiding)[:3])
    gains = (probe - nonmate).norm(dim=1) - (probe - mate).norm(dim=1)
    chosen = int((gains - gains.median()).abs().argmin())
    return hiding["probe"][chosen], hiding["nonmate"][chosen]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("_build/demo"))
    parser.add_argument("--faces", type=Path, help="made by the first command")
    parser.add_argument("--weights", type=Path, help="made by the second command")
    options = parser.parse_args()
    place = options.faces or options.work / "faces"
    if options.faces is None:
        run("faces", "--dataset", NAME, "--out", place)
    if options.weights is None:
        run("train", "--faces", place / "faces.safetensors", "--out", options.work / "net")
    weights = options.weights or options.work / "net/weights.safetensors"
    own = FOLDER / FILES["weights"]
    shutil.copyfile(weights, own)
    own.chmod(0o644)
    inputs = ["--faces", place / "faces.safetensors", "--quadruplets", place / "quadruplets.safetensors"]
    run("verify", *inputs, "--weights", own, "--out", options.work / "trials.json")
    trials = files.read_json(options.work / "trials.json")
    faces, net = FaceSet.load(place), networks.load(own)
    person, other = median_case(net, faces, trials["hiding"])
    kept = {key: trials[key] for key in KEPT} | {"commands": {k: f"gweebp {v}" for k, v in COMMANDS.items()}}
    kept["record"] = {"rests_on": trials["record"]["rests_on"], "stage": "verify"}
    files.write_json(FOLDER / FILES["trials"], kept)
    write_pictures(faces, person, other)
    print(f"rank-1 {kept['rank_k']['1']:.3f} of {kept['probes']} probes among {kept['gallery']} people")
    return 0


def write_pictures(faces: FaceSet, person: int, other: int) -> None:
    """The sketch and the photo of a test person, the photo of somebody of the gallery, and the landmarks of all."""
    world = World(**faces.record["world"])
    row = int(faces.test[person])
    shown = {"probe": faces.sketches[row], "mate": faces.photos[row], "nonmate": faces.gallery()[other]}
    for name, image in shown.items():
        files.write_image(FOLDER / FILES[name], image)
    identities = torch.tensor([number(faces, person), number(faces, other)])
    latents = world.people(identities)
    sketch, photos = world.sketch_landmarks(identities, latents)[0], world.photo_landmarks(identities, latents)
    points = {("sketch", "probe"): sketch, ("photo", "candidate"): photos[0], ("photo", "alternative"): photos[1]}
    landmarks.write(FOLDER / FILES["landmarks"], points)


def number(faces: FaceSet, row: int) -> int:
    """The number by which a person is drawn, of whom row `row` of the gallery is: the test people, then distractors."""
    if row < len(faces.test):
        return int(faces.ids[int(faces.test[row])].removeprefix("person-"))
    return OTHERS + row - len(faces.test)


if __name__ == "__main__":
    sys.exit(main())
