"""Parameters of a chapter: the assignments of its one cell tagged `parameters`, and what a person gives in their place.

A line such as `steps = 101  # mask sizes in the example` says all there is to know: name, type, default and meaning.
"""

from __future__ import annotations

import ast
import difflib
import io
import re
import shlex
import tokenize
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from gweebp.support.ranges import Range

Value = int | float | str | bool

BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ChapterError(Exception):
    """A chapter that can't be executed as asked; the message is for the person who asked."""


def defaults(notebook: Any) -> dict[str, Value]:
    """The assignments of the one cell tagged `parameters`: name -> plain int, float, str or bool."""
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ChapterError(f"expected one cell tagged 'parameters', found {len(cells)}")
    found: dict[str, Value] = {}
    for statement in ast.parse(cells[0].source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                raise ChapterError(f"the parameters cell holds more than assignments: {ast.unparse(statement)}")
        try:
            found[name] = ast.literal_eval(value)
        except ValueError:
            raise ChapterError(f"parameter {name} is not a plain value: {ast.unparse(value)}") from None
        if type(found[name]) not in (int, float, str, bool):
            raise ChapterError(f"parameter {name} is a {type(found[name]).__name__}; use int, float, str or bool")
    return found


def convert(name: str, text: str, default: Value) -> Value:
    """`text` in the type of the parameter's default value.

    >>> convert("steps", "11", 101), convert("margin", "1", 0.2), convert("hinge", "no", True)
    (11, 1.0, False)
    """
    try:
        if isinstance(default, bool):
            return BOOLEANS[text.lower()]
        if isinstance(default, str):
            return text
        return Range(whole=isinstance(default, int)).read(text)
    except (KeyError, ValueError):
        kind = type(default).__name__
        raise ChapterError(f"parameter {name} is a {kind} (default {default!r}); {text!r} is not one") from None


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE texts as a mapping; ChapterError for anything else, such as an option, and for a name given twice.

    >>> pairs(["steps=11", "name=a=b"])
    {'steps': '11', 'name': 'a=b'}
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ChapterError(f"expected NAME=VALUE, such as steps=11; got {text!r}")
        if name in found:
            raise ChapterError(f"parameter {name} is given twice")
        found[name] = value
    return found


def parameters(notebook: Any, given: Mapping[str, str]) -> dict[str, Value]:
    """The given parameters, each checked against the notebook's own and converted to its type."""
    known = defaults(notebook)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ChapterError(f"no parameter {name!r}{hint} This chapter has: {', '.join(known) or 'none'}")
    return {name: convert(name, text, known[name]) for name, text in given.items()}


def meanings(source: str) -> dict[str, str]:
    """Name -> the comment beside its assignment; "" where there is none.

    >>> meanings('steps = 11  # mask sizes\\nname = "#1"')
    {'steps': 'mask sizes', 'name': ''}
    """
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    assigned = (node for node in ast.parse(source).body if isinstance(node, (ast.Assign, ast.AnnAssign)))
    return {
        _name(node): next((comments[i] for i in range(node.lineno, (node.end_lineno or 0) + 1) if i in comments), "")
        for node in assigned
    }


def table(notebook: Mapping[str, Any], chapter: str, minutes: Mapping[str, float]) -> str:
    """The parameters of an executed chapter as HTML that unfolds, with this build's values and what a run takes.

    notebook: as in its .ipynb file. minutes: profile -> minutes that the chapter took in its last build.
    """
    tagged = {
        tag: "".join(cell["source"])
        for cell in notebook["cells"]
        for tag in cell.get("metadata", {}).get("tags", [])
        if tag in ("parameters", "injected-parameters")
    }
    known, said = _assigned(tagged["parameters"]), meanings(tagged["parameters"])
    here = known | _assigned(tagged.get("injected-parameters", ""))
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{type(value).__name__}</td><td><code>{escape(repr(value))}</code></td>"
        f"<td><code>{escape(repr(here[name]))}</code></td><td>{_code(said[name])}</td></tr>"
        for name, value in known.items()
    )
    named = next((k for k, v in known.items() if type(v) is int and k != "seed"), next(iter(known), ""))
    example = f"{named}={shlex.quote(str(known[named]))}" if named else ""
    took = ", ".join(f"{m:.1f} minutes in the profile {escape(name)}" for name, m in sorted(minutes.items()))
    return (
        '<details class="parameters"><summary>Parameters of this chapter</summary>'
        '<div class="pst-scrollable-table-container"><table class="table"><thead><tr><th>name</th><th>type</th>'
        f"<th>default</th><th>here</th><th>meaning</th></tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p>With other values: <code>make chapter NAME={escape(chapter)} PARAMS="{escape(example)}"</code>.'
        f"{f' Measured: {took}.' if took else ''}</p></details>"
    )


def _assigned(source: str) -> dict[str, Value]:
    assigned = (node for node in ast.parse(source).body if isinstance(node, (ast.Assign, ast.AnnAssign)))
    return {_name(node): ast.literal_eval(node.value) for node in assigned if node.value}


def _name(node: ast.Assign | ast.AnnAssign) -> str:
    return ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)


def _code(text: str) -> str:
    """A comment as HTML: what stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
