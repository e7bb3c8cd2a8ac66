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
    """Σ_c max(0, M − N), with M and N each divided by its sum.

    Args:
        m, n: MWPs towards mate and non-mate, (b, c, h, w), non-negative.

    Returns:
        (b, h, w), non-negative.

    >>> contrast(torch.tensor([[[[3.0, 1.0]]]]), torch.tensor([[[[1.0, 1.0]]]]))
    tensor([[[0.2500, 0.0000]]])
    """
    return (divided_by_sum(m) - divided_by_sum(n)).clamp(min=0).sum(1)


def truncation_mask(m: Tensor, truncation: float) -> Tensor:
    """Which entries of an MWP hold its upper part: with entries sorted ascending, those at or above a share of the sum.

    Args:
        m: MWP (b, ...), non-negative.
        truncation: the share of the sum, in 0..1, that is cut away.

    Returns:
        bool (b, ...).

    Source: Castañón and Byrne, "Visualizing and quantifying discriminative features for face recognition", FG 2018.

    Example:
        >>> truncation_mask(torch.tensor([[1., 1., 3., 5.]]), 0.2)
        tensor([[False,  True,  True,  True]])
    """
    order = m.flatten(1).double().sort(dim=1, stable=True)
    cumulated = order.values.cumsum(1)
    keep = cumulated >= truncation * cumulated[:, -1:]
    return torch.zeros_like(keep).scatter(1, order.indices, keep).view_as(m)


def truncated(m: Tensor, n: Tensor, truncation: float, renormalise: bool) -> Tensor:
    """`contrast` of M and N without the entries that hold the lowest `truncation` of M's sum.

    Args:
        m, n: MWPs towards mate and non-mate, (b, c, h, w), non-negative.
        truncation: the share that is cut away, in [0, 1).
        renormalise: divide both by what is left of them (as the authors do; older code does not).

    Returns:
        (b, h, w), non-negative.

    Raises:
        ValueError: for a truncation outside of [0, 1).

    >>> m, n = torch.tensor([[[[6.0, 3.0, 1.0]]]]), torch.tensor([[[[1.0, 1.0, 8.0]]]])
    >>> truncated(m, n, 0.2, renormalise=False)
    tensor([[[0.5000, 0.2000, 0.0000]]])
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
    """Excitation backprop, Eq. (1)-(2): the MWP towards the mate, summed over channels.

    Args:
        rule, smoothing: see the module.

    Returns:
        (b, h, w), non-negative.
    """
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
    """Contrastive excitation backprop, Eq. (1)-(2): Σ_c max(0, M − N).

    Args:
        rule, smoothing: see the module.

    Returns:
        (b, h, w), non-negative.
    """
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
    """Truncated contrastive excitation backprop, Eq. (1)-(2): Σ_c max(0, M − N), both truncated.

    Args:
        truncation, renormalise: see `truncated`.
        rule, smoothing: see the module.

    Returns:
        (b, h, w), non-negative.
    """
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
    """Extended excitation backprop, Eq. (3)-(4): the MWP towards the mate, summed over channels.

    Args:
        rule, smoothing: see the module.

    Returns:
        (b, h, w), non-negative.
    """
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
    """Contrastive extended excitation backprop, Eq. (3)-(4): Σ_c max(0, M − N).

    Args:
        rule, smoothing: see the module.

    Returns:
        (b, h, w), non-negative.
    """
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
    """Truncated contrastive extended excitation backprop, Eq. (3)-(4): Σ_c max(0, M − N), both truncated.

    Args:
        truncation, renormalise: see `truncated`.
        rule, smoothing: see the module.

    Returns:
        (b, h, w), non-negative.
    """
    m, n = mwp(net, probe, mate, nonmate, layer=layer, towards=BOTH, extended=True, weighted=False, rule=rule)
    return released(truncated(m, n, truncation, renormalise), smoothing, (probe.shape[2], probe.shape[3]))
