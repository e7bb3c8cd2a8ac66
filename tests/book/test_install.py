"""What an installation rests on: a lock with hashes, its CPU variant, the Dockerfile."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lock import BUILDERS, CUDA, TORCH, blocks, builders, pins, without_cuda
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PEERS = (ROOT / "benchmarks/requirements.txt").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize(("lock", "least"), [(LOCK, 100), (PEERS, 10)], ids=["the set-up", "the benchmarks' peers"])
def test_every_package_of_a_lock_is_pinned_with_a_hash(lock, least):
    found = dict(blocks(lock))
    assert len(found) > least
    for name, block in found.items():
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!-]+", block), name
        assert "--hash=sha256:" in block, name


def test_the_lock_is_for_any_machine():
    """No index of one's own, no path: what it names is found by anybody."""
    for lock in (LOCK, PEERS):
        assert not re.search(r"index-url|find-links|file:|^-e|@ ", lock, re.M)


def test_the_peers_are_those_asked_for():
    asked = [line for line in (ROOT / "benchmarks/requirements.in").read_text().splitlines() if line[0] != "#"]
    names = {canonicalize_name(re.split("[=<>]", line)[0]) for line in asked}
    assert {canonicalize_name(name) for name in dict(blocks(PEERS))} == names
    assert all(f"\n{line} " in PEERS for line in asked if "==" in line)


def test_every_installation_is_by_the_two_commands():
    """One by hashes, and one for the package itself and PyTorch's own index: no line of its own with other options."""
    lines = [line for line in MAKEFILE.replace("\\\n", " ").splitlines() if line[:1] == "\t"]
    assert len([line for line in lines if "$(LOCKED)" in line or "$(INSTALL)" in line]) >= 5
    own = "\t_build/company/bin/python"  # the newest of other people's libraries, in an environment of their own
    assert not [s for s in lines if re.search(r"-m (uv )?pip\b.*\binstall", s) and not s.startswith(own)]
    (install,) = re.findall(r"^INSTALL = (.*)", MAKEFILE, re.M)
    (locked,) = re.findall(r"^LOCKED = (.*)", MAKEFILE, re.M)
    assert "--no-deps" in install and "$(INSTALL) --require-hashes --no-build-isolation" in locked


PRETENDS = """#!/bin/sh
exec "{real}" -c 'import sys
sys.version_info = (*{version}, 0, "final", 0)
exec(sys.argv[1])' "$2"
"""


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"python3": (3, 11)}, "python3"),
        ({"python3": (3, 15), "python3.12": (3, 12)}, "python3.12"),  # newer than all wheels of the lock
        ({"python3": (3, 10), "python3.14": (3, 14)}, "python3.14"),
        ({"python3.14": (3, 14), "python3.13": (3, 13)}, "python3.13"),
        ({"python": (3, 12)}, "python"),
        ({"python3": (3, 15), "python": (2, 7)}, None),
        ({}, None),
    ],
)
def test_a_python_that_the_lock_is_for_makes_the_environment(there, chosen, tmp_path):
    for name, version in there.items():
        (tmp_path / name).write_text(PRETENDS.format(real=sys.executable, version=version))
        (tmp_path / name).chmod(0o755)
    for tool in ("sh", "make"):
        (tmp_path / tool).symlink_to(shutil.which(tool))

    def make(*options):
        command, path = ["make", *options, "setup", "VENV=fresh"], {"PATH": str(tmp_path)}
        return subprocess.run(command, cwd=ROOT, env=path, capture_output=True, text=True)

    if chosen:
        assert f'"{chosen}" -m venv fresh' in make("--dry-run").stdout
    else:
        done = make()
        assert done.returncode == 2 and not (ROOT / "fresh").exists()
        assert "no Python 3.11 to 3.14 on this machine's PATH" in done.stderr


def test_the_cpu_variant_is_the_lock_without_cuda():
    kept, all_ = dict(blocks(without_cuda(LOCK))), dict(blocks(LOCK))
    dropped = all_.keys() - kept.keys()
    assert {"torch", "torchvision", "triton"} <= dropped
    assert all(CUDA.fullmatch(name) or name in TORCH for name in dropped)
    assert all(kept[name] == all_[name] for name in kept)
    assert {"numpy", "filelock", "sympy", "networkx", "jinja2", "fsspec"} <= kept.keys(), "torch needs these"


def test_the_builders_are_the_locks():
    assert dict(blocks(builders(LOCK))) == {name: block for name, block in blocks(LOCK) if name in BUILDERS}
    assert tuple(dict(blocks(builders(LOCK)))) == BUILDERS


def test_the_pins_of_pytorch_are_the_locks():
    for pin, name in zip(pins(LOCK).split(), TORCH, strict=True):
        assert re.fullmatch(rf"{name}==\d[\w.]*", pin)
        assert pin in LOCK


def test_the_dockerfile_copies_what_is_there_and_calls_targets_of_the_makefile():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.+) \S+$", text, re.M):
        assert all((ROOT / source).exists() for source in line.split()), line
    targets = re.findall(r"make (\w+)", text) + re.findall(r'"make", "(\w+)"', text)
    assert targets
    assert all(re.search(rf"^{target}:", MAKEFILE, re.M) for target in targets)


@pytest.mark.promise("installation: CI makes its environment anew, and leaves one that is there alone")
@pytest.mark.parametrize("fails", [False, True])
def test_ci_makes_its_environment_anew(fails, tmp_path):
    """In a repository of its own, in a folder with a space, with a Makefile that says where it would make one."""
    repository = tmp_path / "a folder é"
    (repository / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", repository / ".ci/run")
    (repository / ".venv").mkdir()
    (repository / ".venv/mine").write_text("kept")
    (repository / "Makefile").write_text(
        f"test:\n\tmkdir -p $(VENV)\n\ttouch $(VENV)/made\n\t@echo $(VENV) >>said\n\t@exit {int(fails)}\n"
    )
    for _ in range(2):
        done = subprocess.run(["bash", ".ci/run"], cwd=repository, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, done.stderr
    first, second = (repository / "said").read_text().splitlines()
    assert first != second
    assert not list((repository / "_build").iterdir())
    assert [path.name for path in (repository / ".venv").iterdir()] == ["mine"]
