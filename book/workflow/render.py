"""Render the executed chapters of a profile as HTML: _build/<profile>/chapters -> _build/<profile>/html.

Sphinx reads a folder of its own, _build/<profile>/.source: the pages and the chapters of this profile, so that books of
several profiles can be built at once, and in a repository that is read-only but for _build. The chapters are copied to
book/chapters as well, where that can be written: a plain `jupyter-book build .` at the root then renders the same
pages. Warnings are errors. The old pages stay until the new ones are complete.
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
from answer import FirstPage, of_build
from chapters import ROOT, contents, executed, left_out, unlinked

TARGET = ROOT / "book/chapters"
INCLUDED = ["benchmarks/architectures/table.md"]  # by pages, from elsewhere in the repository
FRESH = ".chapters.new"  # beside the target; git ignores both: pages of real faces may lie there


def copy_chapters(build: Path, banner: str, extra: Mapping[str, str], first: FirstPage, target: Path) -> None:
    """Replace the folder `target` by the chapters of `build`, each page's banner and what the first page shows."""
    fresh = target.with_name(FRESH)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        for name in executed(extra):
            text = (build / "chapters" / f"{name}.ipynb").read_text(encoding="utf-8")
            (fresh / f"{name}.ipynb").write_text(unlinked(text, left_out(extra)), encoding="utf-8")
        (fresh / "banner.json").write_text(json.dumps({"banner": banner}), encoding="utf-8")
        (fresh / "minutes.json").write_text(json.dumps(minutes(build.parent, extra)), encoding="utf-8")
        (fresh / "answer.txt").write_text(first.text, encoding="utf-8")
        (fresh / "abstract.html").write_text(first.picture, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def source(build: Path, banner: str, extra: Mapping[str, str], first: FirstPage) -> Path:
    """The folder that Sphinx reads, made anew: the pages of the repository and the chapters of `build`."""
    folder = build / ".source"
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns(TARGET.name, FRESH, "__pycache__")
    shutil.copytree(ROOT / "book", folder / "book", ignore=ignored, copy_function=shutil.copyfile)
    for path in ["_config.yml", *INCLUDED]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    for page in (folder / "book/pages").rglob("*.md") if left_out(extra) else ():
        page.write_text(unlinked(page.read_text(encoding="utf-8"), left_out(extra)), encoding="utf-8")
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents(extra), sort_keys=False), encoding="utf-8")
    copy_chapters(build, banner, extra, first, folder / "book" / TARGET.name)
    return folder


def for_jupyter_book(build: Path, banner: str, extra: Mapping[str, str], first: FirstPage) -> None:
    """The chapters where `jupyter-book build .` looks for them; nothing where the repository can't be written."""
    if os.access(TARGET.parent, os.W_OK):
        copy_chapters(build, banner, extra, first, TARGET)


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


def jupyter_book(pages: Path, folder: Path, *options: str) -> tuple[int, str]:
    """Build the pages of a source folder into `folder`: exit status, and what was said, by the repository's files."""
    command = [Path(sys.executable).with_name("jupyter-book"), "build", pages, "--path-output", folder, *options]
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).replace(str(pages), str(ROOT))


def render(build: Path, banner: str, extra: Mapping[str, str], first: FirstPage) -> int:
    """Build the HTML beside the old one, then put it in its place."""
    work = build / ".render"
    shutil.rmtree(work, ignore_errors=True)
    failed, said = jupyter_book(source(build, banner, extra, first), work, "-n", "-W", "--keep-going", "--quiet")
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
    first = of_build(options.build)
    failed = render(options.build.resolve(), options.banner, options.extra, first)
    if not failed:
        for_jupyter_book(options.build, options.banner, options.extra, first)
        print(f"the book: {options.build}/html/index.html")
    return failed


if __name__ == "__main__":
    sys.exit(main())
