"""Cases in files: read, and explained; and what the results rest on, by the hash of each file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import gweebp
from gweebp.commands.casework import pictures
from gweebp.commands.casework.alignment import misplaced
from gweebp.commands.casework.explanation import WORDS, Explanation, called, explained
from gweebp.commands.casework.pictures import Picture
from gweebp.commands.casework.strangers import of_distances
from gweebp.faces.preparation.predictor import Predictor
from gweebp.networks import EmbeddingNetwork
from gweebp.networks.gallery import nearest_impostor
from gweebp.networks.verification import embed
from gweebp.support import files

__all__ = ["Case", "Examined", "Examiner"]

Read = Callable[[Path], Picture]

PAIRS = 8  # of other people, with whose maps a map is compared

UNCHECKED = (
    "Whether the faces are upright and where the network expects them was not checked: --align sees to it, after "
    'pip install "gweebp[dlib]".'
)
NO_FRAME = "The weights do not say where the faces that they learned on have eyes and mouth."


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
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def pictures(self) -> list[tuple[str, Picture]]:
        """Each with what it is, in the words of the case."""
        mate, nonmate = self.explanation.words
        many = len(self.mates)
        of = [(f"{mate} {i} of {many}" if many > 1 else mate, p) for i, p in enumerate(self.mates, 1)]
        return [("probe", self.probe), *of, (_from_gallery(nonmate) if self.from_gallery else nonmate, self.nonmate)]

    @property
    def method(self) -> str:
        """The method and the layer that the map is of, in words."""
        found = self.explanation
        return f"{found.method} on layer {found.layer}" if found.layer else f"{found.method}, of the whole image"

    @property
    def alignment(self) -> str:
        """Whether the pictures were aligned, and how, in words."""
        how = {picture.aligned for _, picture in self.pictures}
        return "; ".join(sorted(how)) if "" not in how else "not aligned: used as they are"

    def document(self, **more: Any) -> dict[str, Any]:
        """All of it, and `more`, ready for JSON; images by the names of their files."""
        found = self.explanation
        return {
            "outcome": found.outcome,
            "sentence": found.sentence,
            "effect": {
                "strength": found.strength,
                "sentence": found.effect,
                "strangers_as_near": None if found.as_strangers is None else list(found.as_strangers),
                "from": None if found.strangers is None else found.strangers.source,
            },
            "specificity": {"shared": found.shared, "pairs": found.compared, "sentence": found.specificity},
            "off_the_map": found.off_the_map,
            "limits": list(found.limits),
            "notes": list(found.notes),
            "words": list(found.words),
            "made": dict(self.made),
            "alignment": self.alignment,
            "pictures": [
                {"what": what, "name": p.name, "sha256": p.sha256, "aligned": bool(p.aligned)}
                for what, p in self.pictures
            ],
            "probe": self.probe.name,
            "mates": [mate.name for mate in self.mates],
            "nonmate": self.nonmate.name,
            "nonmate_from": "gallery" if self.from_gallery else "given",
            "network": found.network,
            "method": found.method,
            "layer": found.layer or None,
            "distances": {"mate": found.mate_distance, "nonmate": found.nonmate_distance},
            "gain": found.gain,
            "threshold": found.threshold,
            "threshold_conditions": found.conditions or None,
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
        read: how an image is read from its file. look: finds landmarks, to say where a face is not where it should be;
            None: that is not checked, and the result says so. weights_sha256: for the picture, "" where not known.
    """

    net: EmbeddingNetwork
    options: dict[str, Any] = field(default_factory=dict)
    gallery: Path | None = None
    read: Read = pictures.read
    look: Predictor | None = None
    weights_sha256: str = ""

    @property
    def needed_gallery(self) -> Path:
        """The gallery's folder; ValueError where none was named."""
        if self.gallery is None:
            raise ValueError("no alternative: name one, or a folder of other people's images with --gallery")
        return self.gallery

    @cached_property
    def listed(self) -> dict[Path, str]:
        """The gallery's files that look like images, and the SHA-256 of each; "" of one that can't be read."""
        return {path: _sha256(path) for path in pictures.in_folder(self.needed_gallery)}

    @cached_property
    def others(self) -> tuple[list[Picture], Tensor, list[str]]:
        """The gallery's images, their unit embeddings (g, d), and what could not be used.

        Raises ValueError where none can be used, or one is no longer what it was when the run began.
        """
        found, embeddings, skipped = [], [], []
        for path, sha256 in self.listed.items():
            try:
                picture = self.read(path)
                embeddings.append(embed(self.net, picture.pixels[None]))
            except Exception as error:  # decoders raise all kinds of errors, and one bad picture is not a bad gallery
                skipped.append(pictures.printable(str(error) or type(error).__name__))
                continue
            if picture.sha256 and picture.sha256 != sha256:
                raise ValueError(f"{path} was changed while the run was on: run again")
            found.append(picture)
        if not found:
            why = f"; first: {skipped[0]}" if skipped else ": it has none"
            raise ValueError(f"no image in {self.gallery} can be read{why}")
        return found, torch.cat(embeddings), skipped

    def rests_on(self, case: Case) -> dict[str, Any]:
        """What the result of a case rests on beside the settings: its pictures, and its gallery, ready for JSON.

        Raises FileNotFoundError, OSError, ValueError: a picture that can't be read, no gallery where one is needed.
        """
        named = {"probe": [case.probe], "mates": case.mates, "nonmate": [case.nonmate] if case.nonmate else []}
        return {"files": {name: [self._described(p) for p in paths] for name, paths in named.items()},
                "gallery": None if case.nonmate else self._gallery_sha256}  # fmt: skip

    @cached_property
    def _gallery_sha256(self) -> str:
        listed = [[path.name, sha256] for path, sha256 in self.listed.items()]
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()

    def _described(self, path: Path) -> dict[str, Any]:
        about: dict[str, Any] = {"name": pictures.printable(path.name), "sha256": files.sha256(path)}
        if (kinds := getattr(self.read, "kinds", None)) is not None:  # the folder of the image decides how it is read
            about["kinds"] = kinds(path)
        return about

    def try_options(self) -> None:
        """Explain three pictures of noise, so that options which suit no picture are found before any work is done.

        Raises what `explained` raises of them.
        """
        generator = torch.Generator().manual_seed(0)
        size = self.net.size
        probe, *others = torch.randint(256, (3, 3, size, size), dtype=torch.uint8, generator=generator)
        try:
            p, a, b = (embed(self.net, image[None]) for image in (probe, *others))
        except ValueError:  # the network makes nothing of noise: that says nothing about the options
            return
        mate, nonmate = others if (p - a).norm() < (p - b).norm() else reversed(others)
        explained(self.net, probe, [mate], nonmate, **self.options)

    def examine(self, case: Case) -> Examined:
        """Explain one case.

        Raises FileNotFoundError, ValueError: an image that can't be used, or no non-mate; what `explained` raises.
        """
        if not case.mates:
            raise ValueError("no picture of the candidate: name at least one")
        probe, mates = self.read(case.probe), [self.read(mate) for mate in case.mates]
        said: list[str] = []
        more: dict[str, Any] = {}
        if case.nonmate is not None:
            nonmate = self.read(case.nonmate)
        else:
            nonmate, more, skipped = self._impostor(probe, mates)
            said += [f"Not in the gallery: {why}" for why in skipped]
        probe, *mates, nonmate = named = _told_apart(probe, *mates, nonmate)
        said += [*pictures.notes(self.net, probe, mates, nonmate), *self._places(named)]
        pixels = [mate.pixels for mate in mates]
        found = explained(self.net, probe.pixels, pixels, nonmate.pixels, **(more | self.options))
        found = replace(found, notes=(*said, *found.notes))
        made = {"gweebp": gweebp.__version__, "date": time.strftime("%Y-%m-%d", time.gmtime())}
        made["weights_sha256"] = self.weights_sha256
        return Examined(probe, mates, nonmate, case.nonmate is None, found, made)

    def _impostor(self, probe: Picture, mates: list[Picture]) -> tuple[Picture, dict[str, Any], list[str]]:
        """The gallery's face nearest to the probe that is none of the case's own pictures.

        And what its other faces tell: how much the distances to strangers differ, and with whose maps to compare; and
        what of it could not be used.
        """
        others, embeddings, skipped = self.others
        own = torch.tensor([any(torch.equal(o.pixels, p.pixels) for p in (probe, *mates)) for o in others])
        index, _ = nearest_impostor(embed(self.net, probe.pixels[None]), embeddings, own)
        p = embed(self.net, probe.pixels[None])
        distances = (embeddings - p).norm(dim=1)
        more: dict[str, Any] = {}
        alternative = called(self.options.get("words", WORDS)[1])
        source = f"the gallery of {int((~own).sum())} people, {alternative} among them"
        if (strangers := of_distances(distances[~own], source)) is not None:
            more["strangers"] = strangers
        rest = ~own
        rest[int(index)] = False
        nearest = distances.masked_fill(~rest, torch.inf).argsort()[: int(rest.sum())]
        if len(pairs := nearest[: 2 * min(PAIRS, len(nearest) // 2)]):
            more["others"] = embeddings[pairs]
        return others[int(index)], more, skipped

    def _places(self, named: list[Picture]) -> list[str]:
        """What is to be said of where the faces lie in pictures that were not aligned."""
        bare = list({id(p.pixels): p for p in named if not p.aligned}.values())
        frame = getattr(self.net, "frame", None)
        if frame is None:
            return [NO_FRAME]
        if not bare:
            return []
        if self.look is None:
            return [UNCHECKED]
        said = []
        for picture in bare:
            height, width = picture.pixels.shape[1:]
            try:
                wrong = misplaced(self.look(picture.pixels), width, height, frame)
            except ValueError:
                wrong = ["no upright face was found"]
            if wrong:
                said.append(f"{picture.name}: {', '.join(wrong)}. Distance and map are not those of an aligned face.")
        return said


def _from_gallery(word: str) -> str:
    """What the face of the gallery is called that is nearest to the probe.

    >>> _from_gallery("alternative"), _from_gallery("Mr. B")
    ('nearest alternative', 'Mr. B, nearest of the gallery')
    """
    return f"nearest {word}" if called(word) == f"the {word}" else f"{word}, nearest of the gallery"


def _told_apart(*shown: Picture) -> list[Picture]:
    """The same pictures, those of one name with the folders that tell their files apart."""
    paths = [p.path for p in shown]
    if None in paths:
        return list(shown)
    names = pictures.told_apart([path for path in paths if path is not None])
    return [replace(p, name=name) for p, name in zip(shown, names, strict=True)]


def _sha256(path: Path) -> str:
    try:
        return files.sha256(path)
    except OSError:
        return ""
