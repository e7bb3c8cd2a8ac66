"""The gain of a triplet and the responses that work for it: Eq. (5) and (6) of Wang et al. (2025).

The gain says by how much the probe is nearer to its mate than to the non-mate. Its gradient says which responses
of the network make it so. Gradient weighting keeps a response only where it works for the triplet, scaled by how much:

    ã = sign(a) · max(0, a · ∂G/∂a)                                                                  Eq. (6)

which is the paper's two brackets in one line: â[∂G/∂a]⁺ for a positive response, â[−∂G/∂a]⁺ for a negative one
(in print the second bracket lacks its ⁺; the text and the authors' code have it. `clamp=False` is the print).

Assumes: embeddings of one sample do not depend on the other samples of the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gweebp.excitation.tensors import unit
from gweebp.support.warned import warn

ROUNDING = 16  # of the machine's epsilons: what two ways to compute one embedding may differ by


class NoGainWarning(UserWarning):
    """A probe is not nearer to its mate than to the non-mate: there is no choice of the mate to explain."""


class RoundingWarning(UserWarning):
    """What tells a mate from its non-mate is within the rounding of the numbers, and may be noise."""


def same_length(probe: Tensor, *others: Tensor) -> None:
    """Check that embeddings are of one network, by their length.

    Args:
        probe: embeddings (..., d).
        others: embeddings of mate and non-mate.

    Raises:
        ValueError: for another length than the probe's; it names both lengths.
    """
    for other in others:
        if other.shape[-1] != probe.shape[-1]:
            raise ValueError(
                f"mate and nonmate are embeddings of length {other.shape[-1]}, and the network gives the probe one of "
                f"length {probe.shape[-1]}: they are of another network"
            )


def units(probe: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Embeddings of L2 length 1, in the probe's precision and on its device.

    Args:
        probe: embeddings (b, d).
        others: embeddings (b, d) of mate and non-mate.

    Returns:
        Each (b, d), of L2 length 1, the probe's first.

    Raises:
        ValueError: for an embedding of another length than the probe's; it names both lengths.

    Example:
        >>> units(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]], dtype=torch.float64))
        (tensor([[1., 0.]]), tensor([[0., 1.]]))
    """
    same_length(probe, *others)
    first, *rest = (unit(e) for e in (probe, *others))
    return first, *(e.to(first) for e in rest)


def triplet_gain(probe: Tensor, mate: Tensor, nonmate: Tensor) -> Tensor:
    """Gain of a triplet, Eq. (5): max(0, ‖p − n‖ − ‖p − m‖), L2 distances between unit embeddings.

    Args:
        probe, mate, nonmate: embeddings (b, d); normalised here.

    Returns:
        (b,), in [0, 2]; 0 where the probe is not nearer to its mate.

    Raises:
        ValueError: for embeddings of different lengths.

    Example:
        >>> p, m, n = torch.eye(3)[:1], torch.eye(3)[:1], torch.eye(3)[1:2]
        >>> triplet_gain(p, m, n)
        tensor([1.4142])
    """
    return distance_gain(probe, mate, nonmate).clamp(min=0)


def cosine_gain(probe: Tensor, mate: Tensor, nonmate: Tensor) -> Tensor:
    """The released code's gain: cos(p, m) − cos(p, n), without a hinge.

    Args:
        probe, mate, nonmate: embeddings (b, d); normalised here.

    Returns:
        (b,), in [−2, 2].

    Raises:
        ValueError: for embeddings of different lengths.

    Example:
        >>> p, m, n = torch.eye(3)[:1], torch.eye(3)[:1], torch.eye(3)[1:2]
        >>> cosine_gain(p, m, n)
        tensor([1.])
    """
    p, m, n = units(probe, mate, nonmate)
    return (p * (m - n)).sum(1)


def distance_gain(probe: Tensor, mate: Tensor, nonmate: Tensor) -> Tensor:
    """Eq. (5) without its hinge: ‖p − n‖ − ‖p − m‖, L2 distances between unit embeddings.

    Where it is above 0 it has the value and the gradient of `triplet_gain`; below, it still says what speaks for which.

    Args:
        probe, mate, nonmate: embeddings (b, d); normalised here.

    Returns:
        (b,), in [−2, 2].

    Raises:
        ValueError: for embeddings of different lengths.

    Example:
        >>> p, m, n = torch.eye(3)[:1], torch.eye(3)[1:2], torch.eye(3)[:1]
        >>> distance_gain(p, m, n), triplet_gain(p, m, n)
        (tensor([-1.4142]), tensor([0.]))
    """
    p, m, n = units(probe, mate, nonmate)
    return torch.linalg.vector_norm(p - n, dim=1) - torch.linalg.vector_norm(p - m, dim=1)


GAINS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "triplet": triplet_gain,
    "cosine": cosine_gain,
    "distance": distance_gain,
}


def gain_function(name: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The gain of a name.

    Args:
        name: "triplet" or "cosine".

    Returns:
        A function of the embeddings (b, d) of probe, mate and non-mate, which returns (b,).

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> gain_function("triplet") is triplet_gain
        True
    """
    if not isinstance(name, str) or name not in GAINS:
        raise ValueError(f"gain={name!r} is unknown; expected one of {', '.join(map(repr, GAINS))}")
    return GAINS[name]


def warn_without_gain(gains: Tensor) -> None:
    """Warn of probes without a gain: NoGainWarning where it is not above 0, RoundingWarning where it is hardly above.

    Args:
        gains: (b,).
    """
    found = gains.tolist()
    without = [i for i, gain in enumerate(found) if gain <= 0]
    if hardly := [i for i, gain in enumerate(found) if 0 < gain <= ROUNDING * torch.finfo(gains.dtype).eps]:
        warn(
            RoundingWarning(
                "the probe is nearer to its mate by no more than the rounding of the numbers, so the map may be noise, "
                f"at batch indices {hardly}"
            )
        )
    if without:
        warn(
            NoGainWarning(
                f"the probes at batch indices {without} are not nearer to their mate than to the non-mate: "
                "no gain to explain, their maps are zero"
            )
        )


def weight_by_gradient(response: Tensor, gradient: Tensor, clamp: bool = True) -> Tensor:
    """Responses that work for the triplet, Eq. (6): ã = sign(a) · max(0, a · ∂G/∂a).

    Args:
        response: â, of any shape.
        gradient: ∂G/∂a, of the same shape.
        clamp: False for Eq. (6) as printed, where a negative response with a positive gradient counts as positive.

    Returns:
        ã, of the same shape; where it is not zero it has the sign of the response, except for `clamp=False`.

    Example:
        >>> weight_by_gradient(torch.tensor([2., 2., -2.]), torch.tensor([3., -3., -3.]))
        tensor([ 6.,  0., -6.])
        >>> weight_by_gradient(torch.tensor([-2.]), torch.tensor([3.]), clamp=False)
        tensor([6.])
    """
    towards = response.sign() * gradient
    return response * (towards.clamp(min=0) if clamp else torch.where(response < 0, towards, towards.clamp(min=0)))
