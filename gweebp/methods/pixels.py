"""Gradients of what an embedding says by the pixels of the probe: what the gradient methods read.

The network runs from its input on, with plain gradients; no rule of the excitation family is at work. Assumes:
embeddings of one sample do not depend on the other samples of the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gweebp.excitation.gain import gain_function, warn_without_gain
from gweebp.excitation.layers import check_derivative, eager, embeddings_of, run_from
from gweebp.excitation.taps import INPUT
from gweebp.excitation.tensors import unit
from gweebp.methods.maps import non_negative


def pixel_gradients(net: nn.Module, images: Tensor, score: Callable[[Tensor], tuple[Tensor, ...]]) -> list[Tensor]:
    """∂(Σ over the batch of a score)/∂image for each score of one forward pass.

    Args:
        net: the network; of a compiled one the module inside is used.
        images: (b, c, h, w), in the network's own range.
        score: from embeddings (b, d) to scores (b,), each sample's of its own embedding alone.

    Returns:
        A gradient (b, c, h, w) per score, float32 at least; zero where a score does not depend on the image.

    Example:
        >>> pixel_gradients(nn.Flatten(), torch.ones(1, 1, 1, 2), lambda e: (e[:, 0] ** 2, 3 * e[:, 1]))
        [tensor([[[[2., 0.]]]]), tensor([[[[0., 3.]]]])]
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf, embedding = run_from(eager(net), images, INPUT)
        check_derivative(embedding, leaf, INPUT)
        scores = score(embedding)
        found = []
        for k, one in enumerate(scores):
            more = k + 1 < len(scores)
            (gradient,) = torch.autograd.grad(one.sum(), leaf, retain_graph=more, materialize_grads=True)
            found.append(gradient)
    return found


def gain_gradient(net: nn.Module, images: Tensor, mate: Tensor, nonmate: Tensor, gain: str) -> Tensor:
    """∂G/∂image of the gain.

    Args:
        net: the network.
        images: (b, c, h, w), in the network's own range.
        mate, nonmate: embeddings (b, d).
        gain: "triplet", Eq. (5); or "cosine", cos(p, m) − cos(p, n).

    Returns:
        (b, c, h, w), float32 at least.
    """
    of, m, n = gain_function(gain), mate.clone(), nonmate.clone()
    return pixel_gradients(net, images, lambda e: (of(e, m, n),))[0]


def with_gain(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, gain: str) -> Tensor:
    """1 for each probe that has a gain to explain, 0 for the others, of which it warns.

    Args:
        net: the network.
        probe: images (b, c, h, w).
        mate, nonmate: embeddings (b, d).
        gain: "triplet", Eq. (5); or "cosine", which has no hinge: every probe counts.

    Returns:
        (b, 1, 1).
    """
    if gain != "triplet":
        return probe.new_ones(len(probe), 1, 1)
    gains = gain_function(gain)(embeddings_of(net, probe, "probe"), mate, nonmate)
    warn_without_gain(gains)
    return (gains > 0).to(gains.dtype)[:, None, None]


def evidence(shares: Tensor, there: Tensor, negative: str) -> Tensor:
    """The map of signed shares of the gain.

    Args:
        shares: of each number of the probe, (b, c, h, w), any sign.
        there: (b, 1, 1), as `with_gain` gives it; the map is 0 where it is 0.
        negative: how negative values are removed, see gweebp.methods.maps.non_negative.

    Returns:
        (b, h, w), non-negative: the shares summed over channels.

    >>> evidence(torch.tensor([[[[1.0, -1.0]], [[1.0, 0.0]]]]), torch.ones(1, 1, 1), "clamp")
    tensor([[[2., 0.]]])
    """
    return non_negative(shares.sum(1), negative) * there


def check_threshold(threshold: float | None) -> None:
    """Check that a decision threshold is a cosine, or None.

    Args:
        threshold: to be in −1..1, or None.

    Raises:
        ValueError: otherwise.

    Example:
        >>> check_threshold(0.4), check_threshold(None)
        (None, None)
    """
    if threshold is not None and not -1 <= threshold <= 1:
        raise ValueError(f"threshold={threshold!r}: expected a cosine between −1 and 1, or None")


def cosine_threshold(threshold: float | None, probe: Tensor, mate: Tensor, nonmate: Tensor) -> Tensor:
    """The threshold for each probe.

    Args:
        threshold: a cosine; None: halfway between the probe's cosines to mate and non-mate.
        probe: unit embeddings (b, d).
        mate, nonmate: embeddings (b, d), of any length.

    Returns:
        (b,), in −1..1.

    Example:
        >>> one, other = torch.tensor([[1., 0.]]), torch.tensor([[0., 1.]])
        >>> cosine_threshold(None, one, 3 * one, other), cosine_threshold(0.3, one, one, other)
        (tensor([0.5000]), tensor([0.3000]))
    """
    if threshold is not None:
        return probe.new_full((len(probe),), float(threshold))
    return (probe * (unit(mate) + unit(nonmate)).to(probe)).sum(1) / 2
