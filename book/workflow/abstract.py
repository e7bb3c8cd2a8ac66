"""The picture of the book's first page, from a build: a typical case, its walk, its map, and the claims' verdicts.

The case is the triplet of the hiding game whose gweEBP map scores nearest to the median, on the build's last run.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gweebp import mwp
from gweebp.excitation import LostMassWarning
from gweebp.experiment import typical_cases
from gweebp.experiment.agreement import maps_of
from gweebp.experiment.build import Run
from gweebp.experiment.claims import Judged
from gweebp.experiment.evidence import label
from gweebp.experiment.study import verdicts as study
from gweebp.figures.abstract import Verdict, abstract
from gweebp.networks import as_input
from gweebp.networks.verification import embed

LAYERS = 3  # of the walk, at most


def of_run(run: Run, rows: Sequence[study.Verdict], judged: Sequence[Judged]) -> str:
    """HTML of the picture; "" where the run has no map of gweEBP in the hiding game."""
    if "gweebp" not in run.games.hiding or not len(run.games.hiding["gweebp"]):
        return ""
    row = typical_cases.index(run, "hiding", "gweebp", typical_cases.TYPICAL)
    images = run.triplet(row)
    probe, mate, nonmate = (embed(run.net, image) for image in images)
    distances = (float((probe - mate).norm()), float((probe - nonmate).norm()))
    saliency = maps_of(run, "hiding")["gweebp"][row].numpy()
    walk = {name: values.numpy() for name, values in flow(run.net, *(as_input(run.net, x) for x in images)).items()}
    shown = [image[0] for image in images]
    return abstract(shown, distances, walk, saliency, verdicts(rows, judged), network=label(run.network)).html


def flow(net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor) -> dict[str, Tensor]:
    """Layer -> probability over its places (h, w): of each size of the maps the last convolution, then the image."""
    sizes: dict[tuple[int, ...], str] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: sizes.update({tuple(out.shape[2:]): name}))
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        with torch.no_grad():
            net(probe)
    finally:
        for hook in hooks:
            hook.remove()
    chosen = sorted(sizes.items(), key=lambda item: item[0][0])[: LAYERS - 1]
    layers = {name.removeprefix("features."): name for size, name in chosen if max(size) > 1} | {"image": "input"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostMassWarning)
        return {name: mwp(net, probe, mate, nonmate, layer=layer)[0].sum(0) for name, layer in layers.items()}


def verdicts(rows: Sequence[study.Verdict], judged: Sequence[Judged]) -> list[Verdict]:
    """What the picture says of each claim."""
    return [
        Verdict(j.claim.key, j.claim.text, row.verdict, j.counts, f"../chapters/results.html#{row.claim.lower()}")
        for row, j in zip(study.of_claims(rows), judged, strict=True)
    ]
