"""How many masks a black-box method gets: the fewest whose maps are, in rank, those of the authors' own budget.

The rule looks at maps and at no game: on trials of people who play no game, the mean Spearman correlation with the map
of the full budget is at least 0.95. One full budget is 5,000 forward passes (CorrRISE) or about 3,500 (XFace).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gweebp import networks
from gweebp.experiment.sanity_checks import similarity
from gweebp.saliency import explain

ENOUGH = 0.95
SIGNED = {"corrrise": "minimum", "xface": "symmetric"}  #: how the authors make a signed map non-negative: ranks stay
#: method -> options from the cheapest to the authors' own, which are the last
LADDER: dict[str, list[dict[str, Any]]] = {
    "corrrise": [{"masks": n} for n in (250, 500, 1000, 1500, 2000, 3000, 4000)] + [{}],
    "xface": [{"stride": s} for s in (21, 17, 14, 12, 10, 8, 7, 6)] + [{}],
}


def climb(
    net: networks.EmbeddingNetwork, method: str, triplet: tuple[Tensor, ...]
) -> Iterator[tuple[dict[str, Any], float]]:
    """Options and their mean correlation with the full budget, step by step, up to the first that is enough.

    Args:
        triplet: probe, mate and non-mate as network inputs, (n, c, h, w) each, of people who play no game.
    """
    *steps, full = LADDER[method]
    wanted = _maps(net, method, full, triplet)
    for options in steps:
        found = similarity(wanted, _maps(net, method, options, triplet)).nanmean().item()
        yield options, found
        if found >= ENOUGH:
            return
    yield full, 1.0


def chosen(climbed: list[Any]) -> dict[str, Any]:
    """The options at which a climb ended; none for a method that did not climb.

    >>> chosen([[{"masks": 250}, 0.8], [{"masks": 500}, 0.96]]), chosen([])
    ({'masks': 500}, {})
    """
    return dict(climbed[-1][0]) if climbed else {}


def _maps(net: networks.EmbeddingNetwork, method: str, options: dict[str, Any], triplet: tuple[Tensor, ...]) -> Tensor:
    one_by_one = zip(*(x.split(1) for x in triplet), strict=True)
    return torch.cat([explain(net, *one, method=method, negative=SIGNED[method], **options) for one in one_by_one])
