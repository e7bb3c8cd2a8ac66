"""Several images of one person as one embedding, and the nearest wrong person: a mate and a non-mate for `explain`.

Distances are L2 between unit embeddings, 0..2, as in `gweebp.networks.verification`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gweebp.networks.verification import distances, unit

__all__ = ["nearest_impostor", "template"]


def template(embeddings: Tensor) -> Tensor:
    """One unit embedding of several images of a person: the mean of their unit embeddings, then normalised.

    Args:
        embeddings: (k, d), normalised or not; each image counts the same.

    Returns:
        (1, d), L2 norm 1.

    Raises:
        ValueError: no embedding; one that is zero, NaN or infinite; or a mean of zero: they point in opposite
            directions.

    >>> template(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([[0.7071, 0.7071]])
    """
    units = unit(embeddings)
    if len(units) == 0:
        raise ValueError("no embeddings: a template needs at least one image of the person")
    return unit(units.mean(0, keepdim=True))


def nearest_impostor(probe: Tensor, gallery: Tensor, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The gallery's face that comes nearest to each probe and shows somebody else: the hardest non-mate there is.

    Args:
        probe: embeddings (t, d), normalised here.
        gallery: embeddings (g, d), normalised here.
        own: bool (g,) or (t, g), the faces of the probe's own person, which are passed over; None: there are none.

    Returns:
        index int64 (t,) into the gallery, and distance (t,).

    Raises:
        TypeError: no tensors of floating-point numbers. ValueError: shapes that do not fit (with both lengths), an
            embedding without direction, or a gallery without another person.

    Source: the rank-2 match of the hiding game, Sec. 3.1 of the paper, where the mate has rank 1.

    >>> gallery = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> nearest_impostor(gallery[:1], gallery, own=torch.tensor([True, False, False]))
    (tensor([1]), tensor([0.7654]))
    """
    p, g = unit(probe, "probe embeddings"), unit(gallery, "gallery embeddings")
    if p.shape[1] != g.shape[1]:
        raise ValueError(
            f"probe has embeddings of length {p.shape[1]} and gallery of length {g.shape[1]}: they are of two networks"
        )
    common = torch.promote_types(p.dtype, g.dtype)
    d = distances(p.to(common), g.to(p.device, common))
    if own is not None:
        if not isinstance(own, Tensor) or own.dtype != torch.bool or own.shape not in (d.shape, d.shape[1:]):
            got = f"{own.dtype} {tuple(own.shape)}" if isinstance(own, Tensor) else type(own).__name__
            raise ValueError(f"own must be bool ({d.shape[1]},) or {tuple(d.shape)}, got {got}")
        d = d.masked_fill(own.to(d.device), torch.inf)
    if d.shape[1] == 0 or d.isinf().all(1).any():
        raise ValueError(f"the gallery of {d.shape[1]} faces shows nobody but the probe's own person: add other people")
    nearest = d.min(1)
    return nearest.indices, nearest.values
