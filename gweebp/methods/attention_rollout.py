"""Attention rollout: the attention of all blocks, followed down to the patches.

Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020. With A_l the attention of block l, the mean
over its heads, and the residual connection as half of what a token receives,

    Ā_l = (A_l + I)/2, each row over its sum,      rollout = Ā_L ··· Ā_2 Ā_1

of which the map is the row of the token that the embedding is read from. It reads no triplet: the map of a probe is the
same for every mate.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.attention import attended
from gweebp.methods import method


@method("rollout", attention=True)
def attention_rollout(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, layer: str) -> Tensor:
    """Attention rollout: the attention of all blocks multiplied, with the identity added for the residual connections.

    Read from the class token, or from all tokens alike where the embedding is made of their mean. A last attention that
    pools tokens has no residual connection. Needs attention between all tokens; for transformers only.
    """
    found = attended(net, probe, layer)
    tokens = found.read
    for weights in reversed(found.weights):
        tokens = torch.einsum("bq,bqk->bk", tokens, with_residual(weights.mean(1)))
    return found.on_the_grid(tokens)


def with_residual(attention: Tensor) -> Tensor:
    """(A + I)/2 of an attention, each row divided by its sum; A alone where it is not square.

    Args:
        attention: A, (b, queries, keys), non-negative.

    Returns:
        (b, queries, keys), each row of sum 1.

    Example:
        >>> with_residual(torch.tensor([[[0.0, 1.0], [0.5, 0.5]]]))
        tensor([[[0.5000, 0.5000],
                 [0.2500, 0.7500]]])
    """
    a = attention.clamp(min=0)
    if a.shape[1] == a.shape[2]:
        a = (a + torch.eye(a.shape[2], dtype=a.dtype, device=a.device)) / 2
    total = a.sum(2, keepdim=True)
    return a / torch.where(total > 0, total, 1)
