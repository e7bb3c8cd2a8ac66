"""The trials of one training: which of its people it finds, which of their doppelgängers qualify, and which are played.

Training k of K is tested on every K-th person, k, k + K, ...; the gallery holds all people and the distractors. One
triplet per person whose mate comes first; one quadruplet per person of whom any qualifies by Eq. (7)-(8), its part
drawn at random. Both are shuffled by the seed, so that the first n of them are n at random, and cut to the numbers
asked for. τ is set on all people's distances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gweebp import networks
from gweebp.experiment.study.people import number_of, quadruplets_of
from gweebp.experiment.triplets import hiding_triplets
from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets, qualified
from gweebp.networks import verification
from gweebp.support import files

RANKS = (1, 5, 10, 50)


@dataclass(frozen=True, eq=False)
class Trials:
    """What one training plays.

    Attributes:
        probe, mate, nonmate: uint8 (t, 3, h, w), of the hiding game. person, other: int64 (t,), numbers of the probe's
            person and of the non-mate.
        four: q quadruplets; `four.subject` holds numbers of people.
        found: threshold, rank_k, roc figures and counts, for the record.
    """

    probe: Tensor
    mate: Tensor
    nonmate: Tensor
    person: Tensor
    other: Tensor
    four: Quadruplets
    found: dict[str, Any]

    def save(self, path: str | Path, record: Mapping[str, Any] | None = None) -> None:
        """Write one safetensors file, atomically; `record` says how they were made."""
        own = {name: getattr(self, name) for name in ("probe", "mate", "nonmate", "person", "other")}
        four = {f"four/{name}": tensor for name, tensor in self.four._tensors().items()}
        files.write_tensors(path, own | four, {"found": self.found, "record": dict(record or {})})

    @classmethod
    def load(cls, path: str | Path) -> Trials:
        """Read what `save` wrote."""
        tensors, metadata = files.read_tensors(path)
        four = {k.removeprefix("four/"): x for k, x in tensors.items() if k.startswith("four/")}
        own = {k: x for k, x in tensors.items() if not k.startswith("four/")}
        with files.interpreted(path, "a file of the study's trials"):
            return cls(**own, four=Quadruplets(**four), found=metadata["found"])


def choose(
    net: networks.EmbeddingNetwork,
    faces: FaceSet,
    *,
    training: int,
    trainings: int,
    fpr: float,
    triplets: int,
    quadruplets: int,
    seed: int,
    progress: bool = False,
) -> Trials:
    """The trials of training number `training` of `trainings`; see the module.

    Args:
        net: as trained. faces: of `people.people`. fpr: sets τ on the distances of all probes to all other faces.
        triplets, quadruplets: at most so many. seed: of shuffling, and of the part of a person.
    """
    probe = verification.embed(net, faces.sketches, progress=progress)
    gallery = verification.embed(net, faces.gallery(), progress=progress)
    row = torch.arange(len(probe))
    genuine, impostor = verification.pairs(probe, gallery, row)
    threshold = verification.threshold_at_fpr(impostor, fpr)
    rank = verification.ranks(probe, gallery, row)
    own = row[training::trainings]
    rng = np.random.default_rng([seed, training])
    chosen, _, others = hiding_triplets(probe[own], gallery, own)
    order = torch.from_numpy(rng.permutation(len(chosen)))[:triplets]
    subject, other = own[chosen[order]], others[order]
    four, counts = _qualified(net, faces, own, threshold, rng, quadruplets)
    found = {
        "threshold": threshold,
        "fpr": (impostor <= threshold).double().mean().item(),
        "tpr": (genuine <= threshold).double().mean().item(),
        "probes": len(probe),
        "gallery": len(gallery),
        "rank_k": {str(k): verification.rank_k(rank, k) for k in RANKS if k <= len(gallery)},
        "own_people": len(own),
        "own_triplets": len(chosen),
        **counts,
    }
    return Trials(
        probe=faces.sketches[subject],
        mate=faces.photos[subject],
        nonmate=faces.gallery()[other],
        person=_numbers(faces, subject),
        other=_numbers(faces, other),
        four=four,
        found=found,
    )


def _numbers(faces: FaceSet, rows: Tensor) -> Tensor:
    return torch.tensor([number_of(faces, row) for row in rows.tolist()], dtype=torch.int64)


def _qualified(
    net: networks.EmbeddingNetwork, faces: FaceSet, own: Tensor, threshold: float, rng: np.random.Generator, most: int
) -> tuple[Quadruplets, dict[str, Any]]:
    """One qualified quadruplet per person, shuffled, at most `most`; and how many there were."""
    kept, candidates, per_part = [], 0, dict[str, int]()
    for rows in own.split(50):  # not all candidates fit into memory at once
        four = quadruplets_of(faces, rows)
        op, om, ip, in_ = (verification.embed(net, getattr(four, name)) for name in ("op", "om", "ip", "in_"))
        d_op_om, d_op_in, d_ip_in, d_ip_om = (
            (a - b).norm(dim=1) for a, b in ((op, om), (op, in_), (ip, in_), (ip, om))
        )
        good = qualified(d_op_om, d_op_in, d_ip_in, d_ip_om, threshold, allow_none=True).nonzero().flatten()
        candidates += len(four)
        for part, count in four.select(good).counts().items():
            per_part[part] = per_part.get(part, 0) + count
        for subject in four.subject[good].unique().tolist():
            of_person = good[four.subject[good] == subject]
            kept.append(four.select(of_person[rng.integers(len(of_person))][None]))
    if not kept:
        raise ValueError(
            f"none of {candidates} candidates qualifies at tau = {threshold:.4f}: train the network longer"
        )
    every = Quadruplets.joined(kept)
    four = every.select(torch.from_numpy(rng.permutation(len(every)))[:most])
    fields = four._tensors() | {"subject": _numbers(faces, four.subject)}
    return Quadruplets(**fields), {
        "candidates": candidates,
        "qualified": sum(per_part.values()),
        "qualified_people": len(every),
        "qualified_by_part": per_part,
    }
