"""The Python on static pages and in the README runs as it stands there."""

import collections
import re
import shlex
from pathlib import Path

import methods_table
import pytest
import torch
from PIL import Image

import gweebp
from gweebp import networks
from gweebp.__main__ import main, parser
from gweebp.support.files import read_json

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "book/pages/own_images.md", "book/pages/own_method.md", "book/pages/own_network.md"]


def code(page: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.M | re.S))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the Python of a page in an empty folder and gives its names; methods that it registers are gone after."""
    known = set(gweebp.METHODS)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)

    def names_of(page):
        names: dict = {}
        exec(compile(code(page), page, "exec"), names)
        return names

    yield names_of
    for added in gweebp.METHODS.keys() - known:
        del gweebp.METHODS[added]


pytestmark = pytest.mark.filterwarnings("ignore::gweebp.LostMassWarning", "ignore::gweebp.NoGainWarning")


def is_map(maps):
    """One map for each image, 7 x 7, that sums to 1."""
    assert maps.shape[1:] == (7, 7)
    torch.testing.assert_close(maps.flatten(1).sum(1), torch.ones(len(maps)))
    return True


def test_the_readme(run):
    assert is_map(run("README.md")["saliency"])


def test_the_guide_to_own_networks(run, capsys):
    names = run("book/pages/own_network.md")
    assert all(is_map(names[name].cpu()) for name in ("saliency", "maps", "saliency_two", "saliency_one"))
    torch.testing.assert_close(names["maps"][:1].cpu(), names["saliency"])  # a batch gives what single calls give
    assert names["picture"].shape == (3, 112, 112) and names["fine"].shape == (1, 112, 112)
    assert Path("map.png").is_file() and Path("triplet.png").is_file()
    printed = capsys.readouterr().out
    assert "'layer3' (256, 7, 7)" in printed and "gweebp-paper-code" in printed
    assert names["matched"].shape == (1, 11)


def test_the_guide_to_own_images(run, capsys, monkeypatch):
    monkeypatch.setattr(networks, "NETWORKS", dict(networks.NETWORKS))
    names = run("book/pages/own_images.md")
    assert names["found"].sentence in capsys.readouterr().out
    for name, image in {"probe": names["mates"][0], "mate": names["probe"], "nonmate": names["nonmate"]}.items():
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(f"{name}.png")
    line = "explain probe.png mate.png nonmate.png --network mynet --weights mynet.safetensors --json out.json"
    assert main(line.split()) == 0
    assert read_json("out.json")["network"] == "mynet"


def test_trials_of_own_pairs_are_made_as_the_page_says(tmp_path, monkeypatch):
    """The lines of its block, on drawn pairs whose landmarks are known."""
    monkeypatch.chdir(tmp_path)
    assert main("prepare draw --out pairs --kind drawn --subjects 24 --size 96".split()) == 0
    net = networks.build("lcnn9", seed=0, width=0.125, size=128, embedding=16).eval()
    networks.save(net, "net.safetensors")
    page = (ROOT / "book/pages/own_images.md").read_text(encoding="utf-8")
    (block,) = [b for b in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) if "prepare align" in b]
    *lines, explained = block.replace("\\\n", " ").splitlines()
    for line in lines:
        by = ["--landmarks", "landmarks.csv"] if "prepare align" in line else []  # in place of dlib
        assert main([*shlex.split(line)[1:], *by]) == 0, line
    trials = read_json("trials.json")
    assert trials["strangers"]["count"] == trials["probes"] * (trials["gallery"] - 1) > 0
    for name, picture in zip(("probe", "candidate", "alternative"), sorted(Path("aligned/photos").iterdir())):
        picture.rename(f"{name}.png")
    with_dlib = shlex.split(explained)[1:]
    assert main([word for word in with_dlib if word not in ("--align", "--frame", "head")]) == 0
    assert "pairs of archive, of pictures aligned" in Path("report.html").read_text()


def test_the_guide_to_own_methods(run):
    run("book/pages/own_method.md")
    assert gweebp.METHODS["act-grad"].options == {"power": 1.0}


def test_every_page_with_python_is_tested():
    written = [*ROOT.glob("*.md"), *ROOT.glob("book/pages/*.md")]
    assert sorted(PAGES) == sorted(p.relative_to(ROOT).as_posix() for p in written if "```python" in p.read_text())


def test_paths_on_the_pages_for_contributors_exist():
    """Every path in backticks that starts with a folder of the repository, but what a build makes and users' data."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"_build"}
    found = set()
    for page in (ROOT / "CONTRIBUTING.md", ROOT / "README.md", ROOT / "data/README.md"):
        for words in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
            for path in re.findall(r"(?:^|(?<= ))([a-z]+/[\w./*-]+)", words):
                if path.partition("/")[0] in folders and not path.startswith(("data/raw", "book/chapters")):
                    found.add(path)
                    assert list(ROOT.glob(path.rstrip("/"))), f"{page.name}: {path}"
    assert {"gweebp/excitation/equations.py", "tests/golden/*.ipynb"} <= found


def test_commands_on_the_pages_exist():
    """Every `make X` that a page names is a target, every profile is there, every chapter in NAME= has a notebook."""
    makefile = (ROOT / "Makefile").read_text()
    seen = collections.Counter()
    for page in [*ROOT.glob("*.md"), *ROOT.glob("book/pages/*.md")]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M):
            assert re.search(rf"^{target}:", makefile, re.M), f"{page.name}: make {target}"
            seen["targets"] += 1
        for profile in re.findall(r"PROFILE=([a-z]+)\b(?![/.])", text):
            assert (ROOT / f"book/profiles/{profile}.yaml").is_file() or profile == "path", f"{page.name}: {profile}"
            seen["profiles"] += 1
        for chapter in re.findall(r"NAME=([a-z_]+)", text):
            assert (ROOT / f"notebooks/{chapter}.py").is_file(), f"{page.name}: {chapter}"
            seen["chapters"] += 1
    assert seen["targets"] > 10 and seen["profiles"] > 3 and seen["chapters"] > 0


def test_calls_of_the_command_line_on_the_pages_are_understood():
    """Every `gweebp X ...` in a block of commands has the flags that it is given."""
    seen = 0
    for page in [*ROOT.glob("*.md"), *ROOT.glob("book/pages/*.md")]:
        for block in re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            for line in re.findall(r"^(?:\S*python -m )?gweebp (.+)$", block.replace("\\\n", " "), re.M):
                if "--help" not in line:
                    words = shlex.split(line, comments=True)
                    parser(words[0]).parse_args(words)
                    seen += 1
    assert seen > 4


def test_the_readme_says_what_the_study_holds():
    import readme_results

    text = readme_results.README.read_text(encoding="utf-8")
    found = readme_results.block(readme_results.of_study(readme_results.STUDY))
    assert readme_results.filled(text, found) == text, "run python book/workflow/readme_results.py"


def test_the_readme_has_a_place_for_its_results():
    import readme_results

    text = readme_results.README.read_text(encoding="utf-8")
    assert readme_results.filled(readme_results.filled(text, "x"), "y") == readme_results.filled(text, "y")
    with pytest.raises(ValueError, match="end of results"):
        readme_results.filled(text.replace(readme_results.END, ""), "x")


def test_the_table_of_methods_is_what_the_package_registers():
    text = methods_table.PAGE.read_text(encoding="utf-8")
    assert methods_table.filled(text) == text, "run python book/workflow/methods_table.py"
    assert all(f"| `{name}` | " in text for name in gweebp.METHODS)
    with pytest.raises(ValueError, match="lacks the line <!-- end of methods"):
        methods_table.filled(text.replace(methods_table.END, ""))
