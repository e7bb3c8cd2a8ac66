"""Frames of networks: kept with the weights, of the published networks, checked where they are read."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from gweebp import networks
from gweebp.experiment.training.fit import fit
from gweebp.faces.preparation import landmarks
from gweebp.faces.preparation.align import align
from gweebp.faces.synthetic.dataset import faceset, frame_of
from gweebp.faces.synthetic.world import World
from gweebp.networks.checkpoints import KINDS
from gweebp.networks.frames import FRAMES, POINTS, Frame
from gweebp.support import files

PLACES = st.dictionaries(st.sampled_from(POINTS), st.tuples(st.floats(-1, 2), st.floats(-1, 2)), min_size=2)


@settings(max_examples=40)
@given(PLACES)
def test_a_frame_is_read_back_from_its_record(places):
    frame = Frame("mine", tuple(places.items()))
    assert Frame.of(frame.record()) == frame
    shares = (frame.target(50) + 0.5) / 50
    torch.testing.assert_close(shares, torch.tensor([xy for _, xy in frame.points], dtype=torch.float64))


@pytest.mark.parametrize("bad", [None, [], {"points": []}, {"points": {"nose": [0.5, 0.5]}},
                                 {"points": {"nose": [0.5, 0.5], "ear": [0, 0]}},
                                 {"points": {"nose": [0.5, math.nan], "mouth": [0, 0]}},
                                 {"points": {"nose": [0.5, 9.0], "mouth": [0, 0]}},
                                 {"points": {"nose": [0.5], "mouth": [0, 0]}}, {"points": {"nose": 1, "mouth": 2}},
                                 {"points": {"nose": ["a", "b"], "mouth": [0, 0]}}])  # fmt: skip
def test_what_is_no_frame_is_refused(bad, tmp_path):
    with pytest.raises(ValueError, match=r"frame|point"):
        Frame.of(bad)
    if bad and "nan" not in str(bad):  # which JSON can't hold
        net = networks.build("lcnn9", seed=0, width=0.125, size=32)
        networks.save(net, tmp_path / "net.safetensors", {"frame": bad})
        with pytest.raises(ValueError, match=r"net\.safetensors"):
            networks.load(tmp_path / "net.safetensors")


def test_the_published_networks_have_the_frames_of_their_authors():
    assert {kind: published.frame and published.frame.name for kind, published in KINDS.items()} == {
        "lightcnn9": "lightcnn", "mobilefacenet": "arcface", "iresnet18": "arcface", "iresnet50": "arcface",
        "lcnn9_tri": None, "vgg_tri_2": None, "vgg_face_dag": None,
    }  # fmt: skip
    # ArcFace's template, in pixels of 112
    assert FRAMES["arcface"].target(112)[3].tolist() == pytest.approx([41.5493, 92.3655])
    eyes, mouth = FRAMES["lightcnn"].target(128)
    assert mouth[1] - eyes[1] == pytest.approx(48) and eyes[1] == pytest.approx(40)


def test_a_network_keeps_the_frame_of_the_faces_that_it_learned_on(tmp_path):
    faces = faceset("drawn", subjects=8, distractors=2, size=32)
    net = networks.build("lcnn9", seed=0, width=0.125, size=32)
    fit(net, faces, out=tmp_path, steps=1, identities=2, progress=False)
    loaded = networks.load(tmp_path / "weights.safetensors")
    assert loaded.frame == net.frame == Frame.of(faces.record["frame"])
    faces.record.pop("frame")
    fit(net, faces, out=tmp_path / "other", steps=1, identities=2, progress=False)  # other faces, nobody knows where
    assert networks.load(tmp_path / "other/weights.safetensors").frame is None
    fit(net, faces, out=tmp_path / "more", steps=0, init=tmp_path / "weights.safetensors", identities=2, progress=False)
    assert networks.load(tmp_path / "more/weights.safetensors").frame == loaded.frame  # it stays as it was given
    assert load_file(tmp_path / "weights.safetensors").keys() == net.state_dict().keys()
    assert files.read_tensors(tmp_path / "weights.safetensors")[1]["record"]["frame"]["points"].keys() == {
        "left eye", "right eye", "mouth"}  # fmt: skip


@settings(max_examples=15)
@given(st.sampled_from(sorted(FRAMES)), st.floats(-60, 60), st.floats(0.7, 1.5), st.integers(0, 10_000))
def test_a_face_that_is_turned_and_scaled_comes_to_its_place_in_every_frame(name, degrees, scale, person):
    world, one = World("drawn", 64, seed=1, error=0.1), torch.tensor([person])
    points = world.photo_landmarks(one, world.people(one))[0]
    turn, middle = math.radians(degrees), points.mean(0)
    matrix = scale * torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]).double()
    moved = (points - middle) @ matrix.T + 200
    _, found = align(torch.zeros(3, 400, 400, dtype=torch.uint8), moved, 112, FRAMES[name])
    _, plain = align(torch.zeros(3, 400, 400, dtype=torch.uint8), points + 168 - middle / 2, 112, FRAMES[name])
    torch.testing.assert_close(found, plain, atol=1e-6, rtol=0)
    own = landmarks.named(found, FRAMES[name].names)
    torch.testing.assert_close(own.mean(0), FRAMES[name].target(112).mean(0), atol=1e-6, rtol=0)


def test_the_frame_of_drawn_faces_is_the_mean_of_their_landmarks():
    world, people = World("composite", 48, seed=3, error=0.2), torch.arange(64)
    latents = world.people(people)
    eyes = torch.cat([f(people, latents) for f in (world.photo_landmarks, world.sketch_landmarks)])
    left = (landmarks.centres(eyes)[:, 0].mean(0) + 0.5) / 48
    assert frame_of(world)["points"]["left eye"] == pytest.approx(left.tolist(), abs=1e-4)
