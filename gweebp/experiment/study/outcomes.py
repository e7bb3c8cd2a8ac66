"""What is kept of the study: one compressed file per training and group of methods, and how claims read it.

    data/study/<dataset>/<network>-<training>/<group>.npz

It holds, in the order of the trials (bits: uint8, packed by `numpy.packbits`, one row per trial, one bit per step):

    hiding/person, other               numbers of the probe's person and of the non-mate (`people.drawn`)
    hiding/<method>                    bits: still nearer to the mate
    inpainting/person, part            the person, and the part exchanged (index into PARTS)
    inpainting/outside, outside_changed    pixels outside the region, and outside what changed visibly
    inpainting/<method>/success, tau   bits: nearer to IN than to OM; within τ of IN
    inpainting/<method>/false, false_changed    uint16 (q, steps): pixels outside taken
    crossed/<method>                   bits: the hiding game on the first quadruplets, IN as the non-mate
    truth/<method>/<region>/<score>    float32 (q,): scores of the map itself (games.truth)
    record                             JSON, as bytes

A method may have played only the first trials of its training: two methods are compared on those that both played.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gweebp.experiment.build import NAMES, Games
from gweebp.games.inpainting import Outcome
from gweebp.support import files

STEPS = 21
Arrays = Mapping[str, np.ndarray]


def write(path: str | Path, arrays: Arrays, record: Mapping[str, Any]) -> None:
    """Write one file, whole or not at all."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(record, sort_keys=True).encode(), dtype=np.uint8)
    np.savez_compressed(buffer, **{**arrays, "record": text})  # type: ignore[arg-type]
    with files.atomic(path) as part:
        part.write_bytes(buffer.getvalue())


def read(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and record of one file; ValueError where it is not one of ours."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as z:
            arrays = {key: z[key] for key in z.files}
        record = json.loads(arrays.pop("record").tobytes())
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no outcomes of the study ({error}); `make study` computes them") from error
    return arrays, record


@dataclass(frozen=True)
class Training:
    """One training of one network on one dataset, with all groups of methods that were played.

    rule: "nearest" or "tau", when a blend counts as the twin. outside: "region" or "changed", outside of which a pixel
    is a false alarm.
    """

    folder: Path
    dataset: str
    network: str
    rule: str = "nearest"
    outside: str = "region"

    @property
    def title(self) -> str:
        """For panels and tables."""
        return f"{NAMES.get(self.network, self.network)}, {NAMES.get(self.dataset, self.dataset)}"

    @cached_property
    def groups(self) -> dict[str, tuple[dict[str, np.ndarray], dict[str, Any]]]:
        """Group -> its arrays and record."""
        return {path.stem: read(path) for path in sorted(self.folder.glob("*.npz"))}

    @cached_property
    def _where(self) -> dict[str, dict[str, np.ndarray]]:
        """Method -> the arrays of the group that played it."""
        return {key.split("/")[1]: a for a, _ in self.groups.values() for key in a if key.startswith("truth/")}

    @property
    def methods(self) -> list[str]:
        """All methods that were played."""
        return list(self._where)

    def count(self, game: str, method: str) -> int:
        """How many trials of a game ("hiding", "inpainting", "crossed") a method played."""
        key = f"{game}/{method}/success" if game == "inpainting" else f"{game}/{method}"
        found = self._where.get(method, {}).get(key)
        return 0 if found is None else len(found)

    def games(self, methods: Iterable[str] | None = None) -> Games:
        """The outcomes of some methods (default: all) on the trials that all of them played."""
        wanted = [m for m in (self.methods if methods is None else methods) if m in self._where]
        if not wanted:
            raise ValueError(f"{self.folder} holds none of {methods}; it holds {', '.join(self.methods) or 'nothing'}")
        t, q = (min(self.count(game, m) for m in wanted) for game in ("hiding", "inpainting"))
        first = self._where[wanted[0]]
        suffix = "" if self.outside == "region" else "_changed"
        outside = torch.from_numpy(first[f"inpainting/outside{suffix}"][:q].astype(np.int64))
        success = "tau" if self.rule == "tau" else "success"
        return Games(
            hiding={m: bits(self._where[m][f"hiding/{m}"][:t]) for m in wanted},
            hiding_subject=torch.from_numpy(first["hiding/person"][:t]),
            inpainting={
                m: Outcome(
                    bits(self._where[m][f"inpainting/{m}/{success}"][:q]),
                    torch.from_numpy(self._where[m][f"inpainting/{m}/false{suffix}"][:q].astype(np.int64)),
                    outside,
                )
                for m in wanted
            },
            inpainting_subject=torch.from_numpy(first["inpainting/person"][:q]),
            inpainting_part=torch.from_numpy(first["inpainting/part"][:q].astype(np.int64)),
        )

    def crossed(self, methods: Iterable[str]) -> tuple[dict[str, Tensor], int]:
        """Method -> bool (n, steps), the hiding game on the first n quadruplets; and n, the same for all."""
        wanted = list(methods)
        n = min(self.count("crossed", m) for m in wanted)
        return {m: bits(self._where[m][f"crossed/{m}"][:n]) for m in wanted}, n

    def truth(self, method: str, score: str, region: str) -> np.ndarray:
        """Scores (q,) of a method's maps against the "region", or what visibly "changed" in it."""
        return self._where[method][f"truth/{method}/{region}/{score}"].astype(float)


def bits(packed: np.ndarray, steps: int = STEPS) -> Tensor:
    """bool (n, steps) of packed rows.

    >>> bits(np.packbits([[True, False, True]], axis=1), 3).tolist()
    [[True, False, True]]
    """
    return torch.from_numpy(np.unpackbits(packed, axis=1, count=steps).astype(bool))


def trainings(folder: str | Path, dataset: str, network: str, **view: str) -> list[Training]:
    """All trainings of a network that the folder holds, by number; `view`: rule and outside of `Training`."""
    found = sorted(Path(folder).glob(f"{dataset}/{network}-*"), key=lambda p: int(p.name.rpartition("-")[2]))
    return [Training(path, dataset, network, **view) for path in found if any(path.glob("*.npz"))]
