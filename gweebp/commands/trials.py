"""The images that the games are played on: what `verify` chose, looked up in what `prepare` made."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import torch
from torch import Tensor

from gweebp.experiment.triplets import hiding_images
from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets
from gweebp.support import files


@dataclass(frozen=True)
class Trials:
    """Triplets of one game: probe, mate, nonmate uint8 (n, 3, h, w) and the subject of each (n,), into FaceSet.ids."""

    probe: Tensor
    mate: Tensor
    nonmate: Tensor
    subject: Tensor


def load_trials(options: argparse.Namespace) -> dict[str, Trials]:
    """The trials of each game that has any: "hiding", and "inpainting" where the dataset has quadruplets."""
    chosen = files.read_json(options.trials)
    trials = {"hiding": Trials(*hiding_images(FaceSet.load(options.faces.parent), chosen["hiding"]))}
    if chosen["inpainting"]["qualified"]:
        four = load_qualified(options)
        trials["inpainting"] = Trials(four.op, four.om, four.in_, four.subject)
    return trials


def load_qualified(options: argparse.Namespace) -> Quadruplets:
    """The quadruplets that qualified by Eq. (7)-(8)."""
    index = torch.tensor(files.read_json(options.trials)["inpainting"]["qualified"])
    return Quadruplets.load(options.quadruplets).select(index)
