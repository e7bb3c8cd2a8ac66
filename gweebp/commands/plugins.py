"""A Python file of the user's that adds to the package: a method by its decorator, a network to `NETWORKS`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

__all__ = ["load_plugin"]


def load_plugin(path: str | Path) -> list[str]:
    """Run the file `path`, once a process, and name the methods that it registered.

    Raises:
        FileNotFoundError: no such file. ValueError: no Python file, or one that can't be run; the message says why.

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

    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {path}: expected a Python file that registers a method or a network")
    path = Path(path).resolve()
    name = f"gweebp_plugin_{path.stem}"
    if getattr(sys.modules.get(name), "__file__", None) == str(path):
        return []
    spec = importlib.util.spec_from_file_location(name, path)
    if path.suffix != ".py" or spec is None or spec.loader is None:
        raise ValueError(f"{path.name} is no Python file: expected a name that ends in .py")
    known = set(METHODS)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        for added in METHODS.keys() - known:
            del METHODS[added]
        raise ValueError(f"{path.name} can't be run: {type(error).__name__}: {error}") from error
    return [added for added in METHODS if added not in known]
