"""Excitation backprop and its contrastive and extended forms.

    ebp   Zhang et al. (2018), Eq. (1)-(2): what is negative is ignored    eebp   Wang et al. (2025), Eq. (3)-(4)
    cebp  M − N where positive, of the MWPs towards mate and non-mate      ecebp  the same on Eq. (3)-(4)
    tcebp cEBP on M and N truncated to the top of M, Castanon et al. (2018)   etcebp the same on Eq. (3)-(4)

The map is the channel sum. rule="paper-code" shares probability as the released code does
(gweebp.excitation.released_code), and smoothing="layer" (of cEBP and ecEBP "image")
smooths the map where that code does (gweebp.methods.maps.released).
Assumes a network whose operations have a rule (gweebp.excitation.operations).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation import mwps
from gweebp.methods import method
from gweebp.methods.maps import divided_by_sum, released


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


def _mwp(extended: bool, towards: tuple[str, ...], net: nn.Module, *triplet: Tensor, **options: Any) -> list[Tensor]:
    return mwps(net, *triplet, extended=extended, weighted=False, towards=towards, **options)


def _family(extended: bool) -> tuple[Callable[..., Tensor], ...]:
    name = "extended excitation backprop, Eq. (3)-(4)" if extended else "excitation backprop, Eq. (1)-(2)"

    def plain(
        net: nn.Module,
        probe: Tensor,
        mate: Tensor,
        nonmate: Tensor,
        *,
        layer: str,
        rule: str = "equations",
        smoothing: str = "none",
    ) -> Tensor:
        (m,) = _mwp(extended, ("mate",), net, probe, mate, nonmate, layer=layer, rule=rule)
        return released(m.sum(1), smoothing, (probe.shape[2], probe.shape[3]))

    def contrastive(
        net: nn.Module,
        probe: Tensor,
        mate: Tensor,
        nonmate: Tensor,
        *,
        layer: str,
        rule: str = "equations",
        smoothing: str = "none",
    ) -> Tensor:
        maps = contrast(*_mwp(extended, ("mate", "nonmate"), net, probe, mate, nonmate, layer=layer, rule=rule))
        return released(maps, smoothing, (probe.shape[2], probe.shape[3]))

    def truncated(
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
        if not 0 <= truncation < 1:
            raise ValueError(f"truncation={truncation}: expected a share in [0, 1)")
        both = _mwp(extended, ("mate", "nonmate"), net, probe, mate, nonmate, layer=layer, rule=rule)
        m, n = map(divided_by_sum, both)
        mask = truncation_mask(m, truncation)
        m, n = m * mask, n * mask
        maps = contrast(m, n) if renormalise else (m - n).clamp(min=0).sum(1)
        return released(maps, smoothing, (probe.shape[2], probe.shape[3]))

    plain.__doc__ = f"{name.capitalize()}: the MWP towards the mate, summed over channels."
    contrastive.__doc__ = f"Contrastive {name}: Σ_c max(0, M − N)."
    truncated.__doc__ = (
        f"Truncated contrastive {name}: M and N without the entries that hold the lowest `truncation` of M's mass, "
        "renormalised (the authors; the older code does not), then Σ_c max(0, M − N)."
    )
    return plain, contrastive, truncated


def _register(names: Any, extended: bool) -> None:
    for name, run in zip(names, _family(extended)):
        run.__name__ = run.__qualname__ = name
        method(name)(run)


_register(("ebp", "cebp", "tcebp"), extended=False)
_register(("eebp", "ecebp", "etcebp"), extended=True)
