"""The released code's rule against what that code gave, and how it departs from the equations."""

from __future__ import annotations

import gc
import itertools
import warnings

import numpy as np
import oracles
import pytest
import torch
from torch import nn

import gweebp
from gweebp.paper_code import Released

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
def test_agrees_with_the_released_code_at_every_convolution(name, bias, mode):
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
    sharp = gweebp.explain(net, *triple, method="gweebp-paper-code", layer="1", sigma=0)
    torch.testing.assert_close(sharp, plain)
    torch.testing.assert_close(given, gweebp.resize(plain, plain.shape[-1], sigma=2.0))
    back = dict(gain="cosine", rule="equations", sigma=0)
    torch.testing.assert_close(gweebp.explain(net, *triple, method="gweebp-paper-code", layer="1", **back),
                               gweebp.explain(net, *triple, layer="1", gain="cosine"))  # fmt: skip


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
