"""What a file rests on: each file names the content of the files that it was made from, and its readers check it.

A stage that makes maps from faces, weights and trials calls `belong_together` on these files: trials of other faces, or
of other weights, are refused. It returns the digests, which go into the record of what the stage makes:

    made = belong_together({"faces": faces, "quadruplets": quadruplets, "weights": weights, "trials": trials})
    files.write_tensors(out, maps, {"record": {"stage": "maps", "rests_on": made}})

A digest is of a file's content without its record, because the record also holds when and how long a run was. A stage
that is run again on the same inputs makes a file of the same digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from safetensors import SafetensorError, safe_open
from torch import Tensor

from gweebp.support import files

__all__ = ["MUST_NAME", "belong_together", "digest", "digest_of", "recorded"]

RECORD = "record"  # the entry of a file that says how it was made
_CHUNK = 2**20

#: kind of file -> kinds of files that it must name, as far as they are given beside it
MUST_NAME: dict[str, tuple[str, ...]] = {
    "quadruplets": ("faces",),
    "trials": ("faces", "quadruplets", "weights"),
    "maps": ("faces", "quadruplets", "weights", "trials"),
}
_MADE_BY = {"quadruplets": "prepare faces", "weights": "train", "trials": "verify", "maps": "maps", "shuffled": "train"}


def belong_together(
    given: Mapping[str, Path],
    must_name: Mapping[str, Collection[str]] = MUST_NAME,
    *,
    may_differ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Check that files were made from one another.

    Args:
        given: kind of file → the file.
        must_name: kind of file → kinds which its record must name, where they are given.
        may_differ: kind of a file that may come from elsewhere, without a record → what its error adds.

    Returns:
        kind of file → its digest, for the record of what is made from them.

    Raises:
        FileNotFoundError: where a file is missing.
        ValueError: where a file was made from another file than the given one, or does not name it; the error names
            both, and the command that makes it again.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for n in (1, 2):
    ...     files.write_json(folder / f"faces{n}.json", {"n": n})
    >>> made = belong_together({"faces": folder / "faces1.json"})
    >>> files.write_json(folder / "q.json", {"record": {"rests_on": made}})
    >>> list(belong_together({"faces": folder / "faces1.json", "quadruplets": folder / "q.json"}))
    ['faces', 'quadruplets']
    >>> belong_together({"faces": folder / "faces2.json", "quadruplets": folder / "q.json"})
    Traceback (most recent call last):
    ValueError: .../q.json was made from other faces than .../faces2.json: make it again with ...
    """
    now = {kind: digest(path) for kind, path in given.items()}
    for kind, path in given.items():
        record = recorded(path)
        said = record.get("rests_on")
        if said is None and kind in (may_differ or {}):
            continue
        for other in must_name.get(kind, ()):
            then = said.get(other) if isinstance(said, dict) else None
            if other in given and then != now[other]:
                command = record.get("stage") or _MADE_BY.get(kind, "")
                wrong = f"was made from other {other} than" if then else "does not say that it was made from"
                raise ValueError(
                    f"{path} {wrong} {given[other]}: make it again with `gweebp {command}`, "
                    f"or name the {other} that it was made from{(may_differ or {}).get(kind, '')}"
                )
    return now


def digest(path: str | Path) -> str:
    """SHA-256 of a file's content without its record, as 64 hexadecimal digits.

    Of safetensors: names, types, shapes and values of the tensors, and the metadata without "record". Of JSON: all but
    the entry "record". Of any other file: its bytes.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a safetensors or JSON file that is corrupt.

    >>> import tempfile, torch
    >>> one, two = (Path(tempfile.mkdtemp()) / "x.safetensors" for _ in range(2))
    >>> files.write_tensors(one, {"x": torch.ones(2)}, {"record": {"seconds": 1}})
    >>> files.write_tensors(two, {"x": torch.ones(2)}, {"record": {"seconds": 2}})
    >>> digest(one) == digest(two), files.sha256(one) == files.sha256(two)
    (True, False)
    """
    path = _file(path)
    kind = _kind(path)
    if kind == "json":
        return hashlib.sha256(_canonical(_without_record(files.read_json(path)))).hexdigest()
    if kind != "safetensors":
        return files.sha256(path)
    summed = hashlib.sha256(_canonical(_without_record(_metadata(path))))
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        for name in sorted(header.keys() - {"__metadata__"}):
            first, end = header[name]["data_offsets"]
            summed.update(_canonical([name, header[name]["dtype"], header[name]["shape"]]))
            file.seek(8 + length + first)
            _add(summed, file, end - first)
    return summed.hexdigest()


def digest_of(*tensors: Tensor) -> str:
    """SHA-256 of the types, shapes and values of tensors.

    Args:
        tensors: in an order that counts.

    Returns:
        64 hexadecimal digits.

    >>> import torch
    >>> x = torch.zeros(6)
    >>> digest_of(x) == digest_of(torch.zeros(6)), digest_of(x) == digest_of(x.view(2, 3))
    (True, False)
    """
    summed = hashlib.sha256()
    for tensor in tensors:
        summed.update(_canonical([str(tensor.dtype), list(tensor.shape)]))
        summed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return summed.hexdigest()


def recorded(path: str | Path) -> dict[str, Any]:
    """The record in a file of ours, {"stage": which made it, "rests_on": {kind: digest}, ...}; empty for another file.

    A JSON file without an entry "record" is a record itself.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a safetensors or JSON file that is corrupt.
    """
    path = _file(path)
    readers = {"json": files.read_json, "safetensors": _metadata}
    content = readers[kind](path) if (kind := _kind(path)) in readers else {}
    record = content.get(RECORD, content) if isinstance(content, dict) else None
    return record if isinstance(record, dict) else {}


def _file(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}" + (" (it is a folder)" if path.is_dir() else ""))
    return path


def _kind(path: Path) -> str:
    """ "safetensors", "json" or "", by the file's suffix, or by its start: both may have any name."""
    with path.open("rb") as file:
        start = file.read(9)
    if path.suffix == ".safetensors":
        return "safetensors"
    return "json" if path.suffix == ".json" or start[:1] == b"{" else "safetensors" if start[8:] == b"{" else ""


def _metadata(path: Path) -> Any:
    """The metadata of a safetensors file; of one that another program wrote, its own texts."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return json.loads(metadata[files.METADATA]) if files.METADATA in metadata else metadata
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable safetensors file ({error}); delete it and make it again") from error


def _without_record(content: Any) -> Any:
    return {key: value for key, value in content.items() if key != RECORD} if isinstance(content, dict) else content


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add(summed: Any, file: BinaryIO, count: int) -> None:
    """Add the next `count` bytes of a file."""
    while count:
        part = file.read(min(count, _CHUNK))
        if not part:
            raise ValueError(f"{file.name} is cut off: delete it and make it again")
        summed.update(part)
        count -= len(part)
