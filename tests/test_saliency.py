"""explain(): the call that users make, its errors, and each white-box method against its definition."""

from __future__ import annotations

import gc
import itertools
import warnings

import numpy as np
import pytest
import torch
from helpers import oracles
from torch import nn

import gweebp
from gweebp.excitation.gain import triplet_gain
from gweebp.methods import Method, method
from gweebp.methods.excitation_backprop import contrast
from gweebp.methods.maps import divided_by_sum

NET = dict(layer="1")


def network(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 8)).eval()
    return net


def triplet(net, b=3, seed=0):
    """Images (b, 2, 6, 6), each probe nearer to its mate than to its non-mate."""
    g = torch.Generator().manual_seed(seed)
    probe, mate, nonmate = torch.rand(3, b, 2, 6, 6, generator=g)
    with torch.no_grad():
        near = triplet_gain(net(probe), net(mate), net(nonmate)) > 0
    near = near.view(-1, 1, 1, 1)
    return probe, torch.where(near, mate, nonmate), torch.where(near, nonmate, mate)


def test_images_and_embeddings_are_the_same_mate():
    net = network()
    probe, mate, nonmate = triplet(net)
    with torch.no_grad():
        embedded = gweebp.explain(net, probe, 3 * net(mate), net(nonmate), **NET)
    torch.testing.assert_close(gweebp.explain(net, probe, mate, nonmate, **NET), embedded)


@pytest.mark.parametrize("name", ["gweebp", "gradcam", "pairwisesim", "corrrise"])
def test_a_compiled_network_is_explained_as_the_one_it_was_made_from(name):
    net = network()
    options = {"masks": 8} if name == "corrrise" else NET
    compiled, images = torch.compile(net, backend="eager"), triplet(net)
    assert torch.equal(
        gweebp.explain(compiled, *images, method=name, **options), gweebp.explain(net, *images, method=name, **options)
    )


def test_one_mate_serves_all_probes():
    net = network()
    probe, mate, nonmate = triplet(net)
    many = gweebp.explain(net, probe, mate[:1].expand(3, -1, -1, -1), nonmate, method="ebp", **NET)
    torch.testing.assert_close(gweebp.explain(net, probe, mate[:1], nonmate, method="ebp", **NET), many)


@pytest.mark.parametrize("name", ["gweebp", "gradcam"])
def test_no_gain_is_a_zero_map_and_a_warning_with_the_indices(name):
    net = network()
    probe, mate, nonmate = triplet(net)
    swapped = torch.tensor([False, True, False]).view(-1, 1, 1, 1)
    mate, nonmate = torch.where(swapped, nonmate, mate), torch.where(swapped, mate, nonmate)
    with pytest.warns(gweebp.NoGainWarning, match=r"\[1\]"):
        maps = gweebp.explain(net, probe, mate, nonmate, method=name, **NET)
    assert maps[1].eq(0).all() and maps.isfinite().all()
    torch.testing.assert_close(maps[[0, 2]].flatten(1).sum(1), torch.ones(2))


def test_the_networks_own_layers_are_the_default():
    net = network()
    probe, mate, nonmate = triplet(net)
    net.saliency_layer, net.feature_layer = "0", "1"
    for name, layer in (("ebp", "0"), ("gweebp", "0"), ("gradcam", "1")):
        chosen = gweebp.explain(net, probe, mate, nonmate, method=name, layer=layer)
        assert torch.equal(gweebp.explain(net, probe, mate, nonmate, method=name), chosen)


ERRORS = {
    "unknown method": (dict(method="gwebp"), ValueError, "did you mean 'gweebp'"),
    "unknown option": (dict(method="gradcam", topp=3), TypeError, "did you mean 'top'"),
    "unknown gain": (dict(gain="loss"), ValueError, "'triplet', 'cosine'"),
    "no layer": (dict(layer=None), ValueError, r"names no saliency_layer.*'0' \(6, 4, 4\)"),
    "unknown layer": (dict(layer="9"), ValueError, r"no layer '9'.*'1' \(6, 4, 4\)"),
    "no map": (dict(layer="2"), ValueError, r"layer .2. has no spatial map.*96\)"),
    "truncation": (dict(method="tcebp", truncation=1.0), ValueError, "truncation"),
    "one image": (dict(probe=lambda p: p[0]), ValueError, r"probe must be images.*probe\[None\]"),
    "uint8": (dict(probe=lambda p: p.byte()), TypeError, "as_input"),
    "array": (dict(probe=lambda p: p.numpy()), TypeError, "probe must be a tensor"),
    "channels of the mate": (dict(mate=lambda m: m[:, :1]), ValueError, "mate has 1 channels and the probe 2"),
    "batch": (dict(nonmate=lambda n: n[:2]), ValueError, "nonmate has batch size 2; expected 3"),
    "NaN in the probe": (dict(probe=lambda p: p / 0 * 0), ValueError, "probe holds NaN"),
    "NaN embedding": (dict(mate=lambda m: torch.full((3, 8), torch.nan)), ValueError, r"\[0, 1, 2\] hold NaN"),
    "length": (dict(mate=lambda m: torch.rand(3, 7)), ValueError, "7"),
    "equal": (dict(nonmate=lambda n: None), ValueError, "mate and nonmate are equal at batch indices"),
    "empty": (dict(probe=lambda p: p[:0]), ValueError, "empty"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_bad_input_says_what_to_do(case):
    net, (change, error, message) = network(), ERRORS[case]
    given = dict(zip(("probe", "mate", "nonmate"), triplet(net)))
    options = {"layer": "1", **{k: v for k, v in change.items() if k not in given}}
    for k in given:
        if k in change:
            given[k] = change[k](given[k])
    if given["nonmate"] is None:
        given["nonmate"] = given["mate"]
    with pytest.raises(error, match=message):
        gweebp.explain(net, **given, **options)


def test_nan_weights_are_found():
    net = network()
    probe, mate, nonmate = triplet(net)
    with torch.no_grad():
        net[3].weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"NaN.*check the weights"):
        gweebp.explain(net, probe, mate, nonmate, **NET)


def test_a_network_that_is_no_embedding_network():
    net = nn.Sequential(nn.Conv2d(2, 3, 3))
    with pytest.raises(ValueError, match=r"embeddings \(b, d\).*\(3, 3, 4, 4\)"):
        gweebp.explain(net, *torch.rand(3, 3, 2, 6, 6), layer="0")


def test_a_layer_called_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(16, 3)

        def forward(self, x):
            return self.fc(self.conv(self.conv(x)).flatten(1))

    with pytest.raises(ValueError, match="called 2 times"):
        gweebp.explain(Twice(), *torch.rand(3, 1, 1, 4, 4), layer="conv", method="ebp")
    assert gweebp.explain(Twice(), *torch.rand(3, 1, 1, 4, 4), layer="input", method="eebp").sum() > 0.99


def test_nothing_is_kept_alive():
    def tensors():
        gc.collect()
        return sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects())

    net = network()
    probe, mate, nonmate = triplet(net)
    gweebp.explain(net, probe, mate, nonmate, **NET)
    before = tensors()
    for _ in range(3):
        gweebp.explain(net, probe, mate, nonmate, **NET)
        with pytest.raises(ValueError, match="has no spatial map"):
            gweebp.explain(net, probe, mate, nonmate, layer="2")
    assert tensors() <= before + 1


def test_a_method_is_one_function():
    @method("test: constant")
    def constant(net, probe, mate, nonmate, *, layer, value=1.0):
        """A constant map."""
        return torch.full((len(probe), 2, 2), value)

    try:
        net = network()
        maps = gweebp.explain(net, *triplet(net), method="test: constant", value=3.0, **NET)
        assert torch.equal(maps, torch.full((3, 2, 2), 0.25))
        registered = gweebp.METHODS["test: constant"]
        assert isinstance(registered, Method) and registered.options == {"value": 1.0}
        assert registered.summary == "A constant map."
        with pytest.raises(ValueError, match="exists already"):
            method("ebp")(constant)
    finally:
        del gweebp.METHODS["test: constant"]


@pytest.mark.parametrize("name", ["tinyrelu", "tinymfm", "vgg8"])
@pytest.mark.parametrize(("target", "gain"), [("gain", "triplet"), ("cosdiff", "cosine")])
def test_gradcam_agrees_with_captum(name, target, gain):
    net, z = oracles.load(f"gradcam_{name}", name)
    probe, mate, nonmate = (torch.tensor(z[k]) for k in ("probe", "mate_emb", "nonmate_emb"))
    layers = {k.split("/")[1] for k in z.files if k.startswith(f"{target}/") and k.endswith("gradcam_formula")}
    compared = 0
    for layer in layers:
        wanted = z[f"{target}/{layer}/gradcam_formula"].clip(min=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gweebp.NoGainWarning)
            got = gweebp.explain(net, probe, mate, nonmate, method="gradcam", layer=layer, gain=gain)[0].numpy()
        if wanted.sum() > 0:
            np.testing.assert_allclose(got, wanted / wanted.sum(), atol=1e-12)
            compared += 1
    assert compared


def test_gradcam_keeps_the_largest_weights():
    net = network()
    probe, mate, nonmate = triplet(net, b=1)
    maps = [gweebp.explain(net, probe, mate, nonmate, method="gradcam", top=k, **NET) for k in (1, 6, 50)]
    assert torch.equal(maps[1], maps[2]) and not torch.equal(maps[0], maps[1])


@pytest.mark.parametrize("mode", ["norelu", "all"])
@pytest.mark.parametrize("name", ["tinyrelu", "tinymfm", "vgg8"])
def test_ebp_agrees_with_explainable_face_recognition(name, mode):
    """Without biases, at every layer, up to the sum. With biases theirs is another rule."""
    net, z = oracles.load(f"xfr_whitebox_{name}_nobias", name)
    layers = ["input", *(n for n, _ in net.named_children())]
    probe, mate, nonmate = (torch.tensor(z[k]) for k in ("probe", "mate_emb", "nonmate_emb"))
    compared = 0
    for (below, module), towards in itertools.product(itertools.pairwise(layers), ("mate", "nonmate")):
        key = f"xfr/{mode}/ebp_{towards}/P_input_of/{module}"
        if key in z.files and z[key].ndim == 3:
            options = dict(extended=False, weighted=False, towards=towards)
            got = gweebp.mwp(net, probe, mate, nonmate, layer=below, **options)[0].numpy()
            np.testing.assert_allclose(got, z[key] / z[key].sum(), atol=1e-12, err_msg=key)
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize("bias", ["nobias", "bias"])
@pytest.mark.parametrize("name", ["tinyrelu", "tinymfm", "vgg8"])
def test_cebp_is_the_contrast_of_two_maps(name, bias):
    net, z = oracles.load(f"xfr_whitebox_{name}_{bias}", name)
    probe, mate, nonmate = (torch.tensor(z[k]) for k in ("probe", "mate_emb", "nonmate_emb"))
    m, n = (gweebp.mwp(net, probe, mate, nonmate, layer="input", extended=False, weighted=False, towards=t)
            for t in ("mate", "nonmate"))  # fmt: skip
    expected = contrast(m, n)[0]
    got = gweebp.explain(net, probe, mate, nonmate, method="cebp", layer="input")[0]
    torch.testing.assert_close(got, expected / expected.sum())


def test_truncated_contrast_by_hand():
    m = torch.tensor([[[[8.0, 6.0], [4.0, 2.0]]]])
    n = torch.tensor([[[[1.0, 1.0], [1.0, 1.0]]]])
    from gweebp.methods.excitation_backprop import truncation_mask

    mask = truncation_mask(divided_by_sum(m), 0.2)  # cumulated from below: .1, .3, .6, 1
    assert mask.flatten().tolist() == [True, True, True, False]
    expected = torch.tensor([8 / 18 - 1 / 3, 6 / 18 - 1 / 3, 0.0, 0.0]).view(1, 2, 2)
    torch.testing.assert_close(contrast(m * mask, n * mask), expected.clamp(min=0))


def test_resize_keeps_mass_and_smooths():
    maps = torch.zeros(2, 4, 4)
    maps[0, 1, 2], maps[1, 3, 3] = 1, 1
    big = gweebp.resize(maps, (16, 20))
    assert big.shape == (2, 16, 20)
    torch.testing.assert_close(big.flatten(1).sum(1), torch.ones(2))
    smooth = gweebp.resize(maps, 16, sigma=2.0)
    torch.testing.assert_close(smooth.flatten(1).sum(1), torch.ones(2))
    assert smooth.amax() < gweebp.resize(maps, 16).amax()
    assert gweebp.resize(torch.zeros(1, 2, 2), 4).eq(0).all()
