"""The released code's rule against what that code gave, and how it departs from the equations."""

from __future__ import annotations

import gc
import itertools
import math
import warnings
from functools import partial

import numpy as np
import PIL.Image
import pytest
import torch
from helpers import compat, oracles
from torch import nn

import gweebp
from gweebp import networks
from gweebp.excitation import propagation as core
from gweebp.excitation.released_code import Released, lone
from gweebp.methods.maps import gaussian

MODES = {
    "ebp": dict(extended=False, weighted=False),
    "eebp": dict(extended=True, weighted=False),
    "gweebp": dict(extended=True, weighted=True, gain="cosine"),
}


def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 6, 3), nn.LeakyReLU(0.5), nn.Conv2d(6, 4, 3), oracles.MFM(), nn.Flatten(),
                        nn.Linear(32, 8))  # fmt: skip
    return net.double().eval()


def triplet(b=3):
    return torch.rand(3, b, 2, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bias", ["nobias", "bias"])
@pytest.mark.parametrize("name", ["tinyrelu", "tinymfm", "vgg8"])
def test_agrees_with_the_released_code_at_every_convolution(name, bias, mode, monkeypatch):
    # these outputs were made with the embedding's MFM in place
    monkeypatch.setattr(core, "Released", partial(Released, winners=False))
    net, z = oracles.load(f"gwe_whitebox_{name}_{bias}", name)
    probe, mate, nonmate = (torch.tensor(z[k]) for k in ("probe", "mate_emb", "nonmate_emb"))
    names = ["input", *(n for n, _ in net.named_children())]
    compared = 0
    for below, module in itertools.pairwise(names):
        if not module.startswith("conv"):
            continue  # the code normalises once more on the way through ReLU and MFM, and lets go of that
        wanted = z[f"gwe/{mode}_mate/P_input_of/{module}"]
        got = gweebp.mwp(net, probe, mate, nonmate, layer=below, rule="paper-code", **MODES[mode])[0].numpy()
        if mode == "ebp":  # there the code never normalises: its sums grow from layer to layer
            got, wanted = got / got.sum(), wanted / wanted.sum()
        np.testing.assert_allclose(got, wanted, atol=1e-8 * wanted.max(), err_msg=module)
        compared += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gweebp.LostMassWarning)
            equations = gweebp.mwp(net, probe, mate, nonmate, layer=below, **MODES[mode])[0].numpy()
        assert abs(equations - wanted / wanted.sum()).max() > 1e-2 * wanted.max() / wanted.sum()
    assert compared == {"tinyrelu": 2, "tinymfm": 3, "vgg8": 13}[name]


def test_one_linear_layer_by_hand():
    # the head (1, 0) gives e₀ all; its children a⁺ through W⁺ get 2·1, a⁻ through W⁻ (−1)(−3); each stream alone is 1
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[2.0, -3.0], [0.0, 1.0]]))
    probe, mate, nonmate = torch.tensor([[[[1.0, -1.0]]]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    options = dict(layer="input", weighted=False)
    released = gweebp.mwp(net, probe, mate, nonmate, rule="paper-code", **options)
    assert released.flatten().tolist() == [1.0, 1.0]
    torch.testing.assert_close(gweebp.mwp(net, probe, mate, nonmate, **options).flatten(), torch.tensor([0.4, 0.6]))


@pytest.mark.parametrize("method", ["ebp", "cebp", "tcebp", "eebp", "ecebp", "etcebp", "gweebp", "gweebp-paper-code"])
def test_a_batch_is_what_single_calls_are(method):
    net, (p, m, n) = network(), triplet()
    gain = {"gain": "cosine"} if method == "gweebp" else {}
    options = dict(method=method, layer="1", rule="paper-code", **gain)
    maps = gweebp.explain(net, p, m, n, **options)
    torch.testing.assert_close(maps.sum((1, 2)), torch.ones(3, dtype=torch.float64))
    for i in range(3):
        one = slice(i, i + 1)
        torch.testing.assert_close(gweebp.explain(net, p[one], m[one], n[one], **options), maps[one])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # by the equations some of these have no gain
        other = gweebp.explain(net, p, m, n, **(options | {"rule": "equations"}))
    assert not torch.allclose(other, maps)


def test_the_method_is_its_three_options():
    net, triple = network(), triplet()
    given = gweebp.explain(net, *triple, method="gweebp-paper-code", layer="1")
    plain = gweebp.explain(net, *triple, method="gweebp", layer="1", rule="paper-code", gain="cosine")
    sharp = gweebp.explain(net, *triple, method="gweebp-paper-code", layer="1", smoothing="none")
    torch.testing.assert_close(sharp, plain)
    at_layer = gweebp.explain(net, *triple, method="gweebp-paper-code", layer="1", smoothing="layer")
    torch.testing.assert_close(at_layer, gweebp.resize(plain, plain.shape[-1], sigma=2.0))
    assert given.shape == triple[0].shape[:1] + triple[0].shape[2:]
    up = nn.functional.interpolate(plain[:, None], size=8, mode="bicubic", antialias=True)[:, 0]
    torch.testing.assert_close(given, gweebp.resize(gaussian(up, 2.0).clamp(min=0), 8))
    back = dict(gain="cosine", rule="equations", smoothing="none")
    torch.testing.assert_close(gweebp.explain(net, *triple, method="gweebp-paper-code", layer="1", **back),
                               gweebp.explain(net, *triple, layer="1", gain="cosine"))  # fmt: skip


@pytest.fixture(scope="module")
def final():
    """The released code's final maps of the full LCNN9, and the network and triplet that they are of."""
    z = np.load(oracles.ORACLES / "authors_final_lcnn9.npz", allow_pickle=False)
    net = networks.lcnn9().eval()
    for i, p in enumerate(net.parameters()):
        s = torch.from_numpy(compat.recipe_b(p.numel(), i).astype(np.float32)).view_as(p)
        p.data = s * math.sqrt(6 / p[0].numel()) if p.ndim > 1 else 0.05 * s
    triplet = [torch.from_numpy(z[k]) for k in ("probe", "mate_emb", "nonmate_emb")]
    np.testing.assert_allclose(net(triplet[0]).detach().numpy(), z["embedding"], rtol=1e-5, atol=1e-4)
    return z, net, triplet


SMOOTHED = dict(ebp="layer", eebp="layer", tcebp="layer", etcebp="layer", cebp="image", ecebp="image")


@pytest.mark.parametrize("name", [*SMOOTHED, "gweebp"])
def test_final_maps_are_those_of_the_released_code(final, name):
    z, net, triplet = final
    how = dict(method="gweebp-paper-code")
    if name in SMOOTHED:
        how = dict(method=name, rule="paper-code", smoothing=SMOOTHED[name])
    (got,), wanted = gweebp.explain(net, *triplet, **how), torch.from_numpy(z[name])
    assert got.shape == wanted.shape
    torch.testing.assert_close(got, wanted, rtol=0, atol=2e-5 * wanted.max().item())
    blurred_elsewhere = gweebp.explain(net, *triplet, **how | {"smoothing": "none"})[0]
    assert blurred_elsewhere.shape != wanted.shape or abs(blurred_elsewhere - wanted).max() > 0.05 * wanted.max()


def test_the_mwp_below_the_smoothing_is_that_of_the_released_code(final):
    z, net, triplet = final
    got = gweebp.mwp(net, *triplet, layer=net.saliency_layer, rule="paper-code", gain="cosine")
    wanted = torch.from_numpy(z["gweebp_layer"])
    torch.testing.assert_close(got, wanted, rtol=0, atol=2e-5 * wanted.max().item())


def test_an_mfm_embedding_is_a_linear_layer_of_the_winners():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(1, 8, 3), oracles.MFM(), nn.Flatten())
    mfm = nn.Sequential(trunk, nn.Linear(64, 10), oracles.MFM()).double()
    p, m, n = torch.rand(3, 1, 1, 6, 6, dtype=torch.float64)
    first, second = mfm[1](trunk(p)).chunk(2, 1)
    rows = torch.arange(5) + 5 * (second > first)[0]
    linear = nn.Sequential(trunk, nn.Linear(64, 5)).double()
    linear[1].weight.data, linear[1].bias.data = mfm[1].weight.data[rows], mfm[1].bias.data[rows]
    mate, nonmate = mfm(m), mfm(n)
    for name in (*SMOOTHED, "gweebp-paper-code"):
        how = dict(method=name, layer="0.1", rule="paper-code")
        torch.testing.assert_close(
            gweebp.explain(mfm, p, mate, nonmate, **how), gweebp.explain(linear, p, mate, nonmate, **how)
        )


def test_smoothing_at_vgg16s_sizes_is_bicubic_then_a_gaussian_of_two_pixels():
    net = networks.build("vgg16", seed=0, width=0.125, size=224, embedding=16)
    p, m, n = (x[None] for x in torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sharp, final = (
            gweebp.explain(net, p, m, n, method="gweebp-paper-code", smoothing=s) for s in ("none", "image")
        )
    assert sharp.shape == (1, 14, 14) and final.shape == (1, 224, 224)
    pillow = PIL.Image.fromarray(sharp[0].numpy()).resize((224, 224), PIL.Image.Resampling.BICUBIC)
    wanted = gaussian(torch.from_numpy(np.array(pillow)), 2.0).clamp(min=0)
    torch.testing.assert_close(final[0], wanted / wanted.sum(), rtol=0, atol=1e-5 * final.max().item())


@pytest.mark.parametrize(("side", "alone"), [(4, False), (5, True), (6, False), (7, True)])
def test_a_window_of_one_element_has_no_loser(side, alone, monkeypatch):
    torch.manual_seed(1)
    pool, wide = nn.MaxPool2d(2, ceil_mode=True), 4 * ((side + 1) // 2) ** 2
    net = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), oracles.MFM(), pool, nn.Flatten(), nn.Linear(wide, 6)).double()
    net[0].bias.data -= 0.5  # many responses are negative
    triplet = torch.randn(3, 1, 2, side, side, dtype=torch.float64)
    how = dict(rule="paper-code", gain="cosine")
    with_guard, at_pool = (gweebp.mwp(net, *triplet, layer=layer, **how) for layer in ("input", "2"))
    guarded, arrived = Released.guarded, []

    def noted(p, child, a):
        arrived.append((p, guarded(p, child, a), lone(child), a))
        return p

    monkeypatch.setattr(Released, "guarded", staticmethod(noted))
    without, same_at_pool = (gweebp.mwp(net, *triplet, layer=layer, **how) for layer in ("input", "2"))
    torch.testing.assert_close(at_pool, same_at_pool)  # nothing is taken from the layer itself
    assert torch.equal(with_guard, without) is not alone
    p, kept, there, a = arrived[0]  # of the linear layer
    if not alone:
        assert there is None
        return
    p, kept, there, a = (x.view(at_pool.shape) for x in (p, kept, there, a))
    assert {tuple(place) for place in there.nonzero()[:, 2:].tolist()} == {((side - 1) // 2,) * 2}
    corner, negative = (..., -1, -1), a[..., -1, -1] < 0
    assert negative.any() and (p[corner][negative] > 0).any()
    assert (kept[corner][negative] <= 1e-16 * p.max()).all()
    kept[corner] = p[corner]
    assert torch.equal(kept, p)  # no other place is touched


def test_float32_agrees_with_float64():
    net, triple = network(), triplet()
    options = dict(method="gweebp-paper-code", layer="1")
    wanted = gweebp.explain(net, *triple, **options)
    got = gweebp.explain(net.float(), *(x.float() for x in triple), **options)
    torch.testing.assert_close(got.double(), wanted, atol=1e-5 * wanted.max().item(), rtol=0)


def test_nothing_is_kept_alive():
    def count():
        gc.collect()
        return sum(issubclass(type(o), (torch.Tensor, Released)) for o in gc.get_objects())

    net, triple = network(), triplet()
    options = dict(method="gweebp-paper-code", layer="1")
    gweebp.explain(net, *triple, **options)
    before = count()
    for _ in range(3):
        gweebp.explain(net, *triple, **options)
    assert count() <= before + 1


def test_an_unknown_rule():
    with pytest.raises(ValueError, match="rule='code' is unknown; expected 'equations' or 'paper-code'"):
        gweebp.explain(network(), *triplet(), layer="1", rule="code")
