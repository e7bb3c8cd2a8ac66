"""The game on invented doppelgängers beside the exact ones: same people, same masks, another inpainter."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gweebp import networks
from gweebp.experiment import inpainted_doppelgangers
from gweebp.experiment.build import Run
from gweebp.faces import PARTS, synthetic
from gweebp.faces.preparation.exchange import filler
from gweebp.games import inpainting
from gweebp.networks import as_input
from gweebp.support import files

METHODS = ["random", "center", "ebp", "gweebp"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A build with one random network whose threshold lies between most near and most far distances."""
    build: Path = tmp_path_factory.mktemp("build")
    faces = synthetic.faceset("drawn", subjects=16, distractors=0, size=48, doppelgangers=0)
    faces.save(build / "data/synthetic-drawn")
    synthetic.doppelgangers(faces).save(build / "data/synthetic-drawn/quadruplets.safetensors")
    net = networks.build("lcnn9", seed=0, width=0.125, size=48, embedding=16)
    networks.save(net, build / "networks/synthetic-drawn/lcnn9/weights.safetensors")
    found = Run(build, "synthetic-drawn", "lcnn9")
    files.write_json(build / "trials/synthetic-drawn/lcnn9.json", {"threshold": 0.0})
    d = inpainted_doppelgangers.play(found, found.candidates, []).distances
    near = torch.maximum(d["d(OP, OM)"], d["d(IP, IN)"])
    far = torch.minimum(d["d(OP, IN)"], d["d(IP, OM)"])
    best = int((far - near).argmax())
    files.write_json(build / "trials/synthetic-drawn/lcnn9.json", {"threshold": ((near + far) / 2)[best].item()})
    return Run(build, "synthetic-drawn", "lcnn9")


def test_exact_and_invented_are_of_the_same_people(run):
    rows = run.faces.test[:3]
    exact, made = inpainted_doppelgangers.exact(run, rows), inpainted_doppelgangers.invented(run, rows, filler("mean"))
    assert len(exact) == 3 * len(PARTS)
    assert set(made.subject.tolist()) == set(rows.tolist()) == set(exact.subject.tolist())
    where = {(s, p): i for i, (s, p) in enumerate(zip(exact.subject.tolist(), exact.part.tolist(), strict=True))}
    for i, key in enumerate(zip(made.subject.tolist(), made.part.tolist(), strict=True)):
        j = where[key]
        assert torch.equal(made.op[i], exact.op[j])
        assert torch.equal(made.om[i], exact.om[j])
        # the old part lies in both regions; the exact one also holds the new part
        overlap = (made.region[i] & exact.region[j]).sum() / made.region[i].sum()
        assert overlap > 0.5


def test_parts_are_the_worlds_own(run):
    photo, sketch = inpainted_doppelgangers.labels_of(run, run.faces.test)
    masks = synthetic.World(**run.faces.record["world"])
    people = torch.tensor([int(run.faces.ids[row].removeprefix("person-")) for row in run.faces.test.tolist()])
    drawn = masks.photos(people, masks.people(people), masks=True)
    assert torch.equal(drawn.images, run.faces.photos[run.faces.test])
    assert all(torch.equal(photo == code, drawn.masks[:, code]) for code in range(len(PARTS)))
    assert sketch.shape == photo.shape


def test_play_is_the_stages_game(run):
    played = inpainted_doppelgangers.play(run, run.candidates, METHODS, steps=5)
    assert played.kept.any()
    tau, d = run.trials["threshold"], played.distances
    by_hand = (d["d(OP, OM)"] <= tau) & (d["d(IP, IN)"] <= tau) & (d["d(OP, IN)"] > tau) & (d["d(IP, OM)"] > tau)
    assert torch.equal(played.kept, by_hand)
    four = run.candidates.select(by_hand)
    assert torch.equal(played.games.inpainting_subject, four.subject)
    inputs = [as_input(run.net, getattr(four, name)) for name in ("op", "om", "ip", "in_")]
    centre = torch.zeros(len(four), 48, 48)
    centre[:, 24, 24] = 1
    assert set(played.games.inpainting) == set(METHODS)
    for outcome in played.games.inpainting.values():
        assert outcome.success.shape == (len(four), 5)
        assert outcome.success[:, -1].all()
    again = inpainting.play(run.net, *inputs, four.region, centre, steps=5)
    assert torch.equal(again.outside, played.games.inpainting["center"].outside)


def test_agreement_of_a_game_with_itself_is_one(run):
    played = inpainted_doppelgangers.play(run, run.candidates, METHODS, steps=5)
    found = inpainted_doppelgangers.rank_agreement(played, played, "inpainting", resamples=50)
    assert found is not None
    assert found.value == pytest.approx(1.0)
    text = inpainted_doppelgangers.agreement_in_words(played, played, "inpainting", resamples=50)
    assert f"{int(played.kept.sum())} of {len(played.kept)} candidates qualify" in text
    assert "τ-b with the exact ranking 1.00 [" in text
    nothing = inpainted_doppelgangers.play(run, run.candidates.select(~played.kept), METHODS, steps=5)
    assert len(nothing.games.inpainting) == 0
    assert inpainted_doppelgangers.rank_agreement(played, nothing, "inpainting") is None
    assert "too few to compare" in inpainted_doppelgangers.agreement_in_words(nothing, played, "inpainting")


def test_real_people_have_no_exact_parts(run, tmp_path):
    faces = run.faces
    del faces.record["world"]
    try:
        with pytest.raises(ValueError, match="synthetic-drawn is no synthetic set"):
            inpainted_doppelgangers.invented(run, faces.test, filler("mean"))
    finally:
        run.__dict__.pop("faces")


def test_another_inventor_has_the_same_people_parts_and_regions(run):
    made = inpainted_doppelgangers.invented(run, run.faces.test[:2], filler("mean"))
    same, other = (
        inpainted_doppelgangers.refilled(made, filler("mean")),
        inpainted_doppelgangers.refilled(made, filler("telea")),
    )
    for name in ("op", "om", "region", "mate_region", "subject", "part", "in_", "ip"):
        assert torch.equal(getattr(same, name), getattr(made, name)), name
    assert torch.equal(other.region, made.region) and not torch.equal(other.ip, made.ip)
    assert not ((other.ip != other.op).any(1) & ~other.region).any()
    with pytest.raises(ValueError, match="mate_region is None"):
        inpainted_doppelgangers.refilled(replace(made, mate_region=None), filler("mean"))
