"""Published checkpoints without the oracles: key names from small tables, containers, errors."""

import pytest
import torch

from gweebp import networks
from gweebp.networks import checkpoints

# some keys as the published files have them, and ours
NAMES = {
    "lightcnn9": {
        "features.0.filter.weight": "features.conv1.weight",
        "features.4.conv_a.filter.bias": "features.conv3a.bias",
        "features.7.conv.filter.weight": "features.conv5.weight",
        "fc1.filter.weight": "head.fc1.weight",
    },
    "lcnn9_tri": {
        "features_part1.4.conv.filter.weight": "features.conv3.weight",
        "features_part2.1.conv_a.filter.weight": "features.conv4a.weight",
        "fc.filter.bias": "head.fc1.bias",
    },
    "vgg_tri_2": {
        "basenet_part1.14.weight": "features.conv3_3.weight",
        "basenet_part2.1.weight": "features.conv4_1.weight",
        "basenet_part2.12.bias": "features.conv5_3.bias",
        "fc.weight": "head.fc.weight",
    },
    "vgg_face_dag": {"conv5_3.weight": "features.conv5_3.weight", "fc7.bias": "head.fc7.bias"},
    "mobilefacenet": {
        "conv1.0.weight": "features.conv1.0.weight",
        "features.14.conv.3.running_var": "features.14.conv.3.running_var",
        "gdconv.bn.weight": "features.gdconv.bn.weight",
        "bn.num_batches_tracked": "head.bn.num_batches_tracked",
    },
    "iresnet18": {
        "conv1.weight": "features.conv1.weight",
        "layer1.0.downsample.1.running_mean": "features.layer1.0.downsample.1.running_mean",
        "layer3.1.prelu.weight": "features.layer3.1.prelu.weight",
        "bn2.bias": "features.bn2.bias",
        "fc.bias": "head.fc.bias",
        "features.running_var": "head.bn.running_var",
    },
    "iresnet50": {"layer3.13.bn3.weight": "features.layer3.13.bn3.weight", "features.weight": "head.bn.weight"},
}


@pytest.mark.parametrize("kind", checkpoints.KINDS)
def test_names(kind):
    published = checkpoints.KINDS[kind]
    with torch.device("meta"):
        ours = published.build(**published.options).state_dict()
    theirs = {checkpoints._theirs(key, published.modules): key for key in ours}
    assert len(theirs) == len(ours)
    assert {key: theirs.get(key) for key in NAMES[kind]} == NAMES[kind]
    assert checkpoints.recognise(dict.fromkeys(theirs)) == kind
    assert not any(key.rpartition(".")[0] in published.classifier for key in theirs)


def published(kind: str):
    """(our network with random weights, the same in published names, with the classifier)."""
    made = checkpoints.KINDS[kind]
    net = made.build(**made.options).eval()
    content = {checkpoints._theirs(key, made.modules): value for key, value in net.state_dict().items()}
    return net, content | {f"{name}.weight": torch.zeros(2, 256) for name in made.classifier}


def test_a_wrapped_checkpoint_becomes_our_network(tmp_path):
    torch.manual_seed(0)
    net, content = published("lightcnn9")
    path = tmp_path / "LightCNN_9Layers_checkpoint.pth.tar"
    torch.save(
        {"epoch": 80, "prec1": torch.tensor(98.0), "state_dict": {f"module.{k}": v for k, v in content.items()}}, path
    )
    again = networks.load(path)
    x = torch.rand(1, 1, 128, 128)
    with torch.no_grad():
        assert torch.equal(net(x), again(x))
    assert again.config == net.config and not again.training
    networks.save(again, tmp_path / "ours.safetensors")  # and is from then on a network like any other
    assert networks.load(tmp_path / "ours.safetensors").config == net.config


def test_the_published_convolution_of_the_embedding_is_our_linear_layer(tmp_path):
    net, content = published("mobilefacenet")
    content["conv3.weight"] = content["conv3.weight"].view(128, 512, 1, 1)
    torch.save(content, tmp_path / "mobilefacenet.pt")
    assert torch.equal(networks.load(tmp_path / "mobilefacenet.pt").head.conv3.weight, net.head.conv3.weight)


def test_inputs_that_the_weights_expect():
    assert checkpoints.KINDS["lightcnn9"].options == {}
    with torch.device("meta"):
        net = checkpoints.KINDS["vgg_tri_2"].build(**checkpoints.KINDS["vgg_tri_2"].options)
    small = networks.vgg16(width=0.05, size=32, mean=net.mean, std=net.std)
    images = torch.tensor([200, 100, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    expected = torch.tensor([200 - 129.186279296875, 100 - 104.76238250732422, -93.59396362304688])
    torch.testing.assert_close(networks.as_input(small, images)[0, :, 0, 0], expected)


def test_vgg_with_hidden_units_is_saved_and_loaded(tmp_path):
    net = networks.build("vgg16", seed=0, width=0.05, size=32, embedding=8, hidden=12).eval()
    networks.save(net, tmp_path / "w.safetensors")
    again = networks.load(tmp_path / "w.safetensors")
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(net(x), again(x)) and net(x).shape == (2, 8) and net(x).min() >= 0
    assert "hidden" not in networks.vgg16(width=0.05, size=32).config


def test_errors_name_the_published_key(tmp_path):
    path = tmp_path / "m.pt"
    _, content = published("mobilefacenet")
    for change, message in (
        ({"gdconv.bn.weight": None}, r"m\.pt: gdconv\.bn\.weight is missing; the file holds 306 tensors"),
        ({"fc.weight": torch.zeros(2)}, r"m\.pt: fc\.weight is unknown to this mobilefacenet"),
        (
            {"conv1.0.weight": torch.zeros(32, 3, 3, 3)},
            r"m\.pt: conv1\.0\.weight has shape \(32, 3, 3, 3\), but this mobilefacenet expects \(64, 3, 3, 3\)",
        ),
    ):
        torch.save({key: value for key, value in (content | change).items() if value is not None}, path)
        with pytest.raises(ValueError, match=message):
            networks.load(path)
    torch.save({"anything.weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"published checkpoint \(lightcnn9, .*\); its first key is anything\.weight"):
        networks.load(path)
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"m\.pt: features\.0\.filter\.weight is missing"):
        checkpoints.load(path, kind="lightcnn9")
