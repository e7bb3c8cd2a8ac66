"""What a map, two distances and a threshold let us say about one triplet, and what they do not."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gweebp.excitation import LostMassWarning
from gweebp.excitation.evenness import UNEVEN, every_other
from gweebp.excitation.gain import ROUNDING, RoundingWarning
from gweebp.excitation.layers import eager, named_layer
from gweebp.networks import EmbeddingNetwork, as_input
from gweebp.networks.gallery import template
from gweebp.networks.verification import FARTHEST, embed
from gweebp.saliency import explain, find_method, in_place

__all__ = ["LIMITS", "Explanation", "explained"]

#: what every report of a map says
LIMITS = (
    "This is not evidence of identity: it shows what one network used, not who the people are.",
    "Another network, non-mate, picture or method may give another map, and what is left without colour may have "
    "mattered too.",
)

CHECKERBOARD = (
    "The layer {layer} gives even a picture of one grey a map with stripes, which are the network's strides and not "
    "features of the face: choose a layer just above a halving of the map."
)

CLOSE = "The distances differ by no more than the rounding of the network's numbers: which is smaller may be chance."

# of the methods that weight by the gain; any other is described by its own first line
MEANING = "the coloured regions are where its responses worked for this mate and against this non-mate"
WEIGHTED = ("gweebp", "gweebp-paper-code")


@dataclass(frozen=True, eq=False)
class Explanation:
    """One explained decision.

    Attributes:
        saliency: (h, w), non-negative, sum 1, to be stretched over the probe (`gweebp.saliency.in_place`); None where
            there is no gain to explain.
        mate_distance, nonmate_distance: L2 of unit embeddings, 0..2.
        threshold: a pair at this distance or below is accepted; None: unknown.
        network, method: names. notes: what went on that the reader should know.
    """

    saliency: Tensor | None
    mate_distance: float
    nonmate_distance: float
    threshold: float | None
    network: str
    method: str
    notes: tuple[str, ...] = ()

    @property
    def gain(self) -> float:
        """By how much the probe is nearer to its mate, Eq. (5) without its hinge: negative where it is not nearer."""
        return self.nonmate_distance - self.mate_distance

    @property
    def outcome(self) -> str:
        """It is "explained", "no gain" (the probe is not nearer to its mate) or "empty map" (of the method)."""
        if self.saliency is not None:
            return "explained"
        return "no gain" if self.gain <= 0 else "empty map"

    @property
    def decision(self) -> dict[str, str]:
        """For mate and non-mate "accepted" or "rejected" by the threshold; empty without one."""
        if self.threshold is None:
            return {}
        pairs = {"mate": self.mate_distance, "nonmate": self.nonmate_distance}
        return {name: "accepted" if d <= self.threshold else "rejected" for name, d in pairs.items()}

    @property
    def half_mass_area(self) -> float | None:
        """The smallest share of the image, 0..1, that holds half of the map."""
        if self.saliency is None:
            return None
        mass = self.saliency.flatten().double().sort(descending=True).values.cumsum(0)
        return (int((mass < 0.5 * mass[-1]).sum()) + 1) / len(mass)

    @property
    def sentence(self) -> str:
        """What this shows, in one sentence that claims no more."""
        mate, nonmate = f"mate ({self.mate_distance:.3f})", f"non-mate ({self.nonmate_distance:.3f})"
        found = f"nearer to the {mate} than to the {nonmate}"
        if self.gain <= 0:
            found = (
                f"nearer to the {nonmate} than to the {mate}"
                if self.gain
                else f"as near to the {nonmate} as to the {mate}"
            )
        text = f"The network {self.network} finds the probe {found}"
        if verdict := self.decision:
            both = "accepts" if verdict["mate"] == "accepted" else "rejects"
            other = "accepts" if verdict["nonmate"] == "accepted" else "rejects"
            what = f"{both} both" if both == other else f"{both} the mate and {other} the non-mate"
            text += f" and, at the threshold {self.threshold:.3f}, {what}"
        if self.outcome == "no gain":
            return f"{text}; it does not prefer the mate, so there is nothing to explain and no map."
        if self.outcome == "empty map":
            return f"{text}; the map of {self.method} is empty, so it does not say where that comes from."
        meaning = MEANING if self.method in WEIGHTED else f"the map is {self.method}'s, {_first_line(self.method)}"
        return f"{text}; {meaning}, half of the map on {self.half_mass_area:.0%} of the image."


def explained(
    net: EmbeddingNetwork,
    probe: Tensor,
    mates: Tensor | list[Tensor],
    nonmate: Tensor,
    *,
    method: str = "gweebp",
    threshold: float | None = None,
    layer: str | None = None,
    **options: Any,
) -> Explanation:
    """Distances, decision and map of one triplet of images.

    Args:
        net: of `gweebp.networks`, or one with the same attributes.
        probe, nonmate: uint8 (3, h, w) RGB, any size. mates: one or several such images of one person, whose unit
            embeddings are averaged and normalised.
        method, layer, options: as of `explain`. threshold: L2 distance of unit embeddings, 0..2.

    Raises:
        ValueError, TypeError: as `explain`; several mates for a method that reads the mate's pixels; a bad threshold.

    >>> from gweebp import networks
    >>> net = networks.build("lcnn9", seed=0, width=0.125, size=32).eval()
    >>> images = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.manual_seed(0))
    >>> found = explained(net, images[0], images[0] // 8 * 8, images[1], threshold=0.5)
    >>> found.outcome, found.decision["mate"], found.saliency.shape
    ('explained', 'accepted', torch.Size([4, 4]))
    """
    if threshold is not None and not 0 <= threshold <= FARTHEST:
        raise ValueError(f"threshold {threshold} is no L2 distance of unit embeddings: expected 0..{FARTHEST:g}")
    chosen = find_method(method)
    mates = [mates] if isinstance(mates, Tensor) else mates
    if chosen.reads == "images" and len(mates) > 1:
        raise ValueError(f"method {method} reads the mate's image and takes one; got {len(mates)}: use another method")
    p, n = (embed(net, image[None]) for image in (probe, nonmate))
    m = template(torch.cat([embed(net, image[None]) for image in mates]))
    near, far = ((p - x).norm().item() for x in (m, n))
    saliency: Tensor | None = None
    notes: tuple[str, ...] = ()
    if near < far:
        like = next(net.parameters())
        others = [as_input(net, x[None]) for x in (mates[0], nonmate)] if chosen.reads == "images" else [m, n]
        others = [x.to(like) for x in others]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            image = as_input(net, probe[None])
            maps = explain(net, image, *others, method=method, layer=layer, **options)
            maps = in_place(maps, net, image, method=method, layer=layer)
        saliency = maps[0].cpu() if maps.sum() > 0 else None
        notes = tuple(_plain(w.message) for w in caught if not issubclass(w.category, RoundingWarning))
        if "rule" in chosen.options:  # the excitation family, whose maps follow the strides
            name_of_layer = named_layer(eager(net), layer, str(chosen.layer), image)
            if every_other(eager(net), image, name_of_layer) > UNEVEN:
                notes += (CHECKERBOARD.format(layer=name_of_layer),)
    if abs(far - near) <= ROUNDING * torch.finfo(torch.float32).eps:
        notes += (CLOSE,)
    name = str(getattr(net, "config", {}).get("network", type(net).__name__))
    return Explanation(saliency, near, far, threshold, name, method, notes)


def _plain(warning: Warning | str) -> str:
    """A warning for the reader of one case, who knows nothing of batches."""
    text = str(warning).partition(", at batch")[0]
    if isinstance(warning, LostMassWarning):
        return f"Not all of it is on the map: {text}."
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _first_line(method: str) -> str:
    return find_method(method).summary.rstrip(".") or "which does not describe itself"
