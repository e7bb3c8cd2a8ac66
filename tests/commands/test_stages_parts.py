"""From aligned photos and sketches to played games: parts, quadruplets, the authors' layout and back."""

import re
from pathlib import Path

import pytest
import torch

from gweebp import networks
from gweebp.__main__ import main
from gweebp.experiment.network_quality import four_distances
from gweebp.faces import PARTS, FaceSet, Quadruplets, inpainting_game
from gweebp.faces.preparation import cyclegan, inpainter, landmarks
from gweebp.faces.preparation.bisenet import BiSeNet
from gweebp.faces.preparation.manifest import MANIFEST
from gweebp.faces.preparation.parse import dilate, polygons, read_labels
from gweebp.faces.preparation.parser import Parser
from gweebp.faces.preparation.seams import blend
from gweebp.faces.synthetic import World
from gweebp.networks import weights
from gweebp.networks.checkpoints import KINDS
from gweebp.support import files

RUN = "--seed 0 --threads 1 --device cpu"
PEOPLE, SIZE = 8, 48


def run(line: str) -> int:
    return main(line.split())


def prepared(folder: Path) -> Path:
    """What `prepare align` leaves: photos, sketches much like them, and landmarks."""
    world, people = World("drawn", SIZE, 3, 0.0), torch.arange(PEOPLE)
    latents = world.people(people)
    photos, points = world.photos(people, latents).images, world.photo_landmarks(people, latents)
    found = {}
    for i in range(PEOPLE):
        files.write_image(folder / f"photos/p{i}.png", photos[i])
        files.write_image(folder / f"sketches/p{i}.png", photos[i] // 8 * 8)
        found["photo", f"p{i}"] = found["sketch", f"p{i}"] = points[i]
    landmarks.write(folder / "landmarks.csv", found)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = prepared(tmp_path_factory.mktemp("prepared"))
    assert run(f"prepare parse --folder {folder} --out {folder}/labels {RUN}") == 1  # inside somebody's originals
    assert run(f"prepare parse --folder {folder} --out {folder.parent}/labels {RUN}") == 0
    return folder


@pytest.fixture(scope="module")
def made(folder) -> Path:
    out = folder.parent / "made"
    labels = f"--labels {folder.parent}/labels"
    flags = "--dataset demo --fill mean"
    assert run(f"prepare quadruplets --folder {folder} {labels} --out {out} {flags} {RUN}") == 0
    data = f"--faces {out}/faces.safetensors --quadruplets {out}/quadruplets.safetensors"
    assert run(f"prepare export {data} --root {folder.parent}/authors") == 0
    return out


def separating(net: networks.EmbeddingNetwork, four: Quadruplets) -> tuple[int, float]:
    """A quadruplet, and a threshold at which it qualifies for sure."""
    d = four_distances(net, four)
    near = torch.maximum(d["d(OP, OM)"], d["d(IP, IN)"])
    far = torch.minimum(d["d(OP, IN)"], d["d(IP, OM)"])
    best = int((far - near).argmax())
    return best, ((near + far) / 2)[best].item()


def test_label_maps_are_the_polygons_of_each_image(folder):
    points = landmarks.read(folder / "landmarks.csv")
    for (kind, name), mine in points.items():
        assert torch.equal(read_labels(folder.parent / f"labels/parts/{kind}/{name}.png"), polygons(mine, SIZE))
    assert files.read_json(folder.parent / "labels" / MANIFEST)["parse"]["counts"]["made"] == 2 * PEOPLE


def test_a_parser_labels_as_it_does_by_hand(folder, tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parser = Parser(BiSeNet(classes=19, width=0.125), size=64)
    parser.save(tmp_path / "parser.safetensors")
    command = f"prepare parse --folder {folder} --out {tmp_path}/out --parser {tmp_path}/parser.safetensors {RUN}"
    assert run(command) == 0
    image = files.read_image(folder / "sketches/p5.png")
    made = tmp_path / "out/parts/sketch/p5.png"
    assert torch.equal(read_labels(made), parser.labels(image[None])[0])
    before = made.stat().st_mtime_ns
    assert run(command) == 0
    assert made.stat().st_mtime_ns == before
    assert files.read_json(tmp_path / "out" / MANIFEST)["parse"]["counts"] == {"made": 0, "kept": 16, "skipped": 0}


def test_images_without_landmarks_are_listed(tmp_path):
    folder = prepared(tmp_path / "prepared")
    points = landmarks.read(folder / "landmarks.csv")
    del points["sketch", "p2"]
    landmarks.write(folder / "landmarks.csv", points)
    (folder / "photos/p4.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="skipped 2 of 16 items"):
        assert run(f"prepare parse --folder {folder} --out {tmp_path}/out {RUN}") == 0
    skipped = files.read_json(tmp_path / "out" / MANIFEST)["parse"]["skipped"]
    assert [item["item"] for item in skipped] == ["photo p4", "sketch p2"]
    assert skipped[1]["why"] == "it has no landmarks"
    # whoever lacks parts is listed again, and the others get their quadruplets
    flags = f"--folder {folder} --labels {tmp_path}/out --out {tmp_path}/made --dataset demo --fill mean"
    with pytest.warns(UserWarning, match="skipped"):
        code = run(f"prepare quadruplets {flags} {RUN}")
    assert code == 0
    faces = FaceSet.load(tmp_path / "made")
    assert "p4" not in faces.ids
    skipped = [item["item"] for item in faces.record["quadruplets"]["skipped"]]
    assert ("p2" in skipped) == ("p2" in [faces.ids[i] for i in faces.test.tolist()])


def test_quadruplets_of_the_test_people(folder, made):
    faces, four = FaceSet.load(made), Quadruplets.load(made / "quadruplets.safetensors")
    assert faces.name == "demo"
    assert set(four.subject.tolist()) == set(faces.test.tolist())
    assert four.counts() == dict.fromkeys(PARTS, 2)
    assert torch.equal(four.op, faces.sketches[four.subject])
    assert torch.equal(four.om, faces.photos[four.subject])
    for row in range(len(four)):
        labels = read_labels(folder.parent / f"labels/parts/sketch/{faces.ids[int(four.subject[row])]}.png")
        assert torch.equal(four.region[row], dilate((labels == four.part[row])[None], 1)[0])
        inside = four.ip[row][:, four.region[row]]
        assert (inside == inside[:, :1]).all()  # filled with one colour
    assert not ((four.op != four.ip).any(1) & ~four.region).any()
    assert faces.record["quadruplets"]["counts"]["skipped"] == 0
    assert str(folder.parent) not in str(faces.record)


def test_the_drawings_route_with_networks(folder, tmp_path):
    """A small inpainter and a small translator, untrained: IP takes its part from the translated IN."""
    weights.save(inpainter.build(width=0.125, size=64), tmp_path / "inpainter.safetensors")
    net = cyclegan.build(width=0.125, blocks=1, size=32)
    weights.save(net, tmp_path / "translator.safetensors")
    given = f"--labels {folder.parent}/labels --parts nose mouth --dataset demo {RUN}"
    who = f"--fill {tmp_path}/inpainter.safetensors --translate {tmp_path}/translator.safetensors"
    assert run(f"prepare quadruplets --folder {folder} --out {tmp_path}/out {given} {who}") == 0
    four = Quadruplets.load(tmp_path / "out/quadruplets.safetensors")
    assert four.part.tolist() == [3, 4] * 2
    assert not torch.equal(four.in_[0], four.om[0])
    for i in range(len(four)):
        fake = net.sketches(four.in_[i][None])[0]
        assert torch.equal(four.ip[i], blend(four.op[i], fake, four.region[i]))
    before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "out/people").iterdir())]
    assert run(f"prepare quadruplets --folder {folder} --out {tmp_path}/out {given} {who}") == 0
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "out/people").iterdir())] == before
    weights.save(inpainter.build(width=0.125, size=64, seed=1), tmp_path / "inpainter.safetensors")
    assert run(f"prepare quadruplets --folder {folder} --out {tmp_path}/out {given} {who}") == 0
    again = Quadruplets.load(tmp_path / "out/quadruplets.safetensors")
    assert not torch.equal(again.in_, four.in_)  # other weights, other quadruplets


def test_sketches_can_be_parsed_as_photos(folder, tmp_path):
    parser = Parser(BiSeNet(classes=7, width=0.125), size=64)
    parser.save(tmp_path / "parser.safetensors")
    net = cyclegan.build(width=0.125, blocks=1, size=32)
    weights.save(net, tmp_path / "translator.safetensors")
    how = f"--parser {tmp_path}/parser.safetensors --translate {tmp_path}/translator.safetensors"
    assert run(f"prepare parse --folder {folder} --out {tmp_path}/out {how} {RUN}") == 0
    sketch, photo = (files.read_image(folder / kind / "p1.png")[None] for kind in ("sketches", "photos"))
    assert torch.equal(read_labels(tmp_path / "out/parts/sketch/p1.png"), parser.labels(net.photos(sketch))[0])
    assert torch.equal(read_labels(tmp_path / "out/parts/photo/p1.png"), parser.labels(photo)[0])


def test_a_parser_for_hair_and_skin_and_polygons_for_the_rest(folder, tmp_path):
    parser = Parser(BiSeNet(classes=7, width=0.125), size=64)
    parser.save(tmp_path / "parser.safetensors")
    how = f"--parser {tmp_path}/parser.safetensors --landmarks {folder}/landmarks.csv"
    assert run(f"prepare parse --folder {folder} --out {tmp_path}/out {how} {RUN}") == 0
    drawn = read_labels(folder.parent / "labels/parts/photo/p1.png")
    found = read_labels(tmp_path / "out/parts/photo/p1.png")
    seen = parser.labels(files.read_image(folder / "photos/p1.png")[None])[0]
    small = (drawn >= 1) & (drawn <= 4)
    assert torch.equal(found[small], drawn[small])
    assert torch.equal(found[~small] == PARTS.index("hair"), seen[~small] == PARTS.index("hair"))
    assert set(found[~small].unique().tolist()) <= {0, 5, 255}


def test_what_is_done_is_not_done_again(folder, made):
    people = sorted((made / "people").iterdir())
    assert len(people) == 2
    before = [path.stat().st_mtime_ns for path in people]
    whole = (made / "quadruplets.safetensors").read_bytes()
    people[0].unlink()  # as if killed before
    flags = f"--folder {folder} --labels {folder.parent}/labels --out {made} --dataset demo"
    assert run(f"prepare quadruplets {flags} --fill mean {RUN}") == 0
    assert files.read_json(made / MANIFEST)["quadruplets"]["counts"] == {"made": 1, "kept": 1, "skipped": 0}
    assert [path.stat().st_mtime_ns == t for path, t in zip(people, before, strict=True)] == [False, True]
    assert (made / "quadruplets.safetensors").read_bytes() == whole


def test_the_games_are_played_on_what_the_layout_gives_back(folder, made):
    """Written in the authors' layout, read, verified, explained and played."""
    out = folder.parent / "read"
    root = folder.parent / "authors"
    assert run(f"prepare layout --root {root} --dataset demo --network candidates --out {out} {RUN}") == 0
    four, read = (Quadruplets.load(x / "quadruplets.safetensors") for x in (made, out))
    for name in ("op", "om", "ip", "in_", "region", "part", "mate_region"):
        assert torch.equal(getattr(four, name), getattr(read, name)), name
    net = networks.build("lcnn9", seed=0, width=0.125, size=32, embedding=16)
    networks.save(net, out / "weights.safetensors")
    best, tau = separating(net, read)
    data = f"--faces {out}/faces.safetensors --quadruplets {out}/quadruplets.safetensors"
    data += f" --weights {out}/weights.safetensors"
    assert run(f"verify {data} --out {out}/trials.json --threshold {tau} {RUN}") == 0
    trials = files.read_json(out / "trials.json")
    assert trials["threshold"] == tau
    qualified = trials["inpainting"]["qualified"]
    assert best in qualified
    exported = f"--faces {out}/faces.safetensors --quadruplets {out}/quadruplets.safetensors --root {root}"
    assert run(f"prepare export {exported} --trials {out}/trials.json") == 0
    found = inpainting_game.read(root, "demo", "lcnn9")  # the table of that network lists what qualified for it
    assert torch.equal(found.quadruplets.ip, read.ip[qualified])
    data += f" --trials {out}/trials.json"
    assert run(f"maps {data} --out {out}/maps.safetensors --methods center gweebp {RUN}") == 0
    assert run(f"play {data} --maps {out}/maps.safetensors --out {out}/games.safetensors --steps 5 {RUN}") == 0
    games, _ = files.read_tensors(out / "games.safetensors")
    assert games["inpainting/center/success"].shape == (len(trials["inpainting"]["qualified"]), 5)
    assert games["inpainting/center/success"][:, -1].all()  # IP itself is nearer to IN


def test_the_authors_data_and_a_published_checkpoint_run_unchanged(made, tmp_path):
    """Their layout and their key names: nothing is converted by hand."""
    four, ids = Quadruplets.load(made / "quadruplets.safetensors"), FaceSet.load(made).ids
    four = four.select(four.part == PARTS.index("skin"))
    inpainting_game.write(tmp_path, "demo", "lcnn9", four, ids)
    published = KINDS["lcnn9_tri"]
    theirs = {ours: name for name, ours in published.modules.items()}
    state = {}
    for key, value in networks.build("lcnn9", seed=0).state_dict().items():
        module, _, kind = key.rpartition(".")
        state[f"{theirs[module]}.{kind}"] = value
    state |= {"fc2.weight": torch.zeros(2, 256)}
    torch.save({"model_state_dict": state}, tmp_path / "lcnn9.pth")
    assert run(f"prepare layout --root {tmp_path} --dataset demo --network lcnn9 --out {tmp_path} {RUN}") == 0
    data = f"--faces {tmp_path}/faces.safetensors --quadruplets {tmp_path}/quadruplets.safetensors"
    command = f"verify {data} --weights {tmp_path}/lcnn9.pth --out {tmp_path}/trials.json {RUN}"
    best, tau = separating(networks.load(tmp_path / "lcnn9.pth"), four)
    assert run(f"{command} --threshold {tau}") == 0
    trials = files.read_json(tmp_path / "trials.json")
    assert trials["network"] == "lcnn9"
    assert best in trials["inpainting"]["qualified"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("parse --folder {0}/none --out {0}/x", r"parse: no photos/\*\.png and sketches"),
        ("parse --folder {1} --out {0}/x --landmarks {0}/gone.csv", "parse: no file .*gone.csv"),
        ("parse --folder {1} --out {0}/x --parser {0}/gone.pth", "parse: no file .*gone.pth"),
        ("quadruplets --folder {0}/none --out {0}/x --dataset d", r"quadruplets: no photos/\*\.png in"),
        ("quadruplets --folder {1} --out {0}/x --dataset d", "quadruplets: none of 2 items .*no file .*parts/photo"),
        (
            "quadruplets --folder {1} --out {0}/x --dataset d --fill nobody",
            "--fill nobody is neither a file nor one of",
        ),
        ("export --faces {0}/f --quadruplets {0}/q --root {0}", r"export: no file .*/f\n"),
        ("layout --root {0} --dataset d --network n --out {0}/x", "layout: no folder .*unpack the data"),
    ],
)
def test_what_cannot_be_used(folder, tmp_path, capsys, line, message):
    options = "" if line.startswith("export") else RUN
    assert run(f"prepare {line.format(tmp_path, folder)} {options}") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: prepare ")
    assert re.search(message, error), error
