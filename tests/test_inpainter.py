"""The learned inpainter: blind to what is hidden, decided by its seed, trained on from where it was."""

import pytest
import torch

from gweebp import weights
from gweebp.files import read_tensors
from gweebp.preparation import inpainter, practice
from gweebp.preparation.inpaint import fill
from gweebp.preparation.inpainter_training import Recipe, fit, holes

TINY = {"steps": 4, "batch": 2}


@pytest.fixture(scope="module")
def faces():
    return practice.draw(4, 96)


@pytest.fixture(scope="module")
def net():
    net = inpainter.build(width=0.125, size=64, seed=0)
    with torch.no_grad():
        net.generator.out4.conv1.module.bias.fill_(0.1)
    return net.eval()


def test_what_is_hidden_makes_no_difference(net, faces):
    masks = faces.photo_parts == 3  # noses
    filled = fill(faces.photos, masks, net, seed=1)
    assert torch.equal(filled.movedim(1, -1)[~masks], faces.photos.movedim(1, -1)[~masks])
    hidden = faces.photos.masked_fill(masks[:, None], 255)
    assert torch.equal(filled, fill(hidden, masks, net, seed=1))


def test_what_is_visible_does(net, faces):
    masks = faces.photo_parts == 3
    brighter = (faces.photos // 2 + 100).where(~masks[:, None], faces.photos)
    before, after = fill(faces.photos, masks, net, seed=1), fill(brighter, masks, net, seed=1)
    assert (before != after).any(1)[masks].float().mean() > 0.5


def test_seeds_decide_the_filling_and_batches_do_not(net, faces):
    masks = faces.photo_parts == 5
    first, again, other = (fill(faces.photos, masks, net, seed=s) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first != other).any(1)[masks].float().mean() > 0.1
    mixed = fill(faces.photos, masks, net, seed=[2, 1, 1, 2], batch=3)
    near = (mixed.int() - torch.stack([other[0], first[1], first[2], other[3]]).int()).abs().max()
    assert near <= 1  # a batch sums in another order
    with pytest.raises(ValueError, match="one seed, or 4, one an image, got 2"):
        fill(faces.photos, masks, net, seed=[1, 2])


def test_completing_leaves_the_network_as_it_was(net, faces):
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    net.train()
    net.complete(faces.photos, faces.photo_parts == 3, [0] * 4)
    assert net.training
    net.eval()
    assert all(torch.equal(before[key], tensor) for key, tensor in net.state_dict().items())


def test_training_that_was_interrupted_ends_as_one_that_was_not(faces, tmp_path):
    whole, parts = (inpainter.build(width=0.125, size=96, seed=0) for _ in range(2))
    fit(whole, faces.photos, faces.photo_parts, out=tmp_path / "whole.safetensors", progress=False, **TINY)
    snapshot = tmp_path / "snapshot.safetensors"
    _interrupted(parts, faces, snapshot, tmp_path)
    again = inpainter.build(width=0.125, size=96, seed=1)  # the snapshot decides, not the weights
    out = tmp_path / "again.safetensors"
    record = fit(again, faces.photos, faces.photo_parts, out=out, snapshot=snapshot, progress=False, **TINY)
    assert record["recipe"]["steps"] == 4
    for key, tensor in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], tensor, msg=key)
    assert all(torch.equal(tensor, read_tensors(out)[0].get(key, tensor)) for key, tensor in again.state_dict().items())


def _interrupted(net, faces, snapshot, folder):
    from gweebp.preparation import inpainter_training

    class StopError(Exception):
        pass

    steps, original = [], inpainter_training._Stepper.step

    def step(self, *arguments):
        if len(steps) == 3:
            raise StopError
        steps.append(1)
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inpainter_training._Stepper, "step", step)
        patch.setattr(inpainter_training, "SAVE_EVERY", 2)
        out = folder / "never.safetensors"
        with pytest.raises(StopError):
            fit(net, faces.photos, faces.photo_parts, out=out, snapshot=snapshot, progress=False, **TINY)
    assert snapshot.is_file()
    assert not out.exists()


def test_a_snapshot_of_another_training_is_refused(faces, tmp_path):
    net = inpainter.build(width=0.125, size=96)
    snapshot = tmp_path / "snapshot.safetensors"
    _interrupted(net, faces, snapshot, tmp_path)
    with pytest.raises(ValueError, match="another training"):
        fit(net, faces.photos, faces.photo_parts, out=tmp_path / "n", snapshot=snapshot, steps=4, batch=1)


def test_holes_are_parts_and_boxes(faces):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([holes(faces.photo_parts, generator, dilate=0) for _ in range(20)])
    labels = faces.photo_parts.repeat(20, 1, 1)
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
    with pytest.raises(ValueError, match="lr must be positive"):
        Recipe(lr=0)
    with pytest.raises(ValueError, match=r"expected images \(n, 3, 64, 64\)"):
        fit(inpainter.build(0.125, 64), faces.photos, faces.photo_parts, out=tmp_path / "x.safetensors")
