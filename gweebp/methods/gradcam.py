"""Grad-CAM for embedding networks: Selvaraju et al. (2017), Chen et al. (2020), Sec. 4.2.2 of Wang et al. (2025).

    w_c = mean over h, w of ∂G/∂A_c,   map = max(0, Σ_c w_c A_c) over the `top` largest w_c

with A the last convolutional map of the probe and G the triplet gain, Eq. (5).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp.excitation.gain import gain_function, warn_without_gain
from gweebp.excitation.layers import check_derivative, run_from
from gweebp.methods import method


@method("gradcam", layer="feature_layer")
def gradcam(
    net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, layer: str, top: int = 50, gain: str = "triplet"
) -> Tensor:
    """Grad-CAM of the triplet gain, at the last convolutional map.

    Args:
        top: how many channels count, those with the largest weights; at least 1 (fewer channels: all of them).
        gain: "triplet", Eq. (5); or "cosine", as of `gweebp`.

    Returns:
        (b, h, w), non-negative; zero where there is no gain.

    Raises:
        ValueError: for a `top` below 1, or an unknown gain.
    """
    if top < 1:
        raise ValueError(f"top={top}: expected at least one channel")
    with torch.inference_mode(False), torch.enable_grad():
        activation, embedding = run_from(net, probe, layer)
        check_derivative(embedding, activation, layer)
        gains = gain_function(gain)(embedding, mate.clone(), nonmate.clone())
        if gain == "triplet":
            warn_without_gain(gains)
        (gradient,) = torch.autograd.grad(gains.sum(), activation)
    weights = gradient.mean((2, 3))  # (b, c)
    kept = weights.topk(min(top, weights.shape[1]), dim=1)
    weights = torch.zeros_like(weights).scatter(1, kept.indices, kept.values)
    return torch.einsum("bc,bchw->bhw", weights, activation.detach()).clamp(min=0)
