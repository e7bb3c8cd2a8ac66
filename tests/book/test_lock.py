"""The lock: complete for every Python and system that it is for, and installed alike whatever is published tomorrow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from helpers.index import Index
from lock import BUILDERS, CUDA, TORCH, blocks
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.promise("installation: nothing that is published tomorrow changes or stops a set-up")


def pinned(lock: str = LOCK) -> list[Requirement]:
    """What the lock pins, with the condition of each pin."""
    return [Requirement(re.split(r"\\|\n", block, maxsplit=1)[0].strip()) for _, block in blocks(lock)]


def environment(python: str, system: tuple[str, str], **changed: str) -> dict[str, str]:
    """What the conditions of requirements ask for."""
    platform, machine = system
    return {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[platform],
        "platform_version": "",
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": platform,
        "extra": "",
    } | changed


def asked() -> list[Requirement]:
    """What the set-up must provide: the project's dependencies, and the extras that `make lock` names."""
    extras = re.search(r"foreach extra,([\w,]+ .*?),--extra", MAKEFILE)[1].split()
    return [Requirement(text) for text in PROJECT["dependencies"]] + [
        Requirement(text) for extra in extras for text in PROJECT["optional-dependencies"][extra]
    ]


@pytest.mark.parametrize("system", [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")], ids="-".join)
@pytest.mark.parametrize("python", ["3.11.0", "3.11.9", "3.12.3", "3.13.0", "3.14.0"])
def test_the_lock_holds_all_that_its_packages_require(python, system):
    """As each package says itself, with extras and conditions; one for other systems is not here to be asked."""
    here = environment(python, system)
    pins = {canonicalize_name(pin.name): pin for pin in pinned() if not pin.marker or pin.marker.evaluate(here)}
    waiting, seen = asked(), set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        assert name in pins, f"{wanted} is not in the lock"
        version = str(pins[name].specifier).removeprefix("==")
        assert wanted.specifier.contains(version, prereleases=True), f"{wanted}: the lock has {version}"
        for extra in {"", *wanted.extras} - {e for n, e in seen if n == name}:
            seen.add((name, extra))
            try:
                required = distribution(name).requires or []
            except PackageNotFoundError:
                continue
            for text in required:
                found = Requirement(text)
                if not found.marker or found.marker.evaluate(here | {"extra": extra}):
                    waiting.append(found)
    assert len({name for name, _ in seen}) > 100
    assert any(extra for _, extra in seen), "no package is required with an extra: the test below tests nothing"


def test_a_package_that_is_not_here_is_for_another_system():
    def installed(name):
        try:
            return bool(distribution(name))
        except PackageNotFoundError:
            return False

    absent = {pin.name for pin in pinned() if (not pin.marker or pin.marker.evaluate()) and not installed(pin.name)}
    assert {name for name in absent if name not in TORCH and not CUDA.fullmatch(name)} == set()


class Tomorrow:
    """A small repository with the real Makefile, and the lock's own packages as dummies on an index, with newer ones.

    Every package says that it requires what the real one requires. Of each there is a newer release, and the locked
    one built again; the newest setuptools can build nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.index, self.repository = Index(folder / "index"), folder / "repository"
        for file in (
            "Makefile",
            "README.md",
            "LICENSE",
            "pyproject.toml",
            "book/workflow/lock.py",
            "gweebp/__init__.py",
        ):
            (self.repository / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, self.repository / file)
        (self.repository / "gweebp/__main__.py").write_text("main = print\n")
        (self.repository / "requirements.txt").write_text("".join(self._published()))
        self.index.pages()

    def _published(self):
        for pin in pinned():
            name, version = canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")
            condition = f" ; {pin.marker}" if pin.marker else ""
            yield f"{pin.name}=={version}{condition} --hash=sha256:{self._release(name, version)}\n"
            if name not in BUILDERS:
                self.index.wheel(name, "99999", self._requires(name))
                self.index.wheel(name, version, self._requires(name), build="2")
            else:
                broken = {"setuptools/__init__.py": "raise SystemExit('published tomorrow: builds nothing')\n"}
                self.index.wheel(name, "99999", files=broken)

    def _release(self, name: str, version: str) -> str:
        if name in BUILDERS:
            return self.index.copy(distribution(name))
        if name == "connection-pool":
            return self.index.source(name, version)
        return self.index.wheel(name, version, self._requires(name))

    @staticmethod
    def _requires(name: str) -> str:
        try:
            found = distribution(name).metadata
        except PackageNotFoundError:
            return ""
        lines = [("Requires-Dist", text) for text in found.get_all("Requires-Dist") or []]
        lines += [("Provides-Extra", text) for text in found.get_all("Provides-Extra") or []]
        return "\n".join(f"{key}: {text}" for key, text in lines)

    def run(self, *command: str) -> subprocess.CompletedProcess:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "MAKE"))}
        kept |= {"PIP_INDEX_URL": self.index.url, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
        return subprocess.run(command, cwd=self.repository, env=kept, capture_output=True, text=True)

    def installed(self) -> dict[str, str]:
        code = (
            "import importlib, importlib.metadata as m\n"
            "for d in m.distributions():\n"
            "    print(d.metadata['Name'], d.version, sep='==')\n"
        )
        lines = self.run(".venv/bin/python", "-I", "-c", code).stdout.split()
        return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


@pytest.fixture(scope="module")
def tomorrow(tmp_path_factory):
    return Tomorrow(tmp_path_factory.mktemp("tomorrow"))


@pytest.fixture(scope="module", params=["", "cpu"], ids=["as locked", "without CUDA"])
def set_up(request, tomorrow):
    """(Tomorrow, what `make setup` says that it runs, TORCH), after it has run."""
    shutil.rmtree(tomorrow.repository / ".venv", ignore_errors=True)
    options = [f"TORCH={request.param}", f"TORCH_INDEX={tomorrow.index.url}"]
    said = tomorrow.run("make", "--dry-run", "setup", *options).stdout
    done = tomorrow.run("make", "setup", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return tomorrow, said, request.param


def test_the_set_up_installs_what_is_locked(set_up, tally):
    tomorrow, _, torch = set_up
    here = {canonicalize_name(pin.name): pin for pin in pinned() if not pin.marker or pin.marker.evaluate()}
    if torch:
        here = {name: pin for name, pin in here.items() if not CUDA.fullmatch(name)}
    found = tomorrow.installed()
    assert {name: found.get(name) for name in here} == {n: str(p.specifier).removeprefix("==") for n, p in here.items()}
    assert found.keys() - here.keys() <= {"pip", "gweebp"}
    tally("newer releases", len(here))
    # and of each version the build whose hash is locked; TORCH=cpu takes PyTorch's own two as its index has them
    names = [name for name in here if name not in BUILDERS and not (torch and name in TORCH)]
    modules = [f"{name.replace('-', '_')}_dummy" for name in names]
    code = f"import importlib\nfor name in {modules}: print(importlib.import_module(name).version)"
    done = tomorrow.run(".venv/bin/python", "-I", "-c", code)
    assert done.stdout.split() == [found[name] for name in names], done.stderr


def recipe(said: str, file: str) -> list[str]:
    """The words of the line of a recipe that installs the lock."""
    (line,) = [line for line in said.splitlines() if "pip" in line and line.endswith(file)]
    assert "--no-deps" in line and "--require-hashes" in line and "--no-build-isolation" in line
    return line.split()


as_locked = pytest.mark.parametrize("set_up", [""], ids=["as locked"], indirect=True)


@as_locked
@pytest.mark.parametrize(
    ("dropped", "stops"),
    [("--no-deps", "all requirements must have their versions pinned"), ("--no-build-isolation", "builds nothing")],
)
def test_the_test_has_teeth(set_up, dropped, stops):
    """Without one of the Makefile's options, what was published tomorrow stops the same command."""
    tomorrow, said, _ = set_up
    command = recipe(said, "requirements.txt")
    assert tomorrow.run(*command).returncode == 0
    done = tomorrow.run(*(word for word in command if word != dropped), "--force-reinstall", "--dry-run")
    assert done.returncode != 0
    assert stops in done.stdout + done.stderr


@as_locked
def test_a_set_up_that_was_interrupted_is_taken_up_again(set_up):
    """Killed while pip was being installed: the next call makes what is missing."""
    tomorrow, _, torch = set_up
    site = next((tomorrow.repository / ".venv").glob("lib/python*/site-packages"))
    (tomorrow.repository / ".venv/.set-up").unlink()
    for path in site.glob("pip*"):
        shutil.rmtree(path)
    options = [f"TORCH={torch}", f"TORCH_INDEX={tomorrow.index.url}"]
    done = tomorrow.run("make", "setup", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pip" in tomorrow.installed()
    assert "Nothing to be done" in tomorrow.run("make", "setup", *options).stdout
