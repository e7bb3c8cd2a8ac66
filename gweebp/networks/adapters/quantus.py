"""`explain` as an explain_func of Quantus (Hedström et al. 2023), so that its metrics evaluate maps of this package.

Quantus gives a classifier, images and class indices, and expects an array like the images. The classifier is a
`Verifier`: its classes are the faces of a gallery; the target is the mate, the nearest other face the non-mate.

    verifier = Verifier(net, gallery_embeddings)
    kwargs = {"layer": "layer3", "signed": True}
    scores = quantus.PixelFlipping(...)(verifier, x, y, explain_func=explain_func, explain_func_kwargs=kwargs)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gweebp.networks.adapters.triplets import Verifier, maps_at_image

__all__ = ["explain_func"]


def explain_func(
    model: Verifier,
    inputs: Any,
    targets: Any,
    *,
    method: str = "gweebp",
    layer: Any = None,
    signed: bool = False,
    device: Any = None,
    **options: Any,
) -> np.ndarray:
    """Maps of images, as Quantus wants them.

    Args:
        model: a Verifier.
        inputs: (b, c, h, w), as its network takes them.
        targets: (b,), rows of its gallery.
        method, layer: as of `explain`.
        signed: the map towards the target less that towards the nearest other face; metrics of faithfulness rank both
            signs.
        device: where the model is; None: where its gallery is.
        options: of the method.

    Returns:
        float (b, 1, h, w); of each map, each sign sums to 1.

    Raises:
        TypeError: for a model that is not a Verifier.

    Example:
        >>> verifier = Verifier(torch.nn.Flatten(), torch.eye(4))
        >>> explain_func(verifier, np.ones((1, 1, 2, 2)), [2], method="gradient-input", signed=True).shape
        (1, 1, 2, 2)
    """
    if not isinstance(model, Verifier):
        raise TypeError(
            f"model must be a gweebp.networks.adapters.triplets.Verifier(net, gallery), got {type(model).__name__}: "
            "a map needs an embedding network and a gallery"
        )
    for name in ("xai_lib", "xai_lib_kwargs", "softmax", "channel_first", "reduce_axes", "keepdims"):
        options.pop(name, None)  # of Quantus' own explain, which some metrics add
    where = model.gallery.device if device is None else device
    like = next((p for p in model.net.parameters()), model.gallery)
    images = torch.as_tensor(np.asarray(inputs)).to(where, like.dtype)
    rows = torch.as_tensor(np.asarray(targets)).to(where).long().reshape(-1)
    people = model.people(images, rows)
    maps = maps_at_image(model.net, images, *people, signed=signed, method=method, layer=layer, **options)
    found: np.ndarray = maps[:, None].cpu().numpy()
    return found
