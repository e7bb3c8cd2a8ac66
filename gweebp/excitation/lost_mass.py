"""Probability that does not arrive at the layer: how much, where it was lost, and what that means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from gweebp.excitation.nodes import Node
from gweebp.support.warned import warn

TOLERATED = 0.01  #: the share that may be lost without a word


class LostMassWarning(UserWarning):
    """A share of the probability met neurons that no child excites, or left on a path around the layer.

    Attributes:
        share: the largest share that a sample lost, 0 to 1. indices: of the samples that lost more than 1 %.
        places: (the operation's submodule, its share of all samples' probability), where most was lost first.
    """

    def __init__(self, message: str, share: float, indices: list[int], places: Sequence[tuple[str, float]]) -> None:
        super().__init__(message)
        self.share, self.indices, self.places = share, indices, places


class TokenWarning(UserWarning):
    """A share of the probability is on tokens of the layer that are no part of the image, as class tokens are.

    Attributes:
        share: the largest share of a sample, 0 to 1. indices: of the samples with more than 1 % there.
    """

    def __init__(self, message: str, share: float, indices: list[int]) -> None:
        super().__init__(message)
        self.share, self.indices = share, indices


def warn_of_tokens(outside: Iterable[Tensor]) -> None:
    """TokenWarning where more than TOLERATED of the probability is outside the map; (b,) for each prior."""
    on = torch.stack([*outside]).amax(0)
    indices = (on > TOLERATED).nonzero().flatten().tolist()
    if indices:
        share = on.max().item()
        warn(
            TokenWarning(
                f"up to {share:.1%} of the probability is on tokens of the layer that are no part of the image, such "
                "as a class token; the map shows what is on the others, at batch indices "
                f"{indices}. At the patch embedding, below the class token, all of it is on the image",
                share,
                indices,
            )
        )


def warn_of_loss(arrived: Iterable[Tensor], gains: Tensor | None, lost: list[tuple[Node, Tensor]]) -> None:
    """LostMassWarning with the batch indices of which less than 1 − TOLERATED arrived, those without gain aside.

    Args:
        arrived: (b,) for each prior, the sum of the MWP over the layer. gains: (b,), or None where responses are not
            weighted.
        lost: what each operation did not hand on, as `Sharing` has found it.
    """
    sums = torch.stack([*arrived])
    left = sums.amin(0) if gains is None else torch.where(gains > 0, sums.amin(0), 1)
    indices = (left < 1 - TOLERATED).nonzero().flatten().tolist()
    if not indices:
        return
    share, places, total = 1 - left[indices].min().item(), dict[str, float](), sums.numel()
    for (node, _), amount in zip(lost, torch.stack([x.double() for _, x in lost]).tolist()):
        place = node.place or "the network itself"
        places[place] = places.get(place, 0) + amount / total
    elsewhere = 1 - left.mean().item() - sum(places.values())
    places["maxima that a constant won, such as the 0 of a ReLU"] = elsewhere
    most = sorted((item for item in places.items() if item[1] > TOLERATED / 10), key=lambda item: -item[1])
    where = ", ".join(f"{place} {amount:.1%}" for place, amount in most[:3])
    warn(
        LostMassWarning(
            f"up to {share:.1%} of the probability was lost at parents without an excitatory child, which only a bias "
            f"keeps alive or none of whose children works for the triplet, or on a path around the layer"
            f"{f' (most of it by {where})' if where else ''}; the map shows what is left, at batch indices {indices}",
            share,
            indices,
            most,
        )
    )
