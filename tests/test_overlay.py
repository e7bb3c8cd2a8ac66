"""The map over its image: what is salient is coloured, what is not is left, in the kind and layout that was given."""

import numpy as np
import pytest
import torch

import gweebp
from gweebp.overlay import colours

IMAGE = torch.full((3, 8, 6), 128, dtype=torch.uint8)
MAP = torch.zeros(4, 3)
MAP[3, 2] = 1


def test_colour_stands_where_the_map_does():
    shown = gweebp.overlay(IMAGE, MAP).int()
    spread = shown.amax(0) - shown.amin(0)  # 0 where grey
    assert spread[-1, -1] > 50
    assert (spread[:5] == 0).all()
    grey = round(255 * (0.35 + 0.65 * 128 / 255))
    assert (shown[:, :5] - grey).abs().max() <= 1


def test_the_most_salient_place_has_the_last_colour_and_the_opacity():
    flat = torch.ones(2, 2)
    full = gweebp.overlay(IMAGE, flat, opacity=1.0)
    assert full[:, 0, 0].tolist() == [120, 0, 40]
    none = gweebp.overlay(IMAGE, flat, opacity=0.0)
    assert torch.equal(none, gweebp.overlay(IMAGE, torch.zeros(2, 2)))
    half = gweebp.overlay(IMAGE, flat, opacity=0.5).float()
    assert ((half - (full.float() + none.float()) / 2).abs() <= 1).all()


def test_tensors_arrays_and_batches_agree():
    image = torch.randint(256, (3, 8, 6), dtype=torch.uint8, generator=torch.manual_seed(0))
    wanted = gweebp.overlay(image, MAP)
    assert wanted.dtype == torch.uint8 and wanted.shape == (3, 8, 6)
    array = gweebp.overlay(image.permute(1, 2, 0).numpy(), MAP.numpy())
    assert array.dtype == np.uint8 and np.array_equal(array, wanted.permute(1, 2, 0).numpy())
    assert torch.equal(gweebp.overlay(image / 255, MAP), wanted)
    two = gweebp.overlay(torch.stack([image, image.flip(2)]), torch.stack([MAP, MAP.flip(1)]))
    assert torch.equal(two[0], wanted) and torch.equal(two[1], wanted.flip(2))
    grey = torch.randint(256, (1, 8, 6), dtype=torch.uint8)
    assert torch.equal(gweebp.overlay(grey, MAP), gweebp.overlay(grey.expand(3, -1, -1), MAP))
    assert gweebp.overlay(grey[0].numpy(), MAP).shape == (8, 6, 3)


def test_the_scale_of_a_map_does_not_matter_and_nothing_given_is_changed():
    image, saliency = IMAGE.clone(), MAP.clone()
    assert torch.equal(gweebp.overlay(image, 1e-9 * saliency), gweebp.overlay(image, saliency))
    assert torch.equal(image, IMAGE) and torch.equal(saliency, MAP)


def test_colours_darken_and_grow_opaque():
    scale = colours()
    assert (np.diff(scale[:, :3] @ np.array([0.299, 0.587, 0.114])) < 0).all()  # so it reads in grey print
    assert (np.diff(scale[:, 3]) >= 0).all() and scale[0, 3] == 0 and scale[-1, 3] == 0.78


@pytest.mark.parametrize(
    ("image", "saliency", "message"),
    [
        (IMAGE[:2], MAP, r"image has shape \(2, 8, 6\)"),
        (IMAGE.float(), MAP, "outside 0..1"),
        (IMAGE, -MAP, "negative"),
        (IMAGE, MAP / 0, "non-finite"),
        (IMAGE, MAP[None].expand(2, -1, -1), r"map has shape \(2, 4, 3\) for 1 images"),
        (IMAGE.numpy(), MAP, r"image has shape \(3, 8, 6\).*array \(h, w, 3\)"),
    ],
)
def test_what_does_not_fit_is_named(image, saliency, message):
    with pytest.raises(ValueError, match=message):
        gweebp.overlay(image, saliency)
    with pytest.raises(ValueError, match="opacity=2"):
        gweebp.overlay(IMAGE, MAP, opacity=2)


def test_a_map_is_laid_over_what_its_cells_look_at():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3, 2, 1), torch.nn.Flatten(), torch.nn.Linear(24, 2))
    one = torch.zeros(4, 3)
    one[1, 2] = 1
    image = IMAGE[:, :8, :6]
    at_image = gweebp.resize(one[None], (8, 6), net=net, layer="0")[0]
    wanted = gweebp.overlay(image, at_image)
    assert torch.equal(gweebp.overlay(image, one, net=net, layer="0"), wanted)
    where = gweebp.positions(net, torch.zeros(1, 3, 8, 6), "0")
    assert torch.equal(gweebp.overlay(image, one, positions=where), wanted)
    assert not torch.equal(gweebp.overlay(image, one), wanted)
    array = gweebp.overlay(image.permute(1, 2, 0).numpy(), one.numpy(), net=net, layer=net[0])
    assert torch.equal(torch.from_numpy(array).permute(2, 0, 1), wanted)
    with pytest.raises(ValueError, match=r"the maps are 3 × 3 cells, but the layer gives 4 × 3 of an image 8 × 6"):
        gweebp.overlay(image, torch.ones(3, 3), net=net, layer="0")
    with pytest.raises(TypeError, match="overlay has no argument 'nets'"):
        gweebp.overlay(image, one, nets=net)
