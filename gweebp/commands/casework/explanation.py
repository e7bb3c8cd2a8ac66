"""What a map, two distances and a threshold let us say about one triplet, and what they do not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gweebp.commands.casework.strangers import CHANCE, PART, Strangers, of_dimensions
from gweebp.excitation import LostMassWarning
from gweebp.excitation.evenness import UNEVEN, every_other
from gweebp.excitation.gain import ROUNDING, RoundingWarning
from gweebp.excitation.layers import eager, named_layer
from gweebp.excitation.lost_mass import TokenWarning
from gweebp.networks import EmbeddingNetwork, as_input
from gweebp.networks.gallery import template
from gweebp.networks.verification import FARTHEST, embed
from gweebp.saliency import explain, find_method, in_place

__all__ = ["LIMITS", "WORDS", "Explanation", "called", "explained"]

IDENTITY = "This is not evidence of identity: it shows what one network used, not who the people are."
#: what every report of a map says
LIMITS = (
    IDENTITY,
    "Another network, person to compare with, picture or method may give another map, and what is left without colour "
    "may have mattered too.",
)
#: and of a case without a map
WITHOUT_MAP = (IDENTITY, "Another network, person to compare with or picture may give other distances.")

#: what the two people are called whose mate and non-mate nobody knows
WORDS = ("candidate", "alternative")

CHECKERBOARD = (
    "The layer {layer} gives even a picture of one grey a map with stripes, which are the network's strides and not "
    "features of the face: choose a layer just above a halving of the map."
)

CLOSE = "The distances differ by no more than the rounding of the network's numbers: which is smaller may be chance."

# of the methods that weight by the gain; any other is described by its own first line
MEANING = "the coloured regions are where its responses worked for {0} and against {1}"
FADED = "the faded colours are where its responses worked for {0} and against {1}, which may be chance"
WEIGHTED = ("gweebp", "gweebp-paper-code")


@dataclass(frozen=True, eq=False)
class Explanation:
    """One explained decision.

    Attributes:
        saliency: (h, w), non-negative, sum 1, to be stretched over the probe (`gweebp.saliency.in_place`); None where
            there is no gain to explain.
        mate_distance, nonmate_distance: L2 of unit embeddings, 0..2.
        threshold: a pair at this distance or below is accepted; None: unknown. conditions: of which it holds, in words.
        network, method, layer: names; layer "" where the map has the image's own resolution.
        notes: what went on that the reader should know. words: what mate and non-mate are called.
        strangers: how much the distances to two strangers differ; None: nothing is said about it.
        off_the_map: the share of the probability, 0..1, that is not on the map; None: the method has no such thing.
        shared: the share of the map, 0..1, that is on the maps for other people too, on average; compared: how many.
    """

    saliency: Tensor | None
    mate_distance: float
    nonmate_distance: float
    threshold: float | None
    network: str
    method: str
    notes: tuple[str, ...] = ()
    words: tuple[str, str] = WORDS
    conditions: str = ""
    layer: str = ""
    strangers: Strangers | None = None
    off_the_map: float | None = None
    shared: float | None = None
    compared: int = 0

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
    def as_strangers(self) -> tuple[float, float] | None:
        """The shares of strangers, 0..1, that are as near as the mate, and as the non-mate; None: not known."""
        if self.strangers is None:
            return None
        return self.strangers.share(self.mate_distance), self.strangers.share(self.nonmate_distance)

    @property
    def strength(self) -> str:
        """Of the difference, by the rule of `strangers`: "clear", "small", or "unknown"."""
        shares = self.as_strangers
        if shares is None or self.strangers is None:
            return "unknown"
        if min(shares) > CHANCE or abs(self.gain) < PART * self.strangers.spread:
            return "small"
        return "clear" if self.strangers.levels else "unknown"

    @property
    def faded(self) -> bool:
        """The map is drawn faded: the difference is small beside those of strangers."""
        return self.strength == "small"

    @property
    def limits(self) -> tuple[str, ...]:
        """What is not shown: sentences that every report prints."""
        return WITHOUT_MAP if self.saliency is None else LIMITS

    @property
    def sentence(self) -> str:
        """What this shows, in one sentence that claims no more."""
        candidate, alternative = map(called, self.words)
        mate, nonmate = f"{candidate} ({self.mate_distance:.3f})", f"{alternative} ({self.nonmate_distance:.3f})"
        much = "slightly " if self.strength == "small" else ""
        found = f"{much}nearer to {mate} than to {nonmate}"
        if self.gain <= 0:
            found = f"{much}nearer to {nonmate} than to {mate}" if self.gain else f"as near to {nonmate} as to {mate}"
        text = f"The network {self.network} finds the probe {found}"
        if verdict := self.decision:
            both = "accepts" if verdict["mate"] == "accepted" else "rejects"
            other = "accepts" if verdict["nonmate"] == "accepted" else "rejects"
            what = f"{both} both" if both == other else f"{both} {candidate} and {other} {alternative}"
            condition = f" ({self.conditions})" if self.conditions else ""
            text += f" and, at the threshold {self.threshold:.3f}{condition}, {what}"
        if self.outcome == "no gain":
            return f"{text}; it does not prefer {candidate}, so there is nothing to explain and no map."
        if self.outcome == "empty map":
            return f"{text}; the map of {self.method} is empty, so it does not say where that comes from."
        meaning = (FADED if self.faded else MEANING).format(*(called(word, "this") for word in self.words))
        if self.method not in WEIGHTED:
            meaning = f"the map is {self.method}'s, {_first_line(self.method)}"
        return f"{text}; {meaning}, half of the map on {self.half_mass_area:.0%} of the image."

    @property
    def effect(self) -> str:
        """How large the difference is, in a sentence for a lay reader; "" where nothing is known of strangers."""
        if self.strangers is None:
            return ""
        mate, nonmate = map(called, self.words)
        near, far = map(self.strangers.in_words, (self.mate_distance, self.nonmate_distance))
        said = f"The two distances differ by {abs(self.gain):.3f}. "
        if self.strangers.levels:
            are = "is" if near in ("none", "1") else "are"
            said += f"Of strangers in {self.strangers.source}, {near} {are} as near to the probe as {mate}, "
            said += f"and {far} as near as {nonmate}"
        else:
            said += f"If strangers were {self.strangers.source}, {near} would be as near to the probe as {mate}, "
            said += f"and {far} as near as {nonmate}; a real network spreads them less evenly"
        if self.strength == "unknown":
            return f"{said}. Trials (--trials) or other people's pictures (--gallery) tell more."
        return f"{said}: the difference is {'small, and may be chance' if self.faded else 'clear'}."

    @property
    def specificity(self) -> str:
        """How much of the map is this candidate's own, in a sentence; "" where it was not compared."""
        if self.shared is None:
            return ""
        word = "hardly" if self.shared >= 0.8 else "partly" if self.shared >= 0.5 else "largely"
        return (
            f"The map is {word} specific: {self.shared:.0%} of it is also on the maps that the same probe gets for "
            f"{self.compared} other pairs of people, on average."
        )

    @property
    def on_the_map(self) -> str:
        """How much of the network's evidence the map shows, in a sentence; "" where the method has no such thing."""
        if self.saliency is None or self.off_the_map is None:
            return ""
        share = f"{1 - self.off_the_map:.0%}" if self.off_the_map > 0.01 else "At least 99%"
        return f"{share} of what the method sends back from the embedding arrives on the map."

    @property
    def said(self) -> tuple[str, ...]:
        """All sentences on the case, but for the notes and the limits."""
        return tuple(text for text in (self.sentence, self.effect, self.specificity, self.on_the_map) if text)


def called(word: str, article: str = "the") -> str:
    """What a person is called in a sentence: a noun with its article, a name as it stands.

    >>> called("candidate"), called("candidate", "this"), called("Ms. A"), called("the suspect")
    ('the candidate', 'this candidate', 'Ms. A', 'the suspect')
    """
    is_noun = word[:1].islower() and word.partition(" ")[0] not in ("the", "a", "an", "this", "that")
    return f"{article} {word}" if is_noun else word


def explained(
    net: EmbeddingNetwork,
    probe: Tensor,
    mates: Tensor | list[Tensor],
    nonmate: Tensor,
    *,
    method: str = "gweebp",
    threshold: float | None = None,
    layer: str | None = None,
    words: tuple[str, str] = WORDS,
    conditions: str = "",
    strangers: Strangers | None = None,
    others: Tensor | None = None,
    **options: Any,
) -> Explanation:
    """Distances, decision and map of one triplet of images.

    Args:
        net: of `gweebp.networks`, or one with the same attributes.
        probe, nonmate: uint8 (3, h, w) RGB, any size. mates: one or several such images of one person, whose unit
            embeddings are averaged and normalised.
        method, layer, options: as of `explain`. threshold: L2 distance of unit embeddings, 0..2.
        words, conditions: as of `Explanation`. strangers: None: what holds of any network of its dimensions.
        others: unit embeddings (2k, d) of other people, k > 0, with whose maps this one is compared.

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
        raise ValueError(
            f"method {method} reads the candidate's picture and takes one; got {len(mates)}: use another method"
        )
    p, n = (embed(net, image[None]) for image in (probe, nonmate))
    m = template(torch.cat([embed(net, image[None]) for image in mates]))
    near, far = ((p - x).norm().item() for x in (m, n))
    image = as_input(net, probe[None])
    has_layer, in_family = chosen.layer is not None, "rule" in chosen.options
    name_of_layer = str(named_layer(eager(net), layer, str(chosen.layer), image)) if has_layer else ""
    found: dict[str, Any] = {"saliency": None}
    notes: tuple[str, ...] = ()
    if near < far:
        pair = [as_input(net, x[None]) for x in (mates[0], nonmate)] if chosen.reads == "images" else [m, n]
        asked = _Question(net, image, {"method": method, "layer": layer}, options)
        maps, caught = asked.maps(*pair)
        found["saliency"] = maps[0].cpu() if maps.sum() > 0 else None
        notes = tuple(_plain(w) for w in caught if not isinstance(w, RoundingWarning))
        if in_family:
            lost = [w.share for w in caught if isinstance(w, (LostMassWarning, TokenWarning))]
            found["off_the_map"] = min(1.0, sum(lost))
            if every_other(eager(net), image, name_of_layer) > UNEVEN:  # its maps follow the strides
                notes += (CHECKERBOARD.format(layer=name_of_layer),)
        if found["saliency"] is not None and others is not None and has_layer and chosen.reads != "images":
            found |= asked.compared(maps, p, others)
    if abs(far - near) <= ROUNDING * torch.finfo(torch.float32).eps:
        notes += (CLOSE,)
    name = str(getattr(net, "config", {}).get("network", type(net).__name__))
    return Explanation(
        mate_distance=near, nonmate_distance=far, threshold=threshold, network=name, method=method, notes=notes,
        words=words, conditions=conditions, layer=name_of_layer,
        strangers=of_dimensions(p.shape[1]) if strangers is None else strangers, **found,
    )  # fmt: skip


@dataclass(frozen=True)
class _Question:
    """One probe, asked about pairs of people: net, its input (1, c, h, w), method and layer, options."""

    net: EmbeddingNetwork
    image: Tensor
    how: dict[str, Any]
    options: dict[str, Any]

    def maps(self, mate: Tensor, nonmate: Tensor) -> tuple[Tensor, Sequence[Warning]]:
        """Maps (b, h, w) for embeddings (b, d), or images, and the warnings."""
        like = next(self.net.parameters())
        images = self.image.expand(len(mate), -1, -1, -1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            maps = explain(self.net, images, mate.to(like), nonmate.to(like), **self.how, **self.options)
            maps = in_place(maps, self.net, images, **self.how)
        return maps, [w.message for w in caught if isinstance(w.message, Warning)]

    def compared(self, maps: Tensor, p: Tensor, others: Tensor) -> dict[str, Any]:
        """What the map (1, h, w) has in common with those for pairs of others (2k, d), the nearer taken as mate."""
        first, second = others.chunk(2)
        nearer = (p - first).norm(dim=1) < (p - second).norm(dim=1)
        mate, nonmate = (torch.where(which[:, None], first, second) for which in (nearer, ~nearer))
        apart = (mate != nonmate).any(1)  # a gallery may hold one picture twice
        if not apart.any():
            return {}
        theirs, _ = self.maps(mate[apart], nonmate[apart])
        theirs = theirs[theirs.sum((1, 2)) > 0]
        if not len(theirs):
            return {}
        return {"shared": torch.minimum(maps, theirs).sum((1, 2)).mean().item(), "compared": len(theirs)}


def _plain(warning: Warning) -> str:
    """A warning for the reader of one case, who knows nothing of batches."""
    text = str(warning).partition(", at batch")[0]
    if isinstance(warning, LostMassWarning):
        return f"Not all of it is on the map: {text}."
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _first_line(method: str) -> str:
    return find_method(method).summary.rstrip(".") or "which does not describe itself"
