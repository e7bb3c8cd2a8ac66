"""Every method, whatever modes and default types its caller has set, and whatever the network hides from autograd."""

import warnings

import pytest
import torch
from torch import nn

import gweebp
from gweebp import METHODS

OF_ATTENTION = {name for name in METHODS if name in ("attention", "rollout", "gradient-rollout")}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).float()


def triplet():
    return torch.rand(3, 1, 3, 12, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float32)


def explained(net, name, images):
    layer = None if METHODS[name].layer is None else "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return gweebp.explain(net, *images, method=name, layer=layer)
        except (ValueError, gweebp.UnsupportedOperation) as error:  # no attention in the network
            return str(error)


def in_inference(name):
    with torch.inference_mode():
        return explained(network(), name, triplet())


def in_no_grad(name):
    with torch.no_grad():
        return explained(network(), name, triplet())


def with_double_as_default(name):
    net = network()
    torch.set_default_dtype(torch.float64)
    try:
        return explained(net, name, triplet())
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("caller", [in_inference, in_no_grad, with_double_as_default])
@pytest.mark.parametrize("name", METHODS)
def test_a_caller_changes_no_map(name, caller):
    wanted, found = explained(network(), name, triplet()), caller(name)
    if isinstance(wanted, str):
        assert found == wanted and "attention" in wanted
    else:
        torch.testing.assert_close(
            found, wanted, rtol=0, atol=1e-7 if caller is with_double_as_default else 0, check_dtype=False
        )


@pytest.mark.parametrize("name", ["gradcam", "fggb", "xssab", "gradient-input", "integrated-gradients"])
def test_what_hides_the_derivative_is_refused(name):
    """A quantised layer has none; the norm behind it still has, with respect to its own weights."""
    net = nn.Sequential(*network(), nn.BatchNorm1d(5)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        net = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
    assert "no derivative leads" in explained(net, name, triplet())
