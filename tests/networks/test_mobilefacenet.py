"""MobileFaceNet: depthwise convolutions, batch norm, residual additions and ReLU6, and every method on it."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import gweebp
from gweebp import networks
from gweebp.excitation import LostMassWarning

BLIND = {"xface", "corrrise", "random", "center"}  # that don't look inside
LAYERS = ["input", *(f"features.{name}" for name in ("conv1", "dw_conv", "0", "3", "5", "11", "14", "conv2", "gdconv"))]


@pytest.fixture(scope="module")
def triplet():
    """A narrow network whose batch norms are no identity, and images of which it finds the second nearer."""
    net = networks.build("mobilefacenet", seed=0, width=0.25, size=64, embedding=16).eval().double()
    generator = torch.Generator().manual_seed(1)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for values, low, high in (
                (module.weight.data, -0.5, 2), (module.bias.data, -0.5, 0.5),
                (module.running_mean, -0.2, 0.2), (module.running_var, 0.5, 2),
            ):  # fmt: skip
                values.uniform_(low, high, generator=generator)
    images = torch.randn(5, 3, 64, 64, generator=generator, dtype=torch.float64)
    mate, nonmate = images[1:3], images[3:5]
    with torch.no_grad():
        e, m, n = (F.normalize(net(x)) for x in (images[:1], mate, nonmate))
    nearer = ((e - m).norm(dim=1) < (e - n).norm(dim=1)).view(-1, 1, 1, 1)
    return net, images[:1].repeat(2, 1, 1, 1), torch.where(nearer, mate, nonmate), torch.where(nearer, nonmate, mate)


def without_shifts(net):
    """The network with batch norms that only scale: no neuron is then active for a reason outside the image."""
    net = copy.deepcopy(net)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.zeros_(module.bias)
            nn.init.zeros_(module.running_mean)
    return net


@pytest.mark.parametrize("layer", LAYERS)
def test_probability_is_conserved_down_to_any_layer(triplet, layer):
    net, *images = triplet
    p = gweebp.mwp(without_shifts(net), *images, layer=layer, extended=True, weighted=False)
    assert (p >= 0).all()
    torch.testing.assert_close(p.flatten(1).sum(1), torch.ones(2, dtype=p.dtype), atol=1e-12, rtol=0)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_with_shifts_some_is_lost_from_layer_to_layer_and_none_is_gained(triplet, extended, weighted):
    """A neuron that only batch norm's shift made active has no child to hand its probability to."""
    net, *images = triplet
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostMassWarning)
        options = {"extended": extended, "weighted": weighted}
        left = torch.stack([gweebp.mwp(net, *images, layer=layer, **options).sum((1, 2, 3)) for layer in LAYERS[::2]])
    assert (left.diff(dim=0) > -1e-12).all()
    assert ((left > 0) & (left <= 1 + 1e-12)).all()


@pytest.mark.parametrize("method", sorted(m for m in set(gweebp.METHODS) - BLIND if not gweebp.METHODS[m].attention))
def test_every_white_box_method(triplet, method):
    net, *images = triplet
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostMassWarning)
        options = {"steps": 4, "gain": "cosine"} if method == "integrated-gradients" else {}
        maps = gweebp.explain(net, *images, method=method, **options)
        single = gweebp.explain(net, *(x[1:] for x in images), method=method, **options)
    # gradients by pixels; and smoothed at the image's size, as released
    at_image = gweebp.METHODS[method].layer is None or method == "gweebp-paper-code"
    sides = {"gradcam": 4, "pairwisesim": 4}
    assert maps.shape[-2:] == (net.size if at_image else sides.get(method, 8),) * 2
    assert torch.isfinite(maps).all() and (maps >= 0).all()
    torch.testing.assert_close(maps[1:], single)
    assert maps.flatten(1).std(1).min() > 0


def test_published_size_and_layers():
    net = networks.mobilefacenet()
    # the JSON of the published file counts batch norm's statistics and counters too
    assert sum(value.numel() for value in net.state_dict().values()) == 1_019_699
    shapes = gweebp.excitation.layers.spatial_layers(net, torch.zeros(1, 3, 112, 112))
    assert shapes[net.saliency_layer] == (128, 14, 14)
    assert shapes[net.feature_layer] == (512, 7, 7)
    assert shapes["features.0"] == (64, 28, 28)
    residual = [name for name, m in net.features.named_children() if getattr(m, "residual", False)]
    assert residual == [*"1234", *"6789", "10", "11", "13", "14"]
