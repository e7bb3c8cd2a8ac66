"""The manifest of prepared data: what was made of which file, how, and what was skipped and why.

`manifest.json` in the folder of prepared data has one section a stage ("align", "parse"), so that stages may share a
folder. A section holds the stage's parameters, the sha256 of every input, the outputs, and the items that were skipped.
A stage that is run again asks `Manifest.has` before it makes an item: what exists, made from the same inputs with the
same parameters, is not made again. Paths are relative to the folder, and nothing names a folder of the user's.

A stage in short:

    manifest = Manifest(out, "align", source=folder, parameters={"size": 160})
    for name, path in items:
        inputs = {"image": path}
        if manifest.has(name, inputs):
            continue
        try:
            files.write_image(out / f"{name}.png", align(path))
        except (OSError, ValueError) as error:
            manifest.skip(name, error)
        else:
            manifest.add(name, inputs, [out / f"{name}.png"])
    manifest.finish()
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gweebp.support import files

__all__ = ["MANIFEST", "Manifest", "check_place"]

MANIFEST = "manifest.json"
_SAVE_AFTER = 5.0  # seconds: what a killed run loses at most


def check_place(folder: Path, source: Path | None) -> None:
    """ValueError for a folder of the user's: one that lies in the source, or holds files and no manifest.

    A source that has a manifest is itself prepared data, and may be written into.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "mine.png").write_bytes(b"")
    >>> check_place(folder, None)
    Traceback (most recent call last):
    ValueError: ... holds files and no manifest.json: they may be yours; name a new folder with --out
    """
    if (folder / MANIFEST).is_file():
        return
    if source and folder.resolve().is_relative_to(source.resolve()) and not (source / MANIFEST).is_file():
        raise ValueError(f"{folder} lies in {source}, where your originals are: name another folder with --out")
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise ValueError(f"{folder} holds files and no {MANIFEST}: they may be yours; name a new folder with --out")


class Manifest:
    """The section of one stage in a folder's manifest.

    Args:
        folder: where the stage writes.
        stage: its name, the section's.
        source: the folder that it reads; the user's originals are never written to. None: it reads none.
        parameters: all that decides the outputs beside the inputs, ready for JSON. Where they differ from those of the
            last run, everything is made again.

    Raises:
        ValueError: `folder` is not a place for prepared data (`check_place`).

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "raw.txt").write_text("a")
    >>> def run(factor):
    ...     manifest = Manifest(folder / "out", "repeat", source=folder / "raw", parameters={"factor": factor})
    ...     made = not manifest.has("a", {"text": folder / "raw.txt"})
    ...     with files.atomic(folder / "out" / "a.txt") as path:
    ...         _ = path.write_text("a" * factor)
    ...     manifest.add("a", {"text": folder / "raw.txt"}, [folder / "out" / "a.txt"])
    ...     return made, manifest.finish()["counts"]
    >>> run(2), run(2)[0], run(3)[0]
    ((True, {'made': 1, 'kept': 0, 'skipped': 0}), False, True)
    """

    def __init__(
        self, folder: str | Path, stage: str, *, source: str | Path | None, parameters: Mapping[str, Any]
    ) -> None:
        self.folder, self.stage = Path(folder), stage
        self.source, self.parameters = None if source is None else Path(source), dict(parameters)
        check_place(self.folder, self.source)
        previous = self._all().get(stage, {})
        self._before: dict[str, Any] = previous.get("items", {})
        self._same = previous.get("parameters") == self.parameters
        self._items: dict[str, Any] = {}
        self._skipped: list[dict[str, str]] = []
        self._kept = 0
        self._saved = time.monotonic()
        if not (self.folder / MANIFEST).is_file():  # from now on it is seen whose folder this is, whatever happens
            self._write(self._section({}))

    def has(self, item: str, inputs: Mapping[str, Path | str]) -> bool:
        """Whether the last run made `item` from the same inputs with the same parameters, and its outputs are there.

        Args:
            item: its name.
            inputs: name -> file, of which the sha256 counts, or text, which counts as it is (a digest, a value).
                A file that is missing is an input unlike any other.
        """
        before = self._before.get(item)
        if not self._same or before is None or before["inputs"] != _digests(inputs):
            return False
        if not all((self.folder / output).is_file() for output in before["outputs"]):
            return False
        self._items[item] = before
        self._kept += 1
        return True

    def add(self, item: str, inputs: Mapping[str, Path | str], outputs: Iterable[Path]) -> None:
        """Record that `item` was made."""
        relative = [output.relative_to(self.folder).as_posix() for output in outputs]
        self._items[item] = {"inputs": _digests(inputs), "outputs": relative}
        if time.monotonic() - self._saved > _SAVE_AFTER:
            # what the last run made and this one has not reached yet is kept for the next, should this one be killed
            self._write(self._section({**(self._before if self._same else {}), **self._items}))

    def skip(self, item: str, why: Exception | str) -> None:
        """Record that `item` can't be made. The source's path is taken out of the reason: a manifest may be shown."""
        self._skipped.append(
            {"item": item, "why": str(why).replace(f"{self.source}/", "") if self.source else str(why)}
        )

    def finish(self, **record: Any) -> dict[str, Any]:
        """Write the section, remove outputs of items that are no more, and warn of what was skipped.

        Args:
            record: more to write, such as environment=record.environment(...).

        Returns:
            the section: source, parameters, counts, skipped, items, and `record`.

        Raises:
            ValueError: every item was skipped.
        """
        made = len(self._items) - self._kept
        counts = {"made": made, "kept": self._kept, "skipped": len(self._skipped)}
        section = self._section(self._items) | {"counts": counts, "skipped": self._skipped} | record
        self._write(section)
        current = {output for item in self._items.values() for output in item["outputs"]}
        for output in {o for item in self._before.values() for o in item["outputs"]} - current:
            (self.folder / output).unlink(missing_ok=True)
        self._warn()
        return section

    def _warn(self) -> None:
        if not self._skipped:
            return
        total = len(self._items) + len(self._skipped)
        first = "; ".join(f"{s['item']}: {s['why']}" for s in self._skipped[:3])
        if not self._items:
            raise ValueError(f"none of {total} items of {self.source or self.stage} can be used; first: {first}")
        listed = self.folder / MANIFEST
        warnings.warn(f"skipped {len(self._skipped)} of {total} items, see {listed}; first: {first}", stacklevel=3)

    def _section(self, items: Mapping[str, Any]) -> dict[str, Any]:
        source = self.source.resolve().name if self.source else None
        return {"source": source, "parameters": self.parameters, "items": dict(items)}

    def _write(self, section: dict[str, Any]) -> None:
        files.write_json(self.folder / MANIFEST, self._all() | {self.stage: section})
        self._saved = time.monotonic()

    def _all(self) -> dict[str, Any]:
        path = self.folder / MANIFEST
        return files.read_record(path) if path.is_file() else {}


def _digests(inputs: Mapping[str, Path | str]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else files.sha256(value) if value.is_file() else "missing"
        for name, value in inputs.items()
    }
