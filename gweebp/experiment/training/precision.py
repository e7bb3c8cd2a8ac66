"""Training that gives the same network on every processor: in float64, from a start that was drawn in float64.

Processors round differently, and the steps of a training carry that further: after some hundred steps in float32, two
kinds of processor have networks as different as two seeds give. In float64 the same steps carry a rounding of 1e-16 to
less than the last digit of float32, in which the weights are kept. The start has to be the same as well, and a normal
distribution that is drawn in float32 is not.
"""

from __future__ import annotations

from typing import Any

import torch

from gweebp import networks

__all__ = ["PRECISIONS", "drawn"]

PRECISIONS = ("float32", "float64")


def drawn(network: str, precision: str, *, seed: int | None = None, **options: Any) -> networks.EmbeddingNetwork:
    """A network with random float32 weights, drawn in the precision in which it will be trained.

    Args:
        network, seed, options: as `networks.build`. precision: one of PRECISIONS.

    >>> one, two = (drawn("lcnn9", precision, seed=0, width=0.125, size=32) for precision in PRECISIONS)
    >>> {p.dtype for p in two.parameters()}, torch.equal(next(one.parameters()), next(two.parameters()))
    ({torch.float32}, False)
    """
    if precision == "float32":
        return networks.build(network, seed=seed, **options)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, precision))
    try:
        return networks.build(network, seed=seed, **options).float()
    finally:
        torch.set_default_dtype(before)
