"""The one face that chapters without results open with: the typical trial of the study's first training of LCNN9.

The trial is chosen by the rule of `typical_cases`: its average precision under gweEBP is the nearest to the median,
among the trials in which the eyes were exchanged. Of the parts that cover less than a tenth of the image, where a map
can miss, the eyes have the most trials. The network lies in the repository, and the four images are drawn again by the
number of their person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gweebp import networks
from gweebp.experiment.study import outcomes, people
from gweebp.experiment.typical_cases import choose
from gweebp.faces import PARTS, Quadruplets
from gweebp.faces.synthetic.world import World
from gweebp.games import truth
from gweebp.methods.names import label_of
from gweebp.networks import as_input
from gweebp.saliency import explain
from gweebp.support.files import located

__all__ = ["FaceCase", "typical_face"]

OUTCOMES = "data/study/synthetic-composite/lcnn9-0/white.npz"
WEIGHTS = "data/checkpoints/study/synthetic-composite/lcnn9-0.safetensors"
PART = "eyes"
SIZE, ERROR = 160, 0.4  # of the world that the study draws its composites in


@dataclass(frozen=True, eq=False)
class FaceCase:
    """A trained network and one quadruplet of the inpainting game.

    Attributes:
        net: in eval mode, in float64, so that its maps print alike on every processor.
        four: one quadruplet; its original probe is the sketch that is explained.
        others: method → average precision (t,) of its maps on all trials of the training with this part exchanged.
    """

    net: networks.EmbeddingNetwork
    four: Quadruplets
    others: Mapping[str, np.ndarray]

    @property
    def part(self) -> str:
        """The face part that was exchanged, one of PARTS."""
        return PARTS[int(self.four.part[0])]

    @property
    def images(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """OP, OM, IP and IN as figures take them: uint8 (3, h, w)."""
        return self.four.op[0], self.four.om[0], self.four.ip[0], self.four.in_[0]

    @property
    def region(self) -> Tensor:
        """The pixels of the exchanged part: bool (h, w)."""
        return self.four.region[0]

    @cached_property
    def triplet(self) -> tuple[Tensor, Tensor, Tensor]:
        """Probe OP, mate OM and non-mate IN as inputs of the network, float64 (1, c, h, w)."""
        probe, mate, nonmate = (as_input(self.net, x).double() for x in (self.four.op, self.four.om, self.four.in_))
        return probe, mate, nonmate

    @property
    def area(self) -> float:
        """The part's share of the image: what a map blind to the image puts on it, 0..1."""
        return float(truth.chance(self.four.region))

    def maps(self, *methods: str) -> dict[str, Tensor]:
        """Method → its map of the probe, (h', w'), of sum 1."""
        return {name: explain(self.net, *self.triplet, method=name)[0] for name in methods}

    def inside(self, saliency: Tensor) -> float:
        """The share of a map (h', w') that lies on the exchanged part, 0..1."""
        return float(truth.score(saliency[None], self.four.region)["energy"])

    def precision(self, saliency: Tensor) -> float:
        """The average precision of a map (h', w') against the exchanged part, 0..1."""
        return float(truth.score(saliency[None], self.four.region)["precision"])

    def notes(self, maps: Mapping[str, Tensor]) -> dict[str, str]:
        """What stands under each map: its average precision."""
        return {name: f"{self.precision(saliency):.2f}" for name, saliency in maps.items()}

    def in_words(self, maps: Mapping[str, Tensor]) -> str:
        """How much of each map lies on the part, and how the methods do on all trials with this part."""
        here = ", ".join(f"{label_of(name)} {self.inside(saliency):.0%}" for name, saliency in maps.items())
        known = [name for name in maps if name in self.others]
        medians = ", ".join(f"{label_of(name)} {np.median(self.others[name]):.2f}" for name in known)
        trials = len(next(iter(self.others.values())))
        return (
            f"The {self.part} cover {self.area:.0%} of this image. The share of each map that lies on them: {here}. "
            f"One face proves nothing: over the {trials} trials of the study's first training in which the "
            f"{self.part} were exchanged, the median average precision is {medians}."
        )


def typical_face() -> FaceCase:
    """The typical quadruplet of the study's first training of LCNN9 on composites, and that network.

    Example:
        >>> case = typical_face()
        >>> [tuple(x.shape) for x in case.triplet], 0 < case.area < 0.5
        ([(1, 1, 128, 128), (1, 1, 128, 128), (1, 1, 128, 128)], True)
    """
    kept, record = outcomes.read(located(OUTCOMES))
    trials = np.flatnonzero(kept["inpainting/part"] == PARTS.index(PART))
    row = trials[choose(kept["truth/gweebp/region/precision"][trials])["typical"]]
    world = World("composite", SIZE, seed=record["seed"], error=ERROR)
    faces = people.people(world, 1, 0, first=int(kept["inpainting/person"][row]))
    candidates = people.quadruplets_of(faces, torch.tensor([0]))
    scores = {key.split("/")[1]: x[trials] for key, x in kept.items() if key.endswith("/region/precision")}
    return FaceCase(
        networks.load(located(WEIGHTS)).double(), candidates.select(candidates.part == PARTS.index(PART)), scores
    )
