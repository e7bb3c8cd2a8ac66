"""One call from a network and a triplet to a saliency map: `explain`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation.gain import NoGainWarning, triplet_gain
from gweebp.excitation.guard import settled
from gweebp.excitation.layers import at_least_float32, eager, embeddings_of, named_layer
from gweebp.excitation.positions import positions
from gweebp.excitation.tensors import ordinary, unusable
from gweebp.excitation.triplet import check_network, embedded, same_images, told
from gweebp.methods import METHODS, Method
from gweebp.methods.maps import divided_by_sum
from gweebp.methods.names import in_order
from gweebp.methods.options import misfit, plain
from gweebp.methods.parts import in_parts
from gweebp.methods.sides import Side
from gweebp.support.positions import placed
from gweebp.support.terms import own_terms
from gweebp.support.warned import warn


class EmptyMapWarning(NoGainWarning):
    """A map is zero although the probe is nearer to its mate: the method finds nothing that speaks for the mate.

    Like every NoGainWarning it says that a map is zero, so that one filter finds both.
    """


def explain(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    method: str = "gweebp",
    layer: str | nn.Module | None = None,
    axes: str | None = None,
    on: str = "probe",
    towards: str = "mate",
    signed: bool = False,
    batch_size: int | None = None,
    **options: object,
) -> Tensor:
    """Which regions of the probe made the network choose the mate over the non-mate.

    Args:
        net: any `nn.Module` from images (b, c, h, w) to embeddings (b, d), normalised or not; it is left unchanged. For
            a compiled one, methods that look inside use the module that it was made from.
        probe: images (b, c, h, w), as the network takes them.
        mate, nonmate: images, or embeddings (b, d); one of batch size 1 serves every probe. xface and pairwisesim read
            images, and take no embeddings. Several images of the mate: `gallery.template`; without a non-mate:
            `gallery.nearest_impostor`.
        method: a name in `gweebp.METHODS`.
        layer: the submodule whose output carries the map, or its dotted name; "input" for the image itself; None: the
            network's own `net.saliency_layer` (`net.feature_layer` for methods of the last convolutional map), or the
            patch embedding of a transformer that has neither. The black-box methods, xface and corrrise, and the
            methods of pixel gradients have no layer: their maps have the image's resolution.
        axes: what the axes of the layer's output are, where that is not found: "b h w c" (channels last), "b (h w) c"
            (tokens), "b (1 h w) c" (tokens after a class token); gweebp.excitation.places.axes describes all that can
            be written.
        on: whose image the map lies on, "probe" or "mate". On the mate it is the map of the triplet in which probe and
            mate change places: which regions of the mate put it nearer to the probe than to the non-mate.
        towards: for whom it speaks, "mate" or "nonmate". Towards the non-mate it is the map of the triplet in which
            those two change places, with the gain of Eq. (5) taken without its hinge.
        signed: True for the map towards one less the map towards the other, both without the hinge; each side sums to
            1. `resize` and `overlay` take one sign: `map.clamp(min=0)`, `(-map).clamp(min=0)`.
        batch_size: triplets at a time; None: all at once. A bar on the terminal shows the progress. The call then holds
            what `batch_size` triplets hold, and the maps. Per triplet a walk through convolutions holds at most about
            2.1 times (1.3 times without gradient weighting and extension) what a forward and a backward pass of one
            image hold from the layer on; through the blocks of a ViT-S about 8 times.
        options: of the method, see `gweebp.METHODS[method].options`.

    Returns:
        (b, h, w) at the layer's resolution, non-negative; each map sums to 1. A map is zero where there is no gain
        (NoGainWarning), or where a method finds nothing that speaks for the mate (EmptyMapWarning); the warnings name
        the batch indices. RoundingWarning: the map may show nothing but the rounding of the numbers. `signed`: of both
        signs.

    Raises:
        ValueError, TypeError: for an unknown method, option or layer, images or embeddings that do not fit, NaN, a mate
            equal to its non-mate, images that the network does not take.
        UnsupportedOperation: where probability reaches an operation that has no rule.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
        >>> p, m, n = torch.rand(3, 1, 1, 4, 4)
        >>> explain(net, p, m, n, method="ebp", layer="1").shape
        torch.Size([1, 2, 2])
    """
    chosen = find_method(method)
    check_options(chosen, options)
    options, side = {name: plain(value) for name, value in options.items()}, Side.of(on, towards, signed)

    def found(side: Side) -> Tensor:
        parts = []
        for first, part in in_parts(side.triplet(probe, mate, nonmate), batch_size, chosen.name):
            with own_terms(first, side.words), torch.inference_mode(False):
                parts.append(_explained(chosen, net, part, layer, side.options(chosen, options), axes))
        return torch.cat(parts)

    return found(side) - found(side.other) if signed else found(side)


def _explained(
    chosen: Method,
    net: nn.Module,
    given: tuple[Tensor, Tensor, Tensor],
    layer: str | nn.Module | None,
    options: dict[str, object],
    axes: str | None,
) -> Tensor:
    """Maps of one batch, on its probes and towards its mates."""
    net, probe, mate, nonmate, options = prepared(chosen, net, tuple(map(ordinary, given)), layer, options, axes)
    found = settled(lambda: told(lambda: chosen.run(net, probe, mate, nonmate, **options)))
    maps = at_least_float32(check_maps(found, chosen.name, probe.shape[0]))
    warn_of_empty(maps, chosen, options, net, (probe, mate, nonmate))
    return divided_by_sum(maps)


def prepared(
    chosen: Method,
    net: nn.Module,
    triplet: tuple[Tensor, Tensor, Tensor],
    layer: str | nn.Module | None,
    options: dict[str, object],
    axes: str | None = None,
) -> tuple[nn.Module, Tensor, Tensor, Tensor, dict[str, object]]:
    """The arguments of `chosen.run`, checked: the module inside a compiled one, the triplet that it reads, its layer.

    Args:
        chosen: the method.
        net, layer, axes: as of `explain`.
        triplet: probe, mate and non-mate, as of `explain`.
        options: of the method.

    Raises:
        ValueError, TypeError, UnsupportedOperation: as `explain`.
    """
    check_network(net)
    probe, mate, nonmate = triplet
    net = net if chosen.layer is None else eager(net)
    if chosen.reads == "images":
        mate, nonmate = same_images(chosen.name, probe, mate, nonmate)
    else:
        mate, nonmate = embedded(net, probe, mate, nonmate)
    if chosen.layer is not None:
        options = options | {"layer": named_layer(net, layer, chosen.layer, probe[:1], axes)}
    elif layer is not None or axes is not None:
        extra = f"layer={layer!r}" if layer is not None else f"axes={axes!r}"
        raise ValueError(
            f"method {chosen.name!r} has no layer: its map has the image's own resolution; leave out {extra}"
        )
    return net, probe, mate, nonmate, options


def check_maps(maps: Any, method: str, b: int) -> Tensor:
    """What a method returned, without its graph.

    Args:
        maps: what it returned, to be (b, h, w), floating point, finite and non-negative.
        method: its name.
        b: how many probes there were.

    Raises:
        ValueError: for anything else; it names the method.

    Example:
        >>> check_maps(torch.ones(2, 4), "mine", 2)
        Traceback (most recent call last):
        ValueError: method 'mine' must return maps (2, h, w), floating point, finite and >= 0; got torch.float32 (2, 4)
    """
    got = unusable(maps) or f"{maps.dtype} {tuple(maps.shape)}"
    if not unusable(maps) and maps.ndim == 3 and maps.shape[0] == b and maps.numel():
        maps = maps.detach()
        if ((maps >= 0) & (maps < torch.inf)).all():
            return maps
        got = "numbers that are negative, NaN or infinite"
    raise ValueError(f"method {method!r} must return maps ({b}, h, w), floating point, finite and >= 0; got {got}")


def warn_of_empty(
    maps: Tensor, method: Method, options: Mapping[str, object], net: nn.Module, triplet: tuple[Tensor, ...]
) -> None:
    """Warn of maps that are zero: EmptyMapWarning where there is a gain, NoGainWarning where there is none.

    Args:
        maps: (b, h, w).
        method: which method made them.
        options: that it was given.
        net: the network.
        triplet: probe, mate and non-mate, images or embeddings.
    """
    empty = (maps.flatten(1).amax(1) == 0).nonzero().flatten()
    if not len(empty):
        return
    gains = triplet_gain(*(_embeddings(net, given, empty) for given in triplet))
    if with_gain := empty[gains > 0].tolist():
        warn(
            EmptyMapWarning(
                f"method {method.name!r} finds nothing that speaks for the mate, although the probe is nearer to it: "
                f"the map is zero, at batch indices {with_gain}"
            )
        )
    said = options.get("gain", method.options.get("gain")) == "triplet"  # a method with such a gain warns itself
    if not said and (without := empty[gains <= 0].tolist()):
        warn(
            NoGainWarning(
                "the probe is not nearer to its mate than to the non-mate, and the map of method "
                f"{method.name!r} is zero, at batch indices {without}"
            )
        )


def _embeddings(net: nn.Module, given: Tensor, index: Tensor) -> Tensor:
    """The embeddings of images (b or 1, c, h, w), or of embeddings these themselves, at batch indices."""
    rows = given[index] if given.shape[0] > 1 else given.expand(len(index), *given.shape[1:])
    return rows if rows.ndim == 2 else embeddings_of(net, rows)


def find_method(name: str) -> Method:
    """The method of a name.

    Args:
        name: as `explain(method=...)` takes it.

    Raises:
        TypeError: for a name that is not a text.
        ValueError: for an unknown name; it gives the nearest and all known ones.
    """
    known = ", ".join(in_order(METHODS))
    if not isinstance(name, str):
        raise TypeError(f"method must be the name of a method, got {type(name).__name__}; known: {known}")
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"method={name!r} is unknown{hint} Known: {known}")
    return METHODS[name]


def check_options(method: Method, options: dict[str, object]) -> None:
    """Check the options of a method.

    Args:
        method: that they are for.
        options: name → value.

    Raises:
        TypeError: for an option that the method does not have.
        ValueError: for a value of a wrong type.

    Example:
        >>> check_options(find_method("gradcam"), {"top": "all"})
        Traceback (most recent call last):
        ValueError: option top='all' of method 'gradcam': expected a whole number, got str
    """
    for name, value in options.items():
        if name not in method.options:
            near = difflib.get_close_matches(name, method.options, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            known = ", ".join(f"{k}={v!r}" for k, v in method.options.items()) or "none"
            raise TypeError(f"method {method.name!r} has no option {name!r}{hint} Its options: {known}")
        if wrong := misfit(value, method.types.get(name)):
            raise ValueError(f"option {name}={value!r:.60} of method {method.name!r}: {wrong}")


def in_place(
    maps: Tensor,
    net: nn.Module,
    image: Tensor,
    *,
    method: str = "gweebp",
    layer: str | nn.Module | None = None,
    axes: str | None = None,
) -> Tensor:
    """Maps that can be stretched over the image: each of their cells is then drawn where it looks.

    Games and figures stretch a map over its image. A map whose cells look elsewhere, as behind strided convolutions, is
    brought to the image's size, each cell at the centre of what it looks at; any other map is returned as it is.

    Args:
        maps: (b, h, w), as `explain` returned them.
        net, method, layer, axes: what `explain` was given.
        image: (b, c, height, width), the probe.

    Returns:
        (b, h, w), or (b, height, width); non-negative, each sums to 1 where it did.

    Raises:
        ValueError: for an unknown method or layer, or an image that the network does not take.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(16, 3))
        >>> in_place(torch.ones(1, 4, 4) / 16, net, torch.zeros(1, 1, 8, 8), layer="0").shape
        torch.Size([1, 8, 8])
        >>> in_place(torch.ones(1, 8, 8) / 64, net, torch.zeros(1, 1, 8, 8), method="xface").shape
        torch.Size([1, 8, 8])
    """
    chosen, size = find_method(method), (image.shape[2], image.shape[3])
    if chosen.layer is None or tuple(maps.shape[1:]) == size:
        return maps
    net = eager(net)
    where = positions(net, image, named_layer(net, layer, chosen.layer, image[:1], axes))
    return maps if where.told().is_plain else divided_by_sum(placed(maps, size, where))
