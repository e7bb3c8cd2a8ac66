"""Any arguments: a call gives a right result, or an error of a documented class that names the argument."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import gweebp
from gweebp.excitation.gain import triplet_gain
from gweebp.networks.gallery import nearest_impostor, template

pytestmark = pytest.mark.promise("errors: every refusal is an error of ours")
REFUSALS = (ValueError, TypeError, gweebp.UnsupportedOperation)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)).eval()


NET = network()
NAMES = ("probe", "mate", "nonmate")


def answer(call: Any, *names: str) -> Tensor | np.ndarray | None:
    """What `call()` gives; None where it is refused by a documented error that names one of the arguments."""
    found = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except REFUSALS as error:
            found = error
    text = str(found)
    assert any(name in text for name in names), f"{type(found).__name__} names none of {names}: {text}"
    assert not (isinstance(found, TypeError) and "unexpected keyword" in text)
    return None


def right(maps: Tensor, b: int) -> None:
    assert maps.ndim == 3 and maps.shape[0] == b and maps.isfinite().all() and (maps >= 0).all()
    sums = maps.double().flatten(1).sum(1)
    assert ((sums == 0) | ((sums - 1).abs() < 1e-4)).all()


# ---- tensors of every kind ----

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ODD: dict[str, Any] = {
        "none": None,
        "number": 3.5,
        "list": [[1.0, 2.0]],
        "text": "probe.png",
        "array": np.ones((2, 2, 6, 6), np.float32),
        "sparse": torch.ones(2, 2, 6, 6).to_sparse(),
        "sparse embeddings": torch.eye(2, 5).to_sparse(),
        "csr": torch.eye(2, 5).to_sparse_csr(),
        "quantised": torch.quantize_per_tensor(torch.rand(2, 2, 6, 6), 0.1, 0, torch.quint8),
        "meta": torch.zeros(2, 2, 6, 6, device="meta"),
        "meta embeddings": torch.zeros(2, 5, device="meta"),
        "nested": torch.nested.nested_tensor([torch.ones(5), torch.ones(4)]),
        "repeated": torch.rand(1, 1, 1, 1).expand(2, 2, 6, 6),
        "with a graph": torch.rand(2, 2, 6, 6, requires_grad=True),
        "channels last": torch.rand(2, 2, 6, 6).to(memory_format=torch.channels_last),
        "turned": torch.rand(6, 6, 2, 2).permute(3, 2, 1, 0),
        "parameter": nn.Parameter(torch.rand(2, 5)),
    }
    with torch.inference_mode():
        ODD["inference"] = torch.rand(2, 2, 6, 6)
DTYPES = [
    torch.float32,
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.uint8,
    torch.int64,
    torch.bool,
    torch.complex64,
    torch.float8_e5m2,
]
SHAPES = [
    (2, 2, 6, 6),
    (1, 2, 6, 6),
    (3, 2, 6, 6),
    (0, 2, 6, 6),
    (2, 1, 6, 6),
    (2, 2, 5, 6),
    (2, 2, 0, 6),
    (2, 6, 6),
    (6, 6),
    (2, 5),
    (1, 5),
    (0, 5),
    (2, 0),
    (2, 7),
    (5,),
    (),
    (1, 1, 2, 6, 6),
]
SCALES = [1.0, 1.0, 1.0, 1e30, 1e-30, 1e-20, 1e-42, 0.0, torch.nan, torch.inf]


@st.composite
def tensors(draw: st.DrawFn, shapes: list[tuple[int, ...]] = SHAPES) -> Any:
    if draw(st.integers(0, 4)) == 0:
        return ODD[draw(st.sampled_from(sorted(ODD)))]
    made = torch.rand(draw(st.sampled_from(shapes)), generator=torch.Generator().manual_seed(draw(st.integers(0, 9))))
    return (made * draw(st.sampled_from(SCALES))).to(draw(st.sampled_from(DTYPES)))


METHODS = [
    "gweebp",
    "ebp",
    "cebp",
    "etcebp",
    "gweebp-paper-code",
    "gradcam",
    "pairwisesim",
    "xface",
    "corrrise",
    "random",
    "center",
    "gradient-input",
    "integrated-gradients",
    "xssab",
    "fggb",
]
QUICK: dict[str, dict[str, Any]] = {
    "corrrise": {"masks": 4, "cells": 2},
    "xface": {"patches": (28,), "stride": 40},
    "gradient-input": {},
    "integrated-gradients": {"steps": 2},
    "xssab": {},
    "fggb": {},
}


def of(method: str) -> dict[str, Any]:
    """Options that make a method quick, and its layer."""
    return {"method": method, **QUICK.get(method, {}), **({} if method in QUICK else {"layer": "1"})}


@settings(max_examples=150)
@given(probe=tensors(), mate=tensors(), nonmate=tensors(), method=st.sampled_from(METHODS))
def test_explain_any_tensors(probe, mate, nonmate, method):
    maps = answer(lambda: gweebp.explain(NET, probe, mate, nonmate, **of(method)), *NAMES, "embedding", "masked images")
    if maps is not None:
        right(maps, len(probe))


@settings(max_examples=80)
@given(data=st.data(), which=st.sampled_from(NAMES), method=st.sampled_from(METHODS))
def test_one_odd_tensor_among_good_ones(data, which, method):
    good = dict(zip(NAMES, torch.rand(3, 2, 2, 6, 6, generator=torch.Generator().manual_seed(1))))
    good[which] = data.draw(tensors())
    maps = answer(lambda: gweebp.explain(NET, **good, **of(method)), *NAMES, "embedding", "masked images")
    if maps is not None:
        right(maps, len(good["probe"]))


@settings(max_examples=60)
@given(probe=tensors(), mate=tensors(), nonmate=tensors(), weighted=st.booleans(), extended=st.booleans())
def test_mwp_any_tensors(probe, mate, nonmate, weighted, extended):
    call = lambda: gweebp.mwp(NET, probe, mate, nonmate, layer="1", weighted=weighted, extended=extended)  # noqa: E731
    p = answer(call, *NAMES, "embedding", "masked images")
    if p is not None:
        assert p.shape == (len(probe), 4, 4, 4) and (p >= 0).all() and p.flatten(1).sum(1).max() < 1.001


anything = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(
        [
            (),
            [],
            {},
            (1, 2),
            b"a",
            object,
            "triplet",
            "clamp",
            "black",
            1e308,
            -1,
            0,
            2**40,
            2**70,
            torch.ones(1),
            np.float32(0.5),
            np.int64(2),
        ]
    )
)


@settings(max_examples=150)
@given(data=st.data(), method=st.sampled_from(METHODS))
def test_explain_any_options(data, method):
    options = of(method)
    name = data.draw(st.sampled_from([*gweebp.METHODS[method].options, "layer", "axes", "method"]))
    value = data.draw(anything)
    if name in ("masks", "batch", "steps") and isinstance(value, int) and value > 1000:
        value = 1000  # so many masks are meant, and take as long as they take
    options[name] = value
    triplet = torch.rand(3, 2, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    maps = answer(lambda: gweebp.explain(NET, *triplet, **options), name, "fill", "baseline")
    if maps is not None:
        right(maps, 2)


@settings(max_examples=60)
@given(name=st.sampled_from(["layer", "axes", "extended", "weighted", "towards", "gain", "rule"]), value=anything)
def test_mwp_any_options(name, value):
    triplet = torch.rand(3, 2, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    answer(lambda: gweebp.mwp(NET, *triplet, **{"layer": "1", name: value}), name)


class Raises(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


class Gives(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, x):
        return self.output


networks = st.one_of(
    anything,
    st.sampled_from(
        [
            lambda x: x,
            nn.Linear,
            nn.Module(),
            nn.Identity(),
            nn.Flatten(),
            nn.Conv2d(3, 1, 1),
            NET.double,
            nn.Sequential(),
        ]
    ),
    st.sampled_from(
        [
            KeyError("x"),
            AssertionError(),
            IndexError("list index"),
            RuntimeError("shape"),
            AttributeError("a"),
            TypeError("b"),
            ZeroDivisionError(),
            StopIteration(),
            MemoryError(),
        ]
    ).map(Raises),
    tensors().map(Gives) | anything.map(Gives) | tensors().map(lambda x: Gives((x, x))),
)


@settings(max_examples=100)
@given(net=networks, method=st.sampled_from(METHODS))
def test_explain_any_network(net, method):
    triplet = torch.rand(3, 2, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    maps = answer(lambda: gweebp.explain(net, *triplet, **of(method)), "net", "embedding", "layer", "mate")
    if maps is not None:
        right(maps, 2)


# ---- what is right is right at any scale, and in any type ----


@settings(max_examples=40)
@given(
    power=st.integers(-30, 30),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    method=st.sampled_from(["gweebp", "ebp", "gradcam", "corrrise", "gweebp-paper-code"]),
)
def test_a_gallery_of_any_float_type_and_length_gives_the_same_map(power, dtype, method):
    probe, mate, nonmate = torch.rand(3, 1, 2, 6, 6, generator=torch.Generator().manual_seed(4))
    options = of(method) | ({"masks": 100, "keep": 0.5} if method == "corrrise" else {})
    with torch.no_grad():
        m, n = NET(mate), NET(nonmate)
        m, n = (m, n) if triplet_gain(NET(probe), m, n) > 0 else (n, m)
    if dtype in (torch.float16,):
        power %= 4
    given_m, given_n = ((e.double() * 10.0**power).to(dtype) for e in (m, n))
    rounded_m, rounded_n = ((e.double() / 10.0**power).float() for e in (given_m, given_n))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = gweebp.explain(NET, probe, rounded_m, rounded_n, **options)
        got = gweebp.explain(NET, probe, given_m, given_n, **options)
    torch.testing.assert_close(got.float(), wanted.float(), rtol=1e-3, atol=1e-5)
    assert wanted.sum() > 0


@settings(max_examples=40)
@given(power=st.integers(-36, 36), d=st.integers(1, 600), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_the_gain_does_not_depend_on_the_length_of_embeddings(power, d, dtype):
    p, m, n = torch.randn(3, 4, d, dtype=torch.float64, generator=torch.Generator().manual_seed(d))
    wanted = triplet_gain(p, m, n)
    scaled = ((x * 10.0**power).to(dtype) for x in (p, m, n))
    torch.testing.assert_close(triplet_gain(*scaled).double(), wanted, rtol=1e-4, atol=1e-6)


def test_a_gallery_of_another_length_is_refused_with_both():
    probe = torch.rand(2, 2, 6, 6)
    for method in ("gweebp", "ebp", "gradcam", "corrrise", "gweebp-paper-code"):
        with pytest.raises(ValueError, match=r"length 512.* length 5: they are of another network"):
            gweebp.explain(NET, probe, torch.randn(2, 512), torch.randn(2, 512), **of(method))
    with pytest.raises(ValueError, match="of length 5 and gallery of length 512"):
        nearest_impostor(torch.randn(2, 5), torch.randn(3, 512))


@pytest.mark.parametrize("method", ["gweebp", "gradcam", "ebp", "corrrise"])
def test_rounding_is_said(method):
    probe, mate = torch.rand(2, 1, 2, 6, 6, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        m = NET(mate)
    n = m.clone()
    n[0, 0] += 1e-6 * m.norm()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        gweebp.explain(NET, probe, m, n, **of(method))
    told = [w for w in seen if w.category is gweebp.RoundingWarning and "apart" in str(w.message)]
    assert len(told) == 1 and told[0].filename == __file__
    with pytest.raises(ValueError, match="equal at batch indices"):
        gweebp.explain(NET, probe, m, m, **of(method))


class Less(nn.Module):
    """A network whose last map is the larger the less it is the mate: nothing in it speaks for the mate."""

    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.c.weight)

    def forward(self, x):
        x = self.c(x).mean((2, 3))
        return torch.cat([torch.ones_like(x), x], 1)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gradcam", {"layer": "c"}),
        ("pairwisesim", {"layer": "c", "contrastive": True}),
        ("cebp", {"layer": "c"}),
        ("tcebp", {"layer": "c"}),
        ("gweebp", {"layer": "c"}),
        ("corrrise", {"masks": 200}),
    ],
)
def test_a_zero_map_with_a_gain_is_said(method, options):
    probe, mate, nonmate = torch.full((1, 1, 4, 4), 0.2), torch.full((1, 1, 4, 4), 0.1), torch.full((1, 1, 4, 4), 2.0)
    probe[..., 0, 0] = 0.25
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        maps = gweebp.explain(Less(), probe, mate, nonmate, method=method, **options)
    assert maps.eq(0).all()
    (told,) = [w for w in seen if issubclass(w.category, gweebp.NoGainWarning)]
    assert told.category is gweebp.EmptyMapWarning and "at batch indices [0]" in str(told.message)
    assert told.filename == __file__


def test_sentences_end():
    with pytest.raises(ValueError, match=r"method='zzz' is unknown\. Known: random, "):
        gweebp.explain(NET, *torch.rand(3, 1, 2, 6, 6), method="zzz")
    with pytest.raises(TypeError, match=r"has no option 'zzz'\. Its options: gain='triplet'"):
        gweebp.explain(NET, *torch.rand(3, 1, 2, 6, 6), zzz=1)
    with pytest.raises(TypeError, match=r"net must be a torch.nn.Module, got function; wrap it"):
        gweebp.explain(lambda x: x, *torch.rand(3, 1, 2, 6, 6))


# ---- overlay, resize, gallery ----

MAPS = [(6, 6), (2, 6, 6), (1, 3, 4), (2, 2, 6, 6), (0, 3, 3), (2, 0, 3), (5,), ()]
IMAGES = [(3, 8, 8), (1, 8, 8), (2, 3, 8, 8), (8, 8), (4, 8, 8), (8, 8, 3), (3, 0, 8), (2, 1, 8, 8)]


@st.composite
def arrays(draw: st.DrawFn, shapes: list[tuple[int, ...]]) -> Any:
    x = draw(tensors(shapes))
    if (
        isinstance(x, Tensor)
        and not x.is_nested
        and x.layout == torch.strided
        and not x.is_quantized
        and not x.is_meta
        and draw(st.booleans())
    ):
        x = x.detach()
        x = x.float() if x.dtype in (torch.bfloat16, torch.float8_e5m2) else x
        x = np.asarray(x) if draw(st.booleans()) else np.asarray(x)[..., ::-1] if x.ndim else np.asarray(x)
        if draw(st.integers(0, 5)) == 0:
            with np.errstate(all="ignore"):
                x = np.real(x).astype(draw(st.sampled_from([">f4", "O", "U3", "f2", "<f8", "g", "i2"])))
    return x


@settings(max_examples=150)
@given(image=arrays(IMAGES), saliency=arrays(MAPS), opacity=st.just(0.5) | anything)
def test_overlay_anything(image, saliency, opacity):
    shown = answer(lambda: gweebp.overlay(image, saliency, opacity=opacity), "image", "map", "opacity")
    if shown is not None:
        assert shown.dtype in (torch.uint8, np.uint8) and type(shown) is (
            Tensor if isinstance(image, Tensor) else np.ndarray
        )


@settings(max_examples=150)
@given(
    maps=tensors(MAPS),
    size=st.just(9)
    | anything
    | st.tuples(st.integers(-1, 20), st.integers(0, 20))
    | st.lists(st.integers(1, 9), max_size=3),
    mode=st.sampled_from(["nearest", "bilinear", "bicubic", "area", "linear", "trilinear"]) | anything,
    sigma=st.just(0.0) | st.floats(0, 5) | anything,
)
def test_resize_anything(maps, size, mode, sigma):
    got = answer(lambda: gweebp.resize(maps, size, mode=mode, sigma=sigma), "maps", "size", "mode", "sigma")
    if got is not None:
        right(got, len(maps))


@settings(max_examples=150)
@given(
    probe=tensors(),
    gallery=tensors(),
    own=st.none()
    | anything
    | st.sampled_from([torch.tensor([True, False]), torch.ones(2, 2, dtype=torch.bool), torch.zeros(2)]),
)
def test_nearest_impostor_of_anything(probe, gallery, own):
    found = answer(lambda: nearest_impostor(probe, gallery, own), "probe", "gallery", "own")
    if found is not None:
        assert found[0].dtype == torch.int64 and (found[1] >= 0).all() and (found[1] <= 2.0001).all()


@settings(max_examples=60)
@given(embeddings=tensors())
def test_template_of_anything(embeddings):
    found = answer(lambda: template(embeddings), "embeddings")
    if found is not None:
        torch.testing.assert_close(found.float().norm(dim=1), torch.ones(1), rtol=1e-3, atol=1e-3)
