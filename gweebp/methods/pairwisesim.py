"""PairwiseSIM: Stylianou, Souvenir & Pless (2019), where two images' pooled features meet.

With A, B the last convolutional maps of the probe and of the other image, K = h·w pixels each,

    sim_i = A_i · Σ_k B_k / (K² ‖mean A‖ ‖mean B‖)

which sums over i to the cosine of the average-pooled features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.layers import run_from
from gweebp.excitation.tensors import power_of_two, unit
from gweebp.methods import method
from gweebp.methods.maps import non_negative


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """The share of each pixel of `a` in the cosine of the pooled features of `a` and `b`.

    Args:
        a: features (b, c, h, w) of the probe. b: features of the other image, the same batch size or 1.

    Returns:
        (b, h, w), of any sign where features are; sums to the cosine of the pooled features.

    Example:
        >>> a = torch.tensor([[[[1., 3.]]]])
        >>> similarity(a, torch.ones(1, 1, 2, 2))
        tensor([[[0.2500, 0.7500]]])
    """
    a = a / power_of_two(a.abs().flatten(1).amax(1))[:, None, None, None]  # squares of 1e30 or 1e-30 leave the range
    pixels, norm = a.shape[2:].numel(), torch.linalg.vector_norm(a.mean((2, 3)), dim=1)
    pooled = unit(b.mean((2, 3))).expand(len(a), -1)
    return torch.einsum("bchw,bc->bhw", a, pooled) / (pixels * norm).clamp(min=1e-30)[:, None, None]


@method("pairwisesim", layer="feature_layer", reads="images")
def pairwisesim(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    contrastive: bool = False,
    negative: str = "clamp",
) -> Tensor:
    """PairwiseSIM: each pixel's share of the similarity to the mate, at the last convolutional map.

    Args:
        contrastive: True for sim(m) − sim(n), as in the authors' code; False for sim(m), as in their paper.
        negative: how negative values are removed, see gweebp.methods.maps.non_negative.

    Returns:
        (b, h, w), non-negative.

    Raises:
        ValueError: for an unknown name in `negative`.
    """
    given = {"probe": probe, "mate": mate} | ({"nonmate": nonmate} if contrastive else {})
    a, m, *n = (run_from(net, images, layer, name=name)[0].detach() for name, images in given.items())
    maps = similarity(a, m)
    if contrastive:
        maps = maps - similarity(a, *n)
    return non_negative(maps, negative)
