"""Sanity checks must tell a map that reads the weights from one that does not."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from scipy import stats

from gweebp import networks
from gweebp.experiment import sanity_checks


@pytest.fixture(scope="module")
def triplets():
    net = networks.build("lcnn9", seed=0, width=0.125, size=32, embedding=16).eval()
    return net, *torch.rand(3, 4, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def test_similarity_is_spearmans():
    maps = torch.randint(5, (2, 3, 4, 4), generator=torch.Generator().manual_seed(0)).float()
    expected = [stats.spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(*maps)]
    torch.testing.assert_close(sanity_checks.similarity(*maps), torch.tensor(expected, dtype=torch.float64))
    assert sanity_checks.similarity(torch.ones(1, 2, 2), maps[0, :1, :2, :2]).isnan().all()
    with pytest.raises(ValueError, match="expected"):
        sanity_checks.similarity(maps[0], maps[0, :2])


def test_the_cascade_goes_down_and_leaves_the_network_alone(triplets):
    net = triplets[0]
    before = copy.deepcopy(net.state_dict())
    changed = [
        {k for k, v in state.items() if not torch.equal(v, before[k])}
        for state in (copy.deepcopy(c.state_dict()) for _, c in sanity_checks.cascade(net))
    ]
    assert all(a < b for a, b in itertools.pairwise(changed))
    assert all(k.startswith("head") for k in changed[0])
    assert changed[-1] >= {k for k in before if k.endswith("weight")}
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_a_blind_map_survives_and_a_faithful_one_does_not(triplets):
    blind = sanity_checks.cascading_randomisation(*triplets, method="center")
    faithful = sanity_checks.cascading_randomisation(*triplets, method="gweebp")
    assert list(blind) == list(faithful) == [name for name, _ in sanity_checks.cascade(triplets[0])]
    assert all(s.min() > 0.999 for s in blind.values())
    assert list(faithful.values())[-1].nanmean() < 0.5


def test_identities(triplets):
    assert sanity_checks.identity_randomisation(*triplets, method="center").min() > 0.999
    assert sanity_checks.identity_randomisation(*triplets, method="gweebp").nanmean() < 0.95
    net, *images = triplets
    with pytest.raises(ValueError, match="at least 3"):
        sanity_checks.identity_randomisation(net, *(x[:2] for x in images), method="ebp")


def test_labels_compare_two_networks(triplets):
    net, *images = triplets
    other = networks.build("lcnn9", seed=1, width=0.125, size=32, embedding=16).eval()
    assert sanity_checks.label_randomisation(net, net, *images, method="ebp").min() > 0.999
    assert sanity_checks.label_randomisation(net, other, *images, method="center").min() > 0.999
    assert sanity_checks.label_randomisation(net, other, *images, method="ebp").max() < 0.99


def test_a_question_that_nobody_can_ask_is_left_out(triplets):
    """Two people drawn at random may be one: the second triplet gets the first mate and the last non-mate."""
    net, probe, mate, nonmate = (triplets[0], *(x[:3] for x in triplets[1:]))
    nonmate = torch.cat([nonmate[:2], mate[:1]])
    found = sanity_checks.identity_randomisation(net, probe, mate, nonmate, method="center")
    assert found.isnan().tolist() == [False, True, False]
    blank = copy.deepcopy(net)
    for p in blank.head.parameters():
        torch.nn.init.zeros_(p)
    assert sanity_checks.label_randomisation(net, blank, probe, mate, nonmate, method="ebp").isnan().all()


def test_a_network_of_many_layers_loses_them_block_by_block():
    net = networks.build("mobilefacenet", seed=0, width=0.05, size=32).eval()
    names = [name for name, _ in sanity_checks.cascade(net)]
    assert names[:5] == ["head.bn", "head.conv3", "features.gdconv", "features.conv2", "features.14"]
    assert names[-1] == "features.conv1" and len(names) == 2 + 2 + 15 + 2
