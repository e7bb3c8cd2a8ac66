"""Sphinx extension: the banner that names the profile, and pages that ask no other server for anything."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

BANNER = Path(__file__).with_name("chapters") / "banner.json"


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("config-inited", show_banner)
    app.connect("config-inited", without_thebe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def show_banner(app: Sphinx, config: Config) -> None:
    """Put the profile's sentence on every page, so that numbers of a smoke test are never read as results."""
    if not BANNER.is_file():
        raise FileNotFoundError("book/chapters has no executed chapters: run `make book` once, then build by hand")
    config.html_theme_options["announcement"] = escape(json.loads(BANNER.read_text(encoding="utf-8"))["banner"])


def without_thebe(app: Sphinx, config: Config) -> None:
    """Jupyter Book loads sphinx-thebe, whose live cells need another server: take its scripts off the pages."""
    for listeners in list(app.events.listeners.values()):
        for listener in list(listeners):
            if listener.handler.__module__.startswith("sphinx_thebe"):
                app.disconnect(listener.id)
    app.registry.css_files[:] = [entry for entry in app.registry.css_files if "thebe" not in entry[0]]
