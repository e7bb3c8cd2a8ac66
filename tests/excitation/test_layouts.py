"""Layers with tokens or channels last: every method works on them, and the grid is the image's."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp.excitation.layers import named_layer, spatial_layers
from gweebp.excitation.layouts import Layer, Layout, layout_of


class Rearranged(nn.Module):
    """Convolutions whose middle part works on another layout of the same numbers."""

    def __init__(self, kind: str, before: int = 0, after: int = 0, follows: bool = True) -> None:
        super().__init__()
        self.kind, self.before, self.after, self.follows = kind, before, after, follows
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 4, 4), nn.ReLU())
        self.middle, self.mixed = nn.Identity(), nn.Linear(6, 6)
        self.head = nn.Linear(6, 5)
        self.extra = nn.Parameter(torch.randn(1, before + after, 6))

    def forward(self, x):
        y = self.stem(x)
        b, c, h, w = y.shape
        if not self.follows:  # through an operation that the positions do not follow
            y = torch.gather(y.flatten(), 0, torch.arange(y.numel())).view(b, c, h, w)
        if self.kind == "first":
            return self.head(self.mixed(self.middle(y).permute(0, 2, 3, 1)).relu().mean((1, 2)))
        if self.kind == "last":
            return self.head(self.mixed(self.middle(y.permute(0, 2, 3, 1))).relu().mean((1, 2)))
        tokens = y.flatten(2).transpose(1, 2)
        first, last = self.extra.expand(b, -1, -1).split([self.before, self.after], 1)
        tokens = self.middle(torch.cat([first, tokens, last], 1) if self.before + self.after else tokens)
        places = tokens[:, self.before : tokens.shape[1] - self.after]
        return self.head(self.mixed(places).relu().mean(1))


def made(kind: str, **options) -> nn.Module:
    torch.manual_seed(0)
    return Rearranged(kind, **options).eval()


KINDS = [("first", 0, 0), ("last", 0, 0), ("tokens", 0, 0), ("tokens", 1, 0), ("tokens", 1, 4), ("tokens", 0, 2)]


@pytest.mark.parametrize("method", ["ebp", "ecebp", "gweebp", "gradcam"])
@pytest.mark.parametrize(("kind", "before", "after"), KINDS)
def test_a_layout_changes_no_map(kind, before, after, method):
    probe, noise, nonmate = torch.rand(3, 2, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    mate = probe + 0.1 * noise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = gweebp.explain(made("first"), probe, mate, nonmate, method=method, layer="middle")
        net = made(kind, before=before, after=after)
        found = gweebp.explain(net, probe, mate, nonmate, method=method, layer="middle")
    assert found.shape == (2, 4, 6)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@given(st.integers(2, 9), st.integers(2, 9), st.sampled_from(KINDS))
def test_the_grid_is_read_off_the_forward_pass(h, w, kind):
    """Also where sizes alone would allow another one: 6 channels beside 6 rows, square grids, any number of tokens."""
    name, before, after = kind
    net = made(name, before=before, after=after)
    layout = layout_of(net, torch.zeros(1, 3, 4 * h, 4 * w), "middle")
    assert layout == Layout(name, (h, w), before, after)


def test_where_sizes_leave_a_choice_the_error_offers_axes():
    net = made("tokens", before=1, follows=False)  # 17 tokens: 4x4 after one other
    image = torch.rand(1, 3, 16, 16)
    assert layout_of(net, image, "middle") == Layout("tokens", (4, 4), 1)
    net = made("tokens", follows=False)  # 9 tokens: 3x3, or 2x2 after five others
    small = torch.rand(1, 3, 12, 12)
    with pytest.raises(ValueError, match=r"say with axes= how its map lies, one of 'b c h w'"):
        layout_of(net, small, "middle")
    assert layout_of(net, small, Layer("middle", "b (h w) c")) == Layout("tokens", (3, 3))
    assert layout_of(net, small, Layer("middle", "b (5 h w) c")) == Layout("tokens", (2, 2), 5)


@pytest.mark.parametrize("axes", ["b h c w", "b (h w)", "(h w) c", "b (w h) c", 3])
def test_an_unknown_spelling_is_repeated(axes):
    with pytest.raises(ValueError, match=r"axes=.*expected one of 'b c h w', 'b h w c'"):
        gweebp.explain(made("tokens"), *torch.rand(3, 1, 3, 16, 24), layer="middle", axes=axes)


@pytest.mark.parametrize(("kind", "axes"), [("tokens", "b (7 h w) c"), ("tokens", "b h w c"), ("last", "b (h w) c")])
def test_axes_that_do_not_fit_are_told_with_the_shape(kind, axes):
    with pytest.raises(ValueError, match=r"axes='b .*' does not fit layer 'middle', which gives \(1, "):
        gweebp.explain(made(kind), *torch.rand(3, 1, 3, 16, 24), layer="middle", axes=axes)


def test_layers_are_listed_whatever_their_layout():
    net = made("tokens", before=1)
    assert spatial_layers(net, torch.rand(1, 3, 16, 24))["middle"] == (6, 4, 6)
    with pytest.raises(ValueError, match=r"'middle' \(6, 4, 6\)"):
        named_layer(net, "none", "saliency_layer", torch.rand(1, 3, 16, 24))


class Views(nn.Module):
    """The mean of an image's embedding and its mirror image's, as many face networks have it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 5))

    def forward(self, x):
        return self.inner(torch.cat([x, x.flip(3)])).view(2, len(x), -1).sum(0)


@pytest.mark.parametrize("b", [1, 2])
def test_views_folded_into_the_batch_are_told(b):
    images = torch.rand(3, b, 3, 8, 8)
    with pytest.raises(ValueError, match=r"gives a batch of 2 for one image.*Explain the module inside"):
        gweebp.explain(Views(), *images, layer="inner.0")


@pytest.mark.parametrize("container", [tuple, list, dict])
def test_a_tensor_in_a_container_is_found(container):
    class Wrapped(nn.Module):
        def forward(self, x):
            return {"map": x, "other": None} if container is dict else container([x, None])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.wrapped, self.fc = nn.Conv2d(3, 4, 3, padding=1), Wrapped(), nn.Linear(4 * 64, 5)

        def forward(self, x):
            found = self.wrapped(self.conv(x).relu())
            return self.fc((found["map"] if container is dict else found[0]).flatten(1))

    torch.manual_seed(0)
    net, images = Net(), torch.rand(3, 1, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.equal(
            *(gweebp.explain(net, *images, method="ebp", layer=layer) for layer in ("wrapped", "wrapped"))
        )
        assert gweebp.explain(net, *images, method="ebp", layer="wrapped").shape == (1, 8, 8)
