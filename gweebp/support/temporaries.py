"""Temporary files beside the files that they become, and the removal of those that killed runs have left.

A temporary file is `.gweebp-<12 digits>.new<suffix>`. While its program runs, the program holds a lock on a second
file, `.gweebp-<12 digits>.lock`, which contains the name of the temporary file. A program that is killed leaves both
files without the lock: a later run finds that, and removes these two files and no other. Where a file system has no
locks, nothing is removed.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # no such locks on this system: what killed runs leave stays
    fcntl = None  # type: ignore[assignment]

__all__ = ["beside", "is_ours", "sweep"]

NAME = re.compile(r"(\.gweebp-[0-9a-f]{12})\.lock")
LONGEST = 32  # bytes of a suffix that is kept

_swept: set[tuple[int, int]] = set()  # the folders that this process has looked through


@contextmanager
def beside(path: str | Path) -> Iterator[Path]:
    """Yield the name of a temporary file in the folder of another file; the temporary file is removed at the end.

    The folder is made where it is missing. The name keeps the suffix, so that writers which guess the format from it
    work; it is short, so that it is possible wherever the other name is.

    Args:
        path: the other file.

    Raises:
        OSError: where the folder cannot be made or written to.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with beside(folder / "note.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    ...     temporary.suffix, temporary.parent == folder
    ('.txt', True)
    >>> list(folder.iterdir())
    []
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = path.parent.stat()
    if (about.st_dev, about.st_ino) not in _swept:
        sweep(path.parent)
        _swept.add((about.st_dev, about.st_ino))
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= LONGEST else ""
    while True:
        stem = f".gweebp-{uuid.uuid4().hex[:12]}"
        temporary, lock = path.parent / f"{stem}.new{suffix}", path.parent / f"{stem}.lock"
        try:
            with _held(lock, temporary.name) as held:
                if held:
                    yield temporary
                    return
        finally:
            temporary.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)


@contextmanager
def _held(lock: Path, name: str) -> Iterator[bool]:
    """Make and lock the file `lock`, in which `name` stands; False where another program has just swept it away."""
    descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        _locked(descriptor)
        os.write(descriptor, os.fsencode(name))
        yield lock.exists()
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Lock an open file for this program; False where another one holds it, or the file system has no locks."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return fcntl is not None


def is_ours(name: str | bytes) -> bool:
    """Whether a file's name is that of a temporary file, or of its lock.

    Args:
        name: with its folder or without.

    >>> is_ours("faces/.gweebp-0123456789ab.new.png"), is_ours("faces/a.png")
    (True, False)
    """
    return Path(os.fsdecode(name)).name.startswith(".gweebp-")


def sweep(folder: str | Path) -> list[str]:
    """Remove temporary files whose programs were killed; no other file is touched.

    Args:
        folder: to look through.

    Returns:
        The names of the removed files.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / ".gweebp-0123456789ab.new.png").write_bytes(b"half")
    >>> sweep(folder)  # without its lock it may be of any program
    []
    >>> _ = (folder / ".gweebp-0123456789ab.lock").write_bytes(b".gweebp-0123456789ab.new.png")
    >>> sweep(folder), list(folder.iterdir())
    (['.gweebp-0123456789ab.new.png'], [])
    """
    folder, removed = Path(folder), []
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = [(entry.name, match[1]) for entry in entries if (match := NAME.fullmatch(entry.name))]
    for name, stem in sorted(found):
        lock = folder / name
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # gone by now, a folder, a link, or another user's
            continue
        try:
            if not _locked(descriptor):
                continue
            left = os.fsdecode(os.read(descriptor, 256))
            if re.fullmatch(rf"{re.escape(stem)}\.new(\.[^/]*)?", left):
                if (folder / left).is_file() and not (folder / left).is_symlink():
                    (folder / left).unlink(missing_ok=True)
                    removed.append(left)
            elif left:
                continue  # a file of somebody else's
            lock.unlink(missing_ok=True)
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return removed
