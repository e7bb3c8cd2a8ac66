"""The numbers of a training, checked before it starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gweebp.experiment.training.precision import PRECISIONS
from gweebp.support.ranges import COUNT, POSITIVE, SEED, SHARE, Allowed, Range, check_all, whole

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """The numbers of a training; the defaults are a sound start for a network from scratch.

    Attributes:
        steps: optimiser steps (Adam), one batch per step; with 0 the network stays as it started, and is validated.
        identities: people in a batch, with one sketch and one photo each; fewer where the training set is smaller.
        doppelgangers: at most this many of them are doppelgängers of others in the batch.
        lr: peak learning rate.
        warmup: share of the steps in which the learning rate rises linearly to its peak.
        cosine: after the warm-up the learning rate falls to 0 along a half cosine; otherwise it stays.
        clip: greatest L2 norm of the gradient.
        margin: of the triplet loss, an L2 distance between unit embeddings.
        negatives: "all" images of other people, or only those of the "other" modality than the anchor's.
        active: average the loss over the triplets that violate the margin; otherwise over all triplets, and the loss
            vanishes as training goes on.
        flip: mirror inputs at random.
        shift: move inputs by up to this many pixels.
        brightness: add a number in ± brightness to inputs, in units of the normalised input.
        contrast: scale inputs about their mean by a factor in 1 ± contrast.
        shuffled: give every training sketch the photo of another person, at random, and keep the last weights: a
            network that learned nothing about who is who, for a sanity check of saliency methods.
        validate_every: steps between validations.
        precision: "float32", or "float64", which takes several times as long and gives the same weights on every
            processor.
        seed: of batches and variation.

    Raises:
        ValueError: for a number out of its range, `Recipe.RANGES`.

    >>> Recipe(steps=10).identities
    16
    """

    RANGES: ClassVar[Mapping[str, Allowed]] = {
        "steps": COUNT,
        "identities": whole(2),
        "doppelgangers": COUNT,
        "lr": POSITIVE,
        "warmup": SHARE,
        "clip": POSITIVE,
        "margin": Range(0, 2, above=True),
        "negatives": ("all", "other"),
        "shift": whole(0, 1024),
        "brightness": Range(0),
        "contrast": SHARE,
        "validate_every": whole(1),
        "precision": PRECISIONS,
        "seed": SEED,
    }

    steps: int = 300
    identities: int = 16
    doppelgangers: int = 0
    lr: float = 1e-3
    warmup: float = 0.05
    cosine: bool = True
    clip: float = 1.0
    margin: float = 0.2
    negatives: str = "all"
    active: bool = True
    flip: bool = False
    shift: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    shuffled: bool = False
    validate_every: int = 50
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check ranges; what a batch allows is checked where batches are drawn."""
        check_all(vars(self), self.RANGES)

    @property
    def variation(self) -> dict[str, Any]:
        """The keywords of `faces.variation.augment`."""
        return {name: getattr(self, name) for name in ("flip", "shift", "brightness", "contrast")}

    def rate(self, step: int) -> float:
        """Learning rate of step 0..steps-1, as a share of its peak."""
        rise = max(1, round(self.warmup * self.steps))
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, self.steps - rise))) if self.cosine else 1.0
