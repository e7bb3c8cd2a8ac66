"""Each network's own layer gives a uniform image a uniform map; a layer below a stride is told."""

from __future__ import annotations

import pytest
import torch

from gweebp import networks
from gweebp.excitation.evenness import UNEVEN, every_other


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", ["vgg16", "lcnn9", "mobilefacenet", "iresnet18", "iresnet18se", "iresnet50"])
def test_the_own_layer_of_each_network_is_even(name, seed):
    net = networks.build(name, seed=seed, width=0.25).eval()
    image = torch.full((1, net.channels, net.size, net.size), 0.3)
    assert every_other(net, image, net.saliency_layer) < UNEVEN


@pytest.mark.parametrize(("name", "layer"), [("iresnet50", "features.layer2"), ("vgg16", "features.relu4_3")])
def test_a_layer_just_below_a_stride_is_told(name, layer):
    net = networks.build(name, seed=0, width=0.25).eval()
    image = torch.full((1, net.channels, net.size, net.size), 0.3)
    assert every_other(net, image, layer) > UNEVEN
