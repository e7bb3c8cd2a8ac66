"""The command line from aligned faces to invented parts: learn, inpaint, translate, and quadruplets made with both."""

import shutil
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from gweebp.__main__ import main
from gweebp.commands.prepare.learn.lessons import labelled, unpaired
from gweebp.faces import PARTS, Quadruplets
from gweebp.faces.preparation import cyclegan, inpainter, parser_training
from gweebp.faces.readers import cuhk
from gweebp.support import files

RUN = "--seed 0 --threads 1 --device cpu"
PEOPLE, SIZE = 6, 64


def run(line: str) -> int:
    return main(line.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Photos, drawings much like them, and their label maps; a small network of each kind beside them."""
    folder = tmp_path_factory.mktemp("prepared") / "faces"
    photos, labels = parser_training.faces("photo", PEOPLE, SIZE, seed=5)
    for i in range(PEOPLE):
        for kind, name, image in (("photo", "photos", photos[i]), ("sketch", "sketches", photos[i] // 8 * 8)):
            files.write_image(folder / f"{name}/p{i}.png", image)
            files.write_image(folder / f"parts/{kind}/p{i}.png", labels[i])
    files.write_json(folder / "manifest.json", {})
    return folder


@pytest.fixture(scope="module")
def networks(folder) -> Path:
    out, small = folder.parent, "--people 2 --width 0.0625 --steps 2 --batch 1"
    assert run(f"prepare learn inpainter --out {out}/inpainter.safetensors --size 96 {small} {RUN}") == 0
    assert run(f"prepare learn translator --out {out}/translator.safetensors --size 32 --blocks 0 {small} {RUN}") == 0
    return out


def test_a_learned_network_is_of_the_size_that_was_asked_for(networks):
    net = inpainter.load(networks / "inpainter.safetensors")
    assert net.config == {"width": 0.0625, "size": 96}
    record = files.read_tensors(networks / "translator.safetensors")[1]["record"]
    assert record["recipe"]["steps"] == 2
    assert (record["sketches"], record["photos"]) == (2, 2)
    assert record["environment"]["command"]
    assert not list(networks.glob("*unfinished*"))


def test_networks_learn_from_a_folder_but_never_from_its_test_people(folder, tmp_path):
    small = f"--folder {folder} --width 0.0625 --steps 1 --batch 1 --size 32"
    assert run(f"prepare learn translator --out {tmp_path}/net.safetensors --blocks 0 {small} {RUN}") == 0
    record = files.read_tensors(tmp_path / "net.safetensors")[1]["record"]
    assert record["photos"] == record["sketches"] == PEOPLE - round(PEOPLE / 4)
    for seed in (0, 1):
        options = Namespace(folder=folder, layout=None, size=32, seed=seed)
        faces = cuhk.load(folder, 32, seed, crop=None)
        learned = {image.numpy().tobytes() for image in unpaired(options, "drawn")[1]}
        assert not learned & {image.numpy().tobytes() for image in faces.photos[faces.test]}
    bare = shutil.copytree(folder, tmp_path / "bare", ignore=shutil.ignore_patterns("parts"))
    for source, where in ((folder, "with"), (bare, "without")):  # without label maps: boxes alone
        small = f"--folder {source} --width 0.0625 --steps 1 --batch 1 --size 96"
        assert run(f"prepare learn inpainter --out {tmp_path}/{where}.safetensors {small} {RUN}") == 0


def test_a_network_that_has_learned_goes_on_from_where_it_was(folder, networks, tmp_path, capsys):
    for learner, load in (("inpainter", inpainter.load), ("translator", cyclegan.load)):
        init, out = networks / f"{learner}.safetensors", tmp_path / f"{learner}.safetensors"
        line = f"prepare learn {learner} --folder {folder} --init {init} --out {out} --steps 1 --batch 1 {RUN}"
        assert run(f"{line} --lr 1e-9") == 0
        before, after = load(init), load(out)
        assert after.config == before.config
        pairs = zip(before.parameters(), after.parameters(), strict=True)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)
        assert files.read_tensors(out)[1]["record"]["origin"] == files.sha256(init)
        assert files.read_tensors(init)[1]["record"]["origin"] == ""
        assert run(f"{line} --width 0.5") != 0
        assert "is of width 0.0625; leave out --width" in capsys.readouterr().err


def test_who_asks_for_photos_learns_no_sketch_and_knows_their_parts(folder):
    options = Namespace(folder=folder, layout=None, size=SIZE, seed=0, looks=["photo"])
    images, labels = labelled(options)
    assert len(images) == len(labels) == PEOPLE - round(PEOPLE / 4)
    assert set(labels.unique().tolist()) >= set(range(len(PARTS)))
    both = labelled(Namespace(**vars(options) | {"looks": ["photo", "drawn"]}))[0]
    assert torch.equal(both[: len(images)], images) and len(both) == 2 * len(images)
    # read as `prepare faces` reads it
    assert torch.equal(labelled(Namespace(**vars(options) | {"layout": "pairs"}))[0], images)


@pytest.mark.parametrize("how", ["mean", "network"])
def test_inpaint_fills_each_part_of_each_image(folder, networks, tmp_path, how, recwarn):
    method = networks / "inpainter.safetensors" if how == "network" else how
    line = f"prepare inpaint --folder {folder} --out {tmp_path} --fill {method} --parts eyes nose --margin 0 --draws 2"
    assert run(f"{line} {RUN}") == 0
    section = files.read_json(tmp_path / "manifest.json")["inpaint"]
    assert section["counts"] == {"made": 2 * PEOPLE * 2 * 2, "kept": 0, "skipped": 0}
    assert str(networks) not in (tmp_path / "manifest.json").read_text()
    image, labels = (files.read_image(folder / name / "p1.png") for name in ("photos", "parts/photo"))
    filled = files.read_image(tmp_path / "inpainted/nose/photo/p1.png")
    nose = labels[0] == PARTS.index("nose")
    assert torch.equal(filled[:, ~nose], image[:, ~nose])
    assert not torch.equal(filled, image)
    second = files.read_image(tmp_path / "inpainted/nose-2/photo/p1.png")
    assert torch.equal(second, filled) == (how == "mean")
    assert run(f"{line} {RUN}") == 0
    assert files.read_json(tmp_path / "manifest.json")["inpaint"]["counts"]["kept"] == 2 * PEOPLE * 2 * 2


def test_one_bad_image_stops_nobody_else(folder, tmp_path):
    faces = shutil.copytree(folder, tmp_path / "faces")
    (faces / "photos/p0.png").write_bytes(b"no image")
    (faces / "parts/sketch/p1.png").unlink()
    with pytest.warns(UserWarning, match=f"skipped 2 of {2 * PEOPLE} items"):
        assert run(f"prepare inpaint --folder {faces} --out {tmp_path}/out --fill mean --parts skin {RUN}") == 0
    skipped = {s["item"] for s in files.read_json(tmp_path / "out/manifest.json")["inpaint"]["skipped"]}
    assert skipped == {"photo p0 skin 1", "sketch p1 skin 1"}


def test_translate_writes_the_other_kind_under_the_same_name(folder, networks, tmp_path):
    line = f"prepare translate --folder {folder} --out {tmp_path} --translator {networks}/translator.safetensors"
    assert run(f"{line} --to photo {RUN}") == 0
    assert run(f"{line} --to sketch {RUN}") == 0
    net = cyclegan.load(networks / "translator.safetensors")
    for name, turned in (("sketches", net.photos), ("photos", net.sketches)):
        image = files.read_image(folder / name / "p2.png")
        assert torch.equal(files.read_image(tmp_path / name / "p2.png"), turned(image[None])[0])
    assert files.read_json(tmp_path / "manifest.json")["translate to photo"]["counts"]["made"] == PEOPLE
    torch.save(net.to_photo.state_dict(), tmp_path / "latest_net_G_A.pth")
    published = f"--translator {tmp_path}/latest_net_G_A.pth --to photo"
    assert run(f"prepare translate --folder {folder} --out {tmp_path}/published {published} {RUN}") == 0
    image = files.read_image(folder / "sketches/p2.png")
    seen_as_it_is = cyclegan.translate(net.to_photo, image[None])[0]
    assert torch.equal(files.read_image(tmp_path / "published/sketches/p2.png"), seen_as_it_is)


def test_quadruplets_by_learned_networks(folder, networks, tmp_path):
    line = f"prepare quadruplets --folder {folder} --dataset demo --parts eyes mouth --margin 0.02 {RUN}"
    learned = f"--fill {networks}/inpainter.safetensors"
    assert run(f"{line} {learned} --out {tmp_path}/filled") == 0
    assert run(f"{line} {learned} --translate {networks}/translator.safetensors --out {tmp_path}/drawn") == 0
    filled, drawn = (Quadruplets.load(tmp_path / name / "quadruplets.safetensors") for name in ("filled", "drawn"))
    assert torch.equal(filled.in_, drawn.in_)
    assert not torch.equal(filled.ip, drawn.ip)
    for four in (filled, drawn):
        assert not ((four.op != four.ip).any(1) & ~four.region).any()
        assert not ((four.om != four.in_).any(1) & ~four.mate_region).any()
    made = files.read_json(tmp_path / "drawn/record.json")["quadruplets"]["parameters"]
    assert len(made["fill"]) == len(made["translate"]) == 64


def test_what_can_not_be_done_is_said(folder, networks, tmp_path, capsys):
    translator = f"--translator {networks}/translator.safetensors"
    for line, message in (
        (
            f"prepare inpaint --folder {folder} --out {tmp_path} --fill patchmatch",
            "neither a file nor one of mean, telea",
        ),
        (f"prepare inpaint --folder {tmp_path} --out {folder.parent}/out", "no photos/*.png and sketches/*.png"),
        (f"prepare translate --folder {folder} --out {folder} --to photo {translator}", "name another folder"),
        (
            f"prepare translate --folder {tmp_path} --out {folder.parent}/out --to photo {translator}",
            "no sketches/*.png in",
        ),
        (
            f"prepare inpaint --folder {folder} --out {tmp_path} --fill {networks}/translator.safetensors",
            "holds another network than",
        ),
    ):
        assert run(f"{line} {RUN}") == 1
        assert message in capsys.readouterr().err
