"""Raw attention: how much the tokens that the embedding is read from attend to each patch, in the last block.

The baseline of Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020. It reads no triplet: the map
of a probe is the same for every mate.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.attention import attended
from gweebp.methods import method


@method("attention", attention=True)
def raw_attention(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, layer: str) -> Tensor:
    """Raw attention of the last block, the mean over its heads, from the tokens that the embedding is read from.

    Those are the class token, or all tokens alike where the embedding is made of their mean. Needs attention between
    all tokens; for transformers only.
    """
    found = attended(net, probe, layer)
    last = found.weights[-1].mean(1).clamp(min=0)
    return found.on_the_grid(torch.einsum("bq,bqk->bk", found.read, last))
