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
from gweebp.excitation.layers import embeddings_of
from gweebp.experiment.sanity_checks import similarity
from gweebp.methods.corrrise import Correlation, corrrise, random_masks, similarities
from gweebp.methods.masking import fill_value
from gweebp.saliency import explain

ENOUGH = 0.95
SIGNED = {"corrrise": "minimum", "xface": "symmetric"}  #: how the authors make a signed map non-negative: ranks stay
#: method -> options from the cheapest to the authors' own, which are the last
LADDER: dict[str, list[dict[str, Any]]] = {
    "corrrise": [{"masks": n} for n in (250, 500, 1000, 1500, 2000, 3000, 4000)] + [{}],
    "xface": [{"stride": s} for s in (21, 17, 14, 12, 10, 8, 7, 6)] + [{}],
}

DEFAULTS: dict[str, Any] = dict(corrrise.__kwdefaults__ or {})  #: the authors' own options of CorrRISE


def climb(
    net: networks.EmbeddingNetwork, method: str, triplet: tuple[Tensor, ...]
) -> Iterator[tuple[dict[str, Any], float]]:
    """Options and their mean correlation with the full budget, step by step, up to the first that is enough.

    Args:
        triplet: probe, mate and non-mate as network inputs, (n, c, h, w) each, of people who play no game.
    """
    *steps, full = LADDER[method]
    counts = [(DEFAULTS | step)["masks"] for step in LADDER[method]] if method == "corrrise" else []
    found = nested(net, triplet, counts) if counts else {}
    wanted = found[counts[-1]] if counts else _maps(net, method, full, triplet)
    for k, options in enumerate(steps):
        maps = found[counts[k]] if counts else _maps(net, method, options, triplet)
        reached = similarity(wanted, maps).nanmean().item()
        yield options, reached
        if reached >= ENOUGH:
            return
    yield full, 1.0


def nested(net: networks.EmbeddingNetwork, triplet: tuple[Tensor, ...], counts: list[int]) -> dict[int, Tensor]:
    """Number of masks -> CorrRISE's signed maps (n, h, w): all in one pass, since fewer masks are the first of more."""
    found = dict[int, list[Tensor]]()
    own = {key: DEFAULTS[key] for key in ("cells", "keep", "seed")}
    for probe, mate, nonmate in zip(*(x.split(1) for x in triplet), strict=True):
        others = torch.stack([embeddings_of(net, x, "an image") for x in (mate, nonmate)], 1)
        fill, correlation = fill_value(net, probe, DEFAULTS["fill"]), Correlation()
        for chunk in random_masks(max(counts), **own, size=(probe.shape[2], probe.shape[3]), batch=64):
            within = [n - correlation.n for n in sorted(counts) if 0 < n - correlation.n < len(chunk)]
            for masks in chunk.tensor_split(within):
                correlation.add(masks, similarities(net, probe, others, masks, fill))
                if correlation.n in counts:
                    of_mate, of_nonmate = correlation.maps()[0]
                    found.setdefault(correlation.n, []).append((of_mate - of_nonmate).to(probe.dtype))
    return {n: torch.stack(maps) for n, maps in found.items()}


def chosen(climbed: list[Any]) -> dict[str, Any]:
    """The options at which a climb ended; none for a method that did not climb.

    >>> chosen([[{"masks": 250}, 0.8], [{"masks": 500}, 0.96]]), chosen([])
    ({'masks': 500}, {})
    """
    return dict(climbed[-1][0]) if climbed else {}


def _maps(net: networks.EmbeddingNetwork, method: str, options: dict[str, Any], triplet: tuple[Tensor, ...]) -> Tensor:
    one_by_one = zip(*(x.split(1) for x in triplet), strict=True)
    return torch.cat([explain(net, *one, method=method, negative=SIGNED[method], **options) for one in one_by_one])
