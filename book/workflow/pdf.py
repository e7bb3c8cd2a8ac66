"""The whole book as one PDF, _build/<profile>/book.pdf: what `make pdf` calls, after `make book`.

Sphinx puts all pages on one, with links and numbers that lead within it, and Chromium prints that: formulas, figures
and tables look as they do on the pages, and no TeX is needed. The foot of each page names the profile.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from answer import of_build
from browser import NoBrowserError, chromium, opened
from render import ROOT, banner_of, jupyter_book, source

from gweebp.support.files import atomic

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MARGINS = {"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
FOOT = (
    '<div style="font: 7px sans-serif; width: 100%; margin: 0 16mm; display: flex; justify-content: space-between">'
    '<span>{banner}</span><span class="pageNumber"></span></div>'
)


class PdfError(Exception):
    """The PDF can't be made; the message says why."""


def one_page(build: Path, profile: dict, folder: Path) -> Path:
    """All pages of the book as one HTML file, below `folder`."""
    pages = source(build, banner_of(profile), profile["extra_chapters"], of_build(build))
    failed, said = jupyter_book(pages, folder, "--builder", "singlehtml", "--quiet")
    written = folder / "_build/singlehtml/book/pages/intro.html"
    if failed or not written.is_file():
        raise PdfError(f"Sphinx failed:\n{said}")
    page = folder / "_build/singlehtml/all.html"  # where its images and styles are looked for
    html = written.read_text(encoding="utf-8").replace('href="book/pages/intro.html#', 'href="#')
    page.write_text(html, encoding="utf-8")
    return page


def print_pdf(browser: Browser, page: Path, out: Path, banner: str) -> None:
    """Print a page on A4 paper, with bookmarks, tags for readers who listen, and the banner at each foot."""
    with atomic(out) as temporary:
        tab = browser.new_page(color_scheme="light")
        tab.set_default_timeout(600_000)  # a book takes a minute
        tab.goto(page.resolve().as_uri())
        tab.evaluate("window.MathJax?.startup?.promise")
        tab.pdf(
            path=temporary, format="A4", scale=0.75, margin=MARGINS, print_background=True, outline=True, tagged=True,
            display_header_footer=True, header_template="<span></span>",
            footer_template=FOOT.format(banner=escape(banner)),
        )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True, help="_build/<profile>, of a book that is built")
    build = ROOT / parser.parse_args(arguments).build
    try:
        chromium()  # before anything that takes long
        if not (build / "html/index.html").is_file():
            raise PdfError(f"{build.name} is not built: run `make book PROFILE={build.name}`")
        profile = json.loads((build / "profile.json").read_text(encoding="utf-8"))
        folder = Path(tempfile.mkdtemp(dir=build))
        try:
            page = one_page(build, profile, folder)
            with opened() as browser:
                print_pdf(browser, page, build / "book.pdf", banner_of(profile))
        finally:
            shutil.rmtree(folder)
    except (PdfError, NoBrowserError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"the book: {(build / 'book.pdf').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
