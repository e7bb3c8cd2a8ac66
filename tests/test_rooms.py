"""The house: what stands at the top of the package, and which room may import which."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gweebp"
#: from left to right; a room imports only rooms to its left. `overlay` and `figures` stand beside what they draw
ROOMS = "support excitation methods saliency overlay networks faces games figures experiment commands".split()
ALONE = {"excitation": {"support"}, "games": {"support"}}  # these import nothing else of the package
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if len(path.relative_to(PACKAGE).parts) > 1)
FILES += [Path("saliency.py"), Path("overlay.py")]


def rooms_imported(path: Path) -> set[str]:
    """The rooms that a file imports, also inside functions and as `from gweebp import room`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("gweebp.")}
    return found


def allowed(path: Path) -> set[str]:
    room = path.parts[0].removesuffix(".py")
    left = ALONE.get(room, set(ROOMS[: ROOMS.index(room)]))
    if room == "faces" and path.parts[1] != "preparation":
        left = left - {"networks"}  # only the preparation of real faces may use networks
    return left | {room}


def test_at_most_thirteen_entries_stand_in_the_hall():
    entries = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "py.typed"}
    assert entries == {"__init__.py", "__main__.py"} | {
        name if (PACKAGE / name).is_dir() else f"{name}.py" for name in ROOMS
    }
    assert len(entries) <= 13


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_room_imports_only_rooms_to_its_left(path):
    imported = rooms_imported(path)
    wrong = imported - allowed(path)
    assert not wrong, f"gweebp/{path} imports {sorted(wrong)}; it may import {sorted(allowed(path))}"
