"""The chapters of the book, read from _toc.yml, and which of them show results.

A profile may have further chapters, `extra_chapters: {name: caption of the part that it ends}`: in the books of other
profiles they do not exist. A chapter that would have no content is left out: `profiles.load` gives it the caption "".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
EXECUTED = "book/chapters/"


def contents(extra: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The table of contents, with a profile's further chapters at the end of the parts that they name; of "": left out.

    >>> contents({"real_faces": "Theory"})["parts"][1]["chapters"][-1]
    {'file': 'book/chapters/real_faces'}
    """
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = {part["caption"]: part["chapters"] for part in toc["parts"]}
    for name, caption in (extra or {}).items():
        if caption:
            parts[caption].append({"file": EXECUTED + name})
    without = {EXECUTED + name for name in left_out(extra or {})}
    for chapters in parts.values():
        chapters[:] = [entry for entry in chapters if entry["file"] not in without]
    return toc


def left_out(extra: Mapping[str, str]) -> list[str]:
    """Names of the chapters that a profile's book does not have, since they would have no content.

    >>> left_out({"real_faces": "Experiment", "which_game": ""})
    ['which_game']
    """
    return [name for name, caption in extra.items() if not caption]


def title_of(chapter: str) -> str:
    """The heading of a chapter's notebook.

    >>> title_of("which_game")
    'Which game is right?'
    """
    text = (ROOT / "notebooks" / f"{chapter}.py").read_text(encoding="utf-8")
    found = re.search(r"^# # (.+)$", text, re.MULTILINE)
    return found[1].strip() if found else chapter


def unlinked(text: str, chapters: Iterable[str]) -> str:
    """A page, or the JSON of a notebook, without its links to some chapters: their words stay, or the chapter's title.

    >>> unlinked("the [game](../chapters/which_game.ipynb#how), [](which_game) {doc}`which_game`", ["which_game"])
    'the game, “Which game is right?” “Which game is right?”'
    """
    for name in chapters:
        title = f"“{title_of(name)}”"
        link = re.compile(rf"(?<!!)\[([^\[\]]*)\]\((?:[\w./]*/)?{name}(?:\.\w+)?(?:#[\w-]*)?\)")
        text = link.sub(lambda found, title=title: found[1] or title, text)
        role = re.compile(rf"{{doc}}`(?:([^`<]*?)\s*<)?(?:[\w./]*/)?{name}>?`")
        text = role.sub(lambda found, title=title: found[1] or title, text)
    return text


def captions() -> list[str]:
    """Names of the book's parts.

    >>> "Theory" in captions()
    True
    """
    return [part["caption"] for part in contents()["parts"]]


def pages(extra: Mapping[str, str] | None = None) -> list[str]:
    """Every page of the table of contents, in order, without suffix."""
    toc = contents(extra)
    return [toc["root"], *(page for part in toc["parts"] for entry in part["chapters"] for page in _below(entry))]


def _below(entry: Mapping[str, Any]) -> list[str]:
    """A page of the table of contents, and the pages below it."""
    return [entry["file"], *(page for section in entry.get("sections", []) for page in _below(section))]


def executed(extra: Mapping[str, str] | None = None) -> list[str]:
    """Names of the chapters that are executed notebooks, `notebooks/<name>.py`.

    >>> "hiding_game" in executed(), "real_faces" in executed(), "real_faces" in executed({"real_faces": "Theory"})
    (True, False, True)
    """
    return [page.removeprefix(EXECUTED) for page in pages(extra) if page.startswith(EXECUTED)]


def static() -> list[str]:
    """Files of the pages that are not executed, of the package that the API page shows, of what shapes all pages.

    >>> "book/pages/intro.md" in static()
    True
    """
    written = [f"{page}.md" for page in pages() if not page.startswith(EXECUTED)]
    shape = [
        "_toc.yml",
        "_config.yml",
        "book/references.bib",
        "book/workflow/pages.py",
        "book/workflow/docstrings.py",
        "book/workflow/parameters.py",
        "book/workflow/render.py",
        "book/workflow/answer.py",
        "book/workflow/abstract.py",
        "benchmarks/architectures/table.md",
    ]
    shown = [*sorted((ROOT / "book/_static").glob("*")), *sorted((ROOT / "gweebp").rglob("*.py"))]
    return written + shape + [path.relative_to(ROOT).as_posix() for path in shown]


def shows_results(chapter: str) -> bool:
    """Has the chapter a parameter `build`, the folder of results? A theory chapter works on toys of its own."""
    return "build" in _assigned(chapter)


def compares_trainings(chapter: str) -> bool:
    """Has the chapter a parameter `seeds`, the number of trainings of each network?"""
    return "seeds" in _assigned(chapter)


def reads_study(chapter: str) -> bool:
    """Has the chapter a parameter `study`, the folder of the study's outcomes?"""
    return "study" in _assigned(chapter)


def compares_kinds(chapter: str) -> bool:
    """Has the chapter a parameter `further`, the networks of other kinds? It then shows their results alone.

    >>> compares_kinds("beyond_convolutions"), compares_kinds("results")
    (True, False)
    """
    return "further" in _assigned(chapter)


def _assigned(chapter: str) -> set[str]:
    """Names of a chapter's notebook that are assigned outside of any block, its parameters among them."""
    tree = ast.parse((ROOT / "notebooks" / f"{chapter}.py").read_text(encoding="utf-8"))
    targets = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    return {target.id for target in targets if isinstance(target, ast.Name)}
