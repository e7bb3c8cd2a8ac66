"""Published networks: the same keys, and the same function of the same weights, as their authors' own code."""

import numpy as np
import pytest
import torch
from helpers.compat import IMAGENET, Oracle, normalised, recipe_b, wave
from PIL import Image

from gweebp import networks
from gweebp.faces.preparation.bisenet import BiSeNet
from gweebp.faces.preparation.pluralistic import Discriminator, Encoder, Generator, complete
from gweebp.faces.preparation.resnet_generator import PatchGAN, ResnetGenerator
from gweebp.faces.readers import cuhk
from gweebp.networks import checkpoints, verification, weights

PREPARATION = {
    "bisenet_face": BiSeNet,
    "cyclegan_resnet9": ResnetGenerator,
    "patchgan_n3": PatchGAN,
    "pluralistic_E": Encoder,
    "pluralistic_G": Generator,
    "pluralistic_D": Discriminator,
}


def close(found, expected, relative):
    error = (found - expected).abs().max().item()
    assert error <= relative * expected.abs().max().item(), f"off by {error:.2g}"


def test_recipe_b():
    first = [0.10016382159665227, -0.7345444830134511, -0.9850658089853823, 0.6568972584791481, 0.611534203402698]
    assert recipe_b(5, 0) == pytest.approx(first, abs=1e-15)
    assert recipe_b(2, 3) == pytest.approx([0.9233286697417498, 0.8595765009522438], abs=1e-15)


@pytest.mark.parametrize("name", PREPARATION)
def test_keys_shapes_and_types(name):
    oracle = Oracle(name, "pluralistic_celeba" if "pluralistic" in name else "")
    ours = PREPARATION[name]().state_dict(keep_vars=True)
    assert {key: tuple(value.shape) for key, value in ours.items()} == oracle.shapes
    assert {key: str(value.dtype).removeprefix("torch.") for key, value in ours.items()} == oracle.dtypes
    for group in oracle.info.get("alias_groups", []):
        assert len({id(ours[key]) for key in group}) == 1


def filled(oracle, kind, fill="B"):
    net = kind().eval()
    weights.put(net, oracle.weights(fill), "the oracle")
    return net


@pytest.mark.parametrize("fill", ["A", "B"])
def test_bisenet(fill):
    oracle = Oracle("bisenet_face")
    net = filled(oracle, BiSeNet, fill)
    x = normalised(wave(3, 512), *IMAGENET)
    with torch.no_grad():
        logits = net(x)
        close(logits[:, :, ::16, ::16], oracle.expected(f"{fill}_logits_stride16_f64"), 1e-4)
        sure = oracle.expected(f"{fill}_margin_stride4") > 1e-2
        labels = logits.argmax(1)[0, ::4, ::4]
        assert torch.equal(labels[sure], oracle.expected(f"{fill}_argmax_stride4").long()[sure])
        if fill == "B":
            logits = net.double()(x.double())
            close(logits[:, :, ::16, ::16], oracle.expected("B_logits_stride16_f64"), 1e-6)


@pytest.mark.parametrize(("fill", "size", "stride"), [("A", 128, 1), ("B", 128, 1), ("B", 256, 4)])
def test_cyclegan(fill, size, stride):
    oracle = Oracle("cyclegan_resnet9")
    net = filled(oracle, ResnetGenerator, fill)
    x = normalised(wave(3, size), (0.5,) * 3, (0.5,) * 3)
    expected = oracle.expected(f"{fill}_{size}_out_" + (f"stride{stride}_f64" if stride > 1 else "f64"))
    with torch.no_grad():
        # fill A amplifies rounding
        close(net(x)[:, :, ::stride, ::stride], expected, 2e-3 if fill == "A" else 1e-4)
        if size == 128:
            close(net.double()(x.double()), expected, 1e-6)


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("fill", ["A", "B"])
def test_patchgan(fill, size):
    oracle = Oracle("patchgan_n3")
    net = filled(oracle, PatchGAN, fill)
    x = normalised(wave(3, size), (0.5,) * 3, (0.5,) * 3)
    expected = oracle.expected(f"{fill}_{size}_out_f64")
    with torch.no_grad():
        close(net(x), expected, 1e-4)
        close(net.double()(x.double()), expected, 1e-6)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
@pytest.mark.parametrize("fill", ["A", "B"])
def test_pluralistic(fill, precision):
    e, g, d = (Oracle(f"pluralistic_{part}", "pluralistic_celeba") for part in "EGD")
    encoder, generator, critic = (
        filled(oracle, kind, fill).to(precision) for oracle, kind in ((e, Encoder), (g, Generator), (d, Discriminator))
    )
    image = normalised(wave(3, 256), (0.5,) * 3, (0.5,) * 3).to(precision)
    known = torch.ones(1, 1, 256, 256, dtype=precision)
    known[..., 64:192, 64:192] = 0
    noise = torch.sin(0.05 * torch.arange(8192, dtype=torch.float64)).float().reshape(1, 128, 8, 8).to(precision)
    # fill A amplifies rounding: the authors' own float32 pictures are off by 2.4e-4
    tolerance = 1e-6 if precision == torch.float64 else {"A": 1e-3, "B": 1e-4}[fill]
    with torch.no_grad():
        features, mu, sigma = encoder(known * image)
        close(mu, e.expected(f"{fill}_mu_f64"), tolerance)
        close(sigma, e.expected(f"{fill}_sigma_f64"), tolerance)
        pictures = generator(mu + sigma * noise, features[-1], features[2], known)
        for picture, (size, stride) in zip(pictures, [(32, 1), (64, 2), (128, 4), (256, 4)], strict=True):
            expected = g.expected(f"{fill}_G_out{size}_stride{stride}_f64")
            close(picture[:, :, ::stride, ::stride], expected, tolerance)
        whole = complete(encoder, generator, image, known, noise)
        close(whole[:, :, ::4, ::4], g.expected(f"{fill}_composite_stride4_f64"), tolerance)
        assert torch.equal(whole[..., :64, :], image[..., :64, :])
        close(critic(whole), d.expected(f"{fill}_D_score_f64"), tolerance)


EMBEDDING = {
    "lightcnn9": ("lcnn9", "state_dict", "module."),
    "lcnn9_tri": ("lcnn9", "model_state_dict", ""),
    "vgg_tri_2": ("vgg16", "model_state_dict", ""),
    "vgg_face_dag": ("vgg16", None, ""),
    "mobilefacenet_foamliu": ("mobilefacenet", None, ""),
}


@pytest.mark.parametrize("name", EMBEDDING)
def test_published_checkpoint_in_our_network(tmp_path, name):
    network, container, prefix = EMBEDDING[name]
    oracle = Oracle(name)
    published = oracle.weights()
    content = {prefix + key: value for key, value in published.items()}
    torch.save({container: content, "epoch": 3} if container else content, tmp_path / "published.pth")
    del content
    net = networks.load(tmp_path / "published.pth")
    assert net.config["network"] == network and not net.training
    x = wave(net.channels, net.size)
    mean, std = (torch.as_tensor(v, dtype=torch.float64).expand(net.channels).tolist() for v in (net.mean, net.std))
    x = normalised(x, mean, std)
    expected = oracle.expected("B_out_f64").reshape(1, -1)
    with torch.no_grad():
        embedding = net(x)
        if name == "vgg_face_dag":  # its classifier, which is left out, reads our embedding
            assert embedding.shape == (1, 4096)
            logits = embedding @ published["fc8.weight"].T + published["fc8.bias"]
            close(logits, expected, 1e-4)
            return  # twice 1.2 GB for the same in float64
        close(embedding, expected, 1e-4)
        close(net.double()(x.double()), expected, 1e-6)


@pytest.mark.parametrize("name", EMBEDDING)
def test_keys_of_the_embedding_networks(name):
    """Every published key has a place in our network, of the published shape, or belongs to the classifier."""
    oracle = Oracle(name)
    empty = {key: torch.empty(shape, device="meta") for key, shape in oracle.shapes.items()}
    kind = checkpoints.KINDS[checkpoints.recognise(empty)]
    with torch.device("meta"):
        ours = kind.build(**kind.options).state_dict()
    names = {checkpoints._theirs(key, kind.modules): tensor for key, tensor in ours.items()}
    dropped = {key for key in empty if key.rpartition(".")[0] in kind.classifier}
    assert names.keys() == empty.keys() - dropped
    for key, tensor in names.items():
        assert tensor.numel() == empty[key].numel()
        assert str(tensor.dtype) == "torch." + oracle.dtypes[key]
        assert tuple(tensor.shape) == oracle.shapes[key][: tensor.dim()]


@pytest.fixture(scope="module")
def mobilefacenet(shared):
    path = shared / "weights" / "mobilefacenet.pt"
    if not path.is_file():
        pytest.skip("no ../shared/weights/mobilefacenet.pt")
    return networks.load(path)


def small(path, box, size):
    """A crop by Pillow's own resizing, as the oracles' input was made: uint8 (3, size, size)."""
    image = Image.open(path).convert("RGB").crop(box).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def test_mobilefacenet_on_real_faces(shared, mobilefacenet):
    # embeddings of real faces stay where the faces are
    stored = np.load(shared / "oracles/compat/mobilefacenet_foamliu.npz", allow_pickle=False)
    box = tuple(int(x) for x in stored["real_crop_box_left_top_right_bottom"])
    for kind in ("photo", "sketch"):
        paths = [shared / "data" / "cuhk" / str(name) for name in stored[f"real_{kind}_files"]]
        images = torch.stack([small(path, box, 112) for path in paths])
        x = networks.as_input(mobilefacenet, images)
        assert torch.allclose(
            x.flatten(1)[:, :32].double(), torch.from_numpy(stored[f"real_{kind}_input_first32"]), atol=1e-5
        )
        with torch.no_grad():
            embedding = mobilefacenet(x)
        close(embedding.norm(dim=1), torch.from_numpy(stored[f"real_{kind}_norm"]), 1e-4)
        close(verification.unit(embedding), torch.from_numpy(stored[f"real_{kind}_emb_f64"]), 1e-4)


def test_mobilefacenet_matches_real_sketches(shared, mobilefacenet):
    faces = cuhk.load(shared / "data" / "cuhk", size=112, seed=0)
    probe, gallery = (verification.embed(mobilefacenet, x, progress=False) for x in (faces.sketches, faces.photos))
    rank = verification.ranks(probe, gallery, torch.arange(len(probe)))
    assert verification.rank_k(rank, 1) == pytest.approx(0.67, abs=0.01)  # 0.676 with Pillow's resizing
    assert verification.rank_k(rank, 5) == pytest.approx(0.89, abs=0.01)
