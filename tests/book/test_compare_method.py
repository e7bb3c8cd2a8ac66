"""A method in a file of its own, against the others of a build: only it is computed, and the build stays as it was."""

import sys
from dataclasses import replace
from pathlib import Path

import compare_method
import pytest
import torch
from compare_method import compare
from profiles import ProfileError

import gweebp
from gweebp.__main__ import main
from gweebp.faces import Quadruplets
from gweebp.support.files import read_tensors

ROOT = Path(__file__).parents[2]
RUN = "--seed 0 --threads 1 --device cpu"
PROFILE = {
    "profile": "tiny",
    "report": ["noise"],
    "networks": {"lcnn9": {}},
    "maps": {"options": {"test: mine": {"power": 2.0}}, "batch": 4},
    "games": {"steps": 5, "thresholds": "percent-density", "rule": "nearest", "batch": 16},
} | {"seed": 0, "threads": 1, "device": "cpu"}

MINE = """
from gweebp.methods import method
from gweebp.excitation.layers import run_from

@method("test: mine")
def mine(net, probe, mate, nonmate, *, layer, power=1.0):
    "Activation."
    return run_from(net, probe, layer)[0].detach().abs().sum(1) ** power
"""


@pytest.fixture(scope="module")
def build(faces, tmp_path_factory):
    """A folder that holds _build/tiny, with two methods played."""
    folder = tmp_path_factory.mktemp("compare")
    at = folder / "_build/tiny"
    data, net = at / "data/noise", at / "networks/noise/lcnn9"
    faces = replace(faces, sketches=faces.photos // 8 * 8)
    faces.save(data)
    op, om = faces.sketches[faces.test], faces.photos[faces.test]
    region = torch.zeros(len(op), 32, 32, dtype=torch.bool)
    region[:, :16] = True
    four = op, om, op.roll(1, 0), om.roll(1, 0)
    Quadruplets(*four, region, faces.test, torch.arange(len(op))).save(
        data / "quadruplets.safetensors", faces=data / "faces.safetensors"
    )
    gweebp.networks.save(
        gweebp.networks.build("lcnn9", seed=0, width=0.125, size=32, embedding=16), net / "weights.safetensors"
    )
    built = f"--faces {data}/faces.safetensors --quadruplets {data}/quadruplets.safetensors"
    built += f" --weights {net}/weights.safetensors"
    trials = at / "trials/noise/lcnn9.json"
    games = at / "games/noise/lcnn9/group.safetensors"
    for line in (
        f"verify {built} --out {trials} --fpr 0.2",
        f"maps {built} --trials {trials} --out {folder}/maps.safetensors --methods center ebp",
        f"play {built} --trials {trials} --maps {folder}/maps.safetensors --out {games} --steps 5",
    ):
        assert main(f"{line} {RUN}".split()) == 0
    return folder


@pytest.fixture
def mine(build, monkeypatch):
    """The folder of the build, with the method's file in it; the method is forgotten after."""
    monkeypatch.chdir(build)
    (build / "mine.py").write_text(MINE)
    yield build / "mine.py"
    gweebp.METHODS.pop("test: mine", None)
    sys.modules.pop("gweebp_plugin_mine", None)


def test_a_method_from_outside_plays_both_games(mine, build, capsys):
    before = {p: p.read_bytes() for p in (build / "_build/tiny").rglob("*") if p.is_file()}
    compare("test: mine", mine, PROFILE)
    said = capsys.readouterr().out
    assert "Hiding game" in said and "Inpainting game" in said and "test: mine minus the other" in said
    out = build / "_build/tiny/compare/test-mine"
    made = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    tables = {f"{name}{lead}.csv" for name in ("hiding", "inpainting", "sr-5") for lead in ("", "-lead")}
    assert made == tables | {
        "hiding.png",
        "inpainting.png",
        "noise/lcnn9/maps.safetensors",
        "noise/lcnn9/games.safetensors",
    }
    table = (out / "hiding.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in table] == ["method", "centre", "EBP", "test: mine"]
    games, _ = read_tensors(out / "noise/lcnn9/games.safetensors")
    area = gweebp.games.hiding.area(games["hiding/test: mine/matched"], games["hiding/subject"])
    assert f"{area.value:.3f} [{area.low:.3f}, {area.high:.3f}]" in table[-1]
    lead = (out / "hiding-lead.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in lead] == ["method", "centre", "EBP"]
    assert all(p.read_bytes() == content for p, content in before.items())  # the build is as it was
    first, _ = read_tensors(out / "noise/lcnn9/maps.safetensors")
    compare("test: mine", mine, {**PROFILE, "maps": {"options": {}, "batch": 4}})
    again, _ = read_tensors(out / "noise/lcnn9/maps.safetensors")
    assert not torch.equal(first["hiding/test: mine"], again["hiding/test: mine"])  # power=2 was the profile's


def test_what_cannot_be_compared_says_why(mine, monkeypatch):
    with pytest.raises(ProfileError, match="did you mean 'gweebp'"):
        compare("gwebp", None, PROFILE)
    with pytest.raises(ProfileError, match=r"no file none\.py"):
        compare("test: mine", Path("none.py"), PROFILE)
    with pytest.raises(ProfileError, match=r"no results of vgg16 on noise.*make book PROFILE=tiny"):
        compare("test: mine", mine, {**PROFILE, "networks": {"vgg16": {}}})
    mine.write_text(MINE.replace(".abs()", ".neg().abs().neg()").replace("** power", ""))
    with pytest.raises(ProfileError, match="breaks the promise 'shape': negative values"):
        compare("test: mine", mine, {**PROFILE, "maps": {"options": {}, "batch": 4}})


def test_a_call_without_a_method_is_one_line(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["compare_method.py", "--profile", "smoke"])
    assert compare_method.main() == 2
    assert capsys.readouterr().err.startswith("error: say which method: make compare-method METHOD=mine")
