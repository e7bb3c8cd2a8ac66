"""One call from a network and a triplet to a saliency map: `explain`."""

from __future__ import annotations

import difflib

from torch import Tensor, nn

from gweebp.excitation.guard import settled
from gweebp.excitation.layers import at_least_float32, eager, named_layer
from gweebp.excitation.triplet import embedded, same_images
from gweebp.methods import METHODS, Method
from gweebp.methods.maps import divided_by_sum


def explain(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    method: str = "gweebp",
    layer: str | None = None,
    **options: object,
) -> Tensor:
    """Which regions of the probe made the network choose the mate over the non-mate.

    Args:
        net: any `nn.Module` from images (b, c, h, w) to embeddings (b, d), normalised or not; it is left unchanged. Of
            a compiled one, methods that look inside take the module that it was made from.
        probe: images (b, c, h, w), as the network takes them. mate, nonmate: images, or embeddings (b, d);
            one of batch size 1 serves every probe. xface and pairwisesim read images, and take no embeddings.
            Several images of the mate: `gallery.template`; no non-mate: `gallery.nearest_impostor`.
        method: a name in `gweebp.METHODS`. options: of that method.
        layer: dotted name of the submodule whose output carries the map, "input" for the image itself; None: the
            network's own `net.saliency_layer` (`net.feature_layer` for methods of the last convolutional map). The
            black-box methods, xface and corrrise, have none: their maps have the image's resolution.

    Returns:
        (b, h, w) at the layer's resolution, non-negative; each map sums to 1, but one without gain is zero
        (NoGainWarning names it).

    Errors:
        ValueError, TypeError: an unknown method, option or layer, images or embeddings that do not fit, NaN, a mate
        equal to its non-mate. UnsupportedOperation: an operation without a rule.

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
    net = net if chosen.layer is None else eager(net)
    if chosen.reads == "images":
        mate, nonmate = same_images(method, probe, mate, nonmate)
    else:
        mate, nonmate = embedded(net, probe, mate, nonmate)
    if chosen.layer is not None:
        options["layer"] = named_layer(net, layer, chosen.layer, probe[:1])
    elif layer is not None:
        raise ValueError(
            f"method {method!r} has no layer: its map has the image's own resolution; leave out layer={layer!r}"
        )
    maps = settled(lambda: chosen.run(net, probe, mate, nonmate, **options))
    return divided_by_sum(at_least_float32(maps.detach()))


def find_method(name: str) -> Method:
    """The method registered as `name`; ValueError names the nearest and all known ones."""
    if name not in METHODS:
        near = difflib.get_close_matches(str(name), METHODS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"method={name!r} is unknown{hint} Known: {', '.join(METHODS)}")
    return METHODS[name]


def check_options(method: Method, options: dict[str, object]) -> None:
    """TypeError for an option that the method does not have."""
    for name in options:
        if name not in method.options:
            near = difflib.get_close_matches(name, method.options, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(f"{k}={v!r}" for k, v in method.options.items()) or "none"
            raise TypeError(f"method {method.name!r} has no option {name!r}{hint} Its options: {known}")
