"""Fillings leave what lies outside the mask alone; plain ones know what they know; seams do not show."""

import sys

import pytest
import torch

from gweebp.faces import synthetic
from gweebp.faces.preparation.inpaint import PLAIN, fill
from gweebp.faces.preparation.seams import blend


@pytest.fixture(scope="module")
def drawn():
    world, people = synthetic.World("composite", 48, seed=0, error=0.4), torch.arange(4)
    return world.photos(people, world.people(people), masks=True)


@pytest.fixture(scope="module")
def sketches():
    world, people = synthetic.World("drawn", 64, seed=0, error=0.1), torch.arange(8)
    return world.sketches(people, world.people(people)).images


@pytest.mark.parametrize("method", PLAIN)
def test_plain_fillings_see_only_what_lies_outside_the_mask(drawn, method):
    masks = drawn.masks[:, 2] | drawn.masks[:, 4]  # eyes and mouth
    filled = fill(drawn.images, masks, method)
    assert torch.equal(filled.movedim(1, -1)[~masks], drawn.images.movedim(1, -1)[~masks])
    hidden = drawn.images.masked_fill(masks[:, None], 7)
    assert torch.equal(filled, fill(hidden, masks, method))
    assert (filled != drawn.images).any(1)[masks].float().mean() > 0.8


def test_telea_continues_a_slope_and_the_mean_does_not():
    image = torch.arange(0, 240, 10, dtype=torch.uint8).expand(1, 3, 24, 24).contiguous()
    masks = torch.zeros(1, 24, 24, dtype=torch.bool)
    masks[:, 8:14, 8:14] = True
    off = {name: (fill(image, masks, name).float() - image).abs().amax() for name in PLAIN}
    assert off["telea"] < 20
    assert off["navier-stokes"] < 20
    assert off["mean"] > 30


def test_an_empty_mask_and_no_images_change_nothing(drawn):
    none = torch.zeros(4, 48, 48, dtype=torch.bool)
    assert torch.equal(fill(drawn.images, none, "telea"), drawn.images)
    assert fill(drawn.images[:0], none[:0], "telea").shape == (0, 3, 48, 48)


def test_wrong_input_is_refused_with_what_was_expected(drawn):
    masks = drawn.masks[:, 2]
    with pytest.raises(TypeError, match=r"uint8 images and bool masks, got torch\.float32"):
        fill(drawn.images.float(), masks)
    with pytest.raises(ValueError, match=r"masks \(n, h, w\), got \(4, 3, 48, 48\) and \(3, 48, 48\)"):
        fill(drawn.images, masks[:3])
    with pytest.raises(ValueError, match=r"images \[1\] cover them whole"):
        fill(drawn.images, masks | (torch.arange(4) == 1)[:, None, None])
    with pytest.raises(ValueError, match="known: mean, telea, navier-stokes"):
        fill(drawn.images, masks, "patchmatch")


def test_without_opencv_the_error_says_what_to_install(drawn, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ModuleNotFoundError, match=r'cv2 is not installed; .*"gweebp\[inpaint\]"'):
        fill(drawn.images, drawn.masks[:, 2], "telea")
    assert fill(drawn.images, drawn.masks[:, 2], "mean").shape == drawn.images.shape


def box(size=64, low=20, high=44):
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[low:high, low:high] = True
    return mask


def steps_across(image, mask):
    """Mean absolute step between neighbours of which one lies inside the mask and one outside."""
    image = image.float().mean(0)
    across = [
        (image.diff(dim=d).abs(), mask[1:] != mask[:-1] if d == 0 else mask[:, 1:] != mask[:, :-1]) for d in (0, 1)
    ]
    return torch.cat([step[where] for step, where in across]).mean().item()


def test_blending_leaves_no_seam_where_pasting_does(sketches):
    mask = box()
    pasted, blended, original = [], [], []
    for picture, other in zip(sketches, sketches.roll(1, 0), strict=True):
        patch = (0.7 * other.float()).to(torch.uint8)  # a darker paper
        pasted.append(steps_across(torch.where(mask, patch, picture), mask))
        blended.append(steps_across(blend(picture, patch, mask), mask))
        original.append(max(steps_across(picture, mask), steps_across(other, mask)))
    assert sum(blended) <= sum(original)
    assert sum(pasted) > 1.5 * sum(original)


def test_blending_changes_nothing_outside_and_keeps_the_patch_inside(sketches):
    picture, other = sketches[:2]
    mask = box()
    result = blend(picture, other, mask)
    assert torch.equal(result[:, ~mask], picture[:, ~mask])
    inner = box(low=24, high=40)
    drawn = torch.stack([image.float().mean(0)[inner] for image in (result, other, picture)])
    correlation = torch.corrcoef(drawn)[0]
    assert correlation[1] > 0.9 > correlation[2]


def test_blending_solves_the_poisson_equation():
    """Inside, the result's Laplacian is the patch's; on the picture's edge, where nothing is known, it is free."""
    generator = torch.Generator().manual_seed(0)
    picture, patch = (torch.randint(100, 140, (3, 20, 20), dtype=torch.uint8, generator=generator) for _ in range(2))
    mask = torch.zeros(20, 20, dtype=torch.bool)
    mask[0:9, 4:15] = True  # touches the upper edge
    result = blend(picture, patch, mask).double()

    def laplacian(image):
        return torch.nn.functional.pad(image.double(), (1, 1, 1, 1), "replicate").unfold(1, 3, 1).unfold(2, 3, 1)

    kernel = torch.tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]).double()
    off = ((laplacian(result) - laplacian(patch)) * kernel).sum((3, 4))[:, mask]
    assert off.abs().max() <= 4  # five pixels, each rounded by at most a half, the middle one four times


def test_the_own_patch_gives_the_picture_back(sketches):
    assert torch.equal(blend(sketches[0], sketches[0], box()), sketches[0])
    nothing = torch.zeros(64, 64, dtype=torch.bool)
    assert torch.equal(blend(sketches[0], sketches[1], nothing), sketches[0])
    assert torch.equal(blend(sketches[0], sketches[1], ~nothing), sketches[1])


def test_blend_refuses_what_does_not_fit(sketches):
    with pytest.raises(ValueError, match=r"mask \(h, w\), got .* and \(32, 32\)"):
        blend(sketches[0], sketches[1], box(32, 8, 16))
    with pytest.raises(TypeError, match="bool mask"):
        blend(sketches[0], sketches[1], box().float())
