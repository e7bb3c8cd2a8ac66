"""FGGB, feature-guided gradient backpropagation: Lu, Xu & Ebrahimi (2024), arXiv 2403.04549.

With F the probe's embedding as the network gives it, d its dimensions and t the decision threshold as a cosine: one
gradient per dimension, weighted by what the dimension adds to the cosine beyond its share of the threshold,

    G_k = ∂F_k/∂x        w = F ⊙ F_other / (‖F‖ ‖F_other‖)        S = Σ_k G̃_k (w_k − t/d)

The map is S where it is positive, what is similar. G̃_k is the mean over colours of |G_k|, divided by its largest value:
magnitudes, because S must not change where the network's dimension k is negated, and each of the same height, so that
no dimension speaks louder than another. Contrastive, as an embedding network's choice needs: S towards the mate less S
towards the non-mate, in which the threshold cancels. d backward passes. Assumes: nothing but a gradient.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gweebp.excitation.gain import same_length
from gweebp.excitation.layers import check_derivative, eager, run_from
from gweebp.excitation.taps import INPUT
from gweebp.excitation.tensors import at_least_float32, unit
from gweebp.methods import method
from gweebp.methods.maps import non_negative
from gweebp.methods.masking import check_positive
from gweebp.methods.pixels import check_threshold, cosine_threshold

SCALES = ("maximum", "norm", "none")


def dimension_gradients(embedding: Tensor, leaf: Tensor, batch: int) -> Iterator[tuple[slice, Tensor]]:
    """∂F_k/∂x of some dimensions k at a time.

    Args:
        embedding: (b, d), a function of `leaf`.
        leaf: (b, c, h, w).
        batch: gradients per backward pass: with b images, batch / b dimensions at a time, at least one.

    Yields the slice of dimensions, and their gradients (k, b, c, h, w).
    """
    b, d = embedding.shape
    step = max(1, batch // b)
    for start in range(0, d, step):
        here = slice(start, min(start + step, d))
        ones = torch.eye(d, dtype=embedding.dtype, device=embedding.device)[here, None].expand(-1, b, -1)
        yield here, _products(embedding, leaf, ones)


def _products(embedding: Tensor, leaf: Tensor, vectors: Tensor) -> Tensor:
    """The products of vectors (k, b, d) and the Jacobian: (k, b, c, h, w)."""
    how = {"retain_graph": True, "materialize_grads": True}
    if len(vectors) > 1:
        try:
            return torch.autograd.grad(embedding, leaf, vectors, is_grads_batched=True, **how)[0]
        except RuntimeError as error:  # an operation of the network has no vectorised gradient
            if isinstance(error, torch.OutOfMemoryError):
                raise
    return torch.stack([torch.autograd.grad(embedding, leaf, v, **how)[0] for v in vectors])


def heights(gradients: Tensor, scale: str) -> Tensor:
    """G̃: the mean over colours of |gradients|, divided by its maximum or its L2 norm.

    Args:
        gradients: (..., c, h, w).
        scale: "maximum", "norm" or "none".

    Returns:
        (..., h, w), non-negative.

    Raises:
        ValueError: for an unknown scale.

    Example:
        >>> heights(torch.tensor([[[[3., -4.]]]]), "maximum"), heights(torch.tensor([[[[3., -4.]]]]), "norm")
        (tensor([[[0.7500, 1.0000]]]), tensor([[[0.6000, 0.8000]]]))
    """
    if scale not in SCALES:
        raise ValueError(f"scale={scale!r} is unknown; expected one of {', '.join(map(repr, SCALES))}")
    g = gradients.abs().mean(-3)
    if scale == "none":
        return g
    whole = g.amax((-2, -1), keepdim=True) if scale == "maximum" else torch.linalg.vector_norm(g, dim=(-2, -1))
    return g / torch.where(whole > 0, whole, 1).view(*g.shape[:-2], 1, 1)


@method("fggb", layer=None)
def fggb(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    threshold: float | None = None,
    scale: str = "maximum",
    contrastive: bool = True,
    negative: str = "clamp",
    batch: int = 16,
) -> Tensor:
    """FGGB: one gradient per dimension of the embedding, weighted by what it adds to the similarity to the mate.

    Args:
        threshold: the decision threshold as a cosine (of an L2 distance τ of unit embeddings: 1 − τ²/2); None: halfway
            between the probe's cosines to mate and non-mate. It has no effect where the map is contrastive.
        scale: what each gradient is divided by, "maximum", "norm" or "none".
        contrastive: False for the mate's map alone.
        negative: how negative values are removed, see gweebp.methods.maps.non_negative; "minimum" ranks the signed map
            whole.
        batch: gradients per backward pass (with b images, each pass takes batch / b dimensions).

    Returns:
        (b, h, w) at the probe's resolution, non-negative.

    Raises:
        ValueError: for an option out of its range, or an unknown name.
    """
    check_threshold(threshold)
    check_positive(batch=batch)
    with torch.inference_mode(False), torch.enable_grad():
        leaf, embedding = run_from(eager(net), probe, INPUT)
        check_derivative(embedding, leaf, INPUT)
        same_length(embedding, mate, nonmate)
        a, m, n = (unit(x.detach()) for x in (embedding, mate, nonmate))
        share = cosine_threshold(threshold, a, mate, nonmate)[:, None] / a.shape[1]
        weights = a * (m - n) if contrastive else a * m - share  # (b, d)
        total = at_least_float32(torch.zeros_like(probe[:, 0]))
        for here, gradients in dimension_gradients(embedding, leaf, batch):
            total = total + torch.einsum("kbhw,bk->bhw", heights(gradients, scale), weights[:, here].to(total.dtype))
    return non_negative(total.detach(), negative)
