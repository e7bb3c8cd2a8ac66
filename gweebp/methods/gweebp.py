"""gweEBP, gradient-weighted extended excitation backprop: Wang et al. (2025), Eq. (3)-(6), and as released."""

from __future__ import annotations

from torch import Tensor, nn

from gweebp.excitation import mwp
from gweebp.methods import method
from gweebp.methods.maps import released


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
    extended: bool = True,
    dead_ends: str = "lost",
    clamp: bool = True,
    smoothing: str = "none",
) -> Tensor:
    """Gradient-weighted extended excitation backprop, Eq. (3)-(6): the MWP towards the mate, summed over channels.

    Args:
        gain: "triplet", Eq. (5); "distance", the same without its hinge; or "cosine", the released code's
            cos(p, m) − cos(p, n).
        rule: "equations"; or "paper-code", the released code's way to share probability
            (gweebp.excitation.released_code).
        extended: False for the weighting alone, Eq. (6) on Eq. (1)-(2), in which negative responses are left out.
        dead_ends: what a parent does that has no excitatory child among the weighted responses: "lost", its probability
            is lost; "unweighted", it shares its probability by the responses as they are.
        clamp: False for Eq. (6) as printed, whose second bracket keeps what is negative too.
        smoothing: see gweebp.methods.maps.released.

    Returns:
        (b, h, w), non-negative.

    Raises:
        ValueError: for an unknown name among the options.
    """
    how = {"extended": extended, "gain": gain, "rule": rule, "dead_ends": dead_ends, "clamp": clamp}
    m = mwp(net, probe, mate, nonmate, layer=layer, **how)  # type: ignore[arg-type]
    return released(m.sum(1), smoothing, (probe.shape[2], probe.shape[3]))


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
    smoothing: str = "image",
) -> Tensor:
    """gweEBP as the authors' released code computes it: cosine gain, its own sharing rule, smoothed at image size.

    Args:
        gain, rule: as of `gweebp`; each can be set back to the paper's.
        smoothing: "image", "layer" or "none", see gweebp.methods.maps.released.

    Returns:
        (b, h, w), non-negative, at the probe's resolution where smoothing is "image".

    Raises:
        ValueError: for an unknown name among the options.
    """
    return gweebp(net, probe, mate, nonmate, layer=layer, gain=gain, rule=rule, smoothing=smoothing)
