"""PairwiseSIM: Stylianou, Souvenir & Pless (2019), where two images' pooled features meet.

With A, B the last convolutional maps of the probe and of the other image, K = h·w pixels each,

    sim_i = A_i · Σ_k B_k / (K² ‖mean A‖ ‖mean B‖)

which sums over i to the cosine of the average-pooled features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.layers import run_from
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
    pixels, norm = a.shape[2:].numel(), torch.linalg.vector_norm(a.mean((2, 3)), dim=1)
    pooled = nn.functional.normalize(b.mean((2, 3)), dim=1).expand(len(a), -1)
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
    """PairwiseSIM: each pixel's share in the similarity to the mate, at the last convolutional map.

    contrastive: sim(m) − sim(n), as the authors' code; the paper's is sim(m). negative: see gweebp.methods.maps.
    """
    a, m = (run_from(net, images, layer)[0].detach() for images in (probe, mate))
    maps = similarity(a, m)
    if contrastive:
        maps = maps - similarity(a, run_from(net, nonmate, layer)[0].detach())
    return non_negative(maps, negative)
