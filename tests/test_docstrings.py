"""What a user calls is documented in full: every argument, and every error that the function itself raises."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gweebp

PACKAGE = Path(gweebp.__file__).parent
# what users of the package call; rooms, or single files of one. The rest is inside: it says in a sentence what it does
CALLED = """
    support games methods networks figures saliency.py overlay.py
    excitation/propagation.py excitation/equations.py excitation/gain.py excitation/triplet.py excitation/layers.py
    excitation/positions.py excitation/nodes.py
    faces/faceset.py faces/quadruplets.py faces/variation.py faces/readers faces/inpainting_game
    experiment/build.py experiment/check_method.py experiment/claims.py experiment/examples.py experiment/mask_counts.py
    experiment/paper.py experiment/ranks.py experiment/triplets.py experiment/typical_cases.py
""".split()
OF_ALL_METHODS = {"net", "probe", "mate", "nonmate", "layer"}  # said once, in gweebp.methods
RAISED = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Interrupt|UnsupportedOperation)|Broken)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[str, Function, str]  # its name, the function, the docstring of its class


def files() -> list[Path]:
    places = [PACKAGE / name for name in CALLED]
    return sorted(path for place in places for path in ([place] if place.is_file() else place.rglob("*.py")))


def public(nodes: list[ast.stmt], name: str, of_class: str = "") -> Iterator[Place]:
    """Functions that a user may call; of an overloaded one, the one that has a body."""
    for node in nodes:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node.body, f"{name}.{node.name}", ast.get_docstring(node) or "")
        elif isinstance(node, Function) and called(node):
            yield f"{name}.{node.name}", node, of_class


def called(function: Function) -> bool:
    """Not so a module's `forward`, which is called by calling the module."""
    return not function.name.startswith("_") and function.name != "forward" and "overload" not in decorators(function)


def decorators(function: Function) -> list[str]:
    return [ast.unparse(decorator) for decorator in function.decorator_list]


def functions() -> list[Place]:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")).body for path in files()}
    return [place for path, body in trees.items() for place in public(body, str(path.relative_to(PACKAGE)))]


def unnamed(function: Function, text: str) -> set[str]:
    """Arguments that a docstring neither has an entry for, "name: ..." or "name, other: ...", nor writes as `name`."""
    entries = re.findall(r"^ *((?:\*{0,2}\w+)(?:, \*{0,2}\w+)*): ", text, re.M)
    named = {name for entry in entries for name in re.findall(r"\w+", entry)} | set(re.findall(r"`(\w+)`", text))
    given = function.args
    starred = [argument for argument in (given.vararg, given.kwarg) if argument]
    names = {a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs, *starred)} - {"self", "cls"}
    if any(decorator.startswith("method(") for decorator in decorators(function)):
        names -= OF_ALL_METHODS
    return names - named


def unsaid(function: Function, text: str) -> set[str]:
    """Errors that a function raises itself, and of which a docstring names neither the class nor one that it is of."""
    said = set(RAISED.findall(text))
    raised = {
        node.exc.func.id
        for node in ast.walk(function)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }
    return {name for name in raised if not name.startswith("_") and not said & bases(name)}


def bases(name: str) -> set[str]:
    kind = getattr(builtins, name, None)
    return {name} | ({base.__name__ for base in inspect.getmro(kind)} - {"Exception"} if kind else set())


PLACES = functions()


@pytest.mark.parametrize(("name", "function", "of_class"), PLACES, ids=[name for name, *_ in PLACES])
def test_a_function_that_users_call_says_its_arguments_and_its_errors(name, function, of_class):
    text = ast.get_docstring(function) or ""
    assert text, f"{name} has no docstring"
    assert not unnamed(function, text), f"{name}: its docstring names the other arguments only"
    assert not unsaid(function, f"{text}\n{of_class}"), f"{name}: its docstring lacks errors that it raises"


def test_the_rooms_that_users_call_are_all_here():
    rooms = {name.partition("/")[0].partition(".")[0] for name, *_ in PLACES}
    assert {
        "support",
        "games",
        "methods",
        "networks",
        "figures",
        "saliency",
        "overlay",
        "excitation",
        "faces",
        "experiment",
    } == rooms
    assert all((PACKAGE / name).exists() for name in CALLED)


@pytest.mark.parametrize(
    ("source", "lacks"),
    [
        ('def f(a, *, b=1):\n    """Of `a`.\n\n    Args:\n        b: its power.\n    """', set()),
        ('def f(a, *, b=1):\n    """To the power `b`.\n\n    Args:\n        a, c: numbers.\n    """', set()),
        ('def f(a, b):\n    """A sentence has a word, and an entry a colon: b is none."""', {"a", "b"}),
        ('def f(*images, **options):\n    """Of `images`."""', {"options"}),
        ('@method("f")\ndef f(net, probe, mate, nonmate, *, layer, top=3):\n    """Map."""', {"top"}),
        ('def f(net):\n    """Of the nets.\n\n    Args:\n        nets: some.\n    """', {"net"}),
    ],
)
def test_an_argument_that_is_not_named_is_found(source, lacks):
    (function,) = ast.parse(source).body
    assert unnamed(function, ast.get_docstring(function)) == lacks


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("Raises ValueError.", {"IsADirectoryError"}),
        ("OSError, ValueError.", set()),
        ("Nothing.", {"ValueError", "IsADirectoryError"}),
    ],
)
def test_an_error_that_is_not_named_is_found(text, lacks):
    (function,) = ast.parse(
        "def f():\n    raise ValueError('a')\n    raise IsADirectoryError('b')\n    raise _Own('c')"
    ).body
    assert unsaid(function, text) == lacks
