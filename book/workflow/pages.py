"""Sphinx extension: the banner that names the profile, pages that ask no other server for anything, small repairs."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from parameters import table
from sphinx.application import Sphinx
from sphinx.config import Config

CHAPTERS = Path(__file__).parents[1] / "chapters"
BANNER = CHAPTERS / "banner.json"


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("config-inited", show_banner)
    app.connect("config-inited", without_thebe)
    app.connect("html-page-context", mend)
    app.connect("doctree-read", show_parameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def show_banner(app: Sphinx, config: Config) -> None:
    """Put the profile's sentence on every page, so that numbers of a smoke test are never read as results."""
    if not BANNER.is_file():
        raise FileNotFoundError("book/chapters has no executed chapters: run `make book` once, then build by hand")
    config.html_theme_options["announcement"] = escape(json.loads(BANNER.read_text(encoding="utf-8"))["banner"])


def show_parameters(app: Sphinx, tree: nodes.document) -> None:
    """At the foot of a chapter, a table that says what each of its parameters is."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb" or source.parent != CHAPTERS:
        return
    notebook = json.loads(source.read_text(encoding="utf-8"))
    minutes = json.loads((CHAPTERS / "minutes.json").read_text(encoding="utf-8"))[source.stem]
    last = next((section for section in reversed(list(tree.findall(nodes.section)))), tree)
    last.append(nodes.raw("", table(notebook, source.stem, minutes), format="html"))


def without_thebe(app: Sphinx, config: Config) -> None:
    """Jupyter Book loads sphinx-thebe, whose live cells need another server: take its scripts off the pages."""
    for listeners in list(app.events.listeners.values()):
        for listener in list(listeners):
            if listener.handler.__module__.startswith("sphinx_thebe"):
                app.disconnect(listener.id)
    app.registry.css_files[:] = [entry for entry in app.registry.css_files if "thebe" not in entry[0]]


WRITTEN = r"<(?:pre|code|script|style)\b.*?</(?:pre|code|script|style)>"
AS_WRITTEN = re.compile(rf"({WRITTEN}|<(?:span|div) class=\"math.*?</(?:span|div)>|<[^>]*>)", re.DOTALL)
UNIT = re.compile(r"(\d) (%|px|MiB|GB|MB|KB|ms|s|min)(?!\w)")
CELL = re.compile(r"<td>[^<]*</td>")
INTERVAL = re.compile(r" \[([^\s,\]]+), ([^\s\]]+)\]")


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """What other packages' HTML lacks: see `mended`."""
    if "body" in context:
        context["body"] = mended(context["body"])


def mended(html: str) -> str:
    """A list that isn't one by its roles loses them, formulas may be scrolled by key, intervals and units are not torn.

    The theme lets whoever reads by keyboard scroll each box of the class that is given to formulas here.

    >>> mended('<div role="list" class="citation-list"><td>0.5 [0.4, 0.6]</td>')
    '<div class="citation-list"><td>0.5 [0.4,&nbsp;0.6]</td>'
    >>> mended("<p>at 5 % of <code>5 %</code></p>")
    '<p>at 5&nbsp;% of <code>5 %</code></p>'
    """
    html = html.replace(' role="list" class="citation-list"', ' class="citation-list"')
    html = html.replace(' role="doc-biblioentry"', "")
    html = html.replace('<div class="math ', '<div class="math pst-scrollable-table-container ')
    parts = AS_WRITTEN.split(html)  # text, and what is shown or run as it was written, in turns
    html = "".join(part if i % 2 else UNIT.sub(r"\1&nbsp;\2", part) for i, part in enumerate(parts))
    return CELL.sub(lambda cell: INTERVAL.sub(r" [\1,&nbsp;\2]", cell[0]), html)
