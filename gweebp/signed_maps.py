"""From a signed map to a non-negative one: what is below zero speaks against the mate, and a map is a distribution."""

from __future__ import annotations

from torch import Tensor

NEGATIVE = ("clamp", "minimum", "symmetric")


def non_negative(maps: Tensor, negative: str = "clamp") -> Tensor:
    """A map without negative values.

    Args:
        maps: (b, h, w), any sign.
        negative: "clamp": max(0, map). Or shifted, as released codes do before they rank pixels: "minimum": map − its
            minimum (PairwiseSIM, CorrRISE); "symmetric": map + its largest absolute value (XFace).

    Returns:
        (b, h, w), non-negative, not normalised.

    Example:
        >>> import torch
        >>> maps = torch.tensor([[[-1., 0., 2.]]])
        >>> [non_negative(maps, how).flatten().tolist() for how in NEGATIVE]
        [[0.0, 0.0, 2.0], [0.0, 1.0, 3.0], [1.0, 2.0, 4.0]]
    """
    if negative == "clamp":
        return maps.clamp(min=0)
    if negative == "minimum":
        return maps - maps.amin((1, 2), keepdim=True)
    if negative == "symmetric":
        return maps + maps.abs().amax((1, 2), keepdim=True)
    raise ValueError(f"negative={negative!r} is unknown; expected one of {', '.join(map(repr, NEGATIVE))}")
