"""Render the executed chapters of a profile as HTML: _build/<profile>/chapters -> _build/<profile>/html.

Sphinx skips `_build` inside its own source, so the chapters are copied to book/chapters first; a plain
`jupyter-book build .` at the root then renders the same pages. Warnings are errors. The old pages stay until the new
ones are complete.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from answer import of_build
from chapters import ROOT, contents, executed

TARGET = ROOT / "book/chapters"
FRESH = ROOT / "book/.chapters.new"  # git ignores both: pages of real faces may lie there


def copy_chapters(build: Path, banner: str, extra: Mapping[str, str], answer: str) -> None:
    """Replace book/chapters by those of `build`, with the banner of each page and the answer on the first."""
    shutil.rmtree(FRESH, ignore_errors=True)
    FRESH.mkdir()
    try:
        for name in executed(extra):
            shutil.copyfile(build / "chapters" / f"{name}.ipynb", FRESH / f"{name}.ipynb")
        (FRESH / "banner.json").write_text(json.dumps({"banner": banner}), encoding="utf-8")
        (FRESH / "minutes.json").write_text(json.dumps(minutes(build.parent, extra)), encoding="utf-8")
        (FRESH / "answer.txt").write_text(answer, encoding="utf-8")
        shutil.rmtree(TARGET, ignore_errors=True)
        FRESH.rename(TARGET)
    finally:
        shutil.rmtree(FRESH, ignore_errors=True)


def minutes(builds: Path, extra: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Chapter -> profile -> minutes that it took, in every build that this checkout holds."""
    found: dict[str, dict[str, float]] = {name: {} for name in executed(extra)}
    for path in sorted(builds.glob("*/chapters/*.json")):
        if path.stem in found:
            seconds = json.loads(path.read_text(encoding="utf-8"))["seconds"]
            found[path.stem][path.parents[1].name] = seconds / 60
    return found


def banner_of(profile: Mapping[str, Any]) -> str:
    """What each page says of where its numbers come from.

    >>> banner_of({"profile": "smoke", "description": "tiny sets"})
    'Profile “smoke”: tiny sets'
    """
    return f"Profile “{profile['profile']}”: {profile['description']}"


def jupyter_book(build: Path, folder: Path, extra: Mapping[str, str], *options: str) -> tuple[int, str]:
    """Build the book's pages into `folder`: exit status, and what was said."""
    toc = build / "toc.yml"
    toc.write_text(yaml.safe_dump(contents(extra), sort_keys=False), encoding="utf-8")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ROOT, "--path-output", folder, "--toc", toc]
    done = subprocess.run([str(word) for word in [*command, *options]], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def render(build: Path, extra: Mapping[str, str]) -> int:
    """Build the HTML beside the old one, then put it in its place."""
    work = build / ".render"
    shutil.rmtree(work, ignore_errors=True)
    failed, said = jupyter_book(build, work, extra, "-n", "-W", "--keep-going", "--quiet")
    if failed or not (work / "_build/html/index.html").is_file():
        print(said, file=sys.stderr)
        return failed or 1
    old = build / ".html.old"
    shutil.rmtree(old, ignore_errors=True)
    if (build / "html").exists():
        (build / "html").rename(old)
    (work / "_build/html").rename(build / "html")
    shutil.rmtree(work)
    shutil.rmtree(old, ignore_errors=True)
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--banner", required=True)
    parser.add_argument("--extra", type=json.loads, default={}, metavar="JSON", help="the profile's further chapters")
    options = parser.parse_args()
    os.chdir(ROOT)
    copy_chapters(options.build, options.banner, options.extra, of_build(options.build))
    failed = render(options.build.resolve(), options.extra)
    if not failed:
        print(f"the book: {options.build}/html/index.html")
    return failed


if __name__ == "__main__":
    sys.exit(main())
