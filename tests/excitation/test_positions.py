"""A map sits where the network looked: the cell that sees a bright pixel is drawn over it, whatever the layers are."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp import networks
from gweebp.excitation.places import fields
from gweebp.excitation.positions import positions
from gweebp.saliency import in_place
from gweebp.support.positions import Positions, PositionWarning, placed


def ones(net: nn.Module) -> nn.Module:
    """The network with all weights one, no biases, and batch norms that change nothing."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.fill_(1)
                if module.bias is not None:
                    module.bias.fill_(0)
    return net.eval()


class Residual(nn.Module):
    """A block of stride s and its projection, as residual networks have it."""

    def __init__(self, c: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(c, c, 3, stride, 1), nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, c, 3, 1, 1)
        )
        self.outer = nn.Conv2d(c, c, 1, stride)

    def forward(self, x):
        return F.relu(self.inner(x) + self.outer(x))


class ChannelsLast(nn.Module):
    """What works per place, in the layout (b, h, w, c) and as tokens, and back."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(c), nn.Linear(c, c)

    def forward(self, x):
        b, c, h, w = x.shape
        y = self.norm(x.permute(0, 2, 3, 1)).reshape(b, h * w, c)
        return x + self.linear(y).transpose(1, 2).view(b, c, h, w)


class Shuffle(nn.Module):
    """Channels in another order, through five axes, as ShuffleNet has it."""

    def forward(self, x):
        b, c, h, w = x.shape
        return x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


class Moved(nn.Module):
    """An operation on maps (b, 2, h, w) that is not a module."""

    def __init__(self, name: str, run) -> None:
        super().__init__()
        self.name, self.run = name, run

    def forward(self, x):
        return self.run(x)

    def extra_repr(self) -> str:
        return self.name


BLUR = torch.tensor([1.0, 3.0, 3.0, 1.0]).outer(torch.tensor([1.0, 3.0, 3.0, 1.0]))[None, None].expand(2, 1, 4, 4)
SHIFT = torch.zeros(2, 1, 3, 5).index_fill_(3, torch.tensor(4), 1.0)  # reads the right end of its window


def moved(name: str, n: int) -> nn.Module:
    def even(x):
        return x[..., : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]

    def blur(x):
        return F.conv2d(F.pad(x, (1, 2, 1, 2), "replicate"), BLUR.to(x), stride=2, groups=2)

    def space_to_depth(x):
        return torch.cat([x[..., i::2, j::2] for x in [even(x)] for i in (0, 1) for j in (0, 1)], 1)

    runs = {
        "crop": lambda x: x[:, :, n:, : x.shape[3] - n],
        "every other": lambda x: x[:, :, n % 2 :: 2],
        "roll": lambda x: x.roll(0, 2).narrow(3, n, x.shape[3] - n),
        "unshuffle": lambda x: F.pixel_unshuffle(even(x), 2).unflatten(1, (2, 4)).mean(2),
        "space to depth": lambda x: space_to_depth(x).unflatten(1, (4, 2)).mean(1),
        "blur": blur,
        "shift": lambda x: F.conv2d(x, SHIFT.to(x), groups=2),
        "unfold": lambda x: x.unfold(2, 3, 2).unfold(3, 3, 2).mean((4, 5)),
        "einsum": lambda x: torch.einsum("bchw,cd->bdhw", x, torch.ones(2, 2).to(x)),
    }
    return Moved(name, runs[name])


@st.composite
def layers(draw) -> list[nn.Module]:
    """One to four layers that move centres, with others between; channels stay 2."""
    found: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 4))):
        kernel, stride, dilation = draw(st.integers(1, 7)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        reach = dilation * (kernel - 1)
        kind = draw(
            st.sampled_from("conv conv depthwise avg max residual up pad shuffle nhwc moved moved moved".split())
        )
        if kind in ("conv", "depthwise"):
            padding = draw(st.integers(0, (reach + 1) // 2 + 1))
            groups = 2 if kind == "depthwise" else 1
            found.append(nn.Conv2d(2, 2, kernel, stride, padding, dilation, groups))
        elif kind == "avg":
            found.append(nn.AvgPool2d(max(kernel, 2), stride, draw(st.integers(0, max(kernel, 2) // 2))))
        elif kind == "max":
            k = max(kernel, 2)
            found.append(nn.MaxPool2d(k, stride, draw(st.integers(0, k // 2)), ceil_mode=draw(st.booleans())))
        elif kind == "residual":
            found.append(Residual(2, stride))
        elif kind == "up":
            found.append(nn.Upsample(scale_factor=2, mode="bilinear"))
        elif kind == "pad":
            found.append(nn.ZeroPad2d((draw(st.integers(0, 3)), 1, draw(st.integers(0, 3)), 2)))
        elif kind == "moved":
            names = "crop,every other,roll,unshuffle,space to depth,blur,shift,unfold,einsum".split(",")
            found.append(moved(draw(st.sampled_from(names)), draw(st.integers(0, 3))))
        else:
            found.append(Shuffle() if kind == "shuffle" else ChannelsLast(2))
        found.append(draw(st.sampled_from([nn.ReLU(), nn.Identity(), nn.BatchNorm2d(2), nn.Hardtanh(0, 1e9)])))
    return found


def centres_by_differentiation(body: nn.Module, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(rows, columns, whole): the mean place of the pixels that each cell reads, and which cells read no border.

    Each maximum is taken for a mean, each other layer for the sum of what it reads: convolutions have equal weights.
    """
    averages = nn.Sequential(*(mean_of(layer) for layer in body))
    y, x = torch.meshgrid(torch.arange(size).double(), torch.arange(size).double(), indexing="ij")
    planes = torch.stack([torch.ones_like(y), y, x])[:, None].expand(3, 2, size, size)
    border = torch.zeros(1, 2, size, size, dtype=torch.float64)
    border[..., [0, -1], :] = border[..., [0, -1]] = 1
    with torch.no_grad():
        one, rows, columns = averages(planes)[:, 0]
        touched = averages(border)[0, 0]
    inner = torch.zeros_like(one, dtype=torch.bool)  # up-sampling repeats what lies at the border
    inner[one.shape[0] // 4 : -(one.shape[0] // 4) or None, one.shape[1] // 4 : -(one.shape[1] // 4) or None] = True
    return rows / one, columns / one, (one == one.max()) & (touched == 0) & inner  # nothing padded, nothing cut off


def mean_of(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.MaxPool2d):
        return nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode).double()
    if isinstance(layer, (ChannelsLast, nn.BatchNorm2d)):
        return nn.Identity()  # nothing moves
    if isinstance(layer, Residual):
        return layer.outer  # the sharper of the two ways
    return layer


@settings(max_examples=60)
@given(layers())
def test_centres_are_the_mean_places_of_what_a_cell_reads(body):
    size = 61
    net = ones(nn.Sequential(*body)).double()
    image = torch.zeros(1, 2, size, size, dtype=torch.float64)
    try:
        shape = net(image).shape
    except RuntimeError:
        reject()  # a window larger than what is left
    assume(min(shape[2:]) >= 1)
    whole_net = nn.Sequential(net, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    where = positions(whole_net, image, "0")
    assert not where.note
    rows, columns, whole = centres_by_differentiation(net, size)
    assume(whole.any())
    i, j = torch.meshgrid(*(torch.arange(n).double() for n in shape[2:]), indexing="ij")
    for first, step, index, expected in zip(where.first, where.step, (i, j), (rows, columns)):
        gap = (first + step * index - expected)[whole].abs()
        assert gap.max() < 1e-6


@pytest.mark.parametrize("pixel", [(64, 64), (60, 68), (71, 57)])
@pytest.mark.parametrize("name", ["mobilefacenet", "iresnet18", "vgg16", "lcnn9", "vit"])
def test_a_bright_pixel_is_found_where_it_is(name, pixel):
    net = networks.build(name, seed=0, width=0.05, size=128).eval()
    layer = {"mobilefacenet": "features.11", "iresnet18": "features.layer3"}.get(name, net.saliency_layer)
    seen = []
    ones(net).get_submodule(layer).register_forward_hook(lambda module, args, output: seen.append(output))
    dark = torch.zeros(1, net.channels, 128, 128)
    bright = dark.clone()
    bright[0, :, pixel[0], pixel[1]] = 1
    with torch.no_grad():
        net(torch.cat([dark, bright]))
    cells = (seen[0][1] - seen[0][0]).abs().sum(0)[None]
    at_image = gweebp.resize(cells, 128, net=net, layer=layer)[0]
    brightest = (at_image >= at_image.max() * (1 - 1e-5)).nonzero().double().mean(0)
    step = 128 / cells.shape[-1]
    assert (brightest - torch.tensor(pixel)).abs().max() <= step / 2


@pytest.mark.parametrize(
    "larger",
    [
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ConvTranspose2d(2, 2, 2, 2),
        nn.ConvTranspose2d(2, 2, 4, 2, 1),
        Moved("pixel_shuffle", lambda x: F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2)),
        Moved("by hand", lambda x: x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).flatten(4, 5).flatten(2, 3)),
        Moved("repeated", lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3)),
    ],
    ids=lambda layer: type(layer).__name__ + getattr(layer, "name", getattr(layer, "mode", "")),
)
def test_what_is_enlarged_lies_where_it_was(larger):
    """Two cells for one, half a cell to the left and to the right of it."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), larger, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    where = positions(net, torch.zeros(1, 1, 28, 24), "1")
    assert (where.first, where.step, where.note) == ((-0.5, -0.5), (1.0, 1.0), "")


def test_what_a_network_turns_or_can_not_be_followed_is_on_the_plain_grid_with_a_note():
    def seen(run, size=16):
        net = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), Moved("", run), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return positions(net, torch.zeros(1, 1, size, size), "1")

    turned = seen(lambda x: x.mT)
    assert turned == Positions.plain((8, 8), (16, 16), turned.note) and "the same place" in turned.note
    torn = seen(lambda x: torch.from_numpy(x.numpy().copy()))
    assert torn.is_plain and "can't be followed" in torn.note
    odd = seen(lambda x: torch.fft.irfft2(torch.fft.rfft2(x)[..., :3, :], s=(5, 5)))
    assert odd.is_plain and odd.note
    irregular = seen(lambda x: x[:, :, [0, 1, 2, 7]], 16)
    assert irregular.is_plain and "equal distances" in irregular.note


def test_a_map_drawn_where_its_cells_are_not_known_to_look_is_told():
    class Torn(nn.Module):
        def forward(self, x):
            return torch.from_numpy(x.detach().numpy().copy())

    net = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), Torn(), nn.Flatten(), nn.Linear(128, 2))
    maps, image = torch.rand(1, 8, 8), torch.zeros(1, 1, 16, 16)
    with pytest.warns(PositionWarning, match="stretched over the image: it is not known where"):
        drawn = gweebp.resize(maps, 16, net=net, layer="1")
    assert torch.equal(drawn, gweebp.resize(maps, 16))
    with pytest.warns(PositionWarning):
        assert in_place(maps, net, image, layer="1") is maps
    assert gweebp.resize(maps, 16, net=net, layer="0").shape == (1, 16, 16)


def test_positions_are_written_and_read_back():
    where = Positions((3, 4), (30, 40), (0.5, -1.0), (10.0, -10.0), "why")
    assert Positions.of_json(json.loads(json.dumps(where.to_json()))) == where
    with pytest.raises(ValueError, match="expected at least one cell"):
        Positions((0, 4), (30, 40), (0.5, 0.5), (10.0, 10.0))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(4, 30), st.integers(4, 30))
def test_the_plain_grid_is_drawn_as_interpolate_draws_it(h, w, height, width):
    """Also where the positions are given, and a hair away from it the picture is a hair away."""
    maps = torch.rand(2, h, w, generator=torch.Generator().manual_seed(0)).double()
    where = Positions.plain((h, w), (height, width))
    wanted = F.interpolate(maps[:, None], (height, width), mode="bilinear")[:, 0]
    assert torch.equal(placed(maps, (height, width), where), wanted)
    near = dataclasses.replace(where, first=(where.first[0] + 1e-5, where.first[1] + 1e-5))
    torch.testing.assert_close(placed(maps, (height, width), near), wanted, rtol=0, atol=1e-3)


def test_half_a_cell_is_what_a_stretched_map_is_off():
    net = ones(nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.Conv2d(1, 1, 3, 2, 1), nn.Flatten(), nn.Linear(64, 2)))
    cell = torch.zeros(1, 8, 8)
    cell[0, 3, 5] = 1
    plain, right = gweebp.resize(cell, 32), gweebp.resize(cell, 32, net=net, layer="1")
    rows, columns = torch.arange(32.0), torch.arange(32.0)
    centre = [[(m[0].sum(1) * rows).sum().item(), (m[0].sum(0) * columns).sum().item()] for m in (plain, right)]
    assert centre[1] == pytest.approx([12, 20])
    assert centre[0] == pytest.approx([13.5, 21.5])  # (step − 1)/2 too far


@pytest.mark.parametrize("name", ["vgg16", "lcnn9"])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_networks_on_the_usual_grid_are_drawn_as_before_to_the_bit(name, mode):
    net = networks.build(name, seed=0, width=0.05, size=64).eval()
    maps = torch.rand(2, *[4 if name == "vgg16" else 8] * 2)
    assert torch.equal(gweebp.resize(maps, 64, net=net, mode=mode), gweebp.resize(maps, 64, mode=mode))


def test_the_map_of_a_mirrored_image_is_the_mirrored_map():
    """About the true centres; stretched, the two are half a cell apart on each side."""
    size = (29, 29)  # the centres of 8 cells, 0 to 28, are symmetric in it
    where = Positions((8, 8), size, (0.0, 0.0), (4.0, 4.0))
    maps = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(placed(maps.flip(2), size, where), placed(maps, size, where).flip(2))


def test_a_network_is_left_as_it_was_and_a_layer_may_be_a_module():
    net = networks.build("mobilefacenet", seed=0, width=0.05, size=64).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    image = torch.rand(2, 3, 64, 64)
    assert positions(net, image, "features.11") == positions(net, image[:1], "features.11")
    assert net.training and all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    maps = torch.rand(1, 8, 8)
    by_module = gweebp.resize(maps, 64, net=net, layer=net.features[13])
    assert torch.equal(by_module, gweebp.resize(maps, 64, net=net, layer="features.11"))
    with pytest.raises(ValueError, match="no layer 'a ReLU' in the network"):
        gweebp.resize(maps, 64, net=net, layer=nn.ReLU())


@pytest.mark.parametrize("name", ["mobilefacenet", "iresnet18", "vit", "lcnn9"])
def test_places_in_float32_are_those_in_float64(monkeypatch, name):
    """As on devices that have no float64."""
    net = networks.build(name, seed=0, width=0.05, size=64).eval()
    image = torch.rand(1, net.channels, 64, 64)
    exact = positions(net, image)
    monkeypatch.setattr(fields, "real", lambda like: torch.float32)
    seen = []
    monkeypatch.setattr(fields, "of_images", lambda x, made=fields.of_images: seen.append(made(x)) or seen[-1])
    rounded = positions(net, image)
    assert seen[0].row.dtype == torch.float32
    assert rounded.grid == exact.grid and rounded.note == exact.note
    assert (*rounded.first, *rounded.step) == pytest.approx((*exact.first, *exact.step), abs=1e-3)


def test_what_has_no_map_has_no_positions():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with pytest.raises(ValueError, match=r"layer '0'.*has no spatial map"):
        positions(net, torch.zeros(1, 1, 4, 4), "0")
