"""What a build holds, read back: faces, network, training, trials and games of each network on each dataset.

The stages (`python -m gweebp`) write one folder a build; this is the one place that knows where in it things are:

    data/<dataset>/                         faces, candidate quadruplets
    networks/<dataset>/<network>/           weights, training record
    trials/<dataset>/<network>.json         ranks, ROC, τ, the trials of both games
    games/<dataset>/<network>/<group>.safetensors   outcomes, one file a group of methods
    sanity/<dataset>/<network>.safetensors  similarities of the sanity checks
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gweebp import networks
from gweebp.experiment.triplets import hiding_images
from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets
from gweebp.games.inpainting import Outcome
from gweebp.support import files
from gweebp.support.files import located

__all__ = ["Games", "Run", "Sanity", "open_runs"]

NAMES = {
    "vgg16": "VGG16",
    "lcnn9": "LCNN9",
    "mobilefacenet": "MobileFaceNet",
    "iresnet18": "IResNet-18",
    "iresnet18se": "IResNet-18 SE",
    "iresnet50": "IResNet-50",
    "vit": "ViT",
    "synthetic-composite": "composites",
    "synthetic-drawn": "drawings",
    "cuhk": "CUHK",
    "uom-sgfs": "UoM-SGFS",
}


@dataclass(frozen=True, eq=False)
class Games:
    """Raw outcomes of both games.

    Attributes:
        hiding: method -> bool (t, steps), still matched. hiding_subject: (t,).
        inpainting: method -> Outcome of q quadruplets; empty where none was played.
        inpainting_subject, inpainting_part: (q,).
    """

    hiding: dict[str, Tensor]
    hiding_subject: Tensor
    inpainting: dict[str, Outcome]
    inpainting_subject: Tensor
    inpainting_part: Tensor

    @property
    def methods(self) -> list[str]:
        """Names of the methods that were played."""
        return list(self.hiding)

    def of_part(self, part: int) -> Games:
        """These games with the quadruplets of one face part only; `part` is an index into PARTS."""
        rows = self.inpainting_part == part
        kept = {
            method: Outcome(o.success[rows], o.false_positives[rows], o.outside[rows])
            for method, o in self.inpainting.items()
        }
        return replace(
            self,
            inpainting=kept if rows.any() else {},
            inpainting_subject=self.inpainting_subject[rows],
            inpainting_part=self.inpainting_part[rows],
        )


@dataclass(frozen=True, eq=False)
class Sanity:
    """Similarity of maps to those of the intact network, in −1..1; NaN where a map is constant.

    Attributes:
        layers: as they lost their weights. cascade: method -> (layers, n). identity, labels: method -> (n,).
        subject: (n,).
    """

    layers: list[str]
    cascade: dict[str, Tensor]
    identity: dict[str, Tensor]
    labels: dict[str, Tensor]
    subject: Tensor


@dataclass(frozen=True)
class Run:
    """One network on one dataset of a build; what it holds is read when first asked for.

    also: files of outcomes from elsewhere, played on the same trials; they stand for a method that both hold.
    """

    build: Path
    dataset: str
    network: str
    also: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        """For panels and tables.

        >>> Run(Path("_build/book"), "synthetic-drawn", "vgg16").title
        'VGG16, drawings'
        >>> Run(Path("_build/book"), "synthetic-drawn", "vgg16-seed1").title
        'VGG16 (seed 1), drawings'
        """
        network, _, seed = self.network.partition("-seed")  # as training_seeds.name_of makes them
        label = NAMES.get(network, network) + (f" (seed {seed})" if seed else "")
        return f"{label}, {NAMES.get(self.dataset, self.dataset)}"

    @cached_property
    def faces(self) -> FaceSet:
        """Photos and sketches of the dataset."""
        return FaceSet.load(self.build / "data" / self.dataset)

    @cached_property
    def candidates(self) -> Quadruplets:
        """All quadruplets of the dataset, qualified or not."""
        return Quadruplets.load(self.build / "data" / self.dataset / "quadruplets.safetensors")

    @cached_property
    def qualified(self) -> Quadruplets:
        """The quadruplets that satisfy Eq. (7)-(8), in the order in which they were played."""
        return self.candidates.select(torch.tensor(self.trials["inpainting"]["qualified"], dtype=torch.int64))

    @cached_property
    def net(self) -> networks.EmbeddingNetwork:
        """The trained network, in eval mode, on the CPU."""
        net = networks.load(self.build / "networks" / self.dataset / self.network / "weights.safetensors")
        net.to(memory_format=torch.channels_last)
        return net

    @cached_property
    def training(self) -> dict[str, Any]:
        """The record of the training."""
        return files.read_record(self.build / "networks" / self.dataset / self.network / "record.json")

    @cached_property
    def trials(self) -> dict[str, Any]:
        """What the verification found, and the trials it chose."""
        return files.read_record(self.trials_file)

    @property
    def trials_file(self) -> Path:
        """Where the verification wrote what it found: a run that has it was made."""
        return self.build / "trials" / self.dataset / f"{self.network}.json"

    @cached_property
    def games(self) -> Games:
        """The outcomes of all groups of methods."""
        own = (self.build / "games" / self.dataset / self.network).glob("*.safetensors")
        return _games([*sorted(own), *self.also])

    @cached_property
    def sanity(self) -> Sanity:
        """What the sanity checks found."""
        found, metadata = files.read_tensors(self.build / "sanity" / self.dataset / f"{self.network}.safetensors")
        kept = {what: {k.removesuffix(f"/{what}"): x for k, x in found.items() if k.endswith(f"/{what}")} for what in
                ("cascade", "identity", "labels")}  # fmt: skip
        return Sanity(metadata["layers"], **kept, subject=found["subject"])

    def triplet(self, sample: int) -> tuple[Tensor, Tensor, Tensor]:
        """Probe, mate and non-mate of trial `sample`, from 0, of the hiding game: three uint8 (1, 3, h, w)."""
        chosen = self.trials["hiding"]
        row = _row(sample, len(chosen["probe"]), f"triplets of {self.title}")
        probe, mate, nonmate, _ = hiding_images(self.faces, {key: [rows[row]] for key, rows in chosen.items()})
        return probe, mate, nonmate

    def quadruplet(self, sample: int) -> Quadruplets:
        """Trial `sample`, from 0, of the inpainting game: one of the quadruplets that qualify for the network."""
        row = _row(sample, len(self.qualified), f"qualified quadruplets of {self.title}")
        return self.qualified.select(torch.tensor([row]))


def open_runs(build: str | Path, datasets: str, networks: str) -> list[Run]:
    """The runs of a build, dataset by dataset.

    Args:
        build: folder of the build, relative to the working folder or to the repository.
        datasets, networks: names, separated by commas.

    Raises:
        FileNotFoundError: a run has no results there; the message names it.
        ValueError: there is no dataset or no network in what was given.

    >>> open_runs("_build/none", "cuhk", "vgg16")
    Traceback (most recent call last):
    FileNotFoundError: no results of vgg16 on cuhk in _build/none: compute them with `make book PROFILE=none`
    """
    build = located(build)
    runs = [Run(build, dataset, network) for dataset in _names(datasets) for network in _names(networks)]
    if not runs:
        raise ValueError(f"datasets={datasets!r} and networks={networks!r} name nothing to show")
    for run in runs:
        if not run.trials_file.is_file():
            raise FileNotFoundError(
                f"no results of {run.network} on {run.dataset} in {build}: "
                f"compute them with `make book PROFILE={build.name}`"
            )
    return runs


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _row(sample: int, count: int, what: str) -> int:
    if not 0 <= sample < count:
        raise ValueError(f"sample={sample}: there are {count} {what}" + (f", 0 to {count - 1}" if count else ""))
    return sample


def _games(paths: Iterable[Path]) -> Games:
    """Merge the groups; they must have played the same trials in the same number of steps."""
    found: dict[str, Tensor] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for path in paths:
        tensors, _ = files.read_tensors(path)
        for key, tensor in tensors.items():
            game, _, what = key.rpartition("/")
            kind = f"{key.partition('/')[0]} {what}"  # of all methods alike
            if shapes.setdefault(kind, tuple(tensor.shape)) != tuple(tensor.shape) or (
                game in ("hiding", "inpainting") and key in found and not torch.equal(found[key], tensor)
            ):
                raise ValueError(f"{path} played other trials than the groups beside it ({key}): delete what is old")
        found |= tensors
    if not found:
        raise FileNotFoundError("no game was played: the folder of games is empty")
    none = torch.zeros(0, dtype=torch.int64)
    return Games(
        hiding={m: found[f"hiding/{m}/matched"] for m in _methods(found, "hiding")},
        hiding_subject=found["hiding/subject"],
        inpainting={m: _outcome(found, m) for m in _methods(found, "inpainting")},
        inpainting_subject=found.get("inpainting/subject", none),
        inpainting_part=found.get("inpainting/part", none),
    )


def _methods(found: dict[str, Tensor], game: str) -> list[str]:
    return list(dict.fromkeys(key.split("/")[1] for key in found if key.startswith(f"{game}/") and key.count("/") == 2))


def _outcome(found: dict[str, Tensor], method: str) -> Outcome:
    start = f"inpainting/{method}"
    return Outcome(found[f"{start}/success"], found[f"{start}/false_positives"], found["inpainting/outside"])
