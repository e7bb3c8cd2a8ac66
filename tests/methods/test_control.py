"""CorrRISE's controlled estimate: its known covariances, its limit, and the masks that it needs."""

from __future__ import annotations

import pytest
import torch
from helpers.live import Counted, triplet
from hypothesis import given, settings
from hypothesis import strategies as st

import gweebp
from gweebp.experiment.check_method import check_method
from gweebp.methods.control import averaging, controlled, shift_kernel
from gweebp.methods.corrrise import random_masks, upsample


@settings(max_examples=12, deadline=None)
@given(pixels=st.integers(1, 14), cells=st.integers(1, 6))
def test_the_kernel_is_a_loop_over_all_shifts_of_the_upsampled_cells(pixels, cells):
    """Each cell alone, up-sampled at each shift: the products of what two pixels have of it, added up."""
    cell, loop = -(-pixels // cells), torch.zeros(pixels, pixels).double()
    for shift in range(cell):
        for k in range(cells):
            grid = torch.zeros(1, cells, cells)
            grid[0, k] = 1  # a whole row of cells
            column = upsample(grid, torch.tensor([[float(shift), 0.0]]), (pixels, pixels))[0, :, 0].double()
            loop += torch.outer(column, column) / cell
    torch.testing.assert_close(shift_kernel(pixels, cells), loop, atol=1e-5, rtol=0)


def test_the_covariance_of_drawn_masks_is_the_known_one():
    masks = torch.cat(list(random_masks(20000, 3, 0.8, (8, 10), 0, 1000))).double()
    assert (masks.mean(0) - 0.8).abs().max() < 0.01
    drawn = torch.cov(masks.flatten(1).T)
    known = 0.8 * 0.2 * torch.kron(shift_kernel(8, 3), shift_kernel(10, 3))
    assert (drawn - known).abs().max() < 0.04 * known.max()


def test_a_score_that_is_linear_in_the_mask_needs_no_samples():
    """Weights on the averages of a coarse grid: the correlation is known to the last digit, from any masks."""
    size, cells, keep = (8, 8), 4, 0.9
    a = averaging(8, 4)
    weights = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pixel = torch.einsum("gh,gf,fw->hw", a, weights, a)

    def found(seed, masks=80):
        drawn = list(random_masks(masks, cells, keep, size, seed, 30))
        scores = torch.cat([torch.einsum("khw,hw->k", m.double(), pixel)[None, None] for m in drawn], 2)
        return controlled(scores, lambda: drawn, size, cells, keep).maps

    kernel = torch.kron(shift_kernel(8, 4), shift_kernel(8, 4))
    exact = (kernel @ pixel.flatten()) / (kernel.diagonal() * (pixel.flatten() @ kernel @ pixel.flatten())).sqrt()
    for seed in range(3):
        torch.testing.assert_close(found(seed)[0, 0].flatten(), exact, atol=1e-5, rtol=0)


@pytest.mark.parametrize("contrastive", [True, False])
def test_a_quarter_of_the_masks_gives_a_better_map_than_the_plain_estimate(contrastive):
    net, images = Counted(), triplet(6)
    options = dict(method="corrrise", cells=4, contrastive=contrastive, negative="minimum", batch=1000)

    def off(of, **more):
        maps = gweebp.explain(net, *images, **options, **more).flatten(1)
        return 1 - torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(maps, of)])

    limit = gweebp.explain(net, *images, **options, masks=20000, seed=1).flatten(1)
    few, many = off(limit, masks=250, estimate="controlled"), off(limit, masks=1000)
    assert few.mean() < many.mean() < 0.02


def test_both_estimates_cost_the_same_passes():
    net, (p, m, n) = Counted(), triplet()
    with torch.no_grad():
        both = net(m), net(n)
    calls = []
    for estimate in ("plain", "controlled"):
        net.calls.clear()
        gweebp.explain(net, p, *both, method="corrrise", masks=100, cells=4, estimate=estimate)
        calls.append(list(net.calls))
    assert calls[0] == calls[1]


def test_the_controlled_estimate_keeps_what_every_method_promises():
    check_method("corrrise", masks=40, cells=4, estimate="controlled")
    with pytest.raises(ValueError, match="estimate='best' is unknown; expected one of 'plain', 'controlled'"):
        gweebp.explain(Counted(), *triplet(), method="corrrise", estimate="best")
