"""What EBP ignores and what weighting loses, layer by layer, on networks where the answer is known."""

import pytest
import torch
from torch import nn

from gweebp import networks
from gweebp.experiment.layerwise import ignored_by_ebp, lost_by_weighting


def images(net, b=2):
    shape = (3, b, net.channels, 32, 32)
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_behind_relus_ebp_ignores_nothing_but_the_embeddings_negative_coordinates():
    net = networks.build("vgg16", seed=0, width=1 / 32, size=32, embedding=8).double()
    head, *convolutions = ignored_by_ebp(net, *images(net)).values()
    assert head > 0.05
    assert max(map(abs, convolutions)) < 1e-9


def test_without_them_every_layer_loses_a_share():
    net = networks.build("lcnn9", seed=0, width=1 / 16, size=32, embedding=8).double()
    found = ignored_by_ebp(net, *images(net))
    assert list(found)[-1] == "conv1"
    assert all(0.001 < share < 1 for share in found.values())


def test_weighting_loses_more_the_further_down_and_takes_what_worked_against():
    net = networks.build("lcnn9", seed=0, width=1 / 16, size=32, embedding=8).double()
    probe, noise, other = images(net)
    lost, against = lost_by_weighting(net, probe, probe + 0.1 * noise, other)
    assert lost.keys() == against.keys()
    assert 0 <= lost["conv5"] <= lost["conv1"] + 1e-12 <= 1
    assert all(0 < share < 1 for share in against.values())


def test_a_network_with_biases_is_refused():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)).double()
    probe, other = torch.rand(2, 1, 1, 5, 5, dtype=torch.float64)
    with pytest.raises(ArithmeticError, match=r"at 0 the responses .* has the network biases"):
        lost_by_weighting(net, probe, probe + 0.01, other)
