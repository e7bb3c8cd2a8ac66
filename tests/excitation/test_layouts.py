"""Layers with tokens, channels last, windows or views: every method works on them, and the grid is the image's."""

from __future__ import annotations

import warnings
from collections import namedtuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp.excitation.layers import named_layer, run_from, spatial_layers
from gweebp.excitation.places import axes as spelled
from gweebp.excitation.places import reading
from gweebp.excitation.taps import Layer, looked, patch_embedding


def torn(x: torch.Tensor) -> torch.Tensor:
    """The numbers in the reverse order, by something that no pass of ours sees."""
    return torch.from_numpy(x.detach().numpy()[:, :, ::-1, ::-1].copy())


def tokens(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(2).transpose(1, 2)


def windows(x: torch.Tensor) -> torch.Tensor:
    """(b, c, h, w) → (b · windows, 4, c), windows of 2 x 2 places."""
    b, c, h, w = x.shape
    return x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, c)


def unwindowed(y: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    b, c, h, w = shape
    return y.view(b, h // 2, w // 2, 2, 2, c).permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)


ORDER = torch.randperm(24, generator=torch.Generator().manual_seed(5))
LAYOUTS = {  # name → (to the layout, back to (b, c, h, w))
    "first": (lambda x: x, lambda y, s: y),
    "last": (lambda x: x.permute(0, 2, 3, 1), lambda y, s: y.permute(0, 3, 1, 2)),
    "tokens": (tokens, lambda y, s: y.transpose(1, 2).reshape(s)),
    "columns": (
        lambda x: x.permute(0, 3, 2, 1).flatten(1, 2),
        lambda y, s: y.unflatten(1, (s[3], s[2])).permute(0, 3, 2, 1),
    ),
    "sequence": (lambda x: tokens(x).transpose(0, 1), lambda y, s: y.permute(1, 2, 0).reshape(s)),
    "channels then tokens": (lambda x: x.flatten(2), lambda y, s: y.reshape(s)),
    "heads": (
        lambda x: tokens(x).unflatten(2, (2, 3)).transpose(1, 2),
        lambda y, s: y.transpose(1, 2).flatten(2).transpose(1, 2).reshape(s),
    ),
    "windows": (windows, unwindowed),
    "any order": (
        lambda x: tokens(x)[:, ORDER],
        lambda y, s: y[:, ORDER.argsort()].transpose(1, 2).reshape(s),
    ),
}


class Rearranged(nn.Module):
    """A network whose middle part works on another layout of the same numbers; 4 x 6 places of an image 16 x 24."""

    def __init__(self, layout: str = "first", before: int = 0, after: int = 0, seen: bool = True) -> None:
        super().__init__()
        self.to, self.back = LAYOUTS[layout]
        self.before, self.after, self.seen = before, after, seen
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 4, 4), nn.ReLU())
        self.middle, self.mixed = nn.Identity(), nn.Conv2d(6, 6, 3, padding=1)
        self.head, self.extra = nn.Linear(6, 5), nn.Parameter(torch.randn(1, before + after, 6))

    def forward(self, x):
        y = self.stem(x)
        y = y if self.seen else torn(y)
        moved = self.to(y)
        if self.before + self.after:
            first, last = self.extra.expand(len(x), -1, -1).split([self.before, self.after], 1)
            moved = torch.cat([first, moved, last], 1)
        moved = self.middle(moved)
        moved = moved[:, self.before : moved.shape[1] - self.after] if self.before + self.after else moved
        return self.head(self.mixed(self.back(moved, y.shape)).relu().mean((2, 3)))


def made(layout: str = "first", **options) -> nn.Module:
    torch.manual_seed(0)
    return Rearranged(layout, **options).eval()


def triplet(b: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    probe, noise, nonmate = torch.rand(3, b, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    return probe, probe + 0.1 * noise, nonmate


def quietly(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gweebp.explain(*args, **kwargs)


KINDS = [(name, 0, 0) for name in LAYOUTS] + [("tokens", 1, 0), ("tokens", 1, 4), ("tokens", 0, 2)]


@pytest.mark.parametrize("method", ["ebp", "gweebp", "gradcam", "pairwisesim"])
@pytest.mark.parametrize(("layout", "before", "after"), KINDS)
def test_a_layout_changes_no_map(layout, before, after, method):
    expected = quietly(made(), *triplet(), method=method, layer="middle")
    found = quietly(made(layout, before=before, after=after), *triplet(), method=method, layer="middle")
    assert found.shape == (2, 4, 6)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_batch_gives_what_single_calls_give_in_every_layout(layout):
    net, images = made(layout), triplet(3)
    single = [quietly(net, *(x[i : i + 1] for x in images), method="eebp", layer="middle") for i in range(3)]
    torch.testing.assert_close(quietly(net, *images, method="eebp", layer="middle"), torch.cat(single))


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 5), st.integers(0, 5))
def test_the_grid_is_found_also_where_sizes_allow_another(h, w, before, after):
    """6 channels beside 6 rows, square grids, any number of tokens around them."""
    net = made("tokens", before=before, after=after)
    how, where = looked(net, torch.zeros(1, 3, 4 * h, 4 * w), "middle")
    assert how.size == (h, w) == where.grid and where.is_plain
    assert torch.equal(how.index[0], before + torch.arange(h * w).view(h, w))
    assert how.fixed.tolist() == [*range(before), *range(before + h * w, before + h * w + after)]


def test_other_tokens_are_put_back_as_they_were():
    net, probe = made("tokens", before=1, after=2), triplet()[0]
    torch.testing.assert_close(run_from(net, probe, "middle")[1].detach(), net(probe).detach())


AXES = {
    "b c h w": "first",
    "b h w c": "last",
    "b (h w) c": "tokens",
    "b (w h) c": "columns",
    "(h w) b c": "sequence",
    "b c (h w)": "channels then tokens",
    "b n (h w) c": "heads",
    "b (h=4 w) c": "tokens",
    "b n=2 (h=4 w=6) c": "heads",
}


@pytest.mark.parametrize("axes", list(AXES))
def test_axes_can_be_said_and_need_no_pass_that_sees_all(axes):
    net = made(AXES[axes], seen=False)
    expected = quietly(made(seen=False), *triplet(), method="ebp", layer="middle", axes="b c h w")
    found = quietly(net, *triplet(), method="ebp", layer="middle", axes=axes)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert "not known" in gweebp.positions(net, triplet()[0], "middle", axes=axes).note


@settings(max_examples=30)
@given(
    st.permutations(["b", "c", "h", "w"]), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)
)
def test_a_spelled_reading_is_undone_by_putting_it_back(names, b, c, h, w):
    sizes = dict(b=b, c=c, h=h, w=w)
    x = torch.arange(b * c * h * w).view([sizes[name] for name in names]).float()
    how = spelled.reading(" ".join(names), tuple(x.shape), b, (h, w))
    maps, outside, fixed = how.split(x)
    assert torch.equal(maps, x.permute([names.index(name) for name in "bchw"]))
    assert torch.equal(how.joined(maps, outside, fixed, x), x) and not outside.numel()


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ("b h c", "does not name w"),
        ("(h w) c", "does not name b"),
        ("b h w h", "names h more than once"),
        ("b (1 c) h w", "a number stands beside h and w"),
        ("b h w c!", "can't read 'c!'"),
        ("b [h w] c", r"can't read '\[h'"),
        ("b h w c", "names 4 axes, but the layer's output has 3"),
        ("b (7 h w) c", "make no grid of an image"),
        ("b (h=5 w) c", "can't make up an axis of 24"),
        (3, "axes must be a string"),
    ],
)
def test_axes_that_do_not_fit_are_repeated(axes, said):
    with pytest.raises((ValueError, TypeError), match=said) as caught:
        gweebp.explain(made("tokens"), *triplet(), layer="middle", axes=axes)
    assert repr(axes) in str(caught.value) or axes == 3


def test_where_it_can_not_be_told_the_error_offers_axes():
    net = made("tokens", seen=False)
    images = torch.rand(3, 1, 3, 24, 24)  # 36 tokens of 6 channels: one grid
    assert quietly(net, *images, layer="middle").shape == (1, 6, 6)
    with pytest.raises(ValueError, match=r"15 tokens make no grid.*axes='b \(1 h w\) c'"):
        gweebp.explain(net, *torch.rand(3, 1, 3, 14, 22), layer="middle")


class Twice(nn.Module):
    """The mean of an image's embedding and its mirror image's: in one batch, in two calls, or as channels."""

    def __init__(self, how: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how = how
        self.conv, self.middle = nn.Conv2d(3, 4, 3, padding=1), nn.Identity()
        self.fc = nn.Linear(4 * 64, 5)

    def forward(self, x):
        if self.how == "batch":
            one, two = self.middle(self.conv(torch.cat([x, x.flip(3)])).relu()).chunk(2)
        elif self.how == "calls":
            one, two = (self.middle(self.conv(y).relu()) for y in (x, x.flip(3)))
        elif self.how == "in turn":
            one, two = (
                self.middle(self.conv(torch.stack([x, x.flip(3)], 1).flatten(0, 1)).relu())
                .view(-1, 2, 4, 8, 8)
                .unbind(1)
            )
        else:
            both = self.middle(torch.cat([self.conv(x).relu(), self.conv(x.flip(3)).relu().flip(3)], 1))
            one, two = both[:, :4], both[:, 4:].flip(3)
        return self.fc(one.flatten(1)) + self.fc(two.flatten(1))


@pytest.mark.parametrize("method", ["ebp", "eebp", "gweebp"])
@pytest.mark.parametrize("how", ["batch", "in turn"])
def test_views_in_a_batch_are_laid_over_one_another(how, method):
    probe, noise, nonmate = torch.rand(3, 2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    images = probe, probe + 0.1 * noise, nonmate
    expected = quietly(Twice("channels"), *images, method=method, layer="middle")
    torch.testing.assert_close(quietly(Twice(how), *images, method=method, layer="middle"), expected)


def test_a_layer_called_twice_is_told():
    with pytest.raises(ValueError, match=r"layer 'middle' was called 2 times.*explain the module inside"):
        gweebp.explain(Twice("calls"), *torch.rand(3, 1, 3, 8, 8), layer="middle")


class Crops(nn.Module):
    """The mean over two crops of each image."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))

    def forward(self, x):
        return self.inner(torch.cat([x[..., :6, :6], x[..., 1:7, 2:]])).view(2, len(x), -1).sum(0)


@pytest.mark.parametrize("b", [1, 2])
def test_views_of_other_places_are_told(b):
    with pytest.raises(ValueError, match=r"2 views of each image.*Explain the module inside"):
        gweebp.explain(Crops(), *torch.rand(3, b, 3, 8, 8), layer="inner.0")


Pair = namedtuple("Pair", "map other")


@pytest.mark.parametrize("kind", ["tuple", "list", "dict", "namedtuple"])
def test_a_tensor_in_a_container_is_found(kind):
    wrap = dict(
        tuple=lambda x: (x, None), list=lambda x: [x], dict=lambda x: {"map": x}, namedtuple=lambda x: Pair(x, 1)
    )

    class Wrapped(nn.Module):
        def forward(self, x):
            return wrap[kind](x)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.wrapped, self.fc = nn.Conv2d(3, 4, 3, padding=1), Wrapped(), nn.Linear(4 * 64, 5)

        def forward(self, x):
            found = self.wrapped(self.conv(x).relu())
            return self.fc((found["map"] if kind == "dict" else found[0]).flatten(1))

    images = torch.rand(3, 1, 3, 8, 8)
    found, expected = (quietly(Net(), *images, method="ebp", layer=layer) for layer in ("wrapped", "conv"))
    torch.testing.assert_close(found, F.relu(expected))


def test_a_container_of_several_tensors_is_told():
    class Two(nn.Module):
        def forward(self, x):
            return x, x.mean((2, 3))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.two, self.fc = Two(), nn.Linear(3, 5)

        def forward(self, x):
            return self.fc(self.two(x)[1])

    with pytest.raises(ValueError, match="the output of layer 'two' is 2 tensors: expected one"):
        gweebp.explain(Net(), *torch.rand(3, 1, 3, 8, 8), layer="two")


def test_layers_are_listed_whatever_their_layout():
    net, image = made("tokens", before=1), torch.rand(1, 3, 16, 24)
    assert spatial_layers(net, image) == {
        "stem.0": (6, 4, 6), "stem.1": (6, 4, 6), "stem": (6, 4, 6), "middle": (6, 4, 6), "mixed": (6, 4, 6)
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"'middle' \(6, 4, 6\)"):
        named_layer(net, "none", "saliency_layer", image)


class Transformer(nn.Module):
    """Patches by a linear layer, a class token, an encoder: no convolution, no saliency_layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.token = nn.Linear(3 * 16, 16), nn.Parameter(torch.randn(1, 1, 16))
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 1)

    def forward(self, x):
        y = self.patches(F.unfold(x, 4, stride=4).transpose(1, 2))
        return self.encoder(torch.cat([self.token.expand(len(y), -1, -1), y], 1))[:, 0]


def test_a_transformer_is_explained_at_its_patch_embedding():
    net = Transformer().eval()
    images = torch.rand(3, 1, 3, 16, 24)
    assert patch_embedding(net, images[0]) == "patches"
    assert quietly(net, *images, method="gradcam", layer="patches").shape == (1, 4, 6)
    assert gweebp.positions(net, images[0]).is_plain
    assert patch_embedding(made(), images[0]) is None  # without an attention there is no such default
    how, where = looked(net, images[0], "encoder")
    assert how.index[0].flatten().tolist() == list(range(1, 25)) and where.is_plain and not len(how.fixed)


def test_the_weights_of_an_attention_are_not_taken_for_a_map():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.weights, self.fc = nn.Conv2d(3, 8, 4, 4), nn.Softmax(-1), nn.Linear(8, 5)

        def forward(self, x):
            y = tokens(self.patches(x))
            y = self.weights(y[:, None] @ y[:, None].mT) @ y[:, None]  # (b, 1, n, n) weights
            return self.fc(y[:, 0].mean(1))

    how, _ = looked(Net(), torch.rand(1, 3, 16, 16), "weights")
    assert how.size == (4, 4) and how.sites == (4,)  # the queries, not the 16 x 16 weights


def test_a_reading_is_found_once_for_a_call():
    layer, net = Layer("middle"), made("tokens")
    run_from(net, triplet()[0], layer)
    known = layer.reading
    assert isinstance(known, reading.Reading)
    run_from(net, triplet()[1], layer)
    assert layer.reading is known


class HalfToken(nn.Module):
    """The embedding is half the class token and half the mean of the patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(1, 4, 2, 2), nn.Parameter(torch.rand(1, 1, 4))
        self.blocks = nn.Identity()

    def forward(self, x):
        y = torch.cat([self.token.expand(len(x), -1, -1), tokens(self.patches(x))], 1)
        y = self.blocks(y + y.mean(1, keepdim=True))
        return y[:, 0] + y[:, 1:].mean(1)


def test_what_lies_on_a_class_token_is_told_and_is_not_lost():
    net, probe = HalfToken(), torch.rand(2, 1, 4, 4)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0.5)
    images, given = (probe, probe * 0.9, -probe), dict(extended=False, weighted=False)
    with pytest.warns(gweebp.TokenWarning, match="tokens of the layer that are no part of the image") as caught:
        p = gweebp.mwp(net, *images, layer="blocks", **given)
    left = p.flatten(1).sum(1)
    assert len(caught) == 1 and caught[0].message.indices == [0, 1]  # and nothing is lost
    assert caught[0].message.share == pytest.approx(1 - left.min().item())
    assert ((left > 0.3) & (left < 0.7)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gweebp.mwp(net, *images, layer="patches", **given).shape == (2, 4, 2, 2)


def test_what_lies_on_a_class_token_is_told_where_responses_are_weighted():
    torch.manual_seed(0)
    net, (probe, noise, nonmate) = HalfToken(), torch.rand(3, 2, 1, 4, 4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        p = gweebp.mwp(net, probe, probe + 0.1 * noise, nonmate, layer="blocks")
    (told,) = [w.message for w in caught if isinstance(w.message, gweebp.TokenWarning)]
    assert 0 < told.share <= 1 - p.flatten(1).sum(1).min() + 1e-6
