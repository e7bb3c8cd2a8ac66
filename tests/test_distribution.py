"""What is published: an sdist and a wheel that hold the package alone, and work where only their requirements are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from gweebp import networks
from gweebp.commands.casework.demo import FOLDER

ROOT = Path(__file__).parents[1]
ROOMS = ("support", "excitation", "methods", "saliency", "overlay", "networks", "games")  # they need no extra
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, f'build_{sys.argv[1]}')(sys.argv[2]))"
FLAGS = "doctest_optionflags=NORMALIZE_WHITESPACE ELLIPSIS"

pytestmark = pytest.mark.promise("installation: the wheel and the sdist work with what they require, and nothing more")


def run(*command: str | Path, cwd: Path) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def built(kind: str, source: Path, folder: Path) -> Path:
    """The sdist or the wheel of a source folder."""
    return folder / run(sys.executable, "-c", BUILD, kind, folder, cwd=source).split()[-1]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """(sdist, wheel made from what the sdist holds), as somebody makes them who publishes the package."""
    folder = tmp_path_factory.mktemp("published")
    source = folder / "source"
    for name in ("gweebp", "tests", "book", "data"):
        ignored = shutil.ignore_patterns("golden", "chapters", "oracles", "__pycache__", "raw", "*.egg-info")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    sdist = built("sdist", source, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return sdist, built("wheel", unpacked, folder)


def required(*names: str) -> set[str]:
    """The installed distributions that a requirement asks for, and those that they require."""
    waiting, seen = [Requirement(name) for name in names], set()
    while waiting:
        wanted = waiting.pop()
        for extra in {"", *wanted.extras} - {e for n, e in seen if n == wanted.name}:
            seen.add((wanted.name, extra))
            for text in distribution(wanted.name).requires or []:
                found = Requirement(text)
                if not found.marker or found.marker.evaluate({"extra": extra}):
                    waiting.append(found)
    return {canonicalize_name(name) for name, _ in seen}


def put(name: str, site: Path) -> None:
    """An installed distribution in another folder, as links: each holds gigabytes."""
    found = distribution(name)
    for top in {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}:
        if not (site / top).exists():
            (site / top).symlink_to(Path(str(found.locate_file(top))))


@pytest.fixture(scope="module")
def installed(published, tmp_path_factory):
    """The bin folder of an empty environment with the wheel, its dependencies, the extra `figures`, and pytest."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(published[1]) as wheel:
        metadata = wheel.read(next(n for n in wheel.namelist() if n.endswith("METADATA"))).decode()
    wanted = re.findall(r"^Requires-Dist: ([\w-]+)$|^Requires-Dist: ([\w-]+); extra == .figures.$", metadata, re.M)
    venv.create(folder / "empty", with_pip=False, symlinks=True)
    python = folder / "empty/bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", published[1], cwd=folder)
    (site,) = (folder / "empty").glob("lib/python*/site-packages")
    for name in required(*(a or b for a, b in wanted), "pytest"):
        put(name, site)
    assert not (site / "scipy").exists() and not (site / "pandas").exists()
    return folder / "empty/bin"


def test_both_hold_the_package_alone(published):
    sdist, wheel = published
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "gweebp").rglob("*.py")} | {"gweebp/py.typed"}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        scripts = archive.read(next(n for n in archive.namelist() if n.endswith("entry_points.txt"))).decode()
        metadata = archive.read(next(n for n in archive.namelist() if n.endswith("METADATA"))).decode()
    demo = {p.relative_to(ROOT).as_posix() for p in FOLDER.iterdir() if p.suffix not in ("", ".py")}
    assert len(demo) == 6 and names == modules | demo
    assert "gweebp = gweebp.__main__:main" in scripts
    needed = re.findall(r"^Requires-Dist: ([\w-]+)(?!.*extra ==).*$", metadata, re.M)
    assert set(needed) == {"numpy", "pillow", "safetensors", "torch", "tqdm"}
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert modules | demo | {"pyproject.toml", "README.md", "LICENSE"} <= names
    assert not {name for name in names if name.startswith(("data", "book", "_build"))}


def test_the_command_explains_a_case(installed, tmp_path):
    """As a practitioner calls it, in a folder with a space, far from any checkout."""
    folder = tmp_path / "my cases é"
    folder.mkdir()
    drawn = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
    for name, image in (("probe", drawn[0] // 8 * 8), ("mate", drawn[0]), ("nonmate", drawn[1])):
        Image.fromarray(image).save(folder / f"{name}.png")
    net = networks.build("lcnn9", seed=0, width=0.125, size=32, embedding=16).eval()
    networks.save(net, folder / "net.safetensors")
    case = ["probe.png", "mate.png", "nonmate.png", "--weights", "net.safetensors", "--out", "out.png"]
    said = run(installed / "gweebp", "explain", *case, cwd=folder)
    assert "probe" in said
    assert (folder / "out.png").stat().st_size > 10_000
    where = run(installed / "python", "-c", "import gweebp; print(gweebp.__file__)", cwd=folder).strip()
    assert Path(where).is_relative_to(installed.parent)


def test_the_demo_works_as_typed(installed, tmp_path):
    """The first command of the practitioner's page, in an empty folder, where only the wheel and its extra are."""
    said = run(installed / "gweebp", "explain", "--demo", cwd=tmp_path)
    assert "nearer to the candidate" in said
    assert {path.name for path in tmp_path.iterdir()} == {f"gweebp-demo.{kind}" for kind in ("html", "png", "json")}


def test_the_doctests_pass(installed, tmp_path, tally):
    """Of the rooms that need no extra, where none but `figures` is installed."""
    modules = [f"gweebp.{room}" for room in ROOMS]
    options = ["--doctest-modules", "-o", FLAGS, "-p", "no:cacheprovider", "-q"]
    said = run(installed / "python", "-m", "pytest", *options, "--pyargs", *modules, cwd=tmp_path)
    passed = int(re.search(r"(\d+) passed", said)[1])
    assert passed > 50 and "failed" not in said
    tally("doctests", passed)
