"""Several images of one person as one embedding, and the nearest other person: a mate and a non-mate for `explain`.

Distances are L2 between unit embeddings, 0..2, as in `gweebp.networks.verification`.
"""

from __future__ import annotations

from torch import Tensor

from gweebp.networks.blocks import Gallery
from gweebp.networks.search import search
from gweebp.networks.verification import unit

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

    >>> import torch
    >>> template(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([[0.7071, 0.7071]])
    """
    units = unit(embeddings)
    if len(units) == 0:
        raise ValueError("no embeddings: a template needs at least one image of the person")
    return unit(units.mean(0, keepdim=True))


def nearest_impostor(probe: Tensor, gallery: Gallery, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The gallery's face that is nearest to each probe and shows another person: the hardest non-mate.

    Args:
        probe: embeddings (t, d), normalised here.
        gallery: embeddings (g, d), normalised here; a tensor, or a file's, see `gweebp.networks.search`.
        own: bool (g,) or (t, g), the faces of the probe's own person, which are left out; None: there are none.

    Returns:
        index int64 (t,) into the gallery, and L2 distance (t,), in 0..2.

    Raises:
        TypeError: for what is not a tensor of floating-point numbers.
        ValueError: for shapes that do not fit (it names both lengths), an embedding without direction, or a gallery
            without another person.

    Source: the rank-2 match of the hiding game, Sec. 3.1 of the paper, where the mate has rank 1.

    >>> import torch
    >>> gallery = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> nearest_impostor(gallery[:1], gallery, own=torch.tensor([True, False, False]))
    (tensor([1]), tensor([0.7654]))
    """
    index, distance = search(probe, gallery, own=own)
    return index[:, 0], distance[:, 0]
