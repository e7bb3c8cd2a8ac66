"""CorrRISE against the authors' correlation, its masks against up-sampling in the open, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import live, oracles
from helpers.live import Counted, triplet
from torch import nn

import gweebp
from gweebp.methods.corrrise import BLOCK, correlations, random_masks, upsample
from gweebp.methods.masking import fill_value, masked_embeddings

ZERO = torch.zeros(1, 1, 1, 1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 1e-5)])
def test_agrees_with_the_oracle_on_its_masks(dtype, tolerance):
    net, z = oracles.load("corrrise_vgg8", "vgg8")
    masks = torch.tensor(z["masks"])[:, 0]
    others = torch.tensor(np.stack([z["mate_emb"], z["nonmate_emb"]], 1))
    probe = torch.tensor(z["probe"]).to(dtype)
    got = correlations(net.to(dtype), probe, others, masks.split(7), ZERO.to(dtype))[0].numpy()
    np.testing.assert_allclose(got, np.stack([z["sal_mate"], z["sal_nonmate"]]), atol=tolerance)
    shifted = got[0] - got[1] - (got[0] - got[1]).min()
    np.testing.assert_allclose(shifted / shifted.max(), z["contrastive_minmax"], atol=100 * tolerance)


def test_masked_embeddings_agree_with_the_scores_of_rise():
    net, z = oracles.load("rise_vgg8", "vgg8")
    probe, masks = torch.tensor(z["probe"]), torch.tensor(z["masks"])[:, 0]
    with torch.no_grad():
        length = torch.cat([net(probe * mask).norm(dim=1) for mask in masks])
    unit = masked_embeddings(net, probe, masks, ZERO.double())[0]
    scores = length[:, None] * (unit @ torch.tensor(np.concatenate([z["mate_emb"], z["nonmate_emb"]])).T)
    np.testing.assert_allclose(scores, z["scores"], atol=1e-6)
    saliency = torch.einsum("nk,nhw->khw", scores, masks.double()) / (len(masks) * float(z["p1"]))
    np.testing.assert_allclose(saliency, z["saliency"], atol=1e-5)


def test_agrees_with_numpys_correlation():
    net, (p, m, n) = Counted(), triplet()
    masks = torch.cat(list(random_masks(60, 4, 0.8, (12, 12), 3, 60)))
    e = [net(x).detach() for x in (p * masks[:, None], m, n)]
    s = [torch.cosine_similarity(e[0], other).numpy() for other in e[1:]]
    pixels = masks.flatten(1).double().numpy()
    expected = np.array([[np.corrcoef(pixels[:, i], scores)[0, 1] for i in range(144)] for scores in s])
    got = correlations(net, p, torch.stack(e[1:], 1), masks.split(13), ZERO.double())[0].flatten(1).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-12)
    contrast = torch.tensor(expected[0] - expected[1]).clamp(min=0).view(12, 12)
    options = dict(method="corrrise", masks=60, cells=4, keep=0.8, seed=3)
    torch.testing.assert_close(gweebp.explain(net, p, m, n, **options)[0], contrast / contrast.sum())
    alone = torch.tensor(expected[0]).clamp(min=0).view(12, 12)
    got = gweebp.explain(net, p, m, n, **options, contrastive=False)[0]
    torch.testing.assert_close(got, alone / alone.sum())


@pytest.mark.parametrize("size", [(12, 12), (13, 22), (3, 5)])
def test_masks_are_an_upsampled_grid_shifted_and_cropped(size):
    grids = (torch.rand(5, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    cell = [-(-pixels // 4) for pixels in size]
    shifts = torch.tensor([[i % cell[0], (i + 1) % cell[1]] for i in range(5)]).float()
    large = F.interpolate(grids[:, None], size=[5 * c for c in cell], mode="bilinear", align_corners=False)[:, 0]
    expected = [x[int(y) :, int(c) :][: size[0], : size[1]] for x, (y, c) in zip(large, shifts)]
    torch.testing.assert_close(upsample(grids, shifts, size), torch.stack(expected))


def test_masks_keep_their_share_and_depend_on_the_seed_alone():
    def masks(n, seed=0, batch=64):
        return torch.cat(list(random_masks(n, 6, 0.7, (24, 24), seed, batch)))

    many = masks(BLOCK + 300)
    assert abs(many.mean() - 0.7) < 0.01 and many.min() == 0 and many.max() == 1
    assert torch.equal(many, masks(BLOCK + 300, batch=50))
    assert torch.equal(many[:70], masks(70, batch=1000)) and not torch.equal(many[:70], masks(70, seed=1))
    assert len(torch.unique(many, dim=0)) == len(many)


def test_the_batch_size_does_not_matter_and_a_batch_equals_singles():
    net, (p, m, n) = Counted(), triplet(3)
    options = dict(method="corrrise", masks=50, cells=4)
    maps = gweebp.explain(net, p, m, n, **options)
    for batch in (1, 7, 50, 1000):
        torch.testing.assert_close(gweebp.explain(net, p, m, n, **options, batch=batch), maps, atol=1e-13, rtol=1e-9)
    for i in range(3):
        one = slice(i, i + 1)
        single = gweebp.explain(net, p[one], m[one], n[one], **options)
        torch.testing.assert_close(single, maps[one], atol=1e-13, rtol=1e-9)
    assert torch.equal(gweebp.explain(net, p, m, n, **options), maps)
    assert not torch.equal(gweebp.explain(net, p, m, n, **options, seed=1), maps)


def test_masked_probes_are_embedded_once_in_batches_of_constant_size():
    net, (p, m, n) = Counted(), triplet(2)
    with torch.no_grad():
        mate, nonmate = net(m), net(n)
    net.calls.clear()
    gweebp.explain(net, p, mate, nonmate, method="corrrise", masks=50, cells=4, batch=16)
    assert net.calls == [16, 16, 16, 16, 16, 16, 2, 2]  # for two probes, whatever they are compared with


def test_memory_does_not_grow_with_the_number_of_masks():
    def peak(masks):
        net, images = Counted(), triplet()
        with live.peak(net) as found:
            gweebp.explain(net, *images, method="corrrise", masks=masks, cells=4, batch=16)
        assert len(found) == 2 + masks // 16
        return max(found)

    assert 0 < peak(BLOCK + 512) <= 1.01 * peak(64)


def test_a_pixel_that_decides_stands_out():
    class Corner(nn.Module):
        def forward(self, x):
            return torch.cat([x[:, 0, :3, :3].mean((1, 2))[:, None], 1 + 0 * x[:, 0, 0, :1]], 1)

    p = torch.ones(1, 1, 12, 12)
    mate, nonmate = torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 1.0]])
    maps = gweebp.explain(Corner(), p, mate, nonmate, method="corrrise", masks=600, cells=4)
    assert maps[0, :3, :3].mean() > 4 * maps[0, 6:, 6:].mean()


def test_nothing_that_varies_is_a_zero_map():
    class Blind(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 2)

    options = dict(method="corrrise", masks=20, cells=3)
    mate, nonmate = torch.tensor([[1.0, 1.1]]), torch.tensor([[1.0, 0.0]])
    with pytest.warns(gweebp.EmptyMapWarning, match=r"although the probe is nearer.*\[0\]"):
        maps = gweebp.explain(Blind(), torch.rand(1, 1, 6, 6), mate, nonmate, **options)
    with pytest.warns(gweebp.NoGainWarning, match=r"is not nearer to its mate.*\[0\]"):
        gweebp.explain(Blind(), torch.rand(1, 1, 6, 6), nonmate, mate, **options)
    assert maps.eq(0).all() and maps.shape == (1, 6, 6)


def test_fill_is_zero_or_the_networks_black():
    net, images = nn.Flatten(), torch.zeros(1, 3, 4, 4)
    assert fill_value(net, images, 0.0).eq(0).all() and fill_value(net, images, "black").eq(0).all()
    net.mean, net.std = (0.5, 0.4, 0.3), 0.25
    torch.testing.assert_close(fill_value(net, images, "black").flatten(), torch.tensor([-2.0, -1.6, -1.2]))
    assert fill_value(net, images, 0.7).flatten().tolist() == pytest.approx([0.7])
    with pytest.raises(ValueError, match="3 channels and the images have 1"):
        fill_value(net, images[:, :1], "black")
    with pytest.raises(ValueError, match="fill='white'"):
        fill_value(net, images, "white")


ERRORS = {
    "layer": (dict(layer="net.0"), "'corrrise' has no layer: its map has the image's own resolution"),
    "masks": (dict(masks=0), "masks=0: expected an integer above 0"),
    "cells": (dict(cells=2.5), "cells=2.5"),
    "batch": (dict(batch=-1), "batch=-1"),
    "keep": (dict(keep=1.0), "keep=1.0: expected a probability"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_bad_options_say_what_was_expected(case):
    options, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        gweebp.explain(Counted(), *triplet(), method="corrrise", **options)
