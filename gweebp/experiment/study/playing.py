"""Both games, and the truth, for some methods on the trials of one training: what is kept of each single trial."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gweebp import networks
from gweebp.experiment.study.trials import Trials
from gweebp.games import hiding, inpainting, masks, truth
from gweebp.games.blends import chunks
from gweebp.methods import Method
from gweebp.networks import as_input, verification
from gweebp.saliency import explain

Variant = tuple[str, Method, dict[str, Any]]
CHANGED = 4  # grey levels by which a pixel must differ to count as changed


def changed(trials: Trials) -> Tensor:
    """Where IP differs from OP by more than CHANGED grey levels in any colour: the narrower truth. bool (q, h, w).

    Where nothing does, the region itself.
    """
    four = trials.four
    found = ((four.op.int() - four.ip.int()).abs() > CHANGED).any(1)
    return torch.where(found.flatten(1).any(1)[:, None, None], found, four.region)


def false_positives(
    maps: Tensor, region: Tensor, size: tuple[int, int], steps: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Pixels outside a region that each step takes, (q, steps), as the game takes them; and all outside, (q,)."""
    region = masks.resized_region(region, size)
    rng, found = np.random.RandomState(seed), []
    for part in chunks(len(maps), 64):
        order, mass = masks.ranked(masks.normalised(maps[part], size), rng)
        counts = masks.step_counts(mass, steps)
        outside = (~region[part]).flatten(1).gather(1, order).cumsum(1)
        found.append(torch.nn.functional.pad(outside, (1, 0)).gather(1, counts))
    return torch.cat(found), (~region).flatten(1).sum(1)


def play(
    net: networks.EmbeddingNetwork,
    trials: Trials,
    variants: Sequence[Variant],
    *,
    triplets: int,
    quadruplets: int,
    crossed: int,
    steps: int = 21,
    batch: int = 16,
    seed: int = 0,
    progress: bool = False,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Explain and play the first trials of each game.

    Args:
        triplets, quadruplets: how many, from the first on. crossed: on how many quadruplets the hiding game is played
            too, with IN as the non-mate, so that both games rank the methods on the same trials.
        steps: points of a curve. seed: of ties in a map.

    Returns:
        arrays by name, as `outcomes` describes them; seconds and warnings by method.
    """
    size, threshold = (net.size, net.size), float(trials.found["threshold"])
    four = trials.four.select(torch.arange(min(quadruplets, len(trials.four))))
    crossed, narrow = min(crossed, len(four)), changed(trials)[: len(four)]
    images = {
        "hiding": [x[:triplets] for x in (trials.probe, trials.mate, trials.nonmate)],
        "inpainting": [four.op, four.om, four.in_],
    }
    embedded = {game: [verification.embed(net, x) for x in triple[1:]] for game, triple in images.items()}
    inputs = {game: [as_input(net, x) for x in triple] for game, triple in images.items()}
    ip = as_input(net, four.ip)
    kept: dict[str, np.ndarray] = {
        "hiding/person": trials.person[:triplets].numpy(),
        "hiding/other": trials.other[:triplets].numpy(),
        "inpainting/person": four.subject.numpy(),
        "inpainting/part": four.part.numpy().astype(np.uint8),
        "inpainting/outside": (~masks.resized_region(four.region, size)).flatten(1).sum(1).numpy().astype(np.uint16),
        "inpainting/outside_changed": (~masks.resized_region(narrow, size)).flatten(1).sum(1).numpy().astype(np.uint16),
    }
    how: dict[str, Any] = {"steps": steps, "seed": seed, "batch": 64}
    seconds, warned = {}, {}
    fast = _fast(net)
    for name, method, options in tqdm(variants, desc="methods", disable=None if progress else True):
        began = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            maps = {g: _maps(net, method, options, inputs[g], embedded[g], batch) for g in inputs}
        seconds[name] = round(time.perf_counter() - began, 2)
        warned[name] = sorted({w.category.__name__ for w in caught})
        probe, mate, nonmate = inputs["hiding"]
        kept[f"hiding/{name}"] = _bits(hiding.play(fast, probe, mate, nonmate, maps["hiding"], **how))
        op, om, in_ = inputs["inpainting"]
        saliency = maps["inpainting"]
        found = inpainting.play(fast, op, om, ip, in_, four.region, saliency, **how)
        assert found.d_in is not None
        kept[f"inpainting/{name}/success"] = _bits(found.success)
        kept[f"inpainting/{name}/tau"] = _bits(found.d_in <= threshold)
        kept[f"inpainting/{name}/false"] = found.false_positives.numpy().astype(np.uint16)
        kept[f"inpainting/{name}/false_changed"] = (
            false_positives(saliency, narrow, size, steps, seed)[0].numpy().astype(np.uint16)
        )
        if crossed:
            few = [x[:crossed] for x in (op, om, in_, saliency)]
            kept[f"crossed/{name}"] = _bits(hiding.play(fast, *few, **how))
        for what, region in (("region", four.region), ("changed", narrow)):
            for score, values in truth.score(saliency, region).items():
                kept[f"truth/{name}/{what}/{score}"] = values.numpy().astype(np.float32)
    return kept, {"seconds_by_method": seconds, "warnings": {k: v for k, v in warned.items() if v}}


def _maps(
    net: networks.EmbeddingNetwork,
    method: Method,
    options: dict[str, Any],
    images: list[Tensor],
    embeddings: list[Tensor],
    batch: int,
) -> Tensor:
    others = images[1:] if method.reads == "images" else embeddings
    parts = zip(*(x.split(batch) for x in (images[0], *others)), strict=True)
    return torch.cat([explain(net, *part, method=method.name, **options).cpu() for part in parts])


def _bits(found: Tensor) -> np.ndarray:
    """bool (n, steps) as uint8 (n, ceil(steps / 8))."""
    return np.packbits(found.numpy(), axis=1)


def _fast(net: networks.EmbeddingNetwork) -> Callable[[Tensor], Tensor]:
    return lambda images: net(images.contiguous(memory_format=torch.channels_last))
