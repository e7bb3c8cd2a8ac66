"""Cases in files: what is said of them, odd images, the gallery, tables that are taken up again, and the command."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import gweebp
from gweebp import networks
from gweebp.__main__ import main
from gweebp.commands.casework import LIMITS, Case, Examiner, Explanation, explained, pictures, read_table, run_table
from gweebp.commands.casework.alignment import Aligner
from gweebp.commands.casework.explanation import CLOSE
from gweebp.commands.casework.writing import write
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.align import align
from gweebp.faces.preparation.landmarks import LEFT_EYE, MOUTH, RIGHT_EYE
from gweebp.networks import as_input
from gweebp.networks.verification import embed

SIZE = 32


@pytest.fixture(scope="module")
def net():
    return networks.build("lcnn9", seed=0, width=0.125, size=SIZE, embedding=16).eval()


def save(path, image):
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    return path


@pytest.fixture
def folder(tmp_path, faces, net):
    """probe.png, whose mate is mate.png and whose non-mate nonmate.png; others/ with more people; the weights."""
    save(tmp_path / "probe.png", faces.photos[0] // 8 * 8)
    save(tmp_path / "mate.png", faces.photos[0])
    save(tmp_path / "nonmate.png", faces.photos[1])
    (tmp_path / "others").mkdir()
    for i in range(1, 6):
        save(tmp_path / f"others/{i}.png", faces.photos[i])
    networks.save(net, tmp_path / "net.safetensors")
    return tmp_path


def command(folder, line, out="--out {0}/out.png"):
    return main(f"explain {line} {out} --weights {{0}}/net.safetensors".replace("{0}", str(folder)).split())


SWAPPED = "{0}/probe.png {0}/nonmate.png {0}/mate.png"
TRIPLET = "{0}/probe.png {0}/mate.png {0}/nonmate.png"


def test_the_distances_and_the_map_are_those_of_the_library(net, faces):
    probe, mate, nonmate = faces.photos[0] // 8 * 8, faces.photos[0], faces.photos[1]
    found = explained(net, probe, mate, nonmate)
    p, m, n = (embed(net, x[None]) for x in (probe, mate, nonmate))
    assert found.mate_distance == pytest.approx((p - m).norm().item())
    assert found.nonmate_distance == pytest.approx((p - n).norm().item())
    maps = gweebp.explain(net, *(as_input(net, x[None]) for x in (probe, mate, nonmate)))
    torch.testing.assert_close(found.saliency, maps[0])
    assert found.outcome == "explained" and found.gain > 0


@pytest.mark.parametrize("method", ["ebp", "xface", "pairwisesim", "random"])
def test_any_method_explains(net, faces, method):
    found = explained(net, faces.photos[0] // 8 * 8, faces.photos[0], faces.photos[1], method=method)
    torch.testing.assert_close(found.saliency.sum().float(), torch.tensor(1.0))
    assert gweebp.METHODS[method].summary.rstrip(".") in found.sentence  # only what that method says of itself
    assert "worked for this mate" not in found.sentence


def test_several_mates_are_averaged_and_then_normalised(net, faces):
    mates = [faces.photos[0], faces.photos[0].flip(2)]
    found = explained(net, faces.photos[0] // 8 * 8, mates, faces.photos[1])
    average = torch.nn.functional.normalize(embed(net, torch.stack(mates)).mean(0), dim=0)
    distance = (embed(net, faces.photos[:1] // 8 * 8)[0] - average).norm()
    assert found.mate_distance == pytest.approx(distance.item(), abs=1e-6)
    with pytest.raises(ValueError, match="takes one; got 2"):
        explained(net, faces.photos[0] // 8 * 8, mates, faces.photos[1], method="xface")


def test_without_gain_there_is_no_map_and_the_sentence_says_so(net, faces):
    found = explained(net, faces.photos[0] // 8 * 8, faces.photos[1], faces.photos[0], method="ebp")
    assert found.outcome == "no gain" and found.saliency is None and found.half_mass_area is None
    assert "nearer to the alternative" in found.sentence and "no map" in found.sentence


EXPLANATION = Explanation(torch.tensor([[0.7, 0.1], [0.1, 0.1]]), 0.3, 0.9, None, "lcnn9", "gweebp")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, "nearer to the candidate (0.300) than to the alternative (0.900); the coloured regions are"),
        ({"threshold": 0.5}, "at the threshold 0.500, accepts the candidate and rejects the alternative;"),
        ({"threshold": 0.3}, "accepts the candidate and rejects the alternative;"),
        ({"threshold": 0.1}, "rejects both;"),
        ({"threshold": 1.0}, "accepts both;"),
        (
            {"mate_distance": 0.9, "saliency": None},
            "as near to the alternative (0.900) as to the candidate (0.900); it does not",
        ),
        ({"saliency": None}, "the map of gweebp is empty"),
        ({}, "half of the map on 25% of the image."),
    ],
)
def test_one_sentence_says_what_is_known(change, wanted):
    sentence = replace(EXPLANATION, **change).sentence
    assert wanted in sentence
    assert sentence.endswith(".") and len(re.findall(r"\.(?=\s|$)", sentence)) == 1
    assert not re.search(r"same person|identity|proves|because|evidence", sentence)


def test_the_limits_are_stated_everywhere(folder, capsys):
    assert "not evidence of identity" in LIMITS[0]
    assert command(folder, TRIPLET, "--json {0}/out.json") == 0
    assert json.loads((folder / "out.json").read_text())["limits"] == list(LIMITS)
    from gweebp.commands.casework.page import explanation

    case = Case(folder / "probe.png", (folder / "mate.png",), folder / "nonmate.png")
    figure = explanation(Examiner(networks.load(folder / "net.safetensors")).examine(case))
    drawn = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert all(limit in drawn for limit in LIMITS)
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    assert "not evidence of identity" in capsys.readouterr().out


def odd(kind, image):
    """(image as it is saved, file name) of an odd file that shows the same picture as `image`, grey and 32 x 32."""
    if kind == "grey":
        return image.convert("L"), "odd.png"
    if kind == "palette":
        return image.convert("L").convert("P"), "odd.png"
    if kind == "transparent":
        clear = Image.new("RGBA", (SIZE, SIZE), (255, 255, 255, 0))
        clear.paste(image)
        return clear, "odd.png"
    return image, "odd.tif"


@pytest.mark.parametrize("kind", ["grey", "palette", "transparent", "tiff"])
def test_images_of_any_mode_give_the_same(folder, net, faces, kind):
    plain = Image.fromarray(faces.photos[0].permute(1, 2, 0).numpy()).convert("L").convert("RGB")
    plain.save(folder / "probe.png")
    image, name = odd(kind, plain)
    image.save(folder / name)
    found = [
        Examiner(net).examine(Case(folder / probe, (folder / "mate.png",), folder / "nonmate.png")).explanation
        for probe in ("probe.png", name)
    ]
    assert found[0].mate_distance == pytest.approx(found[1].mate_distance, abs=1e-6)
    torch.testing.assert_close(found[0].saliency, found[1].saliency)


def test_a_photo_turned_by_its_camera_is_turned_back(folder, net):
    upright = Image.open(folder / "probe.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    upright.rotate(90, expand=True).save(folder / "turned.png", exif=exif)
    assert torch.equal(pictures.read(folder / "turned.png").pixels, pictures.read(folder / "probe.png").pixels)


def test_what_the_reader_should_know_of_the_images_is_noted(folder, net, faces):
    Image.open(folder / "probe.png").resize((24, 30)).save(folder / "small.png")
    small = Examiner(net).examine(Case(folder / "small.png", (folder / "mate.png",), folder / "nonmate.png"))
    assert any("24x30 pixels and was enlarged to 32x32" in note for note in small.explanation.notes)
    assert any("24x30 pixels and was stretched to a square" in note for note in small.explanation.notes)
    same = Examiner(net).examine(Case(folder / "mate.png", (folder / "mate.png",), folder / "nonmate.png"))
    assert any("says nothing about recognition" in note for note in same.explanation.notes)
    assert same.explanation.mate_distance == pytest.approx(0, abs=1e-6)


BAD = {
    "no file": ("{0}/none.png {0}/mate.png {0}/nonmate.png", "no file"),
    "corrupt": ("{0}/corrupt.png {0}/mate.png {0}/nonmate.png", "can't be read as an image"),
    "cut off": ("{0}/probe.png {0}/cut.png {0}/nonmate.png", "can't be read as an image"),
    "tiny": ("{0}/tiny.png {0}/mate.png {0}/nonmate.png", "too small for a face"),
    "blank": ("{0}/probe.png {0}/blank.png {0}/nonmate.png", "one colour only"),
    "same": ("{0}/probe.png {0}/mate.png {0}/mate.png", "the same picture: a triplet needs two different people"),
    "no nonmate": ("{0}/probe.png {0}/mate.png", "NONMATE image or --gallery"),
    "both": (TRIPLET + " --gallery {0}/others", "either a NONMATE image or --gallery"),
    "no mate": ("{0}/probe.png", "expected a PROBE, a MATE and a NONMATE"),
    "empty gallery": ("{0}/probe.png {0}/mate.png --gallery {0}/empty", "no image in"),
    "no gallery": ("{0}/probe.png {0}/mate.png --gallery {0}/none", "no folder"),
    "method": (TRIPLET + " --method gwebp", "did you mean 'gweebp'"),
    "option": (TRIPLET + ' --options {"gian":1}', "did you mean 'gain'"),
    "threshold": (TRIPLET + " --threshold 3", "expected 0..2"),
    "network": (TRIPLET + " --network vgg16", "holds weights of lcnn9, not of vgg16"),
    "layer": (TRIPLET + " --layer features.pool9", "no layer 'features.pool9'"),
    "trials": (TRIPLET + " --trials {0}/empty.json", "holds no threshold"),
    "plugin": (TRIPLET + " --plugin {0}/broken.py", "broken.py can't be run: ZeroDivisionError"),
    "two thresholds": (TRIPLET + " --threshold 1 --trials {0}/empty.json", "give one"),
    "no landmarks": (TRIPLET + " --landmarks {0}/empty.json", "lacks the columns"),
    "format": (TRIPLET + " --out {0}/out.docx", "out.docx: expected a name that ends in .png"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_one_line_and_no_file(folder, capsys, case):
    line, message = BAD[case]
    (folder / "corrupt.png").write_bytes(b"not a picture")
    (folder / "cut.png").write_bytes((folder / "mate.png").read_bytes()[:200])
    Image.new("RGB", (8, 8)).save(folder / "tiny.png")
    Image.new("RGB", (64, 64), "white").save(folder / "blank.png")
    (folder / "empty").mkdir()
    (folder / "empty.json").write_text("{}")
    (folder / "broken.py").write_text("1 / 0")
    before = set(folder.rglob("*"))
    assert command(folder, line, "" if "--out" in line else "--out {0}/out.png") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: explain: ") and message in error
    assert error.count("\n") == 1
    assert len(error) < 600 or case == "layer"  # which lists all that there are
    assert set(folder.rglob("*")) == before


def test_one_case_on_the_command_line(folder, capsys):
    assert command(folder, f"{TRIPLET} --threshold 0.4 --network lcnn9 --json {{0}}/out.json") == 0
    document = json.loads((folder / "out.json").read_text())
    said = capsys.readouterr().out
    assert document["sentence"] in said
    assert document["outcome"] == "explained" and document["nonmate_from"] == "given"
    assert document["decision"]["mate"] == ("accepted" if document["distances"]["mate"] <= 0.4 else "rejected")
    saliency = np.array(document["map"])
    assert saliency.shape == (4, 4) and saliency.sum() == pytest.approx(1, abs=1e-5)
    assert len(document["inputs"]["weights_sha256"]) == 64 and document["record"]["versions"]["torch"]
    assert str(folder) not in json.dumps(document)
    with Image.open(folder / "out.png") as picture:
        assert picture.width == 1200 and np.ptp(np.asarray(picture.convert("HSV"))[..., 1]) > 100  # with a coloured map
    assert command(folder, SWAPPED) == 0  # no gain is an answer, not an error
    assert "no map" in capsys.readouterr().out


def test_the_threshold_of_a_verification(folder, capsys):
    (folder / "trials.json").write_text(json.dumps({"threshold": 0.75, "network": "lcnn9"}))
    assert command(folder, f"{TRIPLET} --trials {{0}}/trials.json") == 0
    assert "at the threshold 0.750" in capsys.readouterr().out
    (folder / "trials.json").write_text(json.dumps({"threshold": 0.75, "network": "vgg16"}))
    assert command(folder, f"{TRIPLET} --trials {{0}}/trials.json") == 1


def test_without_a_nonmate_the_nearest_of_the_gallery_is_taken(folder, net, faces):
    (folder / "others/mate-again.png").write_bytes((folder / "mate.png").read_bytes())
    (folder / "others/broken.png").write_bytes(b"")
    case = Case(folder / "probe.png", (folder / "mate.png",))
    found = Examiner(net, gallery=folder / "others").examine(case)
    d = (embed(net, faces.photos[:1] // 8 * 8) - embed(net, faces.photos[1:6])).norm(dim=1)
    assert found.nonmate.name == f"{int(d.argmin()) + 1}.png" and found.from_gallery
    assert found.explanation.nonmate_distance == pytest.approx(d.min().item(), abs=1e-6)
    assert any("broken.png" in note for note in found.explanation.notes)


@pytest.fixture
def landmarks68():
    """Landmarks of a face that fills an image of 32 pixels: only the centres of eyes and mouth matter."""
    points = torch.rand(68, 2, generator=torch.manual_seed(0)) * 2
    points[LEFT_EYE] += torch.tensor([9.0, 12.0])
    points[RIGHT_EYE] += torch.tensor([20.0, 13.0])
    points[MOUTH] += torch.tensor([15.0, 24.0])
    return points.double()


def test_landmarks_align_every_image_of_a_case(folder, net, landmarks68):
    names = ("probe", "mate", "nonmate", *"12345")
    landmarks.write(folder / "landmarks.csv", {("photo", name): landmarks68 + i for i, name in enumerate(names)})
    aligner = Aligner(folder / "landmarks.csv", SIZE)
    listed = landmarks.read(folder / "landmarks.csv")
    wanted, _ = align(pictures.read(folder / "mate.png").pixels, listed["photo", "mate"], SIZE)
    assert torch.equal(aligner(folder / "mate.png").pixels, wanted)
    line = "{0}/probe.png {0}/mate.png --gallery {0}/others --landmarks {0}/landmarks.csv --json {0}/out.json"
    assert command(folder, line) == 0
    document = json.loads((folder / "out.json").read_text())
    examiner = Examiner(net, gallery=folder / "others", read=aligner)
    found = examiner.examine(Case(folder / "probe.png", (folder / "mate.png",)))
    assert document["distances"]["mate"] == pytest.approx(found.explanation.mate_distance)
    assert document["inputs"]["frame"]["name"] == "head" and len(document["inputs"]["landmarks_sha256"]) == 64
    assert torch.equal(found.mates[0].pixels, wanted)


def test_an_image_without_landmarks_is_not_taken_as_it_is(folder, landmarks68):
    table = {("photo", "a"): landmarks68, ("sketch", "a"): landmarks68 + 1, ("photo", "b"): landmarks68 + 500}
    landmarks.write(folder / "landmarks.csv", table)
    aligner = Aligner(folder / "landmarks.csv", SIZE)
    for name in ("a", "b", "a-sz1", "photos/a", "sketches/a"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.png").write_bytes((folder / "mate.png").read_bytes())
    assert torch.equal(aligner(folder / "a-sz1.png").pixels, aligner(folder / "sketches/a.png").pixels)
    assert not torch.equal(aligner(folder / "photos/a.png").pixels, aligner(folder / "sketches/a.png").pixels)
    for name, message in {"a": "as photo and as sketch", "b": "lie outside", "mate": "no landmarks of mate"}.items():
        with pytest.raises(ValueError, match=rf"{name}\.png can't be aligned.*{message}"):
            aligner(folder / f"{name}.png")


def test_a_plugin_brings_a_method(folder, capsys):
    (folder / "mine.py").write_text(
        "from gweebp.methods import method\n\n\n@method('test: mine')\n"
        "def mine(net, probe, mate, nonmate, *, layer, power=1):\n"
        "    '''Brightness.'''\n    return probe.mean(1) ** power\n"
    )
    try:
        line = f"{TRIPLET} --plugin {{0}}/mine.py".replace("{0}", str(folder)).split()
        weights = ["--weights", str(folder / "net.safetensors"), "--json", str(folder / "out.json")]
        assert main(["explain", *line, *weights, "--method", "test: mine", "--options", '{"power": 2}']) == 0
        assert "Brightness" in capsys.readouterr().out
    finally:
        gweebp.METHODS.pop("test: mine", None)


def table(folder, text):
    (folder / "cases.csv").write_text(text)
    return read_table(folder / "cases.csv")


CASES = """id,probe,mate,nonmate
good,probe.png,mate.png,nonmate.png
bad,corrupt.png,mate.png,nonmate.png
swapped,probe.png,nonmate.png,mate.png
nearest,probe.png,mate.png;mate2.png,
"""


def test_a_table_goes_on_where_it_stopped_and_past_what_is_bad(folder, net, faces, monkeypatch):
    (folder / "corrupt.png").write_bytes(b"not a picture")
    save(folder / "mate2.png", faces.photos[0].flip(2))
    cases, out = table(folder, CASES), folder / "out"
    examiner = Examiner(net, {"threshold": 0.5}, gallery=folder / "others")
    rows = {row["id"]: row for row in run_table(examiner, cases, out, {"threshold": 0.5})}
    assert [row["outcome"] for row in rows.values()] == ["explained", "error", "no gain", "explained"]
    assert "corrupt.png can't be read" in rows["bad"]["error"]
    made = {path.name: path.read_bytes() for path in out.iterdir()}
    written = {f"{n}.{s}" for n in ("good", "swapped", "nearest") for s in ("png", "html", "json")}
    assert set(made) == written | {"results.csv", "results.json", "index.html"}
    with (out / "results.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["outcome"] for row in listed] == [row["outcome"] for row in rows.values()]
    assert float(listed[0]["mate_distance"]) == rows["good"]["mate_distance"]
    assert json.loads(made["results.json"])[1]["error"] == rows["bad"]["error"]

    asked = []
    monkeypatch.setattr(
        examiner, "examine", lambda case: asked.append(case.probe.name) or Examiner.examine(examiner, case)
    )
    again = run_table(examiner, cases, out, {"threshold": 0.5})
    assert asked == ["corrupt.png"] and again == list(rows.values())
    assert {path.name: path.read_bytes() for path in out.iterdir()} == made

    asked.clear()
    save(folder / "corrupt.png", faces.photos[0] // 8 * 8)  # mended
    (out / "good.json").write_text("{")  # and one that a crash of the machine spoilt
    save(folder / "mate2.png", faces.photos[0])  # and one whose image has changed
    again = run_table(examiner, cases, out, {"threshold": 0.5})
    assert [row["outcome"] for row in again] == ["explained", "explained", "no gain", "explained"]
    assert len(asked) == 3
    asked.clear()
    run_table(examiner, cases, out, {"threshold": 0.6})
    assert len(asked) == 4  # other settings


def test_a_result_stays_until_there_is_a_new_one(folder, net):
    cases, examiner = table(folder, "probe,mate,nonmate\nprobe.png,mate.png,nonmate.png\n"), Examiner(net)
    assert list(cases) == ["001-probe"]
    run_table(examiner, cases, folder / "out", {})
    made = {path.name: path.read_bytes() for path in (folder / "out").glob("001-*")}
    (folder / "mate.png").write_bytes(b"spoilt")
    (row,) = run_table(examiner, cases, folder / "out", {})
    assert row["outcome"] == "error"
    assert row["error"].endswith("(001-probe.png and 001-probe.html and 001-probe.json, from an earlier run, stayed)")
    assert {path.name: path.read_bytes() for path in (folder / "out").glob("001-*")} == made


def test_an_interrupted_table_says_how_far_it_came(folder, net, monkeypatch):
    cases = table(folder, "id,probe,mate,nonmate\na,probe.png,mate.png,nonmate.png\nb,mate.png,probe.png,nonmate.png\n")
    examiner = Examiner(net)

    def interrupted(case):
        if case.probe.name == "mate.png":
            raise KeyboardInterrupt
        return Examiner.examine(examiner, case)

    monkeypatch.setattr(examiner, "examine", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_table(examiner, cases, folder / "out", {})
    assert [row["id"] for row in json.loads((folder / "out/results.json").read_text())] == ["a"]
    assert not [path for path in (folder / "out").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("probe,mat,nonmate\na,b,c\n", r"unknown column 'mat' \(did you mean 'mate'"),
        ("probe\na\n", "lacks the columns mate"),
        ("probe;mate\na;b\n", "separated by semicolons; expected commas"),
        ("", "lacks the columns probe, mate"),
        ("probe,mate,nonmate\n", "has no rows"),
        ("probe,mate,nonmate\na.png,,c.png\n", "row 1: expected a probe and a mate"),
        ("id,probe,mate\nx,a,b\nx,a,b\n", r"id 'x' is used twice \(rows 1 and 2\)"),
        ("id,probe,mate\n../x,a,b\n", "row 1: id '../x'"),
        ("probe,mate\na,b,c\n", "row 1: more or fewer fields"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_before_any_work(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        table(tmp_path, text)


def test_a_table_on_the_command_line(folder, capsys):
    (folder / "cases.csv").write_text(
        "probe,mate,nonmate\nprobe.png,mate.png,nonmate.png\nnone.png,mate.png,nonmate.png\n"
    )
    assert command(folder, "--batch {0}/cases.csv", "--out {0}/out") == 1
    said = capsys.readouterr()
    assert "2 cases: 1 explained, 1 error" in said.out
    assert "002-none: no file" in said.err
    assert command(folder, "--batch {0}/cases.csv", "") == 1
    assert "--out folder" in capsys.readouterr().err
    assert command(folder, "{0}/probe.png --batch {0}/cases.csv") == 1
    assert "leave out PROBE" in capsys.readouterr().err


def test_a_gallery_that_is_missing_stops_a_table_before_any_work(folder, net):
    cases = table(folder, "probe,mate,nonmate\nprobe.png,mate.png,nonmate.png\nprobe.png,mate.png,\n")
    for gallery, message in ((None, "no alternative: name one"), (folder / "none", "no folder")):
        with pytest.raises((ValueError, OSError), match=message):
            run_table(Examiner(net, gallery=gallery), cases, folder / "out", {})
    assert not (folder / "out").exists()


def test_only_cases_that_took_their_nonmate_from_the_gallery_rest_on_it(folder, net, faces):
    text = "id,probe,mate,nonmate\ngiven,probe.png,mate.png,nonmate.png\nnearest,probe.png,mate.png,\n"
    cases = table(folder, text)
    run_table(Examiner(net, gallery=folder / "others"), cases, folder / "out", {})
    before = {name: (folder / f"out/{name}.json").read_bytes() for name in cases}
    save(folder / "others/9.png", faces.photos[9])
    run_table(Examiner(net, gallery=folder / "others"), cases, folder / "out", {})
    after = {name: (folder / f"out/{name}.json").read_bytes() for name in cases}
    assert before["given"] == after["given"]
    assert before["nearest"] != after["nearest"]


def test_the_picture_is_written_in_the_format_of_its_name(folder, net):
    examined = Examiner(net).examine(Case(folder / "probe.png", (folder / "mate.png",), folder / "nonmate.png"))
    write(examined, examined.document(), folder / "out.svg", None)
    assert (folder / "out.svg").read_text().lstrip().startswith("<?xml")


def test_distances_that_rounding_alone_tells_apart_are_noted(net):
    probe, mate = torch.randint(256, (2, 3, 600, 600), dtype=torch.uint8, generator=torch.manual_seed(0))
    nonmate = mate.clone()
    nonmate[0, 300, 300] ^= 1  # one step of one channel of one pixel
    for pair in ((mate, nonmate), (nonmate, mate)):
        found = explained(net, probe, *pair)
        assert abs(found.gain) < 1e-6 and found.notes.count(CLOSE) == 1
    assert CLOSE not in explained(net, probe, probe // 8 * 8, mate).notes


def test_of_an_animation_the_first_picture_is_read_and_noted(folder, net):
    pictures = [Image.open(folder / f"{name}.png") for name in ("probe", "mate")]
    pictures[0].save(folder / "moving.gif", save_all=True, append_images=pictures[1:])
    case = Case(folder / "moving.gif", (folder / "mate.png",), folder / "nonmate.png")
    notes = Examiner(net).examine(case).explanation.notes
    assert notes.count("moving.gif holds 2 pictures, of which the first was read.") == 1
