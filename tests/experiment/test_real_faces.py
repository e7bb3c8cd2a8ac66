"""The chapter of real faces: its numbers, on a tiny build of noise."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from gweebp import networks
from gweebp.experiment import real_faces


@pytest.fixture(scope="module")
def run(faces):
    """An untrained network on faces whose sketches it tells apart or not; triplets 0 to 3."""
    net = networks.build("mobilefacenet", seed=0, width=0.125, size=32).eval()
    images = [faces.sketches[:4], faces.photos[:4], faces.photos[4:8]]
    trials = {
        "hiding": {"probe": [0, 1, 2, 3]},
        "inpainting": {
            "candidates": 9, "qualified": [1, 4], "candidates_by_part": {"nose": 5, "hair": 4},
            "qualified_by_part": {"nose": 2},
        },
    }  # fmt: skip
    return SimpleNamespace(
        net=net, faces=faces, network="mobilefacenet", title="MobileFaceNet", trials=trials,
        triplet=lambda i: tuple(x[i : i + 1] for x in images),
    )  # fmt: skip


def test_everybody_tests_an_untuned_network_and_test_people_a_tuned_one(run, faces):
    share, probes, gallery = real_faces.identification_rate(run, 23, everybody=True)
    assert (share.value, probes, gallery) == (1.0, 20, 20 + len(faces.distractors))
    assert real_faces.identification_rate(run, 1, everybody=False)[1:] == (
        len(faces.test),
        len(faces.test) + len(faces.distractors),
    )
    (row,) = real_faces.matching([run], untuned=["mobilefacenet"], ks=(1, 23))
    assert row["tuned on this set"] == "no" and row["rank-23"].startswith("1.000")
    (row,) = real_faces.matching([run], untuned=[])
    assert (row["tuned on this set"], row["sketches"]) == ("yes", str(len(faces.test)))
    same = SimpleNamespace(**vars(run) | {"faces": replace(faces, sketches=faces.photos)})
    assert real_faces.identification_rate(same, 1, everybody=True)[0].value == 1.0


def test_candidates_by_part(run):
    assert real_faces.candidates(run) == {"nose": "2 of 5", "hair": "0 of 4", "all": "2 of 9"}


def test_who_invented_is_told_from_the_record(run, faces):
    def told(**parameters):
        record = {"quadruplets": {"parameters": parameters}} if parameters else {}
        return real_faces.inventors(SimpleNamespace(faces=replace(faces, record=record)))

    assert told() == ""
    assert "landmarks tell the parts" in told(fill="telea") and "carried inwards (telea)" in told(fill="telea")
    learned = told(fill="0" * 64, translate="1" * 64, parser="2" * 64)
    for words in ("a parser finds hair and skin", "an inpainting network invents", "turned into a drawing"):
        assert words in learned


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        ("mobilefacenet", ["gdconv", "conv2", *"14 13 12 11 10 9 8 7 6 5".split()]),
        ("vgg16", ["pool5", "relu5_2", "relu5_1", "pool4"]),
        ("lcnn9", ["pool4", "mfm5a", "mfm4", "mfm4a", "pool3"]),
    ],
)
def test_layers_above_the_saliency_layer(network, layers):
    net = networks.build(network, width=0.05, size=32)
    assert real_faces.upper_layers(net) == [f"features.{name}" for name in layers]


def test_probability_gets_less_from_the_top_down(run):
    left = real_faces.probability_left(run, triplets=3)
    assert list(left) == ["EBP", "eEBP", "gweEBP"]
    for shares in left.values():
        values = torch.tensor(list(shares.values()))
        assert (values.diff() <= 1e-5).all() and values[0] <= 1 + 1e-5 and values[-1] > 0
    text = real_faces.finding_in_words(run, left, untuned=["mobilefacenet"])
    assert text.startswith("MobileFaceNet, which learned on none of them, finds the photo of ")
    assert f"{left['gweEBP']['5']:.0%} of gweEBP’s probability." in text
