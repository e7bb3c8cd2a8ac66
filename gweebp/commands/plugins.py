"""A Python file of the user's that adds to the package: a method by its decorator, a network to `NETWORKS`."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from gweebp.support import files

__all__ = ["load_plugin", "plug_in", "unchanged"]

_loaded: dict[str, str] = {}  # name of the module -> SHA-256 of the file that it is from


def load_plugin(path: str | Path) -> list[str]:
    """Run the file `path`, once a process as long as it stays as it is, and name the methods that it registered.

    Of a file that can't be run, nothing stays registered.

    Raises:
        FileNotFoundError: no such file. ValueError: not a Python file, or one that can't be run; the message says why.

    >>> import tempfile
    >>> from gweebp import METHODS
    >>> path = Path(tempfile.mkdtemp()) / "mine.py"
    >>> _ = path.write_text('''
    ... from gweebp.methods import method
    ... @method("doctest")
    ... def mine(net, probe, mate, nonmate, *, layer):
    ...     return probe.mean(1)
    ... ''')
    >>> load_plugin(path), METHODS.pop("doctest").name
    (['doctest'], 'doctest')
    """
    from gweebp.methods import METHODS
    from gweebp.networks import NETWORKS

    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {path}: expected a Python file that registers a method or a network")
    path = Path(path).resolve()
    if path.suffix != ".py":
        raise ValueError(f"{path.name} is not a Python file: expected a name that ends in .py")
    source = path.read_bytes()
    name, digest = f"gweebp_plugin_{path.stem}", hashlib.sha256(source).hexdigest()
    module = sys.modules.get(name)
    again = getattr(module, "__file__", None) == str(path)
    if again and _loaded.get(name) == digest:
        return []
    methods, networks = dict(METHODS), dict(NETWORKS)
    for known in [known for known, method in METHODS.items() if again and method.run.__module__ == name]:
        del METHODS[known]  # of the file as it was before
    try:
        # these very bytes: no cached version of them, and none is left beside the file
        sys.modules[name] = _module(name, path)
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(sys.modules[name]))
    except (Exception, SystemExit) as error:
        for registry, before in ((METHODS, methods), (NETWORKS, networks)):
            registry.clear()
            registry.update(before)  # type: ignore[arg-type]
        sys.modules.pop(name)
        if module is not None:
            sys.modules[name] = module
        raise ValueError(f"{path.name} can't be run: {type(error).__name__}: {error}") from error
    _loaded[name] = digest
    return [added for added, method in METHODS.items() if methods.get(added) is not method]


def plug_in(path: str | Path, weights: str | Path) -> None:
    """Load a plugin for a command that reads `weights`; a warning is printed where it changed them (`unchanged`)."""
    with unchanged(weights) as said:
        load_plugin(path)
    for note in said:
        print(f"warning: {note}: what saves weights belongs into a script of its own", file=sys.stderr)


def _module(name: str, path: Path) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(path)
    return module


@contextmanager
def unchanged(path: str | Path) -> Iterator[list[str]]:
    """Put a file back as it was, if what is done within changes it: the weights, while a plugin is loaded.

    What was put in its place is kept beside it. Yields a list that says so after, in one sentence; empty if not needed.

    Raises FileNotFoundError: no such file before. ValueError: as raised within, with the sentence.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> _ = path.write_text("trained")
    >>> with unchanged(path) as said:
    ...     _ = path.write_text("random")
    >>> path.read_text(), len(said), sorted(p.read_text() for p in path.parent.iterdir())
    ('trained', 1, ['random', 'trained'])
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    link = os.readlink(path) if path.is_symlink() else None
    target = path.resolve()
    content, about = target.read_bytes(), target.stat()
    said: list[str] = []

    def put_back() -> None:
        kept, changed = [], False
        if link is not None and not (path.is_symlink() and os.readlink(path) == link):
            changed, kept = True, _set_aside(path)
            os.symlink(link, path)
        if not target.is_file() or target.read_bytes() != content:
            changed, kept = True, kept + _set_aside(target)
            with files.atomic(target) as temporary:
                temporary.write_bytes(content)
                os.chmod(temporary, about.st_mode & 0o7777)
                os.utime(temporary, ns=(about.st_atime_ns, about.st_mtime_ns))
        if not changed:
            return
        beside = f"; what was written there is beside it, in {' and '.join(kept)}" if kept else ""
        said.append(f"{path} was changed as the plugin was loaded, and was put back as it was{beside}")

    try:
        yield said
    except Exception as error:
        put_back()
        if said:
            raise ValueError(f"{error} ({said[0]})") from error
        raise
    except BaseException:
        put_back()
        raise
    put_back()


def _set_aside(path: Path) -> list[str]:
    """Give what stands at `path` another name beside it, which no file has yet; that name, if there was something."""
    if not os.path.lexists(path):
        return []
    number = next(n for n in range(1, 2**31) if not os.path.lexists(path.with_name(f"{path.name}.changed-{n}")))
    aside = path.with_name(f"{path.name}.changed-{number}")
    os.rename(path, aside)
    return [aside.name]
