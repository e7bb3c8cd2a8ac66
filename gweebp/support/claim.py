"""A place to write, checked and locked before the work begins: what would fail after hours fails at once.

with claim(out, "verify", inputs={"faces": faces, "weights": weights}):
    files.write_json(out, work())
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gweebp.support.rests_on import recorded

try:
    import fcntl
except ImportError:  # no such locks on this system: runs are not kept apart, files stay whole
    fcntl = None  # type: ignore[assignment]

__all__ = ["claim", "sole"]


@contextmanager
def claim(
    out: str | Path, stage: str, *, inputs: Mapping[str, Path | None], names: tuple[str, ...] = ()
) -> Iterator[None]:
    """Check that a stage may write its output, and let no other run write there while the stage works.

    Args:
        out: the file that it writes, or the folder with `names`.
        stage: its name, which is in the record of each file that it writes.
        inputs: name → file or folder that it reads; None where it reads none.
        names: of the files that it writes into the folder `out`.

    Raises:
        ValueError: where an output is an input, or is a file that this stage did not write.
        OSError: where the output cannot be written, or another run writes it.

    >>> import tempfile
    >>> given = Path(tempfile.mkdtemp()) / "weights.json"
    >>> _ = given.write_text("{}")
    >>> with claim(given, "verify", inputs={"weights": given}):
    ...     pass
    Traceback (most recent call last):
    ValueError: --out .../weights.json is also the --weights: name another file
    """
    out = Path(out)
    if names and out.exists() and not out.is_dir():
        raise NotADirectoryError(f"--out {out} is a file; expected a folder")
    for path in [out / name for name in names] or [out]:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; expected the name of a file that does not exist yet")
        for name, given in inputs.items():
            if given is not None and _same(path, given):
                raise ValueError(f"--out {path} is also the --{name}: name another {'folder' if names else 'file'}")
        if path.exists() and not _wrote(path, stage):
            raise ValueError(
                f"{path} is there and was not written by `gweebp {stage}`: name another place, or remove it"
            )
    with sole(out, folder=bool(names)):
        yield


@contextmanager
def sole(out: str | Path, *, folder: bool) -> Iterator[None]:
    """Be the only run that writes a file, or into a folder; missing folders are made.

    The system releases the lock of a run that was killed. Nothing is left behind: neither the lock's file, nor a folder
    that was made for a run that wrote nothing.

    Args:
        out: the file, or the folder.
        folder: whether `out` is a folder.

    Raises:
        OSError: where another run writes there, or the place cannot be written.

    >>> import tempfile
    >>> home = Path(tempfile.mkdtemp())
    >>> with sole(home / "new", folder=True), sole(home / "new", folder=True):
    ...     pass
    Traceback (most recent call last):
    BlockingIOError: another run writes .../new: wait until it has ended, or name another place with --out
    >>> list(home.iterdir())
    []
    """
    out = Path(out)
    home = out if folder else out.parent
    # by a digest: a name may be as long as a file system allows, and the lock's would be longer
    path = home / f".gweebp-run{'' if folder else '-' + hashlib.sha256(os.fsencode(out.name)).hexdigest()[:12]}.lock"
    with ExitStack() as cleaning:
        for part in reversed([part for part in (home, *home.parents) if not part.exists()]):
            cleaning.callback(_remove_empty, part)
        try:
            home.mkdir(parents=True, exist_ok=True)
            lock = _locked(path)
        except BlockingIOError:
            raise BlockingIOError(
                f"another run writes {out}: wait until it has ended, or name another place with --out"
            ) from None
        except OSError as error:
            raise type(error)(f"can't write into {home}: {error.strerror or error}") from error
        cleaning.callback(_unlock, path, lock)
        yield


def _locked(path: Path) -> int:
    """A descriptor of the lock file, locked; BlockingIOError where another run has it."""
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            _lock(lock)
            if _is(path, lock):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # the run before removed the file between our opening it and locking it


def _lock(descriptor: int) -> None:
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if isinstance(error, BlockingIOError):
                raise
            # a file system without locks: runs are not kept apart there, files stay whole


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _unlock(path: Path, lock: int) -> None:
    path.unlink(
        missing_ok=True
    )  # while it is locked: whoever opened it before finds that it is gone, and makes another
    os.close(lock)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _same(path: Path, given: Path) -> bool:
    return path.resolve() == given.resolve() or (path.exists() and given.exists() and path.samefile(given))


def _wrote(path: Path, stage: str) -> bool:
    """Whether a stage wrote this file, by its own record: its stage, or in older records its command."""
    try:
        record = recorded(path)
    except ValueError:
        return False
    environment = record.get("environment")
    command = record.get("command") or (environment.get("command") if isinstance(environment, dict) else None)
    return record["stage"] == stage if "stage" in record else f" {stage} " in str(command)
