"""PairwiseSIM against the closed form of its authors' code, and what it reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import oracles
from torch import nn

import gweebp
from gweebp.excitation.layers import run_from
from gweebp.methods.pairwisesim import similarity


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(64, 5)).eval()  # features of both signs


@pytest.mark.parametrize("layer", ["pool3", "relu4_3", "relu5_3"])
def test_agrees_with_the_oracle_in_float32(layer):
    net, z = oracles.load("pairwisesim_vgg8", "vgg8")
    probe, mate, nonmate = (torch.tensor(z[k], dtype=torch.float32) for k in ("probe", "mate", "nonmate"))
    a, m, n = (run_from(net.float(), x, layer)[0].detach() for x in (probe, mate, nonmate))
    for other, name in ((m, "mate"), (n, "nonmate")):
        np.testing.assert_allclose(similarity(a, other)[0], z[f"{layer}/{name}/sim_on_probe"], atol=1e-6)
        np.testing.assert_allclose(similarity(other, a)[0], z[f"{layer}/{name}/sim_on_other"], atol=1e-6)
    wanted = {
        "clamp": z[f"{layer}/mate/sim_on_probe"],
        "minimum": z[f"{layer}/mate/sim_on_probe"] - z[f"{layer}/nonmate/sim_on_probe"],
    }
    wanted["minimum"] = wanted["minimum"] - wanted["minimum"].min()
    for negative, expected in wanted.items():
        options = dict(layer=layer, negative=negative, contrastive=negative == "minimum")
        got = gweebp.explain(net.double(), *(torch.tensor(z[k]) for k in ("probe", "mate", "nonmate")),
                             method="pairwisesim", **options)[0]  # fmt: skip
        np.testing.assert_allclose(got, expected / expected.sum(), atol=1e-6)


def test_sums_to_the_cosine_of_the_pooled_features():
    a, b = torch.randn(2, 3, 5, 4, 6, dtype=torch.float64)
    cosine = torch.cosine_similarity(a.mean((2, 3)), b.mean((2, 3)))
    torch.testing.assert_close(similarity(a, b).sum((1, 2)), cosine)


def test_contrast_takes_the_nonmate_away_and_clamps():
    net, (p, m, n) = network(), torch.rand(3, 2, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    a, b, c = (net[0](x).detach() for x in (p, m, n))
    expected = (similarity(a, b) - similarity(a, c)).clamp(min=0)
    assert (similarity(a, b) - similarity(a, c)).min() < 0 < expected.amax((1, 2)).min()
    got = gweebp.explain(net, p, m, n, method="pairwisesim", layer="0", contrastive=True)
    torch.testing.assert_close(got, expected / expected.sum((1, 2), keepdim=True))
    plain = gweebp.explain(net, p, m, n, method="pairwisesim", layer="0")
    assert torch.equal(plain, gweebp.explain(net, p, m, n.flip(3), method="pairwisesim", layer="0"))


def test_one_mate_serves_all_probes():
    net, (p, m, n) = network(), torch.rand(3, 3, 1, 6, 6)
    options = dict(method="pairwisesim", layer="0", contrastive=True)
    many = gweebp.explain(net, p, m[:1].expand(3, -1, -1, -1), n[:1].expand(3, -1, -1, -1), **options)
    torch.testing.assert_close(gweebp.explain(net, p, m[:1], n[:1], **options), many)


def test_the_feature_layer_is_the_default():
    net, images = network(), torch.rand(3, 1, 1, 6, 6)
    with pytest.raises(ValueError, match="names no feature_layer"):
        gweebp.explain(net, *images, method="pairwisesim")
    net.feature_layer = "0"
    assert gweebp.explain(net, *images, method="pairwisesim").shape == (1, 4, 4)


ERRORS = {
    "embeddings": (lambda p, m, n: (p, torch.rand(2, 5), n), {}, "'pairwisesim' reads the images.*mate as embeddings"),
    "size": (lambda p, m, n: (p, m, n[..., :5]), {}, r"nonmate has images \(1, 6, 5\) and the probe \(1, 6, 6\)"),
    "batch": (lambda p, m, n: (p[:1], m, n), {}, "mate has batch size 2; expected 1"),
    "equal": (lambda p, m, n: (p, m, m), {}, r"equal at batch indices \[0, 1\]"),
    "negative": (lambda p, m, n: (p, m, n), dict(negative="abs"), "'clamp', 'minimum', 'symmetric'"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_bad_input_says_what_to_do(case):
    change, options, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        gweebp.explain(network(), *change(*torch.rand(3, 2, 1, 6, 6)), method="pairwisesim", layer="0", **options)
