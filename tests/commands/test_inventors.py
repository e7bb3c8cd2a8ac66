"""The way from a folder of pairs to doppelgängers, as a profile asks for it: learn, then invent; on drawn pairs."""

import os
import shutil
import subprocess
from pathlib import Path

import build
import pytest
import torch
import yaml
from profiles import ProfileError, load, read

from gweebp.faces import FaceSet, Quadruplets
from gweebp.faces.preparation import landmarks
from gweebp.faces.synthetic import World
from gweebp.support import files

ROOT = Path(__file__).parents[2]
PEOPLE, SIDE = 10, 96


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """Photos and drawings of drawn people, as a user's folder would hold real ones."""
    folder = tmp_path_factory.mktemp("pairs")
    world, people = World("drawn", SIDE, 3, 0.0), torch.arange(PEOPLE)
    latents = world.people(people)
    photos, sketches = world.photos(people, latents).images, world.sketches(people, latents).images
    points = {}
    for i in range(PEOPLE):
        files.write_image(folder / f"photos/p{i}.png", photos[i])
        files.write_image(folder / f"sketches/p{i}.png", sketches[i])
        points["photo", f"p{i}"] = points["sketch", f"p{i}"] = world.photo_landmarks(people, latents)[i]
    landmarks.write(folder / "landmarks.csv", points)
    return folder


@pytest.fixture
def profile(pairs):
    """The cuhk profile, whose inventors learn for a single step."""
    profile = load("cuhk", str(pairs)) | {"profile": f"inventors-test-{os.getpid()}"}
    profile["datasets"][pairs.name]["size"] = SIDE
    for name in ("inpainter", "translator"):
        profile["invention"][name] = profile["invention"][name] | {"steps": 1, "batch": 1}
    yield profile
    shutil.rmtree(ROOT / "_build" / profile["profile"], ignore_errors=True)


def snakemake(profile, target, *options):
    command = build.snakemake(profile, 2, [f"_build/{profile['profile']}/{target}"])
    command = [*command[:-2], *options, *command[-2:]]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("aligned", [False, True])
def test_inventors_learn_from_the_training_people_and_make_the_candidates(profile, pairs, aligned):
    profile["datasets"][pairs.name]["landmarks"] = str(pairs / "landmarks.csv") if aligned else ""
    done = snakemake(profile, f"data/{pairs.name}/quadruplets.safetensors")
    assert done.returncode == 0, done.stderr
    out = ROOT / "_build" / profile["profile"]
    faces, four = (
        FaceSet.load(out / "data" / pairs.name),
        Quadruplets.load(out / "data" / pairs.name / "quadruplets.safetensors"),
    )
    chosen = faces.record["quadruplets"]["parameters"]
    assert chosen["parser"] == files.sha256(ROOT / profile["invention"]["parser"])
    for learner, role in (("inpainter", "fill"), ("translator", "translate")):
        path = out / f"inventors/{pairs.name}/{learner}.safetensors"
        assert chosen[role] == files.sha256(path)
        record = files.read_tensors(path)[1]["record"]
        assert record["origin"] == files.sha256(ROOT / profile["invention"][learner]["init"])
        learned = record["images"] if learner == "inpainter" else record["photos"]
        assert learned == PEOPLE - len(faces.test)  # looks: photos alone
    assert set(four.subject.tolist()) == set(faces.test.tolist())
    changed = (four.ip != four.op).any(1)
    assert not (changed & ~four.region).any() and changed.flatten(1).any(1).all()


def test_without_landmarks_nobody_has_to_learn(profile, pairs, tmp_path):
    bare = shutil.copytree(pairs, tmp_path / "bare", ignore=shutil.ignore_patterns("landmarks.csv"))
    for folder, learners in ((pairs, 2), (bare, 0)):
        profile["datasets"][pairs.name]["folder"] = str(folder)
        done = snakemake(profile, f"data/{pairs.name}/quadruplets.safetensors", "--dry-run", "-p")
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).count("gweebp prepare learn") == learners


def test_an_unknown_inventor_is_named(tmp_path, pairs):
    wrong = read("cuhk")
    wrong["invention"]["painter"] = wrong["invention"].pop("inpainter")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(ProfileError, match="invention lacks or names an unknown 'painter'; known: parser, inpainter"):
        load(str(tmp_path / "mine.yaml"), str(pairs))
