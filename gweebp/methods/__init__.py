"""Saliency methods, one file a method or family; each registers itself, and a new file is found by itself.

    @method("mine", layer="saliency_layer")
    def mine(net, probe, mate, nonmate, *, layer, option=1.0):
        ...
        return maps  # (b, h, w), non-negative; explain() normalises each to sum 1

A method gets images (b, c, h, w) as the probe, embeddings (b, d) as mate and non-mate, and the checked name of a layer:
the network's `saliency_layer` or `feature_layer` unless the user names another. Its keyword arguments are its options.
One that reads the mate's pixels or features asks for images, (b or 1, c, h, w): `@method("mine", reads="images")`. One
whose map has the image's own resolution needs no layer: `@method("mine", layer=None)`, and gets none.
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
        name: as `explain(method=...)` takes it. run: the function.
        layer: "saliency_layer", "feature_layer", or None for a map of the image's own resolution.
        options: name → default of its keyword options.
        reads: what it gets as mate and non-mate, "embeddings" or "images".
        types: name → type of its options, as far as they are annotated; a value of another type is refused.
    """

    name: str
    run: Run
    layer: str | None
    options: dict[str, object] = field(default_factory=dict)
    reads: str = "embeddings"
    types: dict[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """First line of the method's docstring."""
        return (inspect.getdoc(self.run) or "").partition("\n")[0]


METHODS: dict[str, Method] = {}  #: name → method, in the order of registration


def method(name: str, *, layer: str | None = "saliency_layer", reads: str = "embeddings") -> Callable[[Run], Run]:
    """Register a function as the method `name`; its keyword-only arguments but `layer` become its options.

    Errors: ValueError where the name is taken by another function, or `layer` or `reads` is none of the known kinds.
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
        METHODS[name] = Method(name, run, layer, options, reads, annotations_of(run))
        return run

    return register


for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
