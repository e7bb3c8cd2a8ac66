"""Where results may be written: never over a file that is read, and over no other file than one of our own.

Two names are one file where the disk says so (links, other spellings of a folder), or would say so on a disk that
ignores case or how letters with accents are coded.
"""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from gweebp.commands.casework.seals import written_by_us
from gweebp.support import temporaries

__all__ = ["Named", "as_one_name", "check_folder", "check_free", "place", "refuse_inputs"]

Named = tuple[str, Path]  # what the user calls it, such as "--out", and the path
Key = tuple[int | str, ...]

ADVICE = "move it or remove it, or choose another name"


def refuse_inputs(outputs: Iterable[Named], inputs: Iterable[Named]) -> None:
    """Raise ValueError where an output is an input, or the same file as another output.

    >>> refuse_inputs([("--out", Path("a.png"))], [("PROBE", Path("x/../A.png"))])
    Traceback (most recent call last):
    ValueError: --out a.png is the same file as PROBE x/../A.png, which is read: choose another name for what is written
    """
    read: dict[Key, Named] = {key: named for named in inputs for key in _keys(named[1])}
    written: dict[Key, Named] = {}
    for what, path in outputs:
        keys = list(_keys(path))
        for known, text in ((read, "which is read"), (written, "which is written too")):
            if same := next((known[key] for key in keys if key in known), None):
                other, its = same
                raise ValueError(
                    f"{what} {path} is the same file as {other} {its}, {text}: choose another name for what is written"
                )
        written |= dict.fromkeys(keys, (what, path))


def check_folder(folder: Path) -> None:
    """Raise OSError unless `folder` is one that can be written into, or can be made."""
    there = next((part for part in (folder, *folder.absolute().parents) if os.path.lexists(part)), folder)
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is not a folder: nothing can be written into {folder}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"can't write into {there}: choose another folder")


def check_free(path: Path, *, spoilt: bool = False) -> None:
    """Raise OSError unless `path` may be written: nothing is there, or a file that our seal is on.

    Args:
        spoilt: an empty file may be replaced too: the caller knows that it was ours.
    """
    if not os.path.lexists(path) or written_by_us(path):
        return
    if path.is_symlink():
        raise FileExistsError(f"{path} is a link, and what it points to is not ours to replace: {ADVICE}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, where a file has to be written: {ADVICE}")
    if spoilt and path.is_file() and not path.stat().st_size:
        return
    raise FileExistsError(
        f"{path} is there already, and gweebp did not write it, or it was changed since (its seal says so): {ADVICE}"
    )


def place(contents: Iterable[tuple[Path, bytes]], *, spoilt: Iterable[Path] = ()) -> None:
    """Write files, each whole: all are on the disk under temporary names before the first gets its own.

    Raises OSError, and replaces nothing, where one of them may not be written (`check_free`) or the disk is full.

    Args:
        spoilt: those among the paths that may be replaced if nothing of them would be lost: they are empty, or hold the
            beginning of what is written now.
    """
    may_be_spoilt = set(spoilt)
    with ExitStack() as stack:
        staged = []
        for path, content in contents:
            try:
                temporary = stack.enter_context(temporaries.beside(path))
                _write(temporary, content)
            except OSError as error:  # the user knows the file by its name, not by the temporary's
                raise type(error)(error.errno, error.strerror, str(path)) from error
            staged.append((temporary, path, content))
        for _, path, content in staged:  # as late as can be: they may have come there while the case was computed
            if path not in may_be_spoilt or not _begins(path, content):
                check_free(path)
        for temporary, path, _ in staged:
            _rename(temporary, path)


def _begins(path: Path, content: bytes) -> bool:
    return path.is_file() and not path.is_symlink() and content.startswith(path.read_bytes())


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # so that a crash of the machine does not leave the name of an empty file


def _rename(temporary: Path, path: Path) -> None:
    """Give a file its name; one that came there meanwhile is not replaced."""
    if os.path.lexists(path):
        os.replace(temporary, path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise FileExistsError(f"{path} has just been made by another program: {ADVICE}") from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV):
            raise
        os.replace(temporary, path)  # a file system without hard links


def as_one_name(name: str) -> str:
    """What all names have in common that are one on a disk that ignores case.

    >>> as_one_name("Straße.PNG") == as_one_name("STRASSE.png"), as_one_name("e\\u0301") == as_one_name("é")
    (True, True)
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _keys(path: Path) -> Iterator[Key]:
    """What paths have in common that are one file: the file itself where it exists, and its name in its folder."""
    try:
        about = os.stat(path)
        yield "file", about.st_dev, about.st_ino
    except (OSError, ValueError):
        pass
    try:
        places = {os.path.abspath(path), os.path.realpath(path)}
    except (OSError, ValueError):  # not a path: a NUL in it, or too long
        return
    for absolute in sorted(places):
        yield _in_folder(absolute)


def _in_folder(absolute: str) -> Key:
    """The nearest folder above that exists, and the names from there on."""
    names: list[str] = []
    folder = absolute
    while True:
        folder, name = os.path.split(folder)
        names.append(as_one_name(name))
        try:
            about = os.stat(folder)
        except OSError:
            if folder == os.path.dirname(folder):
                return "name", *names
            continue
        return "name", about.st_dev, about.st_ino, *reversed(names)
