"""Gradient × input of the triplet gain: Shrikumar et al. (2016), for embedding networks.

    map = Σ_c (x − x₀)_c · ∂G/∂x_c

over the colours c of each pixel, with x the probe, G the triplet gain of Eq. (5) and x₀ a baseline image of one value:
the first-order estimate of what the gain loses where a pixel is set to the baseline. Assumes: nothing but a gradient.
"""

from __future__ import annotations

from torch import Tensor, nn

from gweebp.excitation.tensors import at_least_float32
from gweebp.methods import method
from gweebp.methods.masking import fill_value
from gweebp.methods.pixels import evidence, gain_gradient, with_gain


@method("gradient-input", layer=None)
def gradient_input(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    gain: str = "triplet",
    baseline: float | str = 0.0,
    negative: str = "clamp",
) -> Tensor:
    """Gradient × input: each pixel times the gradient of the triplet gain, summed over colours.

    Args:
        gain: "triplet", Eq. (5); or "cosine", cos(p, m) − cos(p, n).
        baseline: what the pixels are measured from: a number in the network's input range, or "black".
        negative: how negative values are removed, see gweebp.methods.maps.non_negative; "minimum" ranks the signed map
            whole.

    Returns:
        (b, h, w) at the probe's resolution, non-negative; zero where there is no gain.

    Raises:
        ValueError: for an unknown name, or a baseline that is not a number.
    """
    there = with_gain(net, probe, mate, nonmate, gain)
    shares = gain_gradient(net, probe, mate, nonmate, gain) * at_least_float32(
        probe - fill_value(net, probe, baseline, "baseline")
    )
    return evidence(shares, there, negative)
