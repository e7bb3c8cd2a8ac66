"""gweEBP, gradient-weighted extended excitation backprop: Wang et al. (2025), Eq. (3)-(6), and as released."""

from __future__ import annotations

from torch import Tensor, nn

from gweebp.excitation import mwps
from gweebp.methods import method
from gweebp.smoothing import gaussian


@method("gweebp")
def gweebp(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    gain: str = "triplet",
    rule: str = "equations",
) -> Tensor:
    """Gradient-weighted extended excitation backprop, Eq. (3)-(6): the MWP towards the mate, summed over channels.

    gain: "triplet" is Eq. (5); "cosine" is the released code's cos(p, m) − cos(p, n). rule: "equations", or
    "paper-code" for the released code's way to share probability (gweebp.paper_code).
    """
    (m,) = mwps(
        net, probe, mate, nonmate, layer=layer, extended=True, weighted=True, towards=("mate",), gain=gain, rule=rule
    )
    return m.sum(1)


@method("gweebp-paper-code")
def gweebp_paper_code(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    layer: str,
    gain: str = "cosine",
    rule: str = "paper-code",
    sigma: float = 2.0,
) -> Tensor:
    """gweEBP as the authors' released code computes it: cosine gain, its own sharing rule, a smoothed map.

    sigma: of a Gaussian over the map, in pixels of the map; 0: none. Each option can be set back to the paper's.
    """
    maps = gweebp(net, probe, mate, nonmate, layer=layer, gain=gain, rule=rule)
    return gaussian(maps, sigma) if sigma else maps
