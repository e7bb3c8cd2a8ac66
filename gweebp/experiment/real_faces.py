"""A published network beside our own on real faces: whom it finds, what it accepts, how much probability a map gets.

A network that nobody tuned on a set may be tested on all of its people; one that was, on its test people only.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from gweebp.excitation import LostMassWarning, mwp
from gweebp.excitation.gain import NoGainWarning
from gweebp.excitation.triplet import embedded
from gweebp.experiment.build import Run
from gweebp.experiment.network_quality import wilson
from gweebp.experiment.scores import with_interval
from gweebp.faces.preparation.inpaint import PLAIN
from gweebp.games.bootstrap import Estimate
from gweebp.networks import as_input
from gweebp.networks.verification import embed, ranks

__all__ = [
    "candidates",
    "finding_in_words",
    "identification_rate",
    "inventors",
    "matching",
    "probability_left",
    "upper_layers",
]

WALKS: dict[str, dict[str, Any]] = {
    "EBP": {"extended": False, "weighted": False},
    "eEBP": {"extended": True, "weighted": False},
    "gweEBP": {"extended": True, "weighted": True},
}


def identification_rate(run: Run, k: int, *, everybody: bool) -> tuple[Estimate, int, int]:
    """Share of the sketches whose photo is among the k nearest, how many sketches, and how many photos.

    everybody: all people of the set, for a network that learned on none of them; else the test people and distractors.
    """
    faces = run.faces
    rows = torch.arange(len(faces.ids)) if everybody else faces.test
    probe = embed(run.net, faces.sketches[rows])
    gallery = embed(run.net, torch.cat([faces.photos[rows], faces.distractors]))
    found = ranks(probe, gallery, torch.arange(len(probe)))
    return wilson(int((found <= k).sum()), len(found)), len(probe), len(gallery)


def matching(runs: Collection[Run], untuned: Collection[str], ks: Collection[int] = (1, 5)) -> list[dict[str, str]]:
    """A row a run: whom it was tested on, and rank-k with intervals. untuned: networks that learned on none of them."""
    rows = []
    for run in runs:
        found = {k: identification_rate(run, k, everybody=run.network in untuned) for k in ks}
        _, probes, gallery = found[min(ks)]
        tested = {"tuned on this set": "no" if run.network in untuned else "yes"}
        tested |= {"sketches": str(probes), "gallery": str(gallery)}
        rows.append({"run": run.title} | tested | {f"rank-{k}": with_interval(share[0]) for k, share in found.items()})
    return rows


def candidates(run: Run) -> dict[str, str]:
    """Face part -> "qualified of candidates", and "all"; empty where there are no candidates."""
    found = run.trials["inpainting"]
    parts = {
        part: f"{found['qualified_by_part'].get(part, 0)} of {count}"
        for part, count in found["candidates_by_part"].items()
    }
    return parts | {"all": f"{len(found['qualified'])} of {found['candidates']}"}


def inventors(run: Run) -> str:
    """Who found the parts of the candidates, and who invented others, by the record of the faces; "" without any."""
    chosen = run.faces.record.get("quadruplets", {}).get("parameters")
    if not chosen:
        return ""
    found = "landmarks tell the parts"
    if "parser" in chosen:
        found = "a parser finds hair and skin, landmarks the other parts"
    plain = chosen["fill"] in PLAIN
    part = f"its surroundings carried inwards ({chosen['fill']})" if plain else "what an inpainting network invents"
    way = "the sketch is filled alike"
    if "translate" in chosen:
        way = "the photo is then turned into a drawing, whose part goes into the sketch"
    learned = "" if plain else " Who invents has learned from the people who don’t test."
    return f"Here {found}; the photo’s part is replaced by {part}, and {way}.{learned}"


def upper_layers(net: nn.Module) -> list[str]:
    """The layers from the last one down to the saliency layer: what the next layer with weights, or the head, reads.

    >>> from gweebp import networks
    >>> upper_layers(networks.lcnn9(width=0.05, size=32))[0], upper_layers(networks.lcnn9(width=0.05, size=32))[-1]
    ('features.pool4', 'features.pool3')
    """
    children = [(f"features.{name}", child) for name, child in net.get_submodule("features").named_children()]
    reads = [bool(list(child.parameters())) for _, child in children[1:]] + [True]
    names = [name for (name, _), read in zip(children, reads, strict=True) if read]
    return names[names.index(str(net.saliency_layer)) :][::-1]


def probability_left(run: Run, triplets: int = 8) -> dict[str, dict[str, float]]:
    """Walk -> layer, top first -> sum of the MWP over the layer, mean over the first triplets with a gain."""
    chosen = range(min(triplets, len(run.trials["hiding"]["probe"])))
    images = [as_input(run.net, torch.cat(column)) for column in zip(*(run.triplet(i) for i in chosen), strict=True)]
    mate, nonmate = embedded(run.net, *images)
    left: dict[str, dict[str, float]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostMassWarning)  # it is what is shown
        warnings.simplefilter("ignore", NoGainWarning)
        for name, walk in WALKS.items():
            for layer in upper_layers(run.net):
                sums = mwp(run.net, images[0], mate, nonmate, layer=layer, **walk).sum((1, 2, 3))
                left.setdefault(name, {})[layer.removeprefix("features.")] = sums[sums > 0].mean().item()
    return left


def finding_in_words(run: Run, left: dict[str, dict[str, float]], untuned: Collection[str]) -> str:
    """Whom the network finds, and what share of each walk's probability its map gets."""
    share, probes, gallery = identification_rate(run, 1, everybody=run.network in untuned)
    learned = "which learned on none of them, " if run.network in untuned else ""
    maps = ", ".join(f"{found[next(reversed(found))]:.0%} of {name}’s" for name, found in left.items())
    return (
        f"{run.title}, {learned}finds the photo of {with_interval(share)} of {probes} sketches first among {gallery}; "
        f"at its saliency layer arrives {maps} probability."
    )
