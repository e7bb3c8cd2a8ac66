"""The study's machinery on a small network: trials, outcomes of single trials, and how they are read."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from gweebp import networks
from gweebp.__main__ import main
from gweebp.commands.maps import variant
from gweebp.experiment import evidence
from gweebp.experiment.claims import CLAIMS, judge
from gweebp.experiment.sentences import AGREEMENT, HIDING, INPAINTING, TRUTH
from gweebp.experiment.study import budget, outcomes, people, playing, trials
from gweebp.experiment.study.evidence import VIEWS, of_study
from gweebp.experiment.training.fit import fit
from gweebp.faces import synthetic
from gweebp.faces.synthetic.world import World
from gweebp.games import hiding, inpainting
from gweebp.games.inpainting import Outcome
from gweebp.networks import as_input
from gweebp.saliency import explain
from gweebp.support import files

WORLD = World("drawn", 32, seed=7, error=0.1)
METHODS = ("random", "center", "ebp", "gweebp")
NUMBERS = {"triplets": 4, "quadruplets": 5, "crossed": 3}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    faces = synthetic.faceset("drawn", subjects=80, distractors=0, size=32, seed=7, error=0.1, doppelgangers=2)
    net = networks.build("lcnn9", seed=0, width=0.25, size=32, embedding=16)
    recipe = dict(steps=60, identities=8, doppelgangers=4, validate_every=30)
    fit(net, faces, out=tmp_path_factory.mktemp("net"), progress=False, **recipe)
    return net


@pytest.fixture(scope="module")
def faces():
    return people.people(WORLD, count=40, distractors=2)


@pytest.fixture(scope="module")
def chosen(net, faces):
    asked = dict(training=1, trainings=2, fpr=0.1, triplets=9, quadruplets=9, seed=7)
    return trials.choose(net, faces, **asked)


@pytest.fixture(scope="module")
def played(net, chosen):
    return playing.play(net, chosen, [variant(m, {}) for m in METHODS], **NUMBERS)


def test_people_are_drawn_alike_alone_and_in_a_set(faces):
    sketch, photo = people.drawn(WORLD, people.number_of(faces, 4))
    assert torch.equal(sketch[0], faces.sketches[4]) and torch.equal(photo[0], faces.photos[4])
    assert people.number_of(faces, 41) == people.DISTRACTORS + 1
    assert torch.equal(people.drawn(WORLD, people.DISTRACTORS + 1)[1][0], faces.gallery()[41])


def test_a_training_has_people_of_its_own(net, faces, chosen):
    asked = dict(trainings=2, fpr=0.1, triplets=9, quadruplets=9, seed=7)
    other = trials.choose(net, faces, training=0, **asked)
    own = {*chosen.person.tolist(), *chosen.four.subject.tolist()}
    assert own and not own & {*other.person.tolist(), *other.four.subject.tolist()}
    assert all((number - people.FIRST) % 2 == 1 for number in own)
    assert other.found["threshold"] == chosen.found["threshold"]  # τ rests on all people


def test_one_qualified_quadruplet_per_person(net, faces, chosen):
    four, tau = chosen.four, chosen.found["threshold"]
    assert len(four.subject.unique()) == len(four)
    e = {name: net(as_input(net, getattr(four, name))) for name in ("op", "om", "ip", "in_")}
    unit = {name: torch.nn.functional.normalize(x, dim=1) for name, x in e.items()}
    near = [("op", "om"), ("ip", "in_")]
    far = [("op", "in_"), ("ip", "om")]
    assert all(((unit[a] - unit[b]).norm(dim=1) <= tau + 1e-5).all() for a, b in near)
    assert all(((unit[a] - unit[b]).norm(dim=1) > tau - 1e-5).all() for a, b in far)
    assert chosen.found["qualified_people"] >= len(four)
    drawn = people.quadruplets_of(faces, torch.tensor([int(four.subject[0]) - people.FIRST]))
    assert torch.equal(drawn.ip[four.part[0]], four.ip[0])


def test_fewer_trials_are_the_first_of_more(net, faces, chosen):
    few = trials.choose(net, faces, training=1, trainings=2, fpr=0.1, triplets=2, quadruplets=3, seed=7)
    assert torch.equal(few.person, chosen.person[:2])
    assert torch.equal(few.four.subject, chosen.four.subject[:3])


def test_trials_are_read_as_written(chosen, tmp_path):
    chosen.save(tmp_path / "t.safetensors")
    again = trials.Trials.load(tmp_path / "t.safetensors")
    assert torch.equal(again.four.ip, chosen.four.ip) and torch.equal(again.other, chosen.other)
    assert again.found == chosen.found


def test_what_is_kept_is_what_the_games_say(net, chosen, played):
    kept, _ = played
    four = chosen.four.select(torch.arange(5))
    op, om, ip, in_ = (as_input(net, x) for x in (four.op, four.om, four.ip, four.in_))
    maps = explain(net, op, net(om), net(in_), method="ebp")
    found = inpainting.play(net, op, om, ip, in_, four.region, maps, steps=21, seed=0)
    assert torch.equal(outcomes.bits(kept["inpainting/ebp/success"]), found.success)
    np.testing.assert_array_equal(kept["inpainting/ebp/false"], found.false_positives.numpy())
    np.testing.assert_array_equal(kept["inpainting/outside"], found.outside.numpy())
    by_tau = inpainting.play(
        net, op, om, ip, in_, four.region, maps, steps=21, seed=0, rule="tau", threshold=chosen.found["threshold"]
    )
    assert torch.equal(outcomes.bits(kept["inpainting/ebp/tau"]), by_tau.success)
    narrow = playing.changed(chosen)[:5]
    inside_out = inpainting.play(net, op, om, ip, in_, narrow, maps, steps=21, seed=0)
    np.testing.assert_array_equal(kept["inpainting/ebp/false_changed"], inside_out.false_positives.numpy())
    np.testing.assert_array_equal(kept["inpainting/outside_changed"], inside_out.outside.numpy())
    crossed = hiding.play(net, op[:3], om[:3], in_[:3], maps[:3], steps=21, seed=0)
    assert torch.equal(outcomes.bits(kept["crossed/ebp"]), crossed)


def test_what_visibly_changed_lies_in_the_region(chosen):
    narrow = playing.changed(chosen)
    assert not (narrow & ~chosen.four.region).any()
    assert narrow.flatten(1).any(1).all()
    difference = (chosen.four.op.int() - chosen.four.ip.int()).abs().amax(1)
    assert (difference[narrow] > playing.CHANGED).all()


@pytest.fixture
def folder(played, tmp_path):
    """A study of two trainings, the second of which played one method on fewer trials."""
    kept, extra = played
    record = {"seconds": 3.0} | extra
    for training in (0, 1):
        moved = {k: x + 100 * training if k.endswith("/person") else x for k, x in kept.items()}
        few = {k: x for k, x in moved.items() if "/gweebp" not in k}
        lone = {
            k: x for k, x in moved.items() if k.startswith(("hiding/p", "hiding/o", "inpainting/p", "inpainting/o"))
        }
        lone = {k: x[:3] for k, x in (lone | {k: x for k, x in moved.items() if "/gweebp" in k}).items()}
        place = tmp_path / "synthetic-drawn" / f"lcnn9-{training}"
        outcomes.write(place / "white.npz", few, record)
        outcomes.write(place / "lone.npz", lone, record)
    return tmp_path


def test_files_are_read_as_written_and_others_refused(folder):
    path = folder / "synthetic-drawn/lcnn9-0/white.npz"
    arrays, record = outcomes.read(path)
    assert record["seconds"] == 3.0 and arrays["hiding/ebp"].dtype == np.uint8
    (folder / "broken.npz").write_bytes(path.read_bytes()[:300])
    np.savez(folder / "other.npz", x=np.zeros(3))
    for name in ("broken", "other", "absent"):
        with pytest.raises(ValueError, match=rf"{name}.npz holds no outcomes of the study .*make study"):
            outcomes.read(folder / f"{name}.npz")


def test_methods_are_compared_on_the_trials_that_both_played(folder, played):
    (one, two) = outcomes.trainings(folder, "synthetic-drawn", "lcnn9")
    assert (one.title, one.count("hiding", "ebp"), one.count("hiding", "gweebp")) == ("LCNN9, drawings", 4, 3)
    assert len(one.games(["ebp"]).hiding["ebp"]) == 4
    both = one.games(["ebp", "gweebp"])
    assert {len(x) for x in both.hiding.values()} == {3}
    assert isinstance(both.inpainting["ebp"], Outcome) and len(both.inpainting["ebp"].success) == 3
    assert set(two.games(["ebp"]).hiding_subject.tolist()).isdisjoint(one.games(["ebp"]).hiding_subject.tolist())
    with pytest.raises(ValueError, match=r"holds none of \['xface'\]"):
        one.games(["xface"])


@pytest.mark.parametrize("view", VIEWS)
def test_the_study_is_evidence_under_every_view(folder, view):
    (found,) = of_study(folder, [("synthetic-drawn", "lcnn9"), ("synthetic-drawn", "vgg16")], **VIEWS[view])
    assert (found.network, found.dataset, len(found.units)) == ("lcnn9", "synthetic-drawn", 2)
    for game in (HIDING, INPAINTING, TRUTH):
        differences = found.differences(game, "center", "random")
        assert len(differences) == 2
        values = [[unit.figure(game, m, [m]).value for m in ("center", "random")] for unit in found.units]
        assert [d.value for d in differences] == pytest.approx([first - second for first, second in values])
    assert -2 <= found.differences(AGREEMENT, "", "")[0].value <= 2
    assert found.differences(HIDING, "gweebp", "xface") is None
    assert found.lacks(HIDING, "gweebp", "xface")[-1] == "XFace"
    judged = {j.claim.key: j for j in judge([found])}
    assert set(judged) == {c.key for c in CLAIMS}
    assert judged["C1"].verdict == "not tested here"


def test_a_view_changes_what_it_says(folder):
    def figures(view, game=INPAINTING):
        (found,) = of_study(folder, [("synthetic-drawn", "lcnn9")], **VIEWS[view])
        return [found.units[0].figure(game, m, [m]).value for m in ("random", "center", "ebp", "gweebp")]

    assert figures("FAR of each image") != figures("as decided")
    assert figures("all FAR") != figures("as decided")
    assert figures("truth: the whole region", TRUTH) != figures("as decided", TRUTH)
    assert figures("false alarm: outside visible change") != figures("as decided")
    (coded,) = of_study(folder, [("synthetic-drawn", "lcnn9")], **VIEWS["released code's maps"])
    assert coded.members("ebp") == ["ebp-code"] and coded.members("xface") == ["xface"]


def test_a_climb_ends_where_maps_agree(net, faces, monkeypatch):
    triplet = tuple(as_input(net, x) for x in (faces.sketches[:2], faces.photos[:2], faces.photos[2:4]))
    monkeypatch.setitem(budget.LADDER, "corrrise", [{"masks": 4}, {"masks": 60}, {"masks": 80}, {"masks": 81}])
    monkeypatch.setattr(budget, "ENOUGH", 0.9)
    found = list(budget.climb(net, "corrrise", triplet))
    assert found[0][0] == {"masks": 4} and found[0][1] < 0.9 <= found[-1][1]
    assert budget.chosen([[o, c] for o, c in found]) == found[-1][0]
    nested = budget.nested(net, triplet, [4, 60, 130])  # 60 and 130 lie within a chunk of masks
    for masks, maps in nested.items():
        alone = explain(net, *triplet, method="corrrise", masks=masks, negative="minimum")
        whole = maps - maps.amin((1, 2), keepdim=True)
        torch.testing.assert_close(whole / whole.sum((1, 2), keepdim=True), alone, atol=1e-6, rtol=1e-3)


def test_the_pieces_run_from_the_command_line(net, tmp_path, capsys):
    networks.save(net, tmp_path / "w.safetensors")
    draw = (
        f"study people --kind drawn --error 0.1 --size 32 --count 20 --distractors 2 --seed 7 --out {tmp_path}/people"
    )
    choose = (
        f"study trials --people {tmp_path}/people/faces.safetensors --weights {tmp_path}/w.safetensors --training 0"
        f" --trainings 1 --triplets 3 --quadruplets 3 --fpr 0.1 --seed 7 --out {tmp_path}/t.safetensors"
    )
    options = json.dumps({"blurred": {"method": "ebp", "smoothing": "image", "layer": "features.pool2"}})
    play = [
        *f"study play --trials {tmp_path}/t.safetensors --weights {tmp_path}/w.safetensors --rules abc".split(),
        *"--methods random blurred --triplets 2 --quadruplets 2 --crossed 1 --steps 21".split(),
        *("--options", options),
    ]
    assert main(draw.split()) == 0
    assert main(choose.split()) == 0
    assert main([*play, "--out", f"{tmp_path}/out.npz"]) == 0
    arrays, record = outcomes.read(tmp_path / "out.npz")
    assert record["rules"] == "abc" and record["weights_sha256"] == files.sha256(tmp_path / "w.safetensors")
    assert record["options"]["blurred"]["layer"] == "features.pool2"
    assert arrays["hiding/blurred"].shape == (2, 3)
    assert capsys.readouterr().err == ""


def test_bootstrap_draws_become_influences_of_their_spread():
    draws = np.random.default_rng(0).normal(0.3, 0.07, 4000)
    known = evidence.resampled(0.3, draws, np.arange(9))
    assert evidence.jackknife.error_of([known]).error == pytest.approx(draws.std(ddof=1))
    assert known.influence.sum() == pytest.approx(0)
