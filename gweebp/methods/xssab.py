"""xSSAB, similarity score argument backpropagation: Huber et al. (2024).

With a, b the unit embeddings of the probe and of the other image, d their dimensions and t the decision threshold as a
cosine, the terms a_k b_k of the cosine are arguments for a match where they reach their share t / d of it, and against
one where they don't. With b held constant,

    g⁺ = ∂/∂x Σ_{k: a_k b_k ≥ t/d} a_k b_k        g⁻ = ∂/∂x Σ_{k: a_k b_k < t/d} a_k b_k

    map = mean over colours of |g⁺|  −  mean over colours of |g⁻|

Contrastive, as an embedding network's choice needs: that map towards the mate less that towards the non-mate. Two
backward passes per map. Assumes: nothing but a gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.gain import same_length
from gweebp.excitation.tensors import unit
from gweebp.methods import method
from gweebp.methods.maps import non_negative
from gweebp.methods.pixels import check_threshold, cosine_threshold, pixel_gradients


def arguments(probe: Tensor, other: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of the terms of a cosine that reach their share of the threshold, and of those that do not.

    Args:
        probe, other: unit embeddings (b, d).
        threshold: (b,), cosines.

    Returns:
        Two (b,), which add up to the cosine.

    Example:
        >>> a, b = torch.tensor([[0.6, 0.8]]), torch.tensor([[0.8, 0.6]])
        >>> arguments(a, b, torch.tensor([0.9])), arguments(a, b, torch.tensor([1.0]))
        ((tensor([0.9600]), tensor([0.])), (tensor([0.]), tensor([0.9600])))
    """
    terms = probe * other
    holds = terms.detach() >= threshold[:, None] / terms.shape[1]
    return torch.where(holds, terms, 0).sum(1), torch.where(holds, 0, terms).sum(1)


@method("xssab", layer=None)
def xssab(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    threshold: float | None = None,
    contrastive: bool = True,
    negative: str = "clamp",
) -> Tensor:
    """xSSAB: pixels behind the terms of the cosine that argue for the mate, less those behind terms against.

    Args:
        threshold: the decision threshold as a cosine (of an L2 distance τ of unit embeddings: 1 − τ²/2); None: halfway
            between the probe's cosines to mate and non-mate.
        contrastive: False for the mate's map alone.
        negative: how negative values are removed, see gweebp.methods.maps.non_negative; "minimum" ranks the signed map
            whole.

    Returns:
        (b, h, w) at the probe's resolution, non-negative.

    Raises:
        ValueError: for a threshold out of its range, or an unknown name.
    """
    check_threshold(threshold)
    others = [unit(x).clone() for x in ((mate, nonmate) if contrastive else (mate,))]

    def scores(embedding: Tensor) -> tuple[Tensor, ...]:
        same_length(embedding, mate, nonmate)
        a = unit(embedding)
        t = cosine_threshold(threshold, a.detach(), mate, nonmate)
        return tuple(sum_ for other in others for sum_ in arguments(a, other, t))

    found = [gradient.abs().mean(1) for gradient in pixel_gradients(net, probe, scores)]
    signed = found[0] - found[1]
    return non_negative(signed - (found[2] - found[3]) if contrastive else signed, negative)
