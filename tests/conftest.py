"""What all tests share: one thread, warnings of this project as errors, the shared data, a small set of faces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.configuration
import pytest
import torch
import torch.nn.functional as F
from helpers import promises
from helpers.promises import tally  # noqa: F401  a fixture

from gweebp.faces import FaceSet

torch.set_num_threads(1)  # the order of a sum depends on the threads, and so do the last bits

# nothing is written into the repository but below _build: it may be read-only
hypothesis.configuration.set_hypothesis_home_dir(Path(__file__).resolve().parents[1] / "_build/.hypothesis")
hypothesis.settings.register_profile("repository", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repository")


def pytest_configure(config: pytest.Config) -> None:
    # a warning that our own code causes is a bug, unless a test expects it; other packages' are theirs
    config.addinivalue_line("filterwarnings", "error:::(gweebp|tests|test_)")
    config.addinivalue_line("markers", promises.MARKER)
    config.pluginmanager.register(promises.Promises(), "promises")


def made_by_hand_or_by_git(root: Path) -> set[Path]:
    """Every path of the repository, but for what `make` makes and what Python and editors keep beside sources."""
    generated = {".git", ".venv", "_build", "__pycache__", "chapters", ".ipynb_checkpoints", "gweebp.egg-info"}
    found, waiting = set[Path](), [root]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name not in generated and not path.name.startswith(".ruff_cache"):
                found.add(path)
                if path.is_dir() and not path.is_symlink():
                    waiting.append(path)
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_outside_of_build():
    """The repository may be read-only but for _build: no test, and nothing that it calls, leaves a file elsewhere."""
    root = Path(__file__).resolve().parents[1]
    before = made_by_hand_or_by_git(root)
    yield
    left = {path.relative_to(root).as_posix() for path in made_by_hand_or_by_git(root) - before}
    assert not left, (
        f"new in the repository since the tests began: {sorted(left)[:10]}; tests write below _build or tmp_path"
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the repository: real faces and their weights, for those who have them."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("real faces are never committed: no folder ../shared beside the repository")
    return folder


@pytest.fixture(scope="session")
def faces() -> FaceSet:
    """20 "faces" of 32 pixels whose sketches can be told apart: blurred noise, and its negative in grey with noise."""
    n, generator = 20, torch.Generator().manual_seed(0)
    coarse = torch.randint(256, (n, 3, 5, 5), generator=generator).float()
    photos = F.interpolate(coarse, size=(32, 32), mode="bilinear")
    grey = 255 - photos.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    sketches = (grey + 10 * torch.randn(grey.shape, generator=generator)).clamp(0, 255)
    swapped = photos.clone()
    swapped[:, :, 8:16] = photos.roll(1, 0)[:, :, 8:16]
    split = torch.tensor([0] * 12 + [1] * 4 + [2] * 4)
    return FaceSet(
        name="noise",
        ids=tuple(f"s{i:02d}" for i in range(n)),
        photos=photos.to(torch.uint8),
        sketches=sketches.to(torch.uint8),
        split=split,
        distractors=photos[:3].flip(3).to(torch.uint8),
        record={"seed": 0},
        doppelganger_photos=swapped[:12].to(torch.uint8),
        doppelganger_sketches=(255 - swapped[:12].mean(1, keepdim=True)).expand(-1, 3, -1, -1).to(torch.uint8),
        doppelganger_of=torch.arange(12),
        doppelganger_part=torch.full((12,), 2),
    )


@pytest.fixture(scope="session")
def smoke_book() -> None:
    """Build the book of the smoke profile, or what of it is out of date."""
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "book/workflow/build.py", "--profile", "smoke"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
