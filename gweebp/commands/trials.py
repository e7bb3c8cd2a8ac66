"""What the stages after `verify` work on: read once, and checked to belong together before anything is computed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gweebp import networks
from gweebp.experiment.triplets import hiding_images
from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets
from gweebp.support import files
from gweebp.support.rests_on import belong_together

__all__ = ["INPUTS", "Given", "Trials", "chosen_in", "inputs_of", "load", "rows_in"]

INPUTS = ("faces", "quadruplets", "weights", "trials", "maps")  # what a stage may read that another one wrote


@dataclass(frozen=True)
class Trials:
    """Triplets of one game: probe, mate, nonmate uint8 (n, 3, h, w) and the subject of each (n,), into FaceSet.ids."""

    probe: Tensor
    mate: Tensor
    nonmate: Tensor
    subject: Tensor


@dataclass(frozen=True)
class Given:
    """The inputs of a stage.

    Attributes:
        net: the network, on the CPU.
        hiding: triplets of the hiding game.
        qualified: the quadruplets of the inpainting game, which qualified by Eq. (7)-(8); None where there are none.
        threshold: of the verification.
        rests_on: kind of file -> digest, for the record of what is made from them.
    """

    net: networks.EmbeddingNetwork
    hiding: Trials
    qualified: Quadruplets | None
    threshold: float
    rests_on: dict[str, str]

    @property
    def games(self) -> dict[str, Trials]:
        """The trials of each game that has any: "hiding", and "inpainting" where the dataset has quadruplets."""
        four = self.qualified
        more = {} if four is None else {"inpainting": Trials(four.op, four.om, four.in_, four.subject)}
        return {"hiding": self.hiding} | more


def inputs_of(options: argparse.Namespace) -> dict[str, Path]:
    """Those of the options that name files of other stages: kind -> path."""
    return {kind: vars(options)[kind] for kind in INPUTS if vars(options).get(kind) is not None}


def load(options: argparse.Namespace) -> Given:
    """Read the inputs of a stage.

    Errors: ValueError where one was not made from the others, or does not hold what it should.
    """
    rests_on = belong_together(inputs_of(options))
    chosen = chosen_in(options.trials)
    faces, four = FaceSet.load(options.faces), Quadruplets.load(options.quadruplets)
    people, gallery = len(faces.test), len(faces.gallery())
    bounds = {"probe": people, "mate": gallery, "nonmate": gallery}
    rows = {key: rows_in(chosen, "hiding", key, bound, options.trials) for key, bound in bounds.items()}
    qualified = rows_in(chosen, "inpainting", "qualified", len(four), options.trials)
    return Given(
        net=networks.load(options.weights),
        hiding=Trials(*hiding_images(faces, rows)),
        qualified=four.select(qualified) if len(qualified) else None,
        threshold=float(chosen["threshold"]),
        rests_on=rests_on,
    )


def chosen_in(path: Path) -> dict[str, Any]:
    """The JSON of `verify`; ValueError where it is another file."""
    found = files.read_json(path)
    games = [found.get("hiding"), found.get("inpainting")] if isinstance(found, dict) else [None]
    fits = all(isinstance(game, dict) for game in games)
    if not fits or type(found.get("threshold")) not in (int, float) or not isinstance(found.get("network"), str):
        raise ValueError(f"{path} holds no trials; expected the JSON of `gweebp verify`")
    return found


def rows_in(chosen: Mapping[str, Any], game: str, key: str, bound: int, path: Path) -> Tensor:
    """Rows that the trials name, int64 (k,); ValueError unless they are whole numbers below `bound`."""
    found = chosen[game].get(key)
    if not isinstance(found, list) or not all(type(row) is int and 0 <= row < bound for row in found):
        raise ValueError(f"{path}: {game}/{key} must list rows 0 to {bound - 1}; make it again with `gweebp verify`")
    return torch.tensor(found, dtype=torch.int64)
