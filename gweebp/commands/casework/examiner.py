"""Cases in files: read, explained, and written as one picture and one JSON document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gweebp.commands.casework import pictures
from gweebp.commands.casework.explanation import LIMITS, Explanation, explained
from gweebp.commands.casework.pictures import Picture
from gweebp.networks import EmbeddingNetwork
from gweebp.networks.gallery import nearest_impostor
from gweebp.networks.verification import embed

__all__ = ["Case", "Examined", "Examiner"]

Read = Callable[[Path], Picture]


@dataclass(frozen=True)
class Case:
    """The files of a case; without a non-mate, the nearest impostor of the examiner's gallery is taken."""

    probe: Path
    mates: tuple[Path, ...]
    nonmate: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.probe, *self.mates, *([self.nonmate] if self.nonmate else []))


@dataclass(frozen=True, eq=False)
class Examined:
    """A case's images and what came of them."""

    probe: Picture
    mates: list[Picture]
    nonmate: Picture
    from_gallery: bool
    explanation: Explanation

    def document(self, **more: Any) -> dict[str, Any]:
        """All of it, and `more`, ready for JSON; images by the names of their files."""
        found = self.explanation
        return {
            "outcome": found.outcome,
            "sentence": found.sentence,
            "limits": list(LIMITS),
            "notes": list(found.notes),
            "probe": self.probe.name,
            "mates": [mate.name for mate in self.mates],
            "nonmate": self.nonmate.name,
            "nonmate_from": "gallery" if self.from_gallery else "given",
            "network": found.network,
            "method": found.method,
            "distances": {"mate": found.mate_distance, "nonmate": found.nonmate_distance},
            "gain": found.gain,
            "threshold": found.threshold,
            "decision": found.decision,
            "half_mass_area": found.half_mass_area,
            "map": None if found.saliency is None else found.saliency.tolist(),
            **more,
        }


@dataclass
class Examiner:
    """What all cases share: the network, how it is asked, and who else there is.

    Attributes:
        net: of `gweebp.networks`. options: of `explained`: method, threshold, layer, and the method's own.
        gallery: folder of images of other people, for cases without a non-mate; each is embedded once.
        read: how an image is read from its file.
    """

    net: EmbeddingNetwork
    options: dict[str, Any] = field(default_factory=dict)
    gallery: Path | None = None
    read: Read = pictures.read

    @property
    def needed_gallery(self) -> Path:
        """The gallery's folder; ValueError where none was named."""
        if self.gallery is None:
            raise ValueError("no non-mate: name one, or a folder of other people's images with --gallery")
        return self.gallery

    @cached_property
    def others(self) -> tuple[list[Picture], Tensor, list[str]]:
        """The gallery's images, their unit embeddings (g, d), and what could not be read."""
        found, skipped = pictures.read_folder(self.needed_gallery, self.read)
        return found, torch.cat([embed(self.net, picture.pixels[None]) for picture in found]), skipped

    def examine(self, case: Case) -> Examined:
        """Explain one case.

        Raises FileNotFoundError, ValueError: an image that can't be used, or no non-mate; what `explained` raises.
        """
        probe, mates = self.read(case.probe), [self.read(mate) for mate in case.mates]
        said: list[str] = []
        if case.nonmate is not None:
            nonmate = self.read(case.nonmate)
        else:
            nonmate, skipped = self._impostor(probe, mates)
            said += [f"Not in the gallery: {why}" for why in skipped]
        said += pictures.notes(self.net, probe, mates, nonmate)
        found = explained(self.net, probe.pixels, [mate.pixels for mate in mates], nonmate.pixels, **self.options)
        found = Explanation(**{**vars(found), "notes": (*said, *found.notes)})
        return Examined(probe, mates, nonmate, case.nonmate is None, found)

    def _impostor(self, probe: Picture, mates: list[Picture]) -> tuple[Picture, list[str]]:
        """The gallery's face nearest to the probe that is none of the case's own pictures."""
        others, embeddings, skipped = self.others
        own = torch.tensor([any(torch.equal(o.pixels, p.pixels) for p in (probe, *mates)) for o in others])
        index, _ = nearest_impostor(embed(self.net, probe.pixels[None]), embeddings, own)
        return others[int(index)], skipped
