"""What an installed package is: light to import, typed, without tests, clear about what is not installed."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gweebp.support.extras import extra

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMES = {"pillow": "PIL"}  # of distributions that are imported under another name


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_light():
    """Beside torch: the algorithm and its methods alone, no library but numpy, few modules. Seconds: `make bench`."""
    code = "import sys, torch\nbefore = set(sys.modules)\nimport gweebp\nprint(*sorted(set(sys.modules) - before))"
    loaded = python(code).split()
    assert "gweebp" in loaded
    assert {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) <= {"gweebp", "numpy"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("gweebp.")}
    assert not rooms & {"networks", "faces", "games", "figures", "experiment", "commands"}
    assert len(loaded) < 75


def test_everything_but_figures_works_without_matplotlib():
    """Each module is imported with matplotlib and its company blocked; only what draws may ask for them."""
    code = (
        "import importlib, pkgutil, sys\n"
        "for name in ('matplotlib', 'seaborn', 'mpl_toolkits'): sys.modules[name] = None\n"
        "import gweebp\n"
        "for found in pkgutil.walk_packages(gweebp.__path__, 'gweebp.', onerror=lambda name: None):\n"
        "    try: importlib.import_module(found.name)\n"
        "    except ModuleNotFoundError as error: print(found.name, 'gweebp[figures]' in str(error))"
    )
    failed = dict(line.split() for line in python(code).splitlines())
    draws = {name for name in failed if not name.startswith("gweebp.figures")}
    assert "gweebp.figures" in failed
    assert draws == {"gweebp.commands.casework.page"}
    assert set(failed.values()) == {"True"}, "the error names the extra that brings matplotlib"


def needs(path: Path) -> set[str]:
    """Top-level packages that a file imports when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("room", ["support", "excitation", "methods", "networks", "games", "saliency.py", "overlay.py"])
def test_what_a_user_imports_needs_the_dependencies_alone(room):
    """At import, that is: what a function imports when called may be an extra."""
    declared = {re.split(r"[<>=\[ ]", name)[0] for name in PROJECT["dependencies"]}
    known = {NAMES.get(name, name) for name in declared} | set(sys.stdlib_module_names) | {"gweebp"}
    place = ROOT / "gweebp" / room
    for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
        assert needs(path) <= known, path


def test_a_missing_extra_says_how_to_get_it():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "try:\n    import gweebp.figures\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    assert 'pip install "gweebp[figures]"' in python(code)
    with pytest.raises(ModuleNotFoundError, match=r"no_such_library is not installed.*gweebp\[book\]"), extra("book"):
        import no_such_library  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'gweebp\.none'"), extra("book"):
        import gweebp.none  # noqa: F401


def test_every_extra_that_the_code_names_exists():
    named = {
        name for path in (ROOT / "gweebp").rglob("*.py") for name in re.findall(r'extra\("(\w+)"\)', path.read_text())
    }
    assert named
    assert named <= set(PROJECT["optional-dependencies"])
