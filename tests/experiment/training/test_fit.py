import math
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from gweebp import networks
from gweebp.experiment.training import fit
from gweebp.experiment.training.precision import drawn
from gweebp.experiment.training.recipe import Recipe
from gweebp.faces import FaceSet
from gweebp.networks import verification
from gweebp.support import files

TINY = {"steps": 4, "identities": 6, "validate_every": 2, "progress": False}


def network(name="lcnn9", **options):
    return networks.build(name, seed=0, **{"width": 0.125, "size": 32, **options})


def weights_of(net):
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


@pytest.mark.parametrize("negatives", ["all", "other"])
@pytest.mark.parametrize("active", [True, False])
def test_loss_against_a_loop_over_the_triplets(negatives, active):
    sketches, photos = (
        verification.unit(torch.randn(10, 4, generator=torch.Generator().manual_seed(0))).double().chunk(2)
    )
    images = [(kind, i, rows[i]) for kind, rows in (("s", sketches), ("p", photos)) for i in range(5)]
    values = []
    for kind, i, anchor in images:
        positive = next(e for k, j, e in images if j == i and k != kind)
        for k, j, negative in images:
            if j != i and (negatives == "all" or k != kind):
                values.append(max(0.0, ((anchor - positive).norm() - (anchor - negative).norm() + 0.3).item()))
    assert len(values) == 10 * (8 if negatives == "all" else 4)
    count = sum(value > 0 for value in values) if active else len(values)
    assert count > 0
    loss = fit.triplet_loss(sketches, photos, 0.3, negatives=negatives, active=active)
    assert loss.item() == pytest.approx(sum(values) / count, rel=1e-6)


def test_loss_has_a_finite_gradient_where_images_coincide_and_is_zero_when_all_is_well():
    e = torch.eye(3).requires_grad_()
    loss = fit.triplet_loss(e, e, 1.5)
    loss.backward()
    assert torch.isfinite(e.grad).all()
    assert fit.triplet_loss(e, e, 0.5).item() == 0.0
    with pytest.raises(ValueError, match='"all" or "other", got \'hard\''):
        fit.triplet_loss(e, e, negatives="hard")


@pytest.fixture(scope="module")
def memory(faces):
    """A set whose validation subjects are its training subjects: to validate well is to have learnt them."""
    rows = faces.train.repeat(2)
    split = torch.arange(2).repeat_interleave(12)
    return FaceSet("memory", tuple(map(str, range(24))), faces.photos[rows], faces.sketches[rows], split)


@pytest.mark.parametrize("name", ["lcnn9", "vgg16"])
def test_narrow_networks_learn_from_scratch(memory, tmp_path, name):
    """Also VGG16, that has no batch norm."""
    record = fit.fit(
        network(name), memory, out=tmp_path, steps=100, identities=8, lr=2e-3, validate_every=100, progress=False
    )
    start, end = record["validation"]
    assert start["rank1"] <= 0.25
    assert end["rank1"] >= 0.75
    assert end["loss"] < 0.5 * start["loss"]
    assert record["best"] == end


def test_same_seed_same_weights(faces, tmp_path):
    state = torch.get_rng_state()
    runs = {}
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        net = network()
        options = {"doppelgangers": 2, "shift": 2, "brightness": 0.1, "contrast": 0.1, "flip": True, "seed": seed}
        fit.fit(net, faces, out=tmp_path / out, **TINY, **options)
        runs[out] = (tmp_path / out / "weights.safetensors").read_bytes(), weights_of(net)
    assert runs["a"][0] == runs["b"][0]
    assert not torch.equal(runs["a"][1], runs["c"][1])
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.are_deterministic_algorithms_enabled()


def test_record_and_best_checkpoint(faces, tmp_path):
    net = network()
    record = fit.fit(net, faces, out=tmp_path, lr=3e-3, steps=12, identities=6, validate_every=3, progress=False)
    assert files.read_json(tmp_path / "record.json") == record
    assert sorted(path.name for path in tmp_path.iterdir()) == ["record.json", "weights.safetensors"]
    curve = record["validation"]
    assert [point["step"] for point in curve] == [0, 3, 6, 9, 12]
    assert record["best"] == max(curve, key=lambda point: (point["rank1"], -point["loss"]))
    assert record["rank1"] == record["best"]["rank1"]
    assert len(record["losses"]) == 12
    assert record["recipe"]["margin"] == 0.2
    assert record["sizes"]["doppelgangers"] == 12
    assert {"seed", "seconds", "versions", "threads"} <= set(record["environment"])
    # the file, and the network in hand, are the best ones and not the last
    saved = networks.load(tmp_path / "weights.safetensors")
    assert torch.equal(weights_of(saved), weights_of(net))
    assert not net.training
    rows = faces.validation
    probe, gallery = (verification.embed(saved, images[rows]) for images in (faces.sketches, faces.photos))
    assert verification.rank_k(verification.ranks(probe, gallery, torch.arange(4))) == record["rank1"]
    loss = fit.triplet_loss(probe, gallery, 0.2, active=False).item()
    assert loss == pytest.approx(record["best"]["loss"], abs=1e-3)


def test_the_best_may_be_where_it_started(memory, tmp_path):
    net = network()
    fit.fit(net, memory, out=tmp_path / "a", steps=60, identities=8, lr=2e-3, progress=False)
    start = weights_of(net)
    init = tmp_path / "a" / "weights.safetensors"
    # a rate that wrecks what was learnt
    record = fit.fit(net, memory, out=tmp_path / "b", init=init, lr=0.1, **TINY)
    assert record["best"]["step"] == 0
    assert torch.equal(weights_of(net), start)


def test_fine_tuning_starts_from_the_checkpoint(faces, tmp_path):
    first = fit.fit(network(), faces, out=tmp_path / "a", **TINY)
    init = tmp_path / "a" / "weights.safetensors"
    other = networks.build("lcnn9", seed=9, width=0.125, size=32)
    record = fit.fit(other, faces, out=tmp_path / "b", init=init, lr=1e-4, **TINY)
    start = record["validation"][0]
    assert (start["rank1"], start["loss"]) == (first["best"]["rank1"], first["best"]["loss"])
    assert record["init"] == {"file": "weights.safetensors", "sha256": files.sha256(init), "weights": "all"}
    with pytest.raises(ValueError, match=r"which does not fit .*'width': 0\.25"):
        fit.fit(network(width=0.25), faces, out=tmp_path / "c", init=init, **TINY)
    with pytest.raises(FileNotFoundError):
        fit.fit(network(), faces, out=tmp_path / "c", init=tmp_path / "none", **TINY)
    assert not (tmp_path / "c").exists()


def test_no_step_takes_a_network_as_it_is(faces, tmp_path):
    """A published network, given its weights, becomes one of the book's."""
    published = networks.build("mobilefacenet", seed=1, width=0.125, size=32, mean=0.25).eval()
    networks.save(published, tmp_path / "given.safetensors")
    net = networks.build("mobilefacenet", seed=0, width=0.125, size=32)
    record = fit.fit(net, faces, out=tmp_path, init=tmp_path / "given.safetensors", **TINY | {"steps": 0})
    assert torch.equal(weights_of(net), weights_of(published))
    assert net.mean == net.config["mean"] == 0.25  # its weights expect this input, whatever the default is
    assert record["losses"] == [] and [point["step"] for point in record["validation"]] == [0]
    assert record["best"] == record["validation"][0]
    again = networks.load(tmp_path / "weights.safetensors")
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(again(x), published(x))


def test_an_embedding_of_another_kind_is_learned_on_top_of_given_features(faces, tmp_path):
    given = networks.build("vgg16", seed=1, width=0.05, size=32, embedding=6, hidden=5, mean=0.4)
    networks.save(given, tmp_path / "given.safetensors")
    net = networks.build("vgg16", seed=0, width=0.05, size=32, embedding=8)
    head = net.head.fc.weight.detach().clone()
    record = fit.fit(net, faces, out=tmp_path, init=tmp_path / "given.safetensors", **TINY | {"steps": 0})
    assert record["init"]["weights"] == "features"
    assert torch.equal(net.features.conv5_3.weight, given.features.conv5_3.weight)
    assert torch.equal(net.head.fc.weight, head) and net.mean == 0.4


def test_doppelgangers_change_the_training(faces, tmp_path):
    with_them, without = network(), network()
    fit.fit(with_them, faces, out=tmp_path / "a", doppelgangers=2, **TINY)
    fit.fit(without, faces, out=tmp_path / "b", **TINY)
    assert not torch.equal(weights_of(with_them), weights_of(without))
    none = replace(
        faces,
        doppelganger_photos=faces.photos[:0],
        doppelganger_sketches=faces.photos[:0],
        doppelganger_of=torch.zeros(0, dtype=torch.int64),
        doppelganger_part=torch.zeros(0, dtype=torch.int64),
    )
    with pytest.raises(ValueError, match="noise has no doppelgangers"):
        fit.fit(network(), none, out=tmp_path / "c", doppelgangers=2, **TINY)


def test_a_loss_that_is_not_finite_stops_and_writes_nothing(faces, tmp_path):
    with pytest.raises(FloatingPointError, match=r"the loss is (nan|inf) at step \d+: lower lr \(1e\+30\)"):
        fit.fit(network(), faces, out=tmp_path, lr=1e30, warmup=0.0, steps=4, validate_every=4, progress=False)
    assert not list(tmp_path.iterdir())
    assert not torch.are_deterministic_algorithms_enabled()


def test_nan_in_the_starting_weights(faces, tmp_path):
    net = network()
    nn.init.constant_(net.features.conv1.bias, math.nan)
    with pytest.raises(ValueError, match="embeddings are zero, NaN or infinite"):
        fit.fit(net, faces, out=tmp_path, **TINY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("code", "name"), [(0, "train"), (1, "validation")])
def test_an_empty_split(faces, tmp_path, code, name):
    split = torch.full((20,), 1 - code)
    plain = type(faces)("plain", faces.ids, faces.photos, faces.sketches, split)
    with pytest.raises(ValueError, match=f"plain has no {name} subjects"):
        fit.fit(network(), plain, out=tmp_path, **TINY)


def test_recipes_that_cannot_be(faces, tmp_path):
    with pytest.raises(ValueError, match="steps must be a whole number, 0 or more; got -1"):
        Recipe(steps=-1)
    for option in ("lr", "clip", "margin", "validate_every"):
        with pytest.raises(ValueError, match=f"{option} must be .*; got 0"):
            Recipe(**{option: 0})
    with pytest.raises(ValueError, match="warmup must be a number, 0 to 1; got 5"):
        Recipe(warmup=5)
    with pytest.raises(TypeError, match="momentum"):
        fit.fit(network(), faces, out=tmp_path, momentum=0.9)


def test_rate_rises_then_falls():
    plan = Recipe(steps=100, warmup=0.1)
    rates = [plan.rate(step) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert all(a >= b for a, b in pairwise(rates[9:]))
    assert rates[55] == pytest.approx(0.5)
    assert 0 <= rates[-1] < 0.01
    assert {Recipe(steps=100, warmup=0, cosine=False).rate(step) for step in range(1, 100)} == {1.0}


def test_progress_is_silent_without_a_terminal(faces, tmp_path, capsys):
    fit.fit(network(), faces, out=tmp_path, **{**TINY, "progress": True})
    assert capsys.readouterr() == ("", "")


def test_shuffled_pairs_teach_nothing_about_who_is_who(memory, tmp_path):
    """The recipe that teaches the true pairs (above) leaves the network guessing, and the last weights are kept."""
    record = fit.fit(
        network(),
        memory,
        out=tmp_path,
        steps=100,
        identities=8,
        lr=2e-3,
        validate_every=50,
        shuffled=True,
        progress=False,
    )
    assert record["recipe"]["shuffled"]
    assert record["best"] == record["validation"][-1]
    assert record["best"]["rank1"] <= 0.25


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_weights_keep_their_type_whatever_they_are_trained_in(faces, tmp_path, precision):
    net = network()
    record = fit.fit(net, faces, out=tmp_path, precision=precision, **TINY)
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert record["recipe"]["precision"] == precision
    saved = networks.load(tmp_path / fit.WEIGHTS)
    assert torch.equal(weights_of(saved), weights_of(net))


OLDER = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
TRAINED = """
import sys, torch
from gweebp.experiment.training.fit import fit
from gweebp.experiment.training.precision import drawn
from gweebp.faces import FaceSet

torch.set_num_threads(1)
faces, out = FaceSet.load(sys.argv[1]), sys.argv[2]
for precision in ("float32", "float64"):
    net = drawn("lcnn9", precision, seed=0, width=0.125, size=32)
    fit(net, faces, out=f"{out}/{precision}", steps=40, identities=6, progress=False, precision=precision)
"""


def test_in_float64_a_processor_without_wide_vectors_gives_the_same_network(faces, tmp_path):
    faces.save(tmp_path / "faces")
    for out, other in (("here", {}), ("older", OLDER)):
        command = [sys.executable, "-c", TRAINED, str(tmp_path / "faces"), str(tmp_path / out)]
        subprocess.run(command, env=os.environ | other, check=True)

    def apart(precision):
        nets = (networks.load(tmp_path / out / precision / fit.WEIGHTS) for out in ("here", "older"))
        return (weights_of(next(nets)) - weights_of(next(nets))).abs().max().item()

    learned = weights_of(networks.load(tmp_path / "here/float64" / fit.WEIGHTS))
    assert (learned - weights_of(drawn("lcnn9", "float64", seed=0, width=0.125, size=32))).abs().max() > 1e-3
    assert apart("float64") < 1e-6
    if torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        assert apart("float32") > 1e-5  # what float64 is for


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_each_network_trains_and_none_skips_pixels_channels_last(faces, tmp_path, name):
    """oneDNN ends the process in the gradient of a convolution that skips pixels, where channels lie last."""
    net, seen = network(name, width=0.0625), []

    def look(module, args):
        skips = any(s > k for s, k in zip(module.stride, module.kernel_size))
        seen.append((skips, args[0].is_contiguous(), args[0].is_contiguous(memory_format=torch.channels_last)))

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(look)
    record = fit.fit(net, faces, out=tmp_path, steps=1, identities=3, validate_every=1, progress=False)
    assert len(record["losses"]) == 1
    assert all(plain or not skips for skips, plain, _ in seen)
    assert any(skips for skips, _, _ in seen) or any(last for _, _, last in seen)
