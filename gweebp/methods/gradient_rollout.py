"""Gradient-weighted attention rollout: attention counts where more of it raises the gain of the triplet.

Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
Transformers", ICCV 2021, its rule for self-attention, with the triplet gain G of Eq. (5) in place of a class score.
With A_l the attention of block l and E_h the mean over its heads,

    Ā_l = E_h [max(0, A_l ⊙ ∂G/∂A_l)],      R ← R + Ā_l R from R = I, block by block

of which the map is the row of the token that the embedding is read from, less the identity that R started from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.attention import attended
from gweebp.excitation.gain import gain_function, warn_without_gain
from gweebp.methods import method


@method("gradient-rollout", attention=True)
def gradient_rollout(
    net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, layer: str, gain: str = "triplet"
) -> Tensor:
    """Attention rollout in which attention is weighted by the gradient of the triplet gain.

    gain: "triplet", Eq. (5), or "cosine", cos(p, m) − cos(p, n). Read from the class token, or from all tokens alike
    where the embedding is made of their mean. Needs attention between all tokens; for transformers only.
    """
    found = attended(net, probe, layer)
    with torch.inference_mode(False), torch.enable_grad():
        gains = gain_function(gain)(found.embedding, mate.clone(), nonmate.clone())
        if gain == "triplet":
            warn_without_gain(gains)
        gradients = found.gradients(gains.sum())
    return found.on_the_grid(relevance(found.read, list(zip(found.weights, gradients, strict=True))))


def relevance(read: Tensor, blocks: list[tuple[Tensor, Tensor]]) -> Tensor:
    """read · (R − I), with R from the blocks' attention and its gradient.

    A block whose attention is not square pools: nothing goes around it, and no identity is left out.

    Args:
        read: what the embedding reads of the last tokens, (b, queries).
        blocks: attention and gradient of each block, (b, heads, queries, keys) each, the first block first.

    Returns:
        (b, keys) of the first block.

    Example:
        >>> a = torch.tensor([[[[0.25, 0.75], [0.5, 0.5]]]])
        >>> relevance(torch.tensor([[1.0, 0.0]]), [(a, torch.ones_like(a))])
        tensor([[0.2500, 0.7500]])
    """
    around, gained = read, torch.zeros_like(read)  # by residual connections alone, and all the rest
    for attention, gradient in reversed(blocks):
        a = (attention * gradient).clamp(min=0).mean(1)
        through = torch.einsum("bq,bqk->bk", around + gained, a)
        if a.shape[1] == a.shape[2]:
            gained = gained + through
        else:
            around, gained = torch.zeros_like(through), through
    return gained
