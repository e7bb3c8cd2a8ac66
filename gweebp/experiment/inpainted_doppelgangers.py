"""The inpainting game on doppelgängers that somebody invents, beside the synthetic world's exact ones.

Real faces have no exact doppelgängers: their parts are found by a parser and replaced by an inpainter. In the synthetic
world both kinds can be made of the same people, with the very same masks, so that the game's verdict on the methods can
be compared: the inpainter is all that differs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gweebp.experiment.build import Games, Run
from gweebp.experiment.network_quality import four_distances, wilson
from gweebp.experiment.scores import find, with_interval
from gweebp.faces.preparation import quality
from gweebp.faces.preparation.cyclegan import Translator
from gweebp.faces.preparation.exchange import Fill, Translate, exchange
from gweebp.faces.preparation.parse import NONE
from gweebp.faces.quadruplets import Quadruplets, qualified
from gweebp.faces.synthetic import World
from gweebp.games import inpainting
from gweebp.games.bootstrap import Estimate
from gweebp.games.inpainting import Outcome
from gweebp.games.rank_correlation import kendall
from gweebp.methods.names import in_order, label_of
from gweebp.networks import as_input
from gweebp.saliency import explain, in_place

__all__ = [
    "Played",
    "agreement_in_words",
    "exact",
    "found_again",
    "invented",
    "labels_of",
    "play",
    "rank_agreement",
    "refilled",
    "summary",
]

NEAR = ("d(OP, OM)", "d(IP, IN)")  # distances that must not exceed τ; the others must


@dataclass(frozen=True, eq=False)
class Played:
    """Candidates of one kind, the four distances of each, which of them qualify, and the game on those.

    distances: name -> (q,), as `network_quality.four_distances` has them. kept: bool (q,). games: inpainting only.
    """

    candidates: Quadruplets
    distances: dict[str, Tensor]
    kept: Tensor
    games: Games


def labels_of(run: Run, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Exact label maps of people of a synthetic run: photos, sketches, uint8 (n, h, w) each.

    Args:
        run: on a synthetic dataset.
        rows: int64 (n,), into its faces.

    Raises:
        ValueError: the people are real, and nobody knows their parts exactly.
    """
    faces = run.faces
    if "world" not in faces.record:
        raise ValueError(f"{run.dataset} is no synthetic set: the parts of its faces are not known exactly")
    world = World(**faces.record["world"])
    people = torch.tensor([int(faces.ids[row].removeprefix("person-")) for row in rows.tolist()])
    latents = world.people(people)
    masks = (draw(people, latents, masks=True).masks for draw in (world.photos, world.sketches))
    photo, sketch = (m.to(torch.uint8).argmax(1).to(torch.uint8).masked_fill(~m.any(1), NONE) for m in masks)
    return photo, sketch


def exact(run: Run, rows: Tensor) -> Quadruplets:
    """The candidates of the run itself: the world's own doppelgängers of these people."""
    return run.candidates.select(torch.isin(run.candidates.subject, rows))


def invented(run: Run, rows: Tensor, fill: Fill, *, translate: Translate | None = None, seed: int = 0) -> Quadruplets:
    """Candidates of the same people and parts, made by `preparation.exchange.exchange`."""
    photo, sketch = labels_of(run, rows)
    faces = run.faces
    made = exchange(faces.photos[rows], faces.sketches[rows], photo, sketch, rows, fill, translate=translate, seed=seed)
    return made.quadruplets


def refilled(four: Quadruplets, fill: Fill, *, seed: int = 0) -> Quadruplets:
    """The same people, parts and regions, invented anew, photo and sketch alike.

    Raises ValueError where the photos' regions are not known.

    >>> images, here = torch.full((1, 3, 8, 8), 9, dtype=torch.uint8), torch.eye(8, dtype=torch.bool)[None]
    >>> four = Quadruplets(images, images, images, images, here, torch.tensor([0]), torch.tensor([3]), here)
    >>> refilled(four, lambda images, masks, seeds: images.masked_fill(masks[:, None], 7)).ip.sum(1)[0, 0, :2].tolist()
    [21, 27]
    """
    if four.mate_region is None:
        raise ValueError("mate_region is None: where the photos were changed is not known")
    seeds = [seed * len(four) + i for i in range(len(four))]
    return replace(four, ip=fill(four.op, four.region, seeds), in_=fill(four.om, four.mate_region, seeds))


def found_again(
    translator: Translator, sketches: Tensor, photos: Tensor, judges: Mapping[str, Callable[[Tensor], Tensor]]
) -> dict[str, dict[str, str]]:
    """What a translation leaves of a person: rank-1 of sketches, with Wilson's 95 % interval, by way and by judge.

    Args:
        translator, sketches, photos: as in `quality.translated`.
        judges: name -> images to unit vectors, as `quality.rank1` asks for.

    >>> from gweebp.faces.preparation.cyclegan import build
    >>> faces = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.manual_seed(0))
    >>> net = build(width=0.125, blocks=0, size=32)
    >>> found_again(net, faces // 2, faces, {"grey picture": quality.appearance})["as they are"]
    {'grey picture': '1.00 [0.51, 1.00]'}
    """
    found: dict[str, dict[str, str]] = {}
    for way, (probes, gallery) in quality.translated(translator, sketches, photos).items():
        n = len(probes)
        for name, judge in judges.items():
            share = wilson(round(n * quality.rank1(probes, gallery, judge)), n)
            found.setdefault(way, {})[name] = with_interval(share, 2)
    return found


def play(run: Run, candidates: Quadruplets, methods: Sequence[str], *, steps: int = 21, seed: int = 0) -> Played:
    """Choose by Eq. (7)-(8) at the run's own threshold, explain and play.

    Args:
        run: gives network and threshold.
        candidates: quadruplets of its people.
        methods: names in gweebp.METHODS, with their defaults.
        steps: points of the curve.
        seed: of methods and game.
    """
    net = run.net
    d = four_distances(net, candidates)
    op_om, op_in, ip_in, ip_om = d.values()
    kept = qualified(op_om, op_in, ip_in, ip_om, run.trials["threshold"], allow_none=True)
    four = candidates.select(kept)
    outcomes: dict[str, Outcome] = {}
    if len(four):
        op, om, ip, in_ = (as_input(net, images) for images in (four.op, four.om, four.ip, four.in_))
        for method in methods:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # flat maps and the like: the stage `maps` records them
                maps = torch.cat([_explained(run, four, part, method) for part in torch.arange(len(four)).split(16)])
            outcomes[method] = inpainting.play(net, op, om, ip, in_, four.region, maps, steps=steps, seed=seed)
    nobody = torch.zeros(0, dtype=torch.int64)
    return Played(candidates, d, kept, Games({}, nobody, outcomes, four.subject, four.part))


def summary(played: Played, threshold: float) -> dict[str, str]:
    """What became of the candidates, as text: how many, how many satisfy each condition at the threshold, and all four.

    >>> nobody = Games({}, torch.zeros(0), {}, torch.zeros(0), torch.zeros(0))
    >>> d = {"d(OP, OM)": torch.tensor([0.1, 0.9])}
    >>> summary(Played(None, d, torch.tensor([True, False]), nobody), threshold=0.5)
    {'candidates': '2', 'd(OP, OM) ≤ τ': '50%', 'qualify': '1 (50%)'}
    """
    conditions = {
        name: (d <= threshold, "≤") if name in NEAR else (d > threshold, ">") for name, d in played.distances.items()
    }
    count, kept = len(played.kept), int(played.kept.sum())
    shares = {f"{name} {sign} τ": f"{hold.float().mean():.0%}" for name, (hold, sign) in conditions.items()}
    return {"candidates": str(count)} | shares | {"qualify": f"{kept} ({kept / max(count, 1):.0%})"}


def _explained(run: Run, four: Quadruplets, rows: Tensor, method: str) -> Tensor:
    probe, mate, nonmate = (as_input(run.net, images[rows]) for images in (four.op, four.om, four.in_))
    maps = explain(run.net, probe, mate, nonmate, method=method)
    return in_place(maps, run.net, probe, method=method)


def rank_agreement(
    first: Played, second: Played, measure: str, *, resamples: int = 2000, seed: int = 0
) -> Estimate | None:
    """Kendall's tau-b between the figures that two kinds of game give the methods; None where one was not played.

    The same people are drawn on both sides; their quadruplets need not be the same.
    """
    m = find(measure)
    if not (first.games.inpainting and second.games.inpainting):
        return None
    people = torch.cat([first.games.inpainting_subject, second.games.inpainting_subject]).unique().numpy()
    sides = [
        {name: m.draw(p.games, name, resamples=resamples, seed=seed, among=people) for name in p.games.inpainting}
        for p in (first, second)
    ]
    # a resample may have drawn nobody of one side
    there = np.all([np.isfinite(found.draws) for side in sides for found in side.values()], axis=0)
    one, two = ({name: (found.value, found.draws[there]) for name, found in side.items()} for side in sides)
    return kendall(one, two)


def agreement_in_words(played: Played, true: Played, measure: str, *, kind: str = "exact", **options: int) -> str:
    """How many candidates qualify, who is highest, who was with `true`, those of this kind, and how far both agree."""
    text = f"{int(played.kept.sum())} of {len(played.kept)} candidates qualify"
    tau = rank_agreement(true, played, measure, **options)
    if tau is None:
        return f"{text}, {int(true.kept.sum())} of the {kind} ones: too few to compare."
    m, highest = find(measure), []
    for side in (played, true):
        values = {name: m.estimate(side.games, name, resamples=1).value for name in in_order(side.games.inpainting)}
        highest.append(label_of(max(values, key=lambda name: values[name])))
    return (
        f"{text}; {highest[0]} is highest ({kind}: {highest[1]}); τ-b with the {kind} ranking {with_interval(tau, 2)}."
    )
