"""The learned inpainter: blind to what is hidden, decided by its seed, trained on from where it was."""

from pathlib import Path

import pytest
import torch

from gweebp.faces import PARTS
from gweebp.faces.preparation import inpainter, parser_training
from gweebp.faces.preparation.holes import holes
from gweebp.faces.preparation.inpaint import fill
from gweebp.faces.preparation.inpainter_training import Recipe, fit
from gweebp.faces.preparation.parse import dilate
from gweebp.faces.preparation.quality import hole_error
from gweebp.networks import weights
from gweebp.support import files

SHIPPED = Path(__file__).parents[3] / "data/checkpoints/inpainter.safetensors"


@pytest.fixture(scope="module")
def faces():
    """Photos uint8 (4, 3, 96, 96), parts uint8 (4, 96, 96)."""
    return parser_training.faces("photo", 4, 96, seed=7)


@pytest.fixture(scope="module")
def net():
    net = inpainter.build(width=0.125, size=64, seed=0)
    with torch.no_grad():
        net.generator.out4.conv1.module.bias.fill_(0.1)
    return net.eval()


def test_what_is_hidden_makes_no_difference(net, faces):
    masks = faces[1] == 3  # noses
    filled = fill(faces[0], masks, net, seed=1)
    assert torch.equal(filled.movedim(1, -1)[~masks], faces[0].movedim(1, -1)[~masks])
    hidden = faces[0].masked_fill(masks[:, None], 255)
    assert torch.equal(filled, fill(hidden, masks, net, seed=1))


def test_what_is_visible_does(net, faces):
    masks = faces[1] == 3
    brighter = (faces[0] // 2 + 100).where(~masks[:, None], faces[0])
    before, after = fill(faces[0], masks, net, seed=1), fill(brighter, masks, net, seed=1)
    assert (before != after).any(1)[masks].float().mean() > 0.5


def test_seeds_decide_the_filling_and_batches_do_not(net, faces):
    masks = faces[1] == 5
    first, again, other = (fill(faces[0], masks, net, seed=s) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first != other).any(1)[masks].float().mean() > 0.1
    mixed = fill(faces[0], masks, net, seed=[2, 1, 1, 2], batch=3)
    near = (mixed.int() - torch.stack([other[0], first[1], first[2], other[3]]).int()).abs().max()
    assert near <= 1  # a batch sums in another order
    with pytest.raises(ValueError, match="one seed, or 4, one an image, got 2"):
        fill(faces[0], masks, net, seed=[1, 2])


def test_completing_leaves_the_network_as_it_was(net, faces):
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    net.train()
    net.complete(faces[0], faces[1] == 3, [0] * 4)
    assert net.training
    net.eval()
    assert all(torch.equal(before[key], tensor) for key, tensor in net.state_dict().items())


def test_training_writes_what_it_trained(faces, tmp_path):
    net, out = inpainter.build(width=0.0625, size=96, seed=0), tmp_path / "net.safetensors"
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    record = fit(net, *faces, out=out, snapshot=tmp_path / "snapshot.safetensors", steps=2, batch=2, progress=False)
    assert (record["recipe"]["steps"], record["images"]) == (2, 4)
    assert files.read_tensors(out)[1]["record"] == record
    loaded = inpainter.load(out)
    for key, tensor in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)
        assert key.endswith(("alpha", "gamma")) or not torch.equal(before[key], tensor), f"{key} was not trained"


def test_holes_are_parts_and_boxes(faces):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([holes(faces[1], generator, widest=0) for _ in range(20)])
    labels = faces[1].repeat(20, 1, 1)
    one_part = torch.tensor([len(face[mask].unique()) == 1 for face, mask in zip(labels, drawn, strict=True)])
    assert 0.4 < one_part.float().mean() < 0.75
    shares = drawn.flatten(1).float().mean(1)
    assert shares.min() > 0
    assert shares.max() < 0.5
    nothing = torch.full((1, 32, 32), 255, dtype=torch.uint8)
    assert holes(nothing, generator).any()


def test_files_of_ours_and_the_published_pair_load(net, tmp_path):
    weights.save(net, tmp_path / "net.safetensors", {"note": 1})
    loaded = inpainter.load(tmp_path / "net.safetensors")
    assert loaded.config == {"width": 0.125, "size": 64}
    assert not loaded.training
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), net.state_dict().values(), strict=True))
    whole = inpainter.build()
    torch.save(whole.encoder.state_dict(), tmp_path / "latest_net_E.pth")
    with pytest.raises(FileNotFoundError, match=r"\*net_G\.pth, it holds 0"):
        inpainter.load(tmp_path)
    torch.save(whole.generator.state_dict(), tmp_path / "latest_net_G.pth")
    published = inpainter.load(tmp_path)
    assert published.size == 256
    assert torch.equal(published.generator.attn1.gamma, whole.generator.attn1.gamma)
    with pytest.raises(ValueError, match="multiple of 32"):
        inpainter.build(size=100)


def test_numbers_out_of_range_are_refused(faces, tmp_path):
    with pytest.raises(ValueError, match="lr must be a number, above 0"):
        Recipe(lr=0)
    with pytest.raises(ValueError, match=r"expected images \(n, 3, 64, 64\)"):
        fit(inpainter.build(0.125, 64), faces[0], faces[1], out=tmp_path / "x.safetensors")


@pytest.mark.parametrize("look", ["photo", "composite"])
def test_the_inpainter_we_ship_knows_what_belongs_into_a_face(look):
    """On people that it has not seen: nearer to the truth than plain fillings, and another filling by seed."""
    net = inpainter.load(SHIPPED)
    images, labels = parser_training.faces(look, 10, 96, seed=2000)
    errors = {"mean": [], "telea": [], "net": []}
    for part in range(len(PARTS)):
        masks = dilate(labels == part, 2)
        first, second = (fill(images, masks, net, seed=seed) for seed in (0, 1))
        errors["net"].append(hole_error(first, images, masks))
        errors["mean"].append(hole_error(fill(images, masks, "mean"), images, masks))
        assert hole_error(first, second, masks) > 0.5
        errors["telea"].append(hole_error(fill(images, masks, "telea"), images, masks))
    assert sum(errors["net"]) < 0.75 * sum(errors["mean"])
    assert sum(errors["net"]) < sum(errors["telea"])  # by hair and skin: of small holes the rim tells as much
    assert files.read_tensors(SHIPPED)[1]["record"]["environment"]["command"].startswith("gweebp")
    assert SHIPPED.stat().st_size < 5e6
