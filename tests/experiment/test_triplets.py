import math

import pytest
import torch

from gweebp.experiment.triplets import hiding_triplets
from gweebp.networks.verification import unit


def test_triplets_against_a_loop():
    generator = torch.Generator().manual_seed(1)
    gallery = unit(torch.randn(30, 5, generator=generator))
    mate = torch.randperm(30, generator=generator)[:12]
    probe = unit(gallery[mate] + 0.6 * torch.randn(12, 5, generator=generator))
    expected = []
    for i in range(12):
        order = sorted(range(30), key=lambda j: (probe[i] - gallery[j]).norm().item())
        if order[0] == mate[i]:
            expected.append((i, order[0], order[1]))
    found = hiding_triplets(probe, gallery, mate)
    assert list(zip(*(index.tolist() for index in found), strict=True)) == expected
    assert 0 < len(expected) < 12


def test_a_tie_with_the_nonmate_is_no_rank_1():
    gallery = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    probe, mate, nonmate = hiding_triplets(gallery[1:], gallery, torch.tensor([1, 2]))
    assert (probe.tolist(), mate.tolist()) == ([1], [2])
    assert nonmate.item() in (0, 1)


def test_no_probe_at_rank_1():
    with pytest.raises(ValueError, match="none of 2 probes has its mate at rank 1"):
        hiding_triplets(torch.eye(2), torch.eye(2), torch.tensor([1, 0]))


def test_bad_embeddings():
    with pytest.raises(ValueError, match="NaN or infinite embeddings"):
        hiding_triplets(torch.tensor([[1.0, math.nan]]), torch.eye(2), torch.tensor([0]))
    with pytest.raises(ValueError, match="at least 2 faces"):
        hiding_triplets(torch.eye(2), torch.eye(2)[:1], torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="one mate a probe"):
        hiding_triplets(torch.eye(2), torch.eye(2), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"\(n, d\) and \(m, d\)"):
        hiding_triplets(torch.eye(3)[:2], torch.eye(2), torch.tensor([0, 1]))
