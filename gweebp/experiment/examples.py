"""One trial to look at closely: a quadruplet, whatever the dataset has, and the blends that a game makes of a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gweebp.experiment.build import Run
from gweebp.faces import PARTS, Quadruplets, synthetic
from gweebp.games import masks
from gweebp.games.inpainting import Outcome
from gweebp.networks import as_input

__all__ = ["exchanged", "hidden", "negative_shares", "quadruplet", "turning_point"]


def hidden(probe: Tensor, nonmate: Tensor, saliency: Tensor, shares: Sequence[float], seed: int = 0) -> Tensor:
    """The probe with the least salient pixels taken from the non-mate, as the hiding game does.

    Args:
        probe, nonmate: (1, c, h, w).
        saliency: (1, h', w') >= 0.
        shares: k shares of the pixels to hide, 0..1.
        seed: of the order of ties.

    Returns:
        (k, c, h, w).

    >>> probe, map_ = torch.zeros(1, 1, 1, 3), torch.tensor([[[0.5, 0.1, 0.4]]])
    >>> hidden(probe, probe + 1, map_, [0, 1 / 3, 2 / 3]).int().squeeze().tolist()
    [[0, 0, 0], [0, 1, 0], [0, 1, 1]]
    """
    order, _ = _ranked(saliency, probe, seed)
    counts = [round(share * order.shape[1]) for share in shares]
    return torch.cat([_blend(probe, nonmate, order.flip(1)[:, :count]) for count in counts])


def exchanged(op: Tensor, ip: Tensor, saliency: Tensor, shares: Sequence[float], seed: int = 0) -> Tensor:
    """OP with the pixels that hold a share of the map's mass taken from IP, as the inpainting game does.

    Args:
        op, ip: original and inpainted probe, (1, c, h, w).
        saliency: (1, h', w') >= 0.
        shares: k shares of the map's mass, 0..1 ("percent-density").
        seed: of the order of ties.

    Returns:
        (k, c, h, w).

    >>> op, map_ = torch.zeros(1, 1, 1, 3), torch.tensor([[[0.5, 0.1, 0.4]]])
    >>> exchanged(op, op + 1, map_, [0, 0.4, 0.8]).int().squeeze().tolist()
    [[0, 0, 0], [1, 0, 0], [1, 0, 1]]
    """
    order, mass = _ranked(saliency, op, seed)
    fine = 1000
    counts = masks.step_counts(mass, fine + 1)[0]
    return torch.cat([_blend(op, ip, order[:, : int(counts[round(share * fine)])]) for share in shares])


def turning_point(outcome: Outcome) -> str:
    """In words: how much of the map's mass turns the first probe of a played game into the twin.

    Args:
        outcome: of the inpainting game, one row per probe.

    >>> never, start = torch.tensor([[0, 0, 0]]), torch.tensor([[1, 1, 1]])
    >>> outside, false = torch.tensor([8]), torch.tensor([[0, 2, 8]])
    >>> turning_point(Outcome(never, false, outside))
    'no mask turns the probe into the twin'
    >>> turning_point(Outcome(start, false, outside))
    'the probe is nearer to the twin before anything is replaced'
    >>> turning_point(Outcome(torch.tensor([[0, 1, 1]]), false, outside))
    '50% of the mass turns the probe into the twin, at 25.0% false alarms'
    """
    success = outcome.success[0].int()
    if not success.any():
        return "no mask turns the probe into the twin"
    step = int(success.argmax())
    if step == 0:
        return "the probe is nearer to the twin before anything is replaced"
    share, far = step / (len(success) - 1), outcome.false_positives[0, step] / outcome.outside[0]
    return f"{share:.0%} of the mass turns the probe into the twin, at {far:.1%} false alarms"


@torch.no_grad()
def negative_shares(run: Run, probes: int = 32) -> dict[str, float]:
    """Shares of negative responses at the saliency layer and in the embedding, over the first test sketches.

    Args:
        run: of `build.open_runs`.
        probes: how many sketches.

    Returns:
        "saliency layer" and "embedding" -> share, 0..1.
    """
    seen: list[Tensor] = []
    layer = run.net.get_submodule(run.net.saliency_layer)
    handle = layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        seen.append(run.net(as_input(run.net, run.faces.sketches[run.faces.test[:probes]])))
    finally:
        handle.remove()
    return {name: float((x < 0).float().mean()) for name, x in zip(("saliency layer", "embedding"), seen, strict=True)}


def _ranked(saliency: Tensor, image: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    size = (image.shape[2], image.shape[3])
    return masks.ranked(masks.normalised(saliency, size), np.random.RandomState(seed))


def _blend(base: Tensor, fill: Tensor, pixels: Tensor) -> Tensor:
    blend = base.flatten(2).clone()
    blend[:, :, pixels[0]] = fill.flatten(2)[:, :, pixels[0]]
    return blend.view_as(base)


def quadruplet(run: Run, sample: int) -> tuple[Quadruplets, str]:
    """One quadruplet of a run, and what it is.

    Of the qualified ones where there are any; else of the candidates; and where the dataset has no doppelgängers at
    all, as photographs of real people have not, a quadruplet drawn for the purpose, at the dataset's size.

    Args:
        run: of `build.open_runs`. sample: which one, from 0.

    Raises:
        ValueError: `sample` is out of range; the message says the range.
    """
    if len(run.qualified):
        four, kind = run.quadruplet(sample), "a qualified quadruplet"
    elif len(run.candidates):
        if not 0 <= sample < len(run.candidates):
            raise ValueError(f"sample={sample}: there are {len(run.candidates)} candidates of {run.title}")
        four, kind = run.candidates.select(torch.tensor([sample])), "a candidate (none qualifies by Eq. 7-8)"
    else:
        if not 0 <= sample < len(PARTS):
            raise ValueError(f"sample={sample}: {run.title} has no doppelgängers; 0 to {len(PARTS) - 1} draws one")
        size = run.faces.photos.shape[-1]
        drawn = synthetic.faceset("drawn", subjects=4, distractors=0, size=size, doppelgangers=0)
        four = synthetic.doppelgangers(drawn).select(torch.tensor([sample]))
        kind = "a drawn quadruplet (this dataset has no doppelgängers)"
    return four, f"{kind}: another {PARTS[int(four.part[0])]}"
