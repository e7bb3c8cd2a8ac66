"""gweEBP, gradient-weighted extended excitation backprop: Wang et al. (2025), Eq. (3)-(6)."""

from __future__ import annotations

from torch import Tensor, nn

from gweebp.excitation import mwps
from gweebp.methods import method


@method("gweebp")
def gweebp(
    net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, layer: str, gain: str = "triplet"
) -> Tensor:
    """Gradient-weighted extended excitation backprop, Eq. (3)-(6): the MWP towards the mate, summed over channels.

    gain: "triplet" is Eq. (5); "cosine" is the released code's cos(p, m) − cos(p, n).
    """
    (m,) = mwps(net, probe, mate, nonmate, layer=layer, extended=True, weighted=True, towards=("mate",), gain=gain)
    return m.sum(1)
