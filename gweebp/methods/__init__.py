"""Saliency methods, one file per method or family; each registers itself, and a new file is found by itself.

    @method("mine", layer="saliency_layer")
    def mine(net, probe, mate, nonmate, *, layer, option=1.0):
        ...
        return maps  # (b, h, w), non-negative; explain() normalises each to sum 1

Every method has the same arguments, which `explain` has checked:

    net             the user's network, images (b, c, h, w) → embeddings (b, d); a method leaves it as it was
    probe           images (b, c, h, w), as the network takes them
    mate, nonmate   embeddings (b, d); for a method registered with reads="images", images (b or 1, c, h, w)
    layer           the name of a layer: the network's `saliency_layer` or `feature_layer`, or the one that the user
                    names. A method registered with layer=None has no such argument: its map has the image's resolution

Further keyword arguments are the method's own options. A method returns maps (b, h, w), finite and non-negative.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gweebp.methods.options import annotations_of

Run = Callable[..., Tensor]


@dataclass(frozen=True)
class Method:
    """A registered method.

    Attributes:
        name: as `explain(method=...)` takes it.
        run: the function.
        layer: "saliency_layer", "feature_layer", or None for a map of the image's own resolution.
        options: name → default of its keyword options.
        reads: what it gets as mate and non-mate, "embeddings" or "images".
        types: name → type of its options, as far as they are annotated; a value of another type is refused.
        attention: whether it reads the attention between tokens, and refuses a network that has none.
    """

    name: str
    run: Run
    layer: str | None
    options: dict[str, object] = field(default_factory=dict)
    reads: str = "embeddings"
    types: dict[str, Any] = field(default_factory=dict)
    attention: bool = False

    @property
    def summary(self) -> str:
        """First line of the method's docstring."""
        return (inspect.getdoc(self.run) or "").partition("\n")[0]


METHODS: dict[str, Method] = {}  #: name → method, in the order of registration


def method(
    name: str, *, layer: str | None = "saliency_layer", reads: str = "embeddings", attention: bool = False
) -> Callable[[Run], Run]:
    """Register a function as a method; its keyword-only arguments, except `layer`, become the method's options.

    Args:
        name: as `explain(method=...)` takes it.
        layer: "saliency_layer" or "feature_layer", the network's own layer that the map is of by default; None for a
            map of the image's own resolution.
        reads: what the method gets as mate and non-mate, "embeddings" or "images".
        attention: whether the method reads the attention of a transformer, and refuses a network without any.

    Raises:
        ValueError: where another function has the name already, or for an unknown `layer` or `reads`.

    >>> @method("uniform", layer=None)
    ... def uniform(net, probe, mate, nonmate, *, level: float = 1.0):
    ...     return probe.new_full((len(probe), *probe.shape[2:]), level)
    >>> METHODS.pop("uniform").options
    {'level': 1.0}
    """
    if layer not in ("saliency_layer", "feature_layer", None):
        raise ValueError(f"layer={layer!r}: expected 'saliency_layer', 'feature_layer' or None")
    if reads not in ("embeddings", "images"):
        raise ValueError(f"reads={reads!r}: expected 'embeddings' or 'images'")

    def register(run: Run) -> Run:
        known = METHODS.get(name)
        if known is not None and (known.run.__module__, known.run.__qualname__) != (run.__module__, run.__qualname__):
            raise ValueError(f"a method named {name!r} exists already, in {known.run.__module__}; choose another name")
        parameters = inspect.signature(run).parameters.values()
        options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "layer"}
        METHODS[name] = Method(name, run, layer, options, reads, annotations_of(run), attention)
        return run

    return register


for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
