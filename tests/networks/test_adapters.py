"""Maps in the hands of Quantus, xaitk-saliency and captum: against `explain`, by stand-ins and by the libraries.

The libraries are an extra (`make company` installs them beside the lock and runs these tests): where one is missing, a
stand-in of the part of it that is used takes its place.
"""

from __future__ import annotations

import copy
import importlib.util
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp import networks
from gweebp.excitation.gain import distance_gain
from gweebp.networks.adapters.captum import Attribution, Gain
from gweebp.networks.adapters.quantus import explain_func
from gweebp.networks.adapters.triplets import Verifier
from gweebp.networks.adapters.xaitk import Descriptors, Similarity
from gweebp.networks.embedding import as_input

pytestmark = pytest.mark.filterwarnings("ignore::gweebp.LostMassWarning", "ignore::gweebp.NoGainWarning")


def there(*names):
    return pytest.mark.skipif(
        not all(map(importlib.util.find_spec, names)), reason=f"{names[0]} is not installed: make company"
    )


def network(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 8)).eval()
    net.saliency_layer = net.feature_layer = "1"
    return net


def verifier(seed=0, people=5):
    net = network(seed)
    images = torch.rand(people, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        model = Verifier(net, net(images)).eval()
    noise = torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(seed + 1))
    return model, (0.7 * images[:3] + 0.3 * noise).numpy(), np.array([0, 1, 2])


# ---- Quantus ----


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 50), method=st.sampled_from(["gweebp", "ebp", "gradient-input"]), signed=st.booleans())
def test_explain_func_explains_the_targets_row_against_the_nearest_other(seed, method, signed):
    model, x, y = verifier(seed)
    got = explain_func(model, x, y, method=method, signed=signed)
    assert got.shape == (3, 1, 6, 6) and got.dtype == np.float32
    probe = torch.tensor(x)
    cosines = model(probe).detach()
    for i in range(3):
        others = [k for k in cosines[i].argsort(descending=True).tolist() if k != y[i]]
        people = model.gallery[y[i]][None], model.gallery[others[0]][None]
        options = {} if method == "ebp" else {"gain": "distance"}
        where = {} if method == "gradient-input" else dict(net=model.net, layer="1", image=probe)
        maps = [
            gweebp.resize(gweebp.explain(model.net, probe[i][None], *pair, method=method, **options), 6, **where)[0]
            for pair in (people, people[::-1])[: 2 if signed else 1]
        ]
        np.testing.assert_allclose(got[i, 0], maps[0] - maps[1] if signed else maps[0], atol=1e-6)


def test_a_randomised_network_without_gain_has_a_map():
    model, x, _ = verifier()
    randomised = Verifier(network(9), model.gallery)
    for y in ([3, 3, 3], [4, 4, 4]):  # who is not the nearest: without the hinge there is a map all the same
        maps = explain_func(randomised, x, y, signed=True)
        assert (np.abs(maps).sum((1, 2, 3)) > 0).all()


def flipping(model, x, y, a):
    """Scores of the target as pixels turn black, the most salient first: Quantus' PixelFlipping in six lines."""
    scores = []
    for image, target, salient in zip(x, y, a):
        image = image.copy()
        for pixels in np.array_split(np.argsort(-salient.ravel(), kind="stable"), 4):
            image.reshape(2, 36)[:, pixels] = 0
            scores.append(model(torch.tensor(image[None]))[0, target].item())
    return np.reshape(scores, (len(x), 4))


def test_pixel_flipping_by_hand():
    model, x, y = verifier()
    salient = flipping(model, x, y, explain_func(model, x, y, method="gradient-input", signed=True))
    opposite = flipping(model, x, y, -explain_func(model, x, y, method="gradient-input", signed=True))
    assert salient[:, 0].mean() < opposite[:, 0].mean()  # what speaks for the target is missed more


@there("quantus")
@pytest.mark.parametrize("metric", ["PixelFlipping", "MPRT", "MaxSensitivity", "Sparseness", "PointingGame"])
def test_metrics_of_quantus(metric):
    import quantus

    model, x, y = verifier()
    options = {
        "PixelFlipping": dict(features_in_step=18, perturb_baseline=0.0),
        "MPRT": dict(return_last_correlation=True),
        "MaxSensitivity": dict(nr_samples=2),
        "Sparseness": {},
        "PointingGame": {},
    }[metric]
    common = dict(disable_warnings=True, normalise=False, abs=metric == "Sparseness")
    call, how = {}, {"layer": "1"}
    if metric == "PixelFlipping":
        how = {"method": "gradient-input"}  # no two pixels are equal
    if metric == "PointingGame":
        s = np.zeros((3, 1, 6, 6), bool)
        s[:, :, :3] = True
        call["s_batch"] = s
    found = getattr(quantus, metric)(**common, **options)(
        model=copy.deepcopy(model), x_batch=x, y_batch=y, explain_func=explain_func, channel_first=True, softmax=False,
        explain_func_kwargs={**how, "signed": metric != "Sparseness"}, device="cpu", **call,
    )  # fmt: skip
    assert len(found) == 3
    if metric == "PixelFlipping":  # the first step is that of the stand-in
        a = explain_func(model, x, y, **how, signed=True)
        np.testing.assert_allclose(np.array(found)[:, 0], flipping(model, x, y, a)[:, 0], atol=1e-5)


def test_what_quantus_gives_wrong_is_named():
    model, x, y = verifier()
    with pytest.raises(TypeError, match=r"model must be a gweebp.*Verifier.*got Sequential"):
        explain_func(model.net, x, y)
    with pytest.raises(ValueError, match=r"targets name rows \[7\]; expected rows 0 to 4"):
        explain_func(model, x, [0, 7, 1])
    with pytest.raises(ValueError, match="two faces at least"):
        Verifier(model.net, torch.rand(1, 8))


# ---- xaitk-saliency ----


def pictures(n, size=(20, 24), seed=0):
    """uint8 images; the queries resemble the reference less and less."""
    r = np.random.default_rng(seed)
    reference = r.integers(0, 255, (*size, 3)).astype(np.uint8)
    other = [r.integers(0, 255, (*size, 3)) for _ in range(n)]
    return reference, [((1 - w) * reference + w * o).astype(np.uint8) for w, o in zip(np.linspace(0.2, 0.9, n), other)]


@pytest.fixture(scope="module")
def lcnn():
    return networks.build("lcnn9", seed=0, width=0.0625, size=32, embedding=8).eval()


def test_similarity_is_signed_against_the_nearest_other_query(lcnn):
    reference, queries = pictures(3)
    maps = Similarity()(reference, queries, Descriptors(lcnn))
    assert maps.shape == (3, 20, 24)
    np.testing.assert_allclose(np.abs(maps).max((1, 2)), 1, atol=1e-6)
    opposite = Similarity()(reference, [queries[1], queries[0]], Descriptors(lcnn))
    swapped = Similarity()(reference, [queries[0], queries[1]], Descriptors(lcnn))
    np.testing.assert_allclose(opposite, swapped[::-1], atol=1e-6)
    np.testing.assert_allclose(opposite[0], -opposite[1], atol=1e-5)  # of two, each is the other's non-mate
    probe, mate, nonmate = (as_input(lcnn, torch.tensor(x).permute(2, 0, 1)[None]) for x in (reference, *queries[:2]))
    signed = gweebp.explain(lcnn, probe, mate, nonmate, signed=True)
    assert np.corrcoef(
        torch.nn.functional.interpolate(signed[None], size=(20, 24), mode="bilinear")[0, 0].ravel(), swapped[0].ravel()
    )[0, 1] > 0.99  # fmt: skip


def test_descriptors_are_embeddings_of_colour_and_grey(lcnn):
    reference, _ = pictures(1)
    colour, grey = Descriptors(lcnn).generate_arrays_from_images([reference, reference[..., 0]])
    with torch.no_grad():
        wanted = lcnn(as_input(lcnn, torch.tensor(reference).permute(2, 0, 1)[None]))[0]
    np.testing.assert_allclose(colour, wanted, atol=1e-6)
    assert grey.shape == (8,) and not np.allclose(grey, colour)


def test_a_single_query_needs_others(lcnn):
    reference, queries = pictures(1)
    with pytest.raises(ValueError, match=r"a single query image.*give others="):
        Similarity()(reference, queries, Descriptors(lcnn))
    with pytest.raises(TypeError, match="blackbox must be Descriptors"):
        Similarity()(reference, queries, lcnn)
    maps = Similarity("gradcam", others=torch.randn(4, 8))(reference, queries, Descriptors(lcnn))
    assert maps.shape == (1, 20, 24) and np.abs(maps).max() <= 1


@there("xaitk_saliency")
def test_the_interfaces_of_xaitk_take_both(lcnn):
    from smqtk_descriptors.interfaces.image_descriptor_generator import ImageDescriptorGenerator
    from xaitk_saliency.impls.gen_image_similarity_blackbox_sal.sbsm import SBSMStack
    from xaitk_saliency.interfaces.gen_image_similarity_blackbox_sal import GenerateImageSimilarityBlackboxSaliency

    reference, queries = pictures(2)
    descriptors, similarity = Descriptors(lcnn), Similarity()
    assert isinstance(descriptors, ImageDescriptorGenerator)
    assert isinstance(similarity, GenerateImageSimilarityBlackboxSaliency)
    theirs = SBSMStack(window_size=(8, 8), stride=(6, 6))(reference, queries, descriptors)  # their maps of our network
    assert theirs.shape == similarity(reference, queries, descriptors).shape == (2, 20, 24)
    assert similarity.get_config() == {"method": "gweebp"}


# ---- captum ----


def people(seed=0, b=3):
    net = network(seed)
    probe, mate, nonmate = torch.rand(3, b, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
    return net, probe, 0.5 * (probe + mate), nonmate


def test_attributions_have_the_shape_of_images_and_sum_to_one():
    net, probe, mate, nonmate = people()
    attribution = Attribution(net, layer="1")
    found = attribution.attribute(probe, additional_forward_args=(mate, nonmate))
    assert found.shape == probe.shape
    wanted = gweebp.resize(gweebp.explain(net, probe, mate, nonmate), 6, net=net, layer="1", image=probe)
    torch.testing.assert_close(found.sum(1), wanted)
    signed = Attribution(net, signed=True).attribute(probe, (mate, nonmate))
    torch.testing.assert_close(signed, -Attribution(net, signed=True).attribute(probe, (nonmate, mate)))


def test_gain_is_a_forward_function_with_gradients():
    net, probe, mate, nonmate = people()
    x = probe.clone().requires_grad_()
    found = Gain(net)(x, mate, nonmate)
    torch.testing.assert_close(found, distance_gain(net(x), net(mate), net(nonmate)))
    (gradient,) = torch.autograd.grad(found.sum(), x)
    shares = (gradient * probe).sum(1)
    ours = Attribution(net, method="gradient-input", signed=True).attribute(probe, (mate, nonmate)).sum(1)
    positive, negative = shares.clamp(min=0), (-shares).clamp(min=0)
    wanted = positive / positive.sum((1, 2), keepdim=True) - negative / negative.sum((1, 2), keepdim=True)
    torch.testing.assert_close(ours, wanted)


def test_what_captum_gives_wrong_is_named():
    net, probe, mate, nonmate = people()
    with pytest.raises(ValueError, match="target names a class"):
        Attribution(net).attribute(probe, (mate, nonmate), target=1)
    with pytest.raises(ValueError, match="expected the mate and the non-mate"):
        Attribution(net).attribute(probe, mate)


@there("captum")
def test_the_tools_of_captum_take_it():
    from captum.attr import InputXGradient, IntegratedGradients, NoiseTunnel
    from captum.metrics import infidelity, sensitivity_max

    net, probe, mate, nonmate = people()
    ours, forward, others = Attribution(net, layer="1"), Gain(net), (mate, nonmate)
    smooth = NoiseTunnel(ours).attribute(probe, nt_samples=3, stdevs=0.01, additional_forward_args=others)
    assert smooth.shape == probe.shape and (smooth.sum((1, 2, 3)) - 1).abs().max() < 1e-4
    found = ours.attribute(probe, others)

    def perturb(x, *_):
        noise = 0.01 * torch.randn_like(x)
        return noise, x - noise

    assert infidelity(forward, perturb, probe, found, additional_forward_args=others).shape == (3,)
    assert sensitivity_max(ours.attribute, probe, additional_forward_args=others).shape == (3,)
    # captum's own methods on the same question give the maps of ours
    theirs = {
        "gradient-input": InputXGradient(forward).attribute(probe.clone(), additional_forward_args=others),
        "integrated-gradients": IntegratedGradients(forward).attribute(
            probe.clone(), additional_forward_args=others, method="riemann_middle", n_steps=8
        ),
    }
    for method, attributed in theirs.items():
        options = {"steps": 8} if method == "integrated-gradients" else {}
        mine = gweebp.explain(net, probe, mate, nonmate, method=method, gain="distance", **options)
        theirs_map = attributed.detach().sum(1).clamp(min=0)
        torch.testing.assert_close(mine, theirs_map / theirs_map.sum((1, 2), keepdim=True), rtol=1e-3, atol=1e-5)


def test_the_page_names_the_extra_that_brings_the_libraries():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "gweebp[company]" in networks.adapters.__doc__
