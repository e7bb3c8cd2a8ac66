import numpy as np
import pytest
import torch
from helpers.oracles import ORACLES
from torch import nn

from gweebp.faces.preparation.bisenet import CELEBAMASK, CLASSES, BiSeNet
from gweebp.faces.preparation.pluralistic import Discriminator, Encoder, Generator, complete
from gweebp.faces.preparation.resnet_generator import PatchGAN, ResnetGenerator
from gweebp.faces.preparation.spectral import SpectralConv
from gweebp.networks import weights
from gweebp.support import files

SMALL = {"width": 0.125}
KINDS = (BiSeNet, ResnetGenerator, PatchGAN, Encoder, Generator, Discriminator)


@pytest.mark.parametrize("kind", KINDS)
def test_every_network_is_saved_and_loaded(tmp_path, kind):
    torch.manual_seed(0)
    net = kind(**SMALL)
    path = tmp_path / "net.safetensors"
    weights.save(net, path, {"seed": 0})
    again = weights.load(kind, path)
    assert again.config == net.config and not again.training
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in net.state_dict().items())
    assert files.read_tensors(path)[1]["record"] == {"seed": 0}
    # each tensor once, though the pluralistic networks know convolutions by two names
    distinct = sum(t.numel() * t.element_size() for t in [*net.parameters(), *net.buffers()])
    assert distinct <= path.stat().st_size < distinct + 64 * 1024


@pytest.mark.parametrize(
    "wrap",
    [lambda w: w, lambda w: {"epoch": 3, "state_dict": w}, lambda w: {"model_state_dict": w, "best": np.float64(0.5)}],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_containers_of_published_checkpoints(tmp_path, wrap, prefix):
    path = tmp_path / "net.pth"
    published = {prefix + key: value for key, value in Generator(**SMALL).state_dict().items()}
    torch.save(wrap(published), path)
    read, metadata = weights.read(path)
    assert metadata == {}
    net = Generator(**SMALL)
    weights.put(net, read, path)
    assert torch.equal(net.out4.conv1.module.weight_bar, published[prefix + "out4.conv1.module.weight_bar"])


def test_a_checkpoint_with_safetensors_inside_and_another_suffix(tmp_path):
    weights.save(PatchGAN(**SMALL), tmp_path / "net.safetensors")
    (tmp_path / "net.safetensors").rename(tmp_path / "net.bin")
    assert weights.load(PatchGAN, tmp_path / "net.bin").config == SMALL


def test_old_statistics_of_instance_norms_are_left_out_and_others_are_not():
    net = ResnetGenerator(**SMALL, blocks=1)
    old = net.state_dict()
    old |= {"model.2.running_mean": torch.ones(8), "model.10.conv_block.6.running_var": torch.ones(32)}
    weights.put(net, old, "old.pth")
    with pytest.raises(
        ValueError, match=r"old\.pth: model\.4\.running_mean is unknown to this ResnetGenerator; the file"
    ):
        weights.put(net, old | {"model.4.running_mean": torch.ones(8)}, "old.pth")


def test_either_name_of_a_tensor_is_enough():
    net, other = Encoder(**SMALL), Encoder(**SMALL)
    half = {key: value for key, value in other.state_dict().items() if ".model." not in key and ".shortcut." not in key}
    weights.put(net, half, "half.pth")
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in net.state_dict().items())


def test_errors_name_the_file_the_key_and_the_shapes(tmp_path):
    net, good = PatchGAN(**SMALL), PatchGAN(**SMALL).state_dict()
    with pytest.raises(
        ValueError, match=r"x\.pth: model\.2\.bias is missing \(the first of 2\); the file holds 8 tensors"
    ):
        weights.put(net, {k: v for k, v in good.items() if k not in ("model.2.bias", "model.5.bias")}, "x.pth")
    with pytest.raises(
        ValueError, match=r"model\.0\.weight has shape \(64, 3, 4, 4\), but this PatchGAN expects \(8, 3"
    ):
        weights.put(net, PatchGAN().state_dict(), "x.pth")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(ValueError, match="is missing"):
        weights.put(net, {}, "x.pth")
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    weights.save(net, tmp_path / "critic.safetensors")
    with pytest.raises(ValueError, match=r"critic\.safetensors: cp\.resnet\.conv1\.weight is missing"):
        weights.load(BiSeNet, tmp_path / "critic.safetensors")
    weights.save(ResnetGenerator(**SMALL), tmp_path / "generator.safetensors")
    with pytest.raises(ValueError, match="holds another network than PatchGAN"):
        weights.load(PatchGAN, tmp_path / "generator.safetensors")


class Harmful:
    def __reduce__(self):
        return print, ("code that a checkpoint runs",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": Harmful()}, "no checkpoint that can be read safely"),
        (nn.Linear(2, 2), "no checkpoint that can be read safely"),
        ([torch.ones(2)], "holds a list; expected a state dict"),
        ({}, "holds a dict; expected a state dict"),
        (
            {"net": {"a": torch.ones(2)}},
            "net is a dict; expected tensors, at the top or in state_dict, model_state_dict",
        ),
        ({"a": torch.tensor([1.0, torch.nan])}, "NaN or infinite weights in a"),
    ],
)
def test_files_that_hold_something_else(tmp_path, capsys, content, message):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=message):
        weights.read(tmp_path / "x.pth")
    assert "code" not in capsys.readouterr().out


def test_broken_and_missing_files(tmp_path):
    torch.save(PatchGAN(**SMALL).state_dict(), tmp_path / "x.pth")
    whole = (tmp_path / "x.pth").read_bytes()
    for part in (b"", whole[:100], whole[: len(whole) // 2], b"not a pickle"):
        (tmp_path / "x.pth").write_bytes(part)
        with pytest.raises(ValueError, match=r"x\.pth is no checkpoint that can be read safely"):
            weights.read(tmp_path / "x.pth")
    with pytest.raises(FileNotFoundError, match="none"):
        weights.read(tmp_path / "none.pth")


def test_spectral_norm():
    torch.manual_seed(0)
    conv = SpectralConv(3, 8)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(conv.eval()(x), conv(x))  # evaluation leaves the estimate as it is
    conv.train()
    for _ in range(100):
        conv(x)
    assert torch.linalg.matrix_norm(conv.weight().flatten(1), 2).item() == pytest.approx(1, abs=1e-4)
    u, _, vh = torch.linalg.svd(conv.module.weight_bar.flatten(1))
    assert abs(u[:, 0] @ conv.module.weight_u).item() == pytest.approx(1, abs=1e-4)
    assert abs(vh[0] @ conv.module.weight_v).item() == pytest.approx(1, abs=1e-4)
    # a critic is asked twice before one backward
    (conv(x).sum() - conv(-x).pow(2).sum()).backward()
    assert torch.isfinite(conv.module.weight_bar.grad).all()


def test_the_hole_alone_is_filled_and_noise_matters():
    torch.manual_seed(0)
    encoder, generator = Encoder(**SMALL).eval(), Generator(**SMALL).eval()
    images, known = torch.rand(2, 3, 64, 96) * 2 - 1, torch.ones(2, 1, 64, 96)
    known[:, :, 20:40, 30:60] = 0
    noise = torch.randn(2, 16, 2, 3)
    with torch.no_grad():
        first = complete(encoder, generator, images, known, noise)
        other = images.where(known == 1, torch.rand(2, 3, 64, 96))
        assert torch.equal(complete(encoder, generator, other, known, noise), first)  # the hole's content isn't read
        again = complete(encoder, generator, images, known, -noise)
    assert torch.equal(first.where(known == 1, torch.zeros(())), images.where(known == 1, torch.zeros(())))
    assert not torch.equal(first, again)
    assert not torch.equal(first, images)


def test_all_parameters_learn():
    """The critic knows a part of its attention that it does not use: only the encoder's features feed it."""
    torch.manual_seed(0)
    encoder, generator, critic = Encoder(**SMALL), Generator(**SMALL), Discriminator(**SMALL)
    x, known = torch.rand(1, 3, 96, 96) * 2 - 1, torch.ones(1, 1, 96, 96)
    features, mu, sigma = encoder(x)
    truth, spread = encoder.posterior_of(x)
    pictures = generator(mu + sigma, features[-1], features[2], known)
    loss = sum(p.pow(2).mean() for p in pictures) + (truth - mu).pow(2).mean() + spread.mean()
    (loss + critic(pictures[-1]).mean()).backward()
    for net in (encoder, generator, critic):
        idle = [key for key, value in net.named_parameters() if value.grad is None]
        assert all(key.startswith(("attn2.model", "attn2.alpha")) for key in idle)


def test_bisenet_heads_any_size_and_classes():
    net = BiSeNet(classes=6, width=0.125)
    heads = net.heads(torch.rand(2, 3, 70, 50))
    assert [tuple(head.shape) for head in heads] == [(2, 6, 70, 50)] * 3
    net.eval()
    x = torch.rand(2, 3, 70, 50)
    torch.testing.assert_close(net(x), net.heads(x)[0])
    sum(head.mean() for head in net.train().heads(x)).backward()
    assert all(p.grad is not None for p in net.parameters())
    assert sorted(CLASSES) == sorted(CELEBAMASK) and len(CLASSES) == 19


def test_the_tables_of_classes_are_the_published_ones():
    info = files.read_json(ORACLES / "compat" / "bisenet_face.keys.json")
    assert tuple(info["class_ids_of_this_network"].values()) == CLASSES
    assert tuple(info["class_ids_celebamask_hq"].values()) == CELEBAMASK
    assert [CLASSES.index(name) for name in CELEBAMASK] == info["celebamask_id_to_this_network"]


@pytest.mark.parametrize(("net", "size", "message"), [(ResnetGenerator, 30, "multiples of 4"), (Encoder, 48, "of 32")])
def test_sizes_that_do_not_fit(net, size, message):
    with pytest.raises(ValueError, match=message):
        net(**SMALL)(torch.zeros(1, 3, size, size))
