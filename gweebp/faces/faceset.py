"""A set of subjects, each with one photo and one sketch, split by identity into train, validation and test."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gweebp.support import files

__all__ = ["SPLITS", "FaceSet", "split_identities"]

SPLITS = ("train", "validation", "test")  # the codes 0, 1, 2 of FaceSet.split
FACES, RECORD = "faces.safetensors", "record.json"


def _no_images() -> Tensor:
    return torch.zeros(0, 3, 0, 0, dtype=torch.uint8)


def _no_index() -> Tensor:
    return torch.zeros(0, dtype=torch.int64)


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Photos and sketches of n subjects, one pair per subject; row i of every field is subject `ids[i]`.

    Images are uint8 (., 3, h, w) RGB, all of one size.

    Attributes:
        name: of the set, for records and captions.
        ids: n names, all different.
        photos, sketches: (n, 3, h, w).
        split: int64 (n,), 0 train, 1 validation, 2 test.
        distractors: (g, 3, h, w), photos of other people that enlarge the test gallery.
        record: how the set was made: seed, parameters, sizes, skipped items and why.
        doppelganger_photos, doppelganger_sketches: (k, 3, h, w), copies of training subjects with one face part
            exchanged: other people, and the hardest negatives in training.
        doppelganger_of: int64 (k,), the subject copied.
        doppelganger_part: int64 (k,), the part exchanged, index into faces.PARTS.

    Raises:
        ValueError: for fields that do not fit together; it names the field, its shape and what was expected.

    >>> images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    >>> faces = FaceSet("demo", tuple("abcd"), images, images, torch.tensor([0, 0, 1, 2]))
    >>> faces.train, faces.sizes["test"]
    (tensor([0, 1]), 1)
    """

    name: str
    ids: tuple[str, ...]
    photos: Tensor
    sketches: Tensor
    split: Tensor
    distractors: Tensor = field(default_factory=_no_images)
    record: dict[str, Any] = field(default_factory=dict)
    doppelganger_photos: Tensor = field(default_factory=_no_images)
    doppelganger_sketches: Tensor = field(default_factory=_no_images)
    doppelganger_of: Tensor = field(default_factory=_no_index)
    doppelganger_part: Tensor = field(default_factory=_no_index)

    def __post_init__(self) -> None:
        """Check that the fields fit together."""
        if not all(isinstance(name, str) for name in (self.name, *self.ids)):
            raise ValueError("the name of a set and those of its subjects must be texts")
        n, k = len(self.ids), len(self.doppelganger_of)
        if len(set(self.ids)) != n:
            repeated = sorted({i for i in self.ids if self.ids.count(i) > 1})
            raise ValueError(f"{self.name}: ids must differ; repeated: {repeated[:5]}")
        size = tuple(self.photos.shape[2:])
        for name, count in (("photos", n), ("sketches", n), ("distractors", len(self.distractors))):
            self._check_images(name, count, size)
        for name in ("doppelganger_photos", "doppelganger_sketches"):
            self._check_images(name, k, size)
        self._check_index("split", n, len(SPLITS))
        self._check_index("doppelganger_of", k, n)
        self._check_index("doppelganger_part", k, 6)
        if (self.split[self.doppelganger_of] != 0).any():
            raise ValueError(f"{self.name}: doppelganger_of must name training subjects only: test faces would leak")

    @property
    def train(self) -> Tensor:
        """Indices of the training subjects; raises ValueError when there are none."""
        return self._indices(0)

    @property
    def validation(self) -> Tensor:
        """Indices of the validation subjects; raises ValueError when there are none."""
        return self._indices(1)

    @property
    def test(self) -> Tensor:
        """Indices of the test subjects; raises ValueError when there are none."""
        return self._indices(2)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of subjects of each split, of distractors and of doppelgängers."""
        counts = {name: int((self.split == code).sum()) for code, name in enumerate(SPLITS)}
        return {**counts, "distractors": len(self.distractors), "doppelgangers": len(self.doppelganger_of)}

    def gallery(self) -> Tensor:
        """The test gallery, uint8 (t + g, 3, h, w): the photo of test subject i in row i, then the distractors."""
        photos = self.photos[self.test]
        return torch.cat([photos, self.distractors]) if len(self.distractors) else photos

    def save(self, folder: str | Path) -> None:
        """Write faces.safetensors, then record.json, each atomically.

        Args:
            folder: into which they are written.

        Raises:
            OSError: where they cannot be written; old ones stay.
        """
        folder, stage = Path(folder), self.record.get("stage")
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), Tensor)}
        files.write_tensors(folder / FACES, tensors, {
            "name": self.name, "ids": list(self.ids), "record": {"stage": stage},
        })  # fmt: skip
        files.write_json(folder / RECORD, self.record)

    @classmethod
    def load(cls, path: str | Path) -> FaceSet:
        """Read what `save` wrote.

        Args:
            path: the folder, or its faces.safetensors; the record is beside that.

        Raises:
            FileNotFoundError: where there is no such file.
            ValueError: for files that are corrupt.
        """
        path = Path(path)
        path = path / FACES if path.is_dir() else path
        tensors, metadata = files.read_tensors(path)
        expected = {f.name for f in fields(cls)} - {"name", "ids", "record"}
        if set(tensors) != expected or not {"name", "ids"} <= set(metadata):
            raise ValueError(f"{path} is not a set of faces; it holds {sorted(tensors)[:20]}")
        record = files.read_record(path.with_name(RECORD))
        with files.interpreted(path, "a set of faces"):
            return cls(name=metadata["name"], ids=tuple(metadata["ids"]), record=record, **tensors)

    def _indices(self, code: int) -> Tensor:
        index = (self.split == code).nonzero().flatten()
        if len(index) == 0:
            raise ValueError(
                f"{self.name} has no {SPLITS[code]} subjects (sizes: {self.sizes}); use more subjects or other shares"
            )
        return index

    def _check_images(self, name: str, count: int, size: tuple[int, ...]) -> None:
        images = getattr(self, name)
        expected = (count, 3, *(size if count else images.shape[2:]))
        if images.dtype != torch.uint8 or tuple(images.shape) != expected:
            raise ValueError(
                f"{self.name}: {name} must be uint8 ({', '.join(map(str, expected))}), "
                f"got {images.dtype} {tuple(images.shape)}"
            )

    def _check_index(self, name: str, count: int, bound: int) -> None:
        index = getattr(self, name)
        if index.dtype != torch.int64 or index.shape != (count,) or ((index < 0) | (index >= bound)).any():
            raise ValueError(f"{self.name}: {name} must be int64 ({count},) with values in 0..{bound - 1}, got {index}")


def split_identities(n: int, seed: int, *, test: float = 0.25, validation: float = 0.2) -> Tensor:
    """Split subjects at random into test, validation and training.

    Args:
        n: number of subjects.
        seed: of the shuffle; the global generator is not touched.
        test: share of all subjects, 0..1, that test.
        validation: share of the other subjects, 0..1, that validate; the rest train.

    Returns:
        int64 (n,), 0 train, 1 validation, 2 test.

    Raises:
        ValueError: for a share out of its range.

    Source: Sec. 4.2.1 of the paper.

    >>> torch.bincount(split_identities(100, seed=0)).tolist()
    [60, 15, 25]
    """
    if not (0 <= test <= 1 and 0 <= validation <= 1):
        raise ValueError(f"test and validation must be shares in 0..1, got {test} and {validation}")
    tests = round(n * test)
    validations = round((n - tests) * validation)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    split = torch.zeros(n, dtype=torch.int64)
    split[order[:tests]] = 2
    split[order[tests : tests + validations]] = 1
    return split
