import math

import pytest
import torch
from torch import nn

from gweebp import networks
from gweebp.networks.light_cnn import MaxFeatureMap
from gweebp.support import files


def outputs(net, x):
    """Shape of every submodule's output."""
    shapes = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: shapes.__setitem__(name, tuple(out.shape[1:])))
        for name, module in net.named_modules()
    ]
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    return shapes


def test_lcnn9_is_the_papers():
    net = networks.lcnn9()
    assert sum(p.numel() for p in net.parameters()) == 5_480_864
    shapes = outputs(net, torch.rand(1, 1, 128, 128))
    expected = {
        "conv1": (96, 128, 128),
        "mfm1": (48, 128, 128),
        "pool1": (48, 64, 64),
        "conv2a": (96, 64, 64),
        "mfm2a": (48, 64, 64),
        "conv2": (192, 64, 64),
        "mfm2": (96, 64, 64),
        "pool2": (96, 32, 32),
        "conv3a": (192, 32, 32),
        "mfm3a": (96, 32, 32),
        "conv3": (384, 32, 32),
        "mfm3": (192, 32, 32),
        "pool3": (192, 16, 16),
        "conv4a": (384, 16, 16),
        "mfm4a": (192, 16, 16),
        "conv4": (256, 16, 16),
        "mfm4": (128, 16, 16),
        "conv5a": (256, 16, 16),
        "mfm5a": (128, 16, 16),
        "conv5": (256, 16, 16),
        "mfm5": (128, 16, 16),
        "pool4": (128, 8, 8),
    }
    assert {name: shapes[f"features.{name}"] for name in expected} == expected
    assert (shapes["head.fc1"], shapes["head.mfm_fc1"]) == ((512,), (256,))
    assert shapes[net.saliency_layer] == (192, 16, 16)
    assert shapes[net.feature_layer] == (128, 16, 16)


def test_vgg16_is_torchvisions():
    vgg = pytest.importorskip("torchvision.models.vgg")
    net, twin = networks.vgg16(), vgg.make_layers(vgg.cfgs["D"])
    assert sum(p.numel() for p in net.parameters()) == 14_714_688 + 25088 * 1024 + 1024
    # same order of the same layers: torchvision's weights load by position
    theirs = twin.state_dict().values()
    net.features.load_state_dict(dict(zip(net.features.state_dict(), theirs, strict=True)))
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(net.features(x), twin(x))
    shapes = outputs(net, x)
    assert shapes[net.saliency_layer] == (512, 14, 14)
    assert shapes[net.feature_layer] == shapes["features.conv5_3"] == (512, 14, 14)
    assert shapes["head"] == (1024,)


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
@pytest.mark.parametrize(("width", "size", "channels", "embedding"), [(0.01, 32, 3, 1), (0.125, 70, 1, 7)])
def test_any_width_and_size(name, width, size, channels, embedding):
    net = networks.build(name, seed=0, width=width, size=size, channels=channels, embedding=embedding)
    x = torch.rand(2, channels, size, size)
    assert net(x).shape == (2, embedding)
    assert (net.size, net.channels, net.embedding) == (size, channels, embedding)
    names = dict(net.named_modules())
    assert net.saliency_layer in names
    assert net.feature_layer in names


def test_map_resolution_of_the_book():
    vgg = networks.vgg16(width=0.05, size=160)
    assert outputs(vgg, torch.rand(1, 3, 160, 160))[vgg.saliency_layer][1:] == (10, 10)
    light = networks.lcnn9(width=0.05, size=66)  # pools round up: 66, 33, 17, 9
    assert outputs(light, torch.rand(1, 1, 66, 66))[light.saliency_layer][1:] == (9, 9)


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
def test_seeded_weights_keep_the_scale_of_the_responses(name):
    state = torch.get_rng_state()
    net = networks.build(name, seed=3, width=0.25, size=64)
    again = networks.build(name, seed=3, width=0.25, size=64)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    other = networks.build(name, seed=4, width=0.25, size=64)
    assert not all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    x = torch.randn(4, net.channels, 64, 64, generator=torch.Generator().manual_seed(0))
    # neither vanishing nor exploding, though nothing normalises in between
    assert 0.1 < net(x).pow(2).mean().sqrt().item() < 10


def test_mfm_is_the_larger_half_and_passes_the_gradient_to_the_winner():
    x = torch.tensor([[1.0, -2.0, 0.5, 3.0]], requires_grad=True)
    y = MaxFeatureMap()(x)
    y.sum().backward()
    assert y.tolist() == [[1.0, 3.0]]
    assert x.grad.tolist() == [[1.0, 0.0, 0.0, 1.0]]


@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (1, 3, 64, 60), (1, 3, 32, 32), (3, 64, 64), (64, 64)])
def test_wrong_size_or_channels(shape):
    net = networks.vgg16(width=0.05, size=64)
    with pytest.raises(ValueError, match=r"vgg16 expects \(b, 3, 64, 64\), got"):
        net(torch.rand(shape))


@pytest.mark.parametrize(
    "options", [{"width": 0}, {"width": -1}, {"size": 16}, {"channels": 2}, {"embedding": 0}, {"width": math.nan}]
)
def test_architectures_that_cannot_be(options):
    with pytest.raises(ValueError, match="must"):
        networks.build("vgg16", **options)


def test_unknown_network_and_option():
    with pytest.raises(ValueError, match=f"unknown network 'vgg19'; known: {', '.join(sorted(networks.NETWORKS))}"):
        networks.build("vgg19")
    with pytest.raises(TypeError, match="depth"):
        networks.build("vgg16", depth=3)


def test_input_is_normalised_grey_and_resized():
    images = torch.zeros(2, 3, 40, 40, dtype=torch.uint8)
    images[:, 0] = 255
    x = networks.as_input(networks.lcnn9(width=0.05, size=32), images)
    assert x.shape == (2, 1, 32, 32)
    assert torch.allclose(x, torch.tensor(0.299))
    x = networks.as_input(networks.vgg16(width=0.05, size=40), images)
    assert x[0, :, 0, 0].tolist() == [2.0, -2.0, -2.0]
    vgg_face = networks.vgg16(width=0.05, size=40, mean=(0.5, 0.25, 0.0), std=(1.0, 1.0, 0.5))
    assert networks.as_input(vgg_face, images)[0, :, 0, 0].tolist() == [0.5, -0.25, 0.0]
    with pytest.raises(ValueError, match="mean must be 1 number, finite, got"):
        networks.lcnn9(width=0.05, size=40, mean=(0.1, 0.2), std=1.0)
    of_the_user = networks.lcnn9(width=0.05, size=40)
    of_the_user.mean = (0.1, 0.2)
    with pytest.raises(ValueError, match="need 1 or 1 numbers, got 2"):
        networks.as_input(of_the_user, images)


def test_input_is_antialiased():
    stripes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 254
    x = networks.as_input(networks.lcnn9(width=0.05, size=16), stripes)[..., 1:-1]
    assert (x - 127 / 255).abs().max() < 0.02


def test_input_follows_the_weights_precision_and_takes_no_images():
    net = networks.lcnn9(width=0.05, size=32).double()
    assert networks.as_input(net, torch.zeros(1, 3, 8, 8, dtype=torch.uint8)).dtype == torch.float64
    assert networks.as_input(net, torch.zeros(0, 3, 8, 8, dtype=torch.uint8)).shape == (0, 1, 32, 32)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 8, 8, 3), (1, 3, 0, 8)])
def test_input_of_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"images must be \(b, 3, h, w\)"):
        networks.as_input(networks.lcnn9(width=0.05, size=32), torch.zeros(shape, dtype=torch.uint8))


def test_input_of_wrong_type():
    with pytest.raises(TypeError, match=r"uint8 in 0\.\.255, got torch\.float32"):
        networks.as_input(networks.lcnn9(width=0.05, size=32), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
def test_save_and_load(tmp_path, name):
    net = networks.build(name, seed=0, width=0.05, size=64, channels=3, mean=(0.5, 0.4, 0.3)).eval()
    networks.save(net, tmp_path / "w.safetensors", {"rank1": 0.5})
    again = networks.load(tmp_path / "w.safetensors")
    x = torch.rand(2, 3, 64, 64)
    assert torch.equal(net(x), again(x))
    assert not again.training
    assert again.config == net.config
    assert files.read_tensors(tmp_path / "w.safetensors")[1]["record"] == {"rank1": 0.5}


def test_nan_weights_are_neither_saved_nor_loaded(tmp_path):
    net = networks.lcnn9(width=0.05, size=32)
    nn.init.constant_(net.features.conv2.bias, math.nan)
    with pytest.raises(ValueError, match=r"NaN or infinite weights in features\.conv2\.bias"):
        networks.save(net, tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())
    files.write_tensors(tmp_path / "w.safetensors", net.state_dict(), {"config": net.config})
    with pytest.raises(ValueError, match=r"NaN or infinite weights in features\.conv2\.bias"):
        networks.load(tmp_path / "w.safetensors")


def test_files_that_hold_no_network(tmp_path):
    path = tmp_path / "w.safetensors"
    files.write_tensors(path, {"a": torch.ones(2)})
    with pytest.raises(ValueError, match="holds weights but no network"):
        networks.load(path)
    net = networks.lcnn9(width=0.05, size=32)
    files.write_tensors(path, net.state_dict(), {"config": {**net.config, "size": 64}})
    with pytest.raises(ValueError, match=r"w\.safetensors: head\.fc1\.weight has shape .* but this LCNN9 expects"):
        networks.load(path)
    files.write_tensors(path, net.state_dict(), {"config": {**net.config, "depth": 64}})
    with pytest.raises(ValueError, match=r"w\.safetensors holds another network than it names: .*depth"):
        networks.load(path)
    path.write_bytes(b"not safetensors")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        networks.load(path)
    with pytest.raises(FileNotFoundError):
        networks.load(tmp_path / "none")
