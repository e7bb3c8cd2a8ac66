"""XFace against its authors' maps, a literal loop over squares, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import live, oracles
from helpers.live import Counted, triplet
from torch import nn

import gweebp
from gweebp.methods.maps import gaussian
from gweebp.methods.xface import Squares, raw_maps

SMALL = dict(patches=(28, 42), stride=28)  # at 12 pixels: squares of 3 and 4 (of 4.5), stride 3


@pytest.mark.parametrize("pairing", [1, 2, 3])
@pytest.mark.parametrize("patches", [(7, 14, 28), (3, 6, 12)])
def test_agrees_with_the_oracle(patches, pairing):
    net, z = oracles.load("xface_vgg8", "vgg8")
    name = ("default" if patches[0] == 7 else "") + str(list(patches)).replace(" ", "") + f"/method{pairing}"
    probe, mate, nonmate = (torch.tensor(z[k]) for k in ("probe", "mate", "nonmate"))
    scale = 112 / 32  # the oracle's sizes are in pixels of its own image
    options = dict(patches=[p * scale for p in patches], stride=5 * scale, pairing=pairing, inclusive=True)
    fill = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    got = raw_maps(net, probe, [mate, nonmate], **options, fill=fill, batch=8)[0].numpy()
    for k, other in enumerate(("mate", "nonmate")):
        wanted = z[f"{name}/{other}/map_probe_raw"]
        np.testing.assert_allclose(got[k], wanted, atol=1e-10 * abs(wanted).max())
    m, n = (raw / abs(raw).max() for raw in got)
    wanted = m - n + abs(m - n).max()
    np.testing.assert_allclose(wanted / (2 * abs(m - n).max()), z[f"{name}/contrastive_normalised"], atol=1e-9)
    maps = gweebp.explain(net, probe, mate, nonmate, method="xface", negative="symmetric", **options)[0]
    np.testing.assert_allclose(maps, wanted / wanted.sum(), atol=1e-12)
    maps = gweebp.explain(net, probe, mate, nonmate, method="xface", **options)[0]
    positive = (m - n).clip(min=0)
    np.testing.assert_allclose(maps, positive / positive.sum(), atol=1e-12)


@pytest.mark.parametrize("pairing", [1, 2, 3])
def test_agrees_with_a_loop_over_squares(pairing):
    net, (p, m, _) = Counted(), triplet()

    def distance(a, b):
        return 1 - torch.cosine_similarity(net(a), net(b)).item()

    def black(x, y0, x0, side):
        x = x.clone()
        x[..., y0 : y0 + side, x0 : x0 + side] = -1
        return x

    expected = 0
    for side in (3, 4):
        places = [(y, x) for y in range(0, 13 - side, 3) for x in range(0, 13 - side, 3)]
        total = torch.zeros(12, 12, dtype=torch.float64)
        for y, x in places:
            occluded = black(p, y, x, side)
            against = {1: [black(m, *q, side) for q in places], 2: [m], 3: [black(m, y, x, side)]}[pairing]
            after = sum(distance(occluded, other) for other in against) / len(against)
            total[y : y + side, x : x + side] += (after - distance(p, m)) / side**2
        expected = expected + gaussian(total / len(places), 3, 1, border="reflect") / 2
    fill = torch.full((1, 1, 1, 1), -1.0, dtype=torch.float64)
    got = raw_maps(net, p, [m], **SMALL, pairing=pairing, inclusive=False, fill=fill, batch=5)[0, 0]
    torch.testing.assert_close(got, expected, atol=1e-14, rtol=1e-9)


def test_black_is_the_networks_own():
    net, (p, m, n) = Counted(), triplet()
    net.mean, net.std = 0.5, 0.5
    black = gweebp.explain(net, p, m, n, method="xface", **SMALL)
    assert torch.equal(black, gweebp.explain(net, p, m, n, method="xface", fill=-1.0, **SMALL))
    assert not torch.equal(black, gweebp.explain(net, p, m, n, method="xface", fill=0.0, **SMALL))


def test_sizes_scale_with_the_image():
    for size, side, stride, places in ((112, 7, 5, 22), (224, 14, 10, 22), (56, 4, 2, 27)):
        squares = Squares(round(7 * size / 112), round(5 * size / 112), (size, size))
        assert (squares.side, squares.stride, squares.rows, squares.columns) == (side, stride, places, places)


def test_squares_that_fit_all_of_them_and_no_others():
    squares = Squares(3, 2, (7, 9))
    masks = squares.masks(squares.corners)
    assert masks.shape == (3 * 4, 7, 9) and (masks == 0).sum((1, 2)).eq(9).all()
    values = torch.rand(2, 12)
    expected = torch.einsum("bn,nhw->bhw", values, 1 - masks) / 12
    torch.testing.assert_close(squares.spread(values), expected)


def test_smoothing_keeps_mass_inside_and_reflects_without_the_border_pixel():
    maps = torch.zeros(1, 9, 9, dtype=torch.float64)
    maps[0, 4, 4] = 1
    assert gaussian(maps, 5, 2, border="reflect").sum().item() == pytest.approx(1)
    line = torch.arange(5, dtype=torch.float64).expand(5, 5)  # reflected: 1 0 1 2 ...
    weights = torch.exp(-torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64) / 2)
    first = (weights * torch.tensor([1.0, 0.0, 1.0])).sum() / weights.sum()
    torch.testing.assert_close(gaussian(line, 1, 1, border="reflect")[:, 0], first.expand(5))


def test_the_batch_size_does_not_matter_and_a_batch_equals_singles():
    net, (p, m, n) = Counted(), triplet(3)
    for pairing in (1, 2, 3):
        options = dict(method="xface", pairing=pairing, **SMALL)
        maps = gweebp.explain(net, p, m, n, **options)
        assert maps.shape == (3, 12, 12)
        for batch in (1, 5, 1000):
            other = gweebp.explain(net, p, m, n, **options, batch=batch)
            torch.testing.assert_close(other, maps, atol=1e-13, rtol=1e-9)
        for i in range(3):
            one = slice(i, i + 1)
            assert torch.equal(gweebp.explain(net, p[one], m[one], n[one], **options), maps[one])
        shared = gweebp.explain(net, p, m[:1], n[:1], **options)
        torch.testing.assert_close(shared[1:2], gweebp.explain(net, p[1:2], m[:1], n[:1], **options))


@pytest.mark.parametrize(("pairing", "times"), [(1, 3), (2, 1), (3, 3)])
def test_forward_passes_are_counted(pairing, times):
    net, images = Counted(), triplet()
    gweebp.explain(net, *images, method="xface", pairing=pairing, batch=8, **SMALL)
    squares = [8, 8] * times + [8, 1] * times  # of 4 × 4 and of 3 × 3 places
    assert sorted(net.calls) == sorted([1, 1, 1, *squares])  # the whole probe, mate and non-mate


def test_memory_does_not_grow_with_the_number_of_squares():
    def peak(stride):
        net, images = Counted(), triplet()
        with live.peak(net) as found:
            gweebp.explain(net, *images, method="xface", patches=(28,), stride=stride, batch=8)
        return max(found)

    assert 0 < peak(9) <= 1.01 * peak(28) + 100 * 50  # 100 squares, 16 squares; a corner and distances of each


def test_the_decisive_region_stands_out():
    class Corner(nn.Module):
        def forward(self, x):
            return torch.cat([x[:, 0, :3, :3].mean((1, 2))[:, None], 1 + 0 * x[:, 0, 0, :1]], 1)

    p = torch.ones(1, 1, 12, 12)
    n = p.clone()
    n[..., :3, :3] = 0
    for pairing in (1, 2):
        maps = gweebp.explain(Corner(), p, p.clone(), n, method="xface", pairing=pairing, **SMALL)
        assert maps[0, :3, :3].sum() > 0.3 and maps[0, 8:, 8:].sum() < 0.05


ERRORS = {
    "layer": (dict(layer="net.0"), "'xface' has no layer"),
    "pairing": (dict(pairing=4), "pairing=4: expected 1, 2 or 3"),
    "no patches": (dict(patches=()), "patches"),
    "large patch": (dict(patches=(7, 200)), "up to 112"),
    "inclusive of all": (dict(patches=(112,), inclusive=True), "13 pixels does not fit into an image of"),
    "stride": (dict(stride=0), "stride=0"),
    "batch": (dict(batch=0), "batch=0"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_bad_options_say_what_was_expected(case):
    options, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        gweebp.explain(Counted(), *triplet(), method="xface", **options)


def test_embeddings_are_refused():
    p, m, _ = triplet()
    with pytest.raises(ValueError, match=r"'xface' reads the images.*nonmate as embeddings \(1, 4\): give the images"):
        gweebp.explain(Counted(), p, m, torch.rand(1, 4), method="xface")
