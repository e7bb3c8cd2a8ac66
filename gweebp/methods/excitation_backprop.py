"""Excitation backprop and its contrastive and extended forms.

    ebp   Zhang et al. (2018), Eq. (1)-(2): what is negative is ignored    eebp   Wang et al. (2025), Eq. (3)-(4)
    cebp  M − N where positive, of the MWPs towards mate and non-mate      ecebp  the same on Eq. (3)-(4)
    tcebp cEBP on M and N truncated to the top of M, Castanon et al. (2018)   etcebp the same on Eq. (3)-(4)

The map is the channel sum. rule="paper-code" shares probability as the released code does
(gweebp.excitation.released_code), and smoothing="layer" (of cEBP and ecEBP "image") smooths the map where that code
does (gweebp.methods.maps.released).
Assumes a network whose operations have a rule (gweebp.excitation.operations).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation import mwp
from gweebp.methods import method
from gweebp.methods.maps import divided_by_sum, released

BOTH = ("mate", "nonmate")


def contrast(m: Tensor, n: Tensor) -> Tensor:
    """Σ_c max(0, M − N) of two MWPs (b, c, h, w), each divided by its sum: (b, h, w)."""
    return (divided_by_sum(m) - divided_by_sum(n)).clamp(min=0).sum(1)


def truncation_mask(m: Tensor, truncation: float) -> Tensor:
    """True where an entry of M (b, ...), sorted ascending, lies at or above `truncation` of the cumulated sum.

    Example:
        >>> truncation_mask(torch.tensor([[1., 1., 3., 5.]]), 0.2)
        tensor([[False,  True,  True,  True]])
    """
    order = m.flatten(1).double().sort(dim=1, stable=True)
    cumulated = order.values.cumsum(1)
    keep = cumulated >= truncation * cumulated[:, -1:]
    return torch.zeros_like(keep).scatter(1, order.indices, keep).view_as(m)


def truncated(m: Tensor, n: Tensor, truncation: float, renormalise: bool) -> Tensor:
    """`contrast` of M and N without the entries that hold the lowest `truncation` of M's mass: (b, h, w).

    renormalise: divide both by what is left of them (the authors; the older code does not).
    """
    if not 0 <= truncation < 1:
        raise ValueError(f"truncation={truncation}: expected a share in [0, 1)")
    m, n = divided_by_sum(m), divided_by_sum(n)
    mask = truncation_mask(m, truncation)
    m, n = m * mask, n * mask
    return contrast(m, n) if renormalise else (m - n).clamp(min=0).sum(1)


@method("ebp")
def ebp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    rule: str = "equations",
    smoothing: str = "none",
) -> Tensor:
    """Excitation backprop, Eq. (1)-(2): the MWP towards the mate, summed over channels."""
    m = mwp(net, probe, mate, nonmate, layer=layer, extended=False, weighted=False, rule=rule)
    return released(m.sum(1), smoothing, (probe.shape[2], probe.shape[3]))


@method("cebp")
def cebp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    rule: str = "equations",
    smoothing: str = "none",
) -> Tensor:
    """Contrastive excitation backprop, Eq. (1)-(2): Σ_c max(0, M − N)."""
    m, n = mwp(net, probe, mate, nonmate, layer=layer, towards=BOTH, extended=False, weighted=False, rule=rule)
    return released(contrast(m, n), smoothing, (probe.shape[2], probe.shape[3]))


@method("tcebp")
def tcebp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    truncation: float = 0.2,
    renormalise: bool = True,
    rule: str = "equations",
    smoothing: str = "none",
) -> Tensor:
    """Truncated contrastive excitation backprop, Eq. (1)-(2): Σ_c max(0, M − N), both truncated."""
    m, n = mwp(net, probe, mate, nonmate, layer=layer, towards=BOTH, extended=False, weighted=False, rule=rule)
    return released(truncated(m, n, truncation, renormalise), smoothing, (probe.shape[2], probe.shape[3]))


@method("eebp")
def eebp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    rule: str = "equations",
    smoothing: str = "none",
) -> Tensor:
    """Extended excitation backprop, Eq. (3)-(4): the MWP towards the mate, summed over channels."""
    m = mwp(net, probe, mate, nonmate, layer=layer, extended=True, weighted=False, rule=rule)
    return released(m.sum(1), smoothing, (probe.shape[2], probe.shape[3]))


@method("ecebp")
def ecebp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    rule: str = "equations",
    smoothing: str = "none",
) -> Tensor:
    """Contrastive extended excitation backprop, Eq. (3)-(4): Σ_c max(0, M − N)."""
    m, n = mwp(net, probe, mate, nonmate, layer=layer, towards=BOTH, extended=True, weighted=False, rule=rule)
    return released(contrast(m, n), smoothing, (probe.shape[2], probe.shape[3]))


@method("etcebp")
def etcebp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    truncation: float = 0.2,
    renormalise: bool = True,
    rule: str = "equations",
    smoothing: str = "none",
) -> Tensor:
    """Truncated contrastive extended excitation backprop, Eq. (3)-(4): Σ_c max(0, M − N), both truncated."""
    m, n = mwp(net, probe, mate, nonmate, layer=layer, towards=BOTH, extended=True, weighted=False, rule=rule)
    return released(truncated(m, n, truncation, renormalise), smoothing, (probe.shape[2], probe.shape[3]))
