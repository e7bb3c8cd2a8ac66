"""Quadruplets of the inpainting game: a probe and its mate, and both again with one face part replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gweebp.support import files
from gweebp.support.rests_on import digest

__all__ = ["PARTS", "Quadruplets", "qualified"]

PARTS = ("hair", "eyebrows", "eyes", "nose", "mouth", "skin")  # the codes 0..5 of Quadruplets.part
IMAGES = ("op", "om", "ip", "in_")


@dataclass(frozen=True, eq=False)
class Quadruplets:
    """q quadruplets, row by row.

    Attributes:
        op, om, ip, in_: uint8 (q, 3, h, w): original probe (sketch), original mate (photo), inpainted probe, inpainted
            non-mate.
        region: bool (q, h, w), where IP differs from OP: the ground truth.
        subject: int64 (q,), index into FaceSet.ids.
        part: int64 (q,), the part replaced, index into PARTS.
        mate_region: bool (q, h, w), where IN may differ from OM; None where unknown.

    Raises:
        ValueError: for fields that do not fit together.

    >>> images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    >>> region, index = torch.ones(2, 4, 4, dtype=torch.bool), torch.tensor([0, 5])
    >>> quadruplets = Quadruplets(images, images, images, images, region, index, index)
    >>> len(quadruplets), quadruplets.counts()["skin"]
    (2, 1)
    """

    op: Tensor
    om: Tensor
    ip: Tensor
    in_: Tensor
    region: Tensor
    subject: Tensor
    part: Tensor
    mate_region: Tensor | None = None

    def __post_init__(self) -> None:
        """Check that the fields fit together."""
        q, h, w = len(self.op), *self.op.shape[-2:]
        expected: dict[str, tuple[torch.dtype, tuple[int, ...]]] = dict.fromkeys(IMAGES, (torch.uint8, (q, 3, h, w)))
        expected |= {"region": (torch.bool, (q, h, w)), "mate_region": (torch.bool, (q, h, w))}
        expected |= {"subject": (torch.int64, (q,)), "part": (torch.int64, (q,))}
        for name, tensor in self._tensors().items():
            dtype, shape = expected[name]
            if tensor.dtype != dtype or tuple(tensor.shape) != shape:
                raise ValueError(f"{name} must be {dtype} {shape}, got {tensor.dtype} {tuple(tensor.shape)}")
        if ((self.part < 0) | (self.part >= len(PARTS))).any():
            raise ValueError(f"part must lie in 0..{len(PARTS) - 1} ({', '.join(PARTS)}), got {self.part.unique()}")

    def __len__(self) -> int:
        """Number of quadruplets."""
        return len(self.op)

    def select(self, index: Tensor) -> Quadruplets:
        """Some of the quadruplets.

        Args:
            index: int64 (k,) positions, or bool (q,).
        """
        return Quadruplets(**{name: tensor[index] for name, tensor in self._tensors().items()})

    @classmethod
    def joined(cls, several: Sequence[Quadruplets]) -> Quadruplets:
        """All quadruplets of several sets, one set after the other; mate regions only where every set has them.

        Args:
            several: at least one set.

        Raises:
            ValueError: where there are none.

        >>> images = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
        >>> region, index = torch.ones(1, 4, 4, dtype=torch.bool), torch.tensor([0])
        >>> one = Quadruplets(images, images, images, images, region, index, index)
        >>> len(Quadruplets.joined([one, one]))
        2
        """
        if not several:
            raise ValueError("no quadruplets to join: expected at least one set")
        names = set.intersection(*(set(q._tensors()) for q in several))
        return cls(**{name: torch.cat([getattr(q, name) for q in several]) for name in names})

    def counts(self) -> dict[str, int]:
        """Number of quadruplets of each part."""
        return {name: int((self.part == code).sum()) for code, name in enumerate(PARTS)}

    def save(
        self, path: str | Path, metadata: Mapping[str, Any] | None = None, *, faces: str | Path | None = None
    ) -> None:
        """Write one safetensors file, atomically.

        Args:
            path: the file to write.
            metadata: names and values that JSON can hold, kept in the file.
            faces: the file of the face set whose subjects these are. Its digest goes into the record, and the stages of
                the command line take these quadruplets with this set only.

        Raises:
            OSError: where the file cannot be written; an old one stays.
        """
        given = dict(metadata or {})
        if faces is not None:
            given["record"] = {**given.get("record", {}), "rests_on": {"faces": digest(faces)}}
        files.write_tensors(path, self._tensors(), given)

    @classmethod
    def load(cls, path: str | Path) -> Quadruplets:
        """Read what `save` wrote.

        Args:
            path: of the file.

        Raises:
            FileNotFoundError: where there is no such file.
            ValueError: for a file that is corrupt.
        """
        tensors, _ = files.read_tensors(path)
        names = {f.name for f in fields(cls)}
        if not names - {"mate_region"} <= set(tensors) <= names:
            raise ValueError(f"{path} holds no quadruplets; it holds {sorted(tensors)[:20]}")
        with files.interpreted(path, "a file of quadruplets"):
            return cls(**tensors)

    def _tensors(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}


def qualified(
    d_op_om: Tensor,
    d_op_in: Tensor,
    d_ip_in: Tensor,
    d_ip_om: Tensor,
    threshold: float,
    *,
    allow_none: bool = False,
) -> Tensor:
    """Which quadruplets the network tells apart, so that the replaced part must have mattered to it.

    Eq. (7): d(OP, OM) ≤ τ < d(OP, IN).  Eq. (8): d(IP, IN) ≤ τ < d(IP, OM).

    Args:
        d_op_om, d_op_in, d_ip_in, d_ip_om: (q,), L2 distances between unit embeddings, in 0..2.
        threshold: τ, in 0..2.
        allow_none: return False for all, where nothing qualifies, instead of an error.

    Returns:
        bool (q,).

    Raises:
        ValueError: for shapes that differ, NaN distances, or no qualified quadruplet.

    Source: Sec. 3.2 of the paper.

    >>> near, far = torch.tensor([0.5, 0.5]), torch.tensor([1.2, 0.7])
    >>> qualified(near, far, near, far, threshold=1.0)
    tensor([ True, False])
    """
    all_four = (d_op_om, d_op_in, d_ip_in, d_ip_om)
    if any(d.dim() != 1 or d.shape != d_op_om.shape for d in all_four):
        raise ValueError(f"expected four distances (q,), got {[tuple(d.shape) for d in all_four]}")
    if not all(torch.isfinite(d).all() for d in all_four):
        raise ValueError("NaN or infinite distances: check the embeddings")
    conditions = {
        "d(OP,OM) <= tau": d_op_om <= threshold,
        "tau < d(OP,IN)": threshold < d_op_in,
        "d(IP,IN) <= tau": d_ip_in <= threshold,
        "tau < d(IP,OM)": threshold < d_ip_om,
    }
    every = torch.stack(list(conditions.values())).all(0)
    if not every.any() and not allow_none:
        held = "; ".join(f"{name} for {int(holds.sum())}" for name, holds in conditions.items())
        raise ValueError(
            f"none of {len(every)} quadruplets qualifies at tau = {threshold:.4f} ({held}): "
            "choose another false-positive rate, or train the network longer"
        )
    return every
