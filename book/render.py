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
from pathlib import Path

from chapters import ROOT, executed

TARGET = ROOT / "book/chapters"


def copy_chapters(build: Path, banner: str) -> None:
    """Replace book/chapters by those of `build`, with the banner that each page shows."""
    fresh = TARGET.with_name(".chapters.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name in executed():
        shutil.copyfile(build / "chapters" / f"{name}.ipynb", fresh / f"{name}.ipynb")
    (fresh / "banner.json").write_text(json.dumps({"banner": banner}), encoding="utf-8")
    (fresh / "minutes.json").write_text(json.dumps(minutes(build.parent)), encoding="utf-8")
    shutil.rmtree(TARGET, ignore_errors=True)
    fresh.rename(TARGET)


def minutes(builds: Path) -> dict[str, dict[str, float]]:
    """Chapter -> profile -> minutes that it took, in every build that this checkout holds."""
    found: dict[str, dict[str, float]] = {name: {} for name in executed()}
    for path in sorted(builds.glob("*/chapters/*.json")):
        if path.stem in found:
            seconds = json.loads(path.read_text(encoding="utf-8"))["seconds"]
            found[path.stem][path.parents[1].name] = seconds / 60
    return found


def render(build: Path) -> int:
    """Build the HTML beside the old one, then put it in its place."""
    work = build / ".render"
    shutil.rmtree(work, ignore_errors=True)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ROOT, "--path-output", work]
    command += ["-n", "-W", "--keep-going", "--quiet"]
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode or not (work / "_build/html/index.html").is_file():
        print(done.stdout + done.stderr, file=sys.stderr)
        return done.returncode or 1
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
    options = parser.parse_args()
    os.chdir(ROOT)
    copy_chapters(options.build, options.banner)
    failed = render(options.build.resolve())
    if not failed:
        print(f"the book: {options.build}/html/index.html")
    return failed


if __name__ == "__main__":
    sys.exit(main())
