"""The threshold of a verification, and its conditions: weights, alignment, rate of false positives, number of pairs.

A threshold is of one file of weights and of pictures that are aligned as the trials' were. Other weights are refused;
another alignment, and whatever the file does not say, is said where the threshold is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gweebp.commands.casework.alignment import same_frame
from gweebp.commands.casework.pictures import printable
from gweebp.commands.casework.strangers import Strangers, of_record
from gweebp.networks.frames import Frame
from gweebp.support import files
from gweebp.support.ranges import DISTANCE
from gweebp.support.rests_on import digest

__all__ = ["Threshold", "of_trials"]


@dataclass(frozen=True)
class Threshold:
    """A threshold and what it rests on.

    Attributes:
        value: L2 distance of unit embeddings; None: there is none. conditions: in words, to stand beside the number.
        strangers: of the same trials. sha256: of their file.
    """

    value: float | None = None
    conditions: str = ""
    strangers: Strangers | None = None
    sha256: str | None = None


def of_trials(path: Path, network: str, weights: Path, frame: Frame | None) -> Threshold:
    """The threshold in the JSON of `gweebp verify`.

    Args:
        network, weights: that it must be of. frame: to which the pictures of the case are aligned; None: they are not.

    Raises:
        FileNotFoundError: no such file. ValueError: it holds no threshold, or is of another network or other weights.
    """
    found = files.read_json(path)
    if not isinstance(found, dict) or "threshold" not in found:
        raise ValueError(f"{path} holds no threshold; expected the JSON of `gweebp verify`")
    if found.get("network") != network:
        raise ValueError(f"the threshold in {path} is of {found.get('network')}, and the weights of {network}")
    value = found["threshold"]
    if isinstance(value, bool) or value not in DISTANCE:
        raise ValueError(f"the threshold in {path} is {value!r}: expected {DISTANCE.bounds}")
    said = [_rate(found), _pairs(found), _weights(found, path, weights), _alignment(found, path, frame)]
    try:
        strangers = of_record(found.get("strangers"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; make it again with `gweebp verify`") from error
    return Threshold(float(value), ", ".join(text for text in said if text), strangers, files.sha256(path))


def _rate(found: Mapping[str, Any]) -> str:
    rate = found.get("fpr_at_threshold", found.get("fpr"))
    if not isinstance(rate, float):
        return "false positives not known"
    return f"false positives {rate:.2%}" if rate else "no false positives"


def _pairs(found: Mapping[str, Any]) -> str:
    pairs = found.get("pairs")
    count = pairs.get("impostor") if isinstance(pairs, Mapping) else None
    dataset = printable(str(found.get("dataset", "the trials")))[:60].strip(" .")
    return f"of {count:,} pairs of {dataset}" if isinstance(count, int) else ""


def _weights(found: Mapping[str, Any], path: Path, weights: Path) -> str:
    """Words where the file does not say which weights it is of; ValueError where it is of others."""
    record = found.get("record")
    rests_on = record.get("rests_on") if isinstance(record, Mapping) else None
    known = rests_on.get("weights") if isinstance(rests_on, Mapping) else None
    sha256 = found.get("weights_sha256")
    if known is None and sha256 is None:
        return "of weights that its file does not name"
    if sha256 == files.sha256(weights) or (known is not None and known == digest(weights)):
        return ""
    raise ValueError(
        f"the threshold in {path} is of other weights than {weights}: make it again with `gweebp verify --weights "
        f"{weights.name}`, or leave --trials out"
    )


def _alignment(found: Mapping[str, Any], path: Path, frame: Frame | None) -> str:
    """Words where the pictures of the case are not aligned as those of the trials; "" where they are."""
    if found.get("alignment") is None:
        return "of pictures whose alignment its file does not name"
    try:
        wanted = Frame.of(found["alignment"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}; make it again with `gweebp verify`") from error
    if frame is None:
        return f"of pictures aligned to the frame {wanted.name!r}, and these were not aligned"
    if not same_frame(frame, wanted):
        return f"of pictures aligned to the frame {wanted.name!r}, and these were aligned to {frame.name!r}"
    return ""
