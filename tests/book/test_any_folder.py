"""A clone in a folder named `gweebp`, below one with a space and a letter beyond ASCII, read-only but for _build."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("gweebp", "book", "notebooks", "benchmarks", "tests", "data", ".ci")
QUICK = ("tests/excitation/test_operations.py", "tests/support", "tests/test_rooms.py", "tests/book/test_install.py")
# as root, who may write anywhere, on a mount that can't be written; as anybody else, without the right to write
MOUNTED = """set -e
mount --bind "$1/_build" "$2"; mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; mount --bind "$2" "$1/_build"
cd "$1"; shift 2; exec "$@"
"""

pytestmark = pytest.mark.promise("installation: it works in any folder, read-only but for _build")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clones") / "a folder of é" / "gweebp"
    ignored = shutil.ignore_patterns("__pycache__", "chapters", ".chapters.new", "raw", "oracles", "golden")
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in ROOT.iterdir():
        if (path.is_symlink() and path.name == ".snakemake") or path.is_file():
            shutil.copy(path, folder / path.name, follow_symlinks=False)
    (folder / "_build").mkdir()
    if os.getuid():
        for path in [folder, *(p for p in folder.rglob("*") if "_build" not in p.parts and not p.is_symlink())]:
            path.chmod(path.stat().st_mode & ~0o222)
    yield folder
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        path.chmod(0o755)


@pytest.fixture(scope="module")
def run(clone, tmp_path_factory):
    """A function that runs Python in the clone, and returns what was done; nothing of this repository is imported."""
    spare = tmp_path_factory.mktemp("spare")
    command = ["unshare", "--mount", "bash", "-c", MOUNTED, "_", str(clone), str(spare)] if not os.getuid() else []
    if command and subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this root may not mount: what is read-only can't be tested by it; another user can")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    kept |= {"PYTHONPATH": str(clone)}

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*command, sys.executable, *arguments], cwd=clone, env=kept, capture_output=True, text=True
        )

    return run


def test_it_is_read_only_and_its_own_package_is_used(run, clone):
    done = run("-c", "import gweebp, pathlib; print(gweebp.__file__); pathlib.Path('gweebp/new').touch()")
    assert done.stdout.strip() == str(clone / "gweebp/__init__.py")
    assert re.search("Read-only file system|Permission denied", done.stderr)


def test_quick_tests_pass(run, tally):
    done = run("-m", "pytest", "-q", *QUICK)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "PytestCacheWarning" not in done.stdout
    tally("tests run there", int(re.search(r"(\d+) passed", done.stdout)[1]))


def test_the_workflow_makes_faces_and_a_chapter(run, clone):
    """Snakemake, whose shell commands name files, and the executor of notebooks."""
    targets = ["_build/smoke/data/synthetic-drawn/faces.safetensors", "_build/smoke/chapters/related_work.ipynb"]
    code = (
        "import sys, json; sys.path.insert(0, 'book/workflow'); import build; from profiles import load\n"
        "tiny = load('smoke')\n"
        "sizes = {'subjects': 16, 'pretraining': 0, 'distractors': 2, 'quadruplets': False, 'size': 32}\n"
        "tiny['datasets'] = {name: values | sizes for name, values in tiny['datasets'].items()}\n"
        f"print(json.dumps(build.snakemake(tiny, 2, {targets})))"
    )
    asked = run("-c", code)
    assert asked.returncode == 0, asked.stderr
    done = run(*json.loads(asked.stdout)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert all((clone / target).is_file() for target in targets)
    assert (clone / "_build/.snakemake/log").is_dir()
    assert not (clone / "book/chapters").exists()
