import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gweebp import networks
from gweebp.experiment.cost import peak_bytes
from gweebp.networks import verification

distance_lists = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0]), min_size=1, max_size=30)


def random_units(n, d, seed):
    return verification.unit(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)))


def test_embed_equals_single_calls_and_leaves_the_network_as_it_was(faces):
    net = networks.build("lcnn9", seed=0, width=0.125, size=32)
    net.train()
    net.features.conv1.eval()
    before = {name: weight.clone() for name, weight in net.state_dict().items()}
    rows = verification.embed(net, faces.photos, batch=7)
    single = torch.cat([verification.embed(net, image[None]) for image in faces.photos])
    assert rows.shape == (20, 256)
    assert rows.dtype == torch.float32
    assert torch.allclose(rows, single, atol=1e-6)
    assert torch.allclose(rows.norm(dim=1), torch.ones(20), atol=1e-6)
    assert net.training
    assert not net.features.conv1.training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(before[name], weight) for name, weight in net.state_dict().items())


def test_embed_is_in_eval_mode(faces):
    net = networks.build("lcnn9", seed=0, width=0.125, size=32)
    net.head.add_module("dropout", nn.Dropout(0.5))
    net.train()
    assert torch.equal(verification.embed(net, faces.photos), verification.embed(net, faces.photos))


def test_embed_nothing():
    with pytest.raises(ValueError, match="the set is empty"):
        verification.embed(networks.lcnn9(width=0.05, size=32), torch.zeros(0, 3, 32, 32, dtype=torch.uint8))


def test_nan_in_the_weights_is_found_in_the_embeddings(faces):
    net = networks.build("lcnn9", seed=0, width=0.125, size=32)
    nn.init.constant_(net.head.fc1.bias, math.nan)
    with pytest.raises(ValueError, match="20 of 20 embeddings are zero, NaN or infinite"):
        verification.embed(net, faces.photos)


@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf])
def test_embeddings_without_direction(bad):
    rows = torch.ones(4, 3)
    rows[2] = bad
    with pytest.raises(ValueError, match=r"1 of 4 embeddings .*first: \[2\]"):
        verification.unit(rows)


def test_distances_are_exact_where_embeddings_nearly_agree():
    a = random_units(5, 256, 0)
    b = verification.unit(a + 1e-5 * random_units(5, 256, 1))
    expected = (a[:, None].double() - b[None].double()).norm(dim=2)
    assert (verification.distances(a, b) - expected).abs().max() < 1e-6
    with pytest.raises(ValueError, match=r"expected \(n, d\) and \(m, d\)"):
        verification.distances(a, b[:, :9])


def test_pairs_and_ranks_against_a_loop():
    probe, gallery = random_units(6, 4, 0), random_units(9, 4, 1)
    mate = torch.tensor([3, 0, 8, 1, 5, 5])
    genuine, impostor = verification.pairs(probe, gallery, mate)
    rank = verification.ranks(probe, gallery, mate)
    others = []
    for i in range(6):
        d = [(probe[i] - gallery[j]).norm().item() for j in range(9)]
        assert genuine[i].item() == pytest.approx(d[mate[i]], abs=1e-6)
        assert rank[i].item() == 1 + sum(d[j] < d[mate[i]] for j in range(9))
        others += [d[j] for j in range(9) if j != mate[i]]
    assert torch.allclose(impostor, torch.tensor(others), atol=1e-6)
    assert verification.rank_k(rank, 9) == 1.0
    assert verification.rank_k(rank, 1) == (rank == 1).double().mean().item()


def test_a_tie_counts_against_the_mate():
    gallery = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert verification.ranks(gallery[:1], gallery, torch.tensor([1])).tolist() == [2]


@pytest.mark.parametrize("mate", [torch.tensor([0, 9]), torch.tensor([-1, 0]), torch.tensor([0])])
def test_mates_outside_the_gallery(mate):
    with pytest.raises(ValueError, match=r"mate_index must be \(2,\) with values in 0\.\.2"):
        verification.ranks(random_units(2, 4, 0), random_units(3, 4, 1), mate)


@given(genuine=distance_lists, impostor=distance_lists)
def test_roc_against_counting(genuine, impostor):
    fpr, tpr, threshold = verification.roc(torch.tensor(genuine), torch.tensor(impostor))
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert threshold[1:].tolist() == sorted({*genuine, *impostor})
    for f, t, tau in zip(fpr.tolist(), tpr.tolist(), threshold.tolist(), strict=True):
        assert f == sum(d <= tau for d in impostor) / len(impostor)
        assert t == sum(d <= tau for d in genuine) / len(genuine)


@given(impostor=distance_lists, fpr=st.floats(0, 1))
def test_threshold_is_the_largest_that_holds_the_rate(impostor, fpr):
    d = torch.tensor(impostor)
    tau = verification.threshold_at_fpr(d, fpr)
    n = len(impostor)
    assert (d <= tau).sum().item() <= fpr * n + 1e-9
    above = torch.nextafter(torch.tensor(tau), torch.tensor(math.inf)).item()
    assert tau == 2.0 or (d <= above).sum().item() > fpr * n


def test_threshold_survives_rounding_to_the_distances_precision():
    d = torch.tensor([0.1, 0.2, 0.3])
    tau = verification.threshold_at_fpr(d, 1 / 3)
    assert (d <= tau).tolist() == [True, False, False]
    assert verification.threshold_at_fpr(torch.arange(100.0), 0.29) < 29  # 0.29 * 100 is 28.999...
    assert (torch.arange(100.0) <= verification.threshold_at_fpr(torch.arange(100.0), 0.29)).sum() == 29


def test_rates_without_pairs_or_with_nan():
    with pytest.raises(ValueError, match="no genuine distances"):
        verification.roc(torch.zeros(0), torch.ones(2))
    with pytest.raises(ValueError, match="NaN or infinite impostor"):
        verification.threshold_at_fpr(torch.tensor([0.1, math.nan]), 0.5)
    with pytest.raises(ValueError, match=r"fpr must lie in 0\.\.1, got 5"):
        verification.threshold_at_fpr(torch.ones(2), 5)
    with pytest.raises(ValueError, match="no probes"):
        verification.rank_k(torch.zeros(0))


@pytest.mark.parametrize("d", [1, 7, 64, 256])
def test_ranks_in_blocks_are_those_of_the_whole_gallery(d):
    probe, gallery = random_units(9, d, 0), random_units(50, d, 1)
    mate = torch.arange(9) * 5
    gallery[mate[0] + 1] = gallery[mate[0]]  # ties, in the same block and in another
    gallery[49] = gallery[mate[1]]
    matrix = verification.distances(probe, gallery)
    own = matrix[torch.arange(9), mate]
    expected = (matrix <= own[:, None]).sum(1)
    for block in (1, 9 * 7, 2**22):
        assert torch.equal(verification.ranks(probe, gallery, mate, block=block), expected)


def test_ranks_hold_no_matrix_of_a_large_gallery():
    probe, gallery = random_units(8, 2, 0), random_units(100_000, 2, 1)
    peaks = [
        peak_bytes(lambda n=n: verification.ranks(probe, gallery[:n], torch.arange(8), block=2**12))
        for n in (10_000, 100_000)
    ]
    assert peaks[0] == peaks[1] < 8 * 10_000 * 4
