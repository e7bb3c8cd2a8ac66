"""Integrated gradients of the triplet gain: Sundararajan, Taly & Yan (2017), for embedding networks.

With x the probe, x₀ a baseline image of one value and G the triplet gain of Eq. (5),

    map = Σ_c (x − x₀)_c · ∫₀¹ ∂G/∂x_c (x₀ + α (x − x₀)) dα

over the colours c of each pixel. The integral is the mean over `steps` midpoints α = (k − ½) / steps; the signed map
sums to G(x) − G(x₀) as steps grow (completeness). Each step is a forward and a backward pass of its own, so that memory
does not grow with their number.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.tensors import at_least_float32
from gweebp.methods import method
from gweebp.methods.masking import check_positive, fill_value
from gweebp.methods.pixels import evidence, gain_gradient, with_gain


def path_gradient(
    net: nn.Module, probe: Tensor, baseline: Tensor, mate: Tensor, nonmate: Tensor, gain: str, steps: int
) -> Tensor:
    """The mean gradient of the gain at the midpoints of equal parts of the way from the baseline to the probe.

    Args:
        net: the network.
        probe: (b, c, h, w).
        baseline: where the way begins, of a shape that broadcasts with the probe.
        mate, nonmate: embeddings (b, d).
        gain: "triplet" or "cosine", see `integrated_gradients`.
        steps: how many parts.

    Returns:
        (b, c, h, w), float32 at least.

    Example:
        >>> probe, m, n = torch.tensor([[[[3., 4.]]]]), torch.tensor([[1., 0.]]), torch.tensor([[0., 1.]])
        >>> g = path_gradient(nn.Flatten(), probe, torch.zeros(1, 1, 1, 1), m, n, "cosine", 1)
        >>> g.flatten()  # of a direction, which the way from 0 does not change
        tensor([ 0.4480, -0.3360])
    """
    total = at_least_float32(torch.zeros_like(probe))
    for k in range(steps):
        images = torch.lerp(baseline.to(probe), probe, (k + 0.5) / steps)
        total += gain_gradient(net, images, mate, nonmate, gain)
    return total / steps


@method("integrated-gradients", layer=None)
def integrated_gradients(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    steps: int = 32,
    gain: str = "triplet",
    baseline: float | str = 0.0,
    negative: str = "clamp",
) -> Tensor:
    """Integrated gradients: the gain of the triplet, shared among pixels along the way from a plain image.

    Args:
        steps: forward and backward passes, at least 1.
        gain: "triplet", Eq. (5); or "cosine", cos(p, m) − cos(p, n).
        baseline: where the way begins: a number in the network's input range, or "black".
        negative: how negative values are removed, see gweebp.methods.maps.non_negative; "minimum" ranks the signed map
            whole.

    Returns:
        (b, h, w) at the probe's resolution, non-negative; zero where there is no gain.

    Raises:
        ValueError: for an option out of its range, or an unknown name.
    """
    check_positive(steps=steps)
    start = fill_value(net, probe, baseline, "baseline")
    there = with_gain(net, probe, mate, nonmate, gain)
    gradient = path_gradient(net, probe, start, mate, nonmate, gain, steps)
    return evidence(gradient * at_least_float32(probe - start), there, negative)
