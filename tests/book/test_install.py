"""What an installation rests on: a lock with hashes, its CPU variant, the Dockerfile."""

import re
from pathlib import Path

from without_cuda import CUDA, TORCH, blocks, pins, remaining

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_every_package_of_the_lock_is_pinned_with_a_hash():
    found = dict(blocks(LOCK))
    assert len(found) > 100
    for name, block in found.items():
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!-]+", block), name
        assert "--hash=sha256:" in block, name


def test_the_lock_is_for_any_machine():
    """No index of one's own, no path: what it names is found by anybody."""
    assert not re.search(r"index-url|find-links|file:|^-e|@ ", LOCK, re.M)


def test_the_cpu_variant_is_the_lock_without_cuda():
    kept, all_ = dict(blocks(remaining(LOCK))), dict(blocks(LOCK))
    dropped = all_.keys() - kept.keys()
    assert {"torch", "torchvision", "triton"} <= dropped
    assert all(CUDA.fullmatch(name) or name in TORCH for name in dropped)
    assert all(kept[name] == all_[name] for name in kept)
    assert {"numpy", "filelock", "sympy", "networkx", "jinja2", "fsspec"} <= kept.keys(), "torch needs these"


def test_the_pins_of_pytorch_are_the_locks():
    for pin, name in zip(pins(LOCK), TORCH, strict=True):
        assert re.fullmatch(rf"{name}==\d[\w.]*", pin)
        assert pin in LOCK


def test_the_dockerfile_copies_what_is_there_and_calls_targets_of_the_makefile():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.+) \S+$", text, re.M):
        assert all((ROOT / source).exists() for source in line.split()), line
    targets = re.findall(r"make (\w+)", text) + re.findall(r'"make", "(\w+)"', text)
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
