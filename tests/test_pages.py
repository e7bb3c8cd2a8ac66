"""The Python on static pages and in the README runs as it stands there."""

import re
from pathlib import Path

import pytest
import torch

import gweebp

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "book/own_network.md"]


def code(page: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.M | re.S))


@pytest.mark.filterwarnings("ignore::gweebp.LostMassWarning", "ignore::gweebp.NoGainWarning")
@pytest.mark.parametrize("page", PAGES)
def test_code_runs(page):
    known = dict(gweebp.METHODS)
    names: dict = {}
    torch.manual_seed(0)
    try:
        exec(compile(code(page), page, "exec"), names)
    finally:
        for added in gweebp.METHODS.keys() - known.keys():
            del gweebp.METHODS[added]
    saliency = names["saliency"]
    assert saliency.shape == (1, 7, 7)
    torch.testing.assert_close(saliency.sum(), torch.tensor(1.0))


def test_every_page_with_python_is_tested():
    written = [*ROOT.glob("*.md"), *ROOT.glob("book/*.md")]
    assert sorted(PAGES) == sorted(p.relative_to(ROOT).as_posix() for p in written if "```python" in p.read_text())


def test_commands_on_the_pages_exist():
    """Every `make X` that a page names is a target, every profile is there, every chapter in NAME= has a notebook."""
    makefile = (ROOT / "Makefile").read_text()
    for page in [*ROOT.glob("*.md"), *ROOT.glob("book/*.md")]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.M):
            assert re.search(rf"^{target}:", makefile, re.M), f"{page.name}: make {target}"
        for profile in re.findall(r"PROFILE=([a-z]+)\b(?![/.])", text):
            assert (ROOT / f"book/profiles/{profile}.yaml").is_file() or profile == "path", f"{page.name}: {profile}"
        for chapter in re.findall(r"NAME=([a-z_]+)", text):
            assert (ROOT / f"notebooks/{chapter}.py").is_file(), f"{page.name}: {chapter}"
