"""Sanity checks: a faithful map must not survive a network, or a question, made random (Adebayo et al. 2018).

* Cascading randomisation: layers lose their weights one after the other, from the embedding down to the image; after
  each step the map of the same probe is compared with the intact network's. A map that stays similar was not drawn
  by what the network had learnt.
* Identity randomisation: mate and non-mate become two other people; a map that stays was not about these two.
* Label randomisation: the network becomes one that was trained, in the same way, on sketches and photos of which every
  two are different people's (`Recipe.shuffled`); a map that stays was not drawn by what there was to learn.

Similarity is Spearman's rank correlation over the map's pixels: 1 the same order, 0 no relation.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gweebp.excitation import LostMassWarning
from gweebp.excitation.gain import NoGainWarning, triplet_gain
from gweebp.excitation.layers import embeddings_of
from gweebp.games import bootstrap
from gweebp.games.bootstrap import Curve
from gweebp.saliency import explain
from gweebp.support.extras import extra


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of two sets of maps, each (b, h, w): (b,), in −1..1; NaN where a map is constant.

    Example:
        >>> maps = torch.arange(4.0).view(1, 2, 2)
        >>> similarity(maps, 3 * maps**2).round(decimals=6).item(), similarity(maps, -maps).round(decimals=6).item()
        (1.0, -1.0)
    """
    if first.shape != second.shape or first.ndim != 3:
        raise ValueError(f"maps have shapes {tuple(first.shape)} and {tuple(second.shape)}: expected (b, h, w) twice")
    with extra("book"):  # here, so that the command says what it takes without it
        from scipy import stats
    ranks = [torch.from_numpy(stats.rankdata(x.flatten(1).cpu().numpy(), axis=1)) for x in (first, second)]
    one, two = (r - r.mean(1, keepdim=True) for r in ranks)
    return (one * two).sum(1) / (one.norm(dim=1) * two.norm(dim=1))


def cascade(net: nn.Module, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """Copies of `net` with ever more layers random, from the last registered to the first.

    Each weight tensor of a layer is replaced by independent normal values of the same mean and standard deviation.

    Yields:
        (name of the layer that has just lost its weights, the network); one object, which changes from step to step.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        >>> [name for name, _ in cascade(net)]
        ['3', '0']
    """
    generator = torch.Generator().manual_seed(seed)
    changed = copy.deepcopy(net).eval()
    layers = [(name, list(m.parameters())) for name, m in _blocks(changed)]
    for name, parameters in reversed([layer for layer in layers if layer[1]]):
        with torch.no_grad():
            for p in parameters:
                noise = torch.randn(p.shape, generator=generator).to(p)
                p.copy_(p.mean() + (p.std(correction=0) if p.numel() > 1 else p.abs().mean()) * noise)
        yield name, changed


def _blocks(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """The children of a network's `features` and `head`, where it has them; else all modules with weights."""
    parts = [(name, getattr(net, name, None)) for name in ("features", "head")]
    if all(isinstance(part, nn.Sequential) for _, part in parts):
        return [(f"{part}.{name}", m) for part, whole in parts for name, m in whole.named_children()]  # type: ignore[union-attr]
    return [(name, m) for name, m in net.named_modules() if list(m.parameters(recurse=False))]


def explain_choice(net: nn.Module, probe: Tensor, first: Tensor, second: Tensor, **options: Any) -> Tensor:
    """Maps (b, h, w) of why `net` chose whichever of two images (b, c, h, w) it finds nearer to the probe."""
    e, one, two = (embeddings_of(net, x) for x in (probe, first, second))
    nearer = triplet_gain(e, one, two).gt(0).view(-1, 1, 1, 1)
    mate, nonmate = torch.where(nearer, first, second), torch.where(nearer, second, first)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoGainWarning)  # two that are equally near: their map is zero, its rank NaN
        warnings.simplefilter("ignore", LostMassWarning)
        return explain(net, probe, mate, nonmate, **options)


def _compared(maps: Tensor, net: nn.Module, probe: Tensor, first: Tensor, second: Tensor, **options: Any) -> Tensor:
    """Similarity (b,) of `maps` to those of another network, or question; NaN where that one has no choice to explain.

    Two people drawn at random may be one, and a random network may embed two people alike, or at zero.
    """
    one, two = (embeddings_of(net, x) for x in (first, second))
    rows = (one != two).any(1) & (one != 0).any(1) & (two != 0).any(1)
    found = torch.full((len(probe),), torch.nan, dtype=torch.float64)
    if rows.any():
        chosen = explain_choice(net, probe[rows], first[rows], second[rows], **options)
        found[rows.to(found.device)] = similarity(maps[rows], chosen)
    return found


def cascading_randomisation(
    net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, method: str, seed: int = 0, **options: Any
) -> dict[str, Tensor]:
    """Similarity of a method's maps to its own on the intact network, layer by layer down the cascade.

    Args:
        probe, mate, nonmate: images (b, c, h, w). method, options: as for `explain`.

    Returns:
        Layer name → (b,) similarity, in the order of the cascade; NaN where a map is constant.
    """
    intact = explain_choice(net, probe, mate, nonmate, method=method, **options)
    return {
        name: _compared(intact, changed, probe, mate, nonmate, method=method, **options)
        for name, changed in cascade(net, seed)
    }


def identity_randomisation(
    net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, method: str, seed: int = 0, **options: Any
) -> Tensor:
    """Similarity (b,) of a method's maps to those for two other people of the same batch, drawn at random.

    Errors: ValueError with fewer than 3 triplets.
    """
    b = len(probe)
    if b < 3:
        raise ValueError(f"{b} triplets: drawing other people needs at least 3")
    shift = 1 + int(np.random.default_rng(seed).integers(b - 2))  # never a probe's own people
    own = explain_choice(net, probe, mate, nonmate, method=method, **options)
    others = (mate.roll(shift, 0), nonmate.roll(-shift, 0))
    return _compared(own, net, probe, *others, method=method, **options)


def label_randomisation(
    net: nn.Module,
    shuffled: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    method: str,
    **options: Any,
) -> Tensor:
    """Similarity (b,) of a method's maps to those of a network of the same kind that was trained on shuffled pairs."""
    own = explain_choice(net, probe, mate, nonmate, method=method, **options)
    return _compared(own, shuffled, probe, mate, nonmate, method=method, **options)


def mean(similarities: Tensor, groups: Tensor, **options: Any) -> Curve:
    """Mean similarity of several conditions (k, n), NaN left out, with bootstrap intervals over groups (n,).

    Returns a Curve over the conditions 0..k−1; a condition in which every map was constant counts as 0.

    Example:
        >>> mean(torch.tensor([[1.0, 0.0], [0.5, torch.nan]]), torch.arange(2), resamples=50).value.tolist()
        [0.5, 0.5]
    """
    known = ~similarities.isnan()
    totals = (torch.where(known, similarities, 0).T.double().numpy(), known.T.double().numpy())
    value, low, high = bootstrap.estimate_curve(lambda s, n: s / np.maximum(n, 1), totals, groups, **options)
    return Curve(np.arange(len(similarities), dtype=float), value, low, high)
