"""What the book's sliders show, from the results of a build: a game step by step, gradient weighting layer by layer."""

from __future__ import annotations

import warnings

import numpy as np
from torch import Tensor, nn

from gweebp.excitation import LostMassWarning, mwp
from gweebp.experiment.agreement import maps_of
from gweebp.experiment.build import Run
from gweebp.faces import Quadruplets
from gweebp.games import inpainting, masks
from gweebp.games.stepped import SteppedGame
from gweebp.networks import as_input

__all__ = ["played", "replaced_at", "weighting"]


def played(run: Run, sample: int, seed: int = 0) -> dict[str, SteppedGame]:
    """Method -> the inpainting game of one quadruplet beside that of all; empty where none was played.

    sample: a row of `run.qualified`. seed: of the order of ties in the picture.
    """
    found = {}
    for method, saliency in maps_of(run, "inpainting").items() if run.games.inpainting else ():
        outcome = run.games.inpainting[method]
        far, sr = inpainting.pooled(outcome)
        size = run.faces.sketches.shape[-2:]
        alone = outcome.false_positives[sample] / outcome.outside[sample]
        steps = replaced_at(saliency[sample], (int(size[0]), int(size[1])), len(sr), seed)
        found[method] = SteppedGame(
            saliency[sample].numpy(), steps, outcome.success[sample].tolist(), alone.tolist(), far.tolist(), sr.tolist()
        )
    return found


def replaced_at(saliency: Tensor, size: tuple[int, int], steps: int, seed: int = 0) -> np.ndarray:
    """At which of `steps` steps, 1 to steps - 1, each pixel of an image of `size` joins the mask of a map (h, w).

    >>> replaced_at(Tensor([[0.6, 0.1], [0.3, 0.0]]), (2, 2), 5).tolist()
    [[1, 4], [3, 4]]
    """
    order, mass = masks.ranked(masks.normalised(saliency[None], size), np.random.RandomState(seed))
    counts = masks.step_counts(mass, steps)[0].numpy()
    found = np.empty(order.shape[1], dtype=np.int64)
    found[order[0].numpy()] = np.searchsorted(counts, np.arange(len(found)), side="right")
    return found.reshape(size)


def weighting(run: Run, four: Quadruplets) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """Layer -> map of extended EBP, map of gweEBP, and what differs, from the embedding down to the image.

    The maps are channel sums of the MWP at the output of each convolution, at the saliency layer and at the image.
    """
    op, om, in_ = (as_input(run.net, image) for image in (four.op, four.om, four.in_))
    own = run.net.saliency_layer
    layers = [name for name, module in run.net.named_modules() if isinstance(module, nn.Conv2d) or name == own]
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostMassWarning)  # the sentence says it
        for layer in [*reversed(layers), "input"]:
            before, after = (mwp(run.net, op, om, in_, layer=layer, weighted=w)[0].sum(0) for w in (False, True))
            h, w = before.shape
            text = f"{w} × {h} places; {_moved(before, after):.0%} of the probability lies elsewhere after weighting."
            found[layer.removeprefix("features.")] = (before.numpy(), after.numpy(), text)
    return found


def _moved(before: Tensor, after: Tensor) -> float:
    """Half the sum of absolute differences of two maps, each of sum 1: the mass that would have to be moved."""
    first, second = (x.double() / x.double().sum().clamp(min=1e-300) for x in (before, after))
    return float((first - second).abs().sum() / 2)
