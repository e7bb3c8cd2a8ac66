"""The book in one picture, as HTML that reflows on a phone: from three faces to what became of the paper's claims."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image as Pillow

from gweebp.figures.interactive import Interactive, _heat, _light, _png
from gweebp.figures.pictures import Image, picture
from gweebp.overlay import colours

SIDE = 112  # pixels of a picture
CELLS = 32  # of a layer, at most, in each direction


class Verdict(NamedTuple):
    """What became of a claim.

    Attributes:
        key: such as C1. about: in a few words. verdict: in the words of `claims`.
        counts: side -> number of comparisons: "for", "open", "against".
        href: where it is told at length.
    """

    key: str
    about: str
    verdict: str
    counts: Mapping[str, int]
    href: str


def abstract(
    images: Sequence[Image],
    distances: tuple[float, float],
    flow: Mapping[str, ArrayLike],
    saliency: ArrayLike,
    verdicts: Sequence[Verdict],
    *,
    network: str,
) -> Interactive:
    """Five steps: probe, mate and non-mate; the network's choice; the walk down; the map; the claims.

    Args:
        images: probe, mate and non-mate, (c, h, w) each.
        distances: of the probe to the mate and to the non-mate.
        flow: layer → marginal winning probability over its places, (h', w') ≥ 0, from the top layer down.
        saliency: the map, (h', w') ≥ 0.
        verdicts: of the claims, in order.
        network: its name in print.

    >>> black = np.zeros((1, 8, 8))
    >>> one = Verdict("C1", "the hiding game", "reproduced", {"for": 3, "open": 0, "against": 0}, "results.html")
    >>> abstract([black] * 3, (0.2, 0.5), {"conv5": np.eye(4)}, np.eye(4), [one], network="LCNN9")
    an interactive figure
    """
    names = ("probe", "mate", "non-mate")
    faces = "".join(_face(picture(image), name) for image, name in zip(images, names, strict=True))
    near, far = distances
    told = "mate" if near <= far else "non-mate"
    embedded = (
        f"{_trapezium()}<p>{escape(network)}: the probe is <b>{near:.2f}</b> from the mate and <b>{far:.2f}</b> from "
        f"the non-mate. It prefers the <b>{told}</b>.</p>"
    )
    under = _image(_light(_small(picture(images[0]))), "The probe in grey.")
    walk = "".join(_layer(name, np.asarray(values, dtype=float), under) for name, values in flow.items())
    over = _image(_enlarged(saliency), "Its saliency map: " + _where(saliency))
    shown = f'<div class="stack"><div>{under}{over}</div></div>{_key()}'
    claims = "".join(map(_claim, verdicts))
    steps = (
        ("A sketch and two photos", f'<div class="faces">{faces}</div>'),
        ("A network decides", embedded),
        ("The decision flows back", f'<div class="walk">{walk}</div>'),
        ("Where it arrives is the map", shown),
        ("The paper’s claims, tested", f'<ul class="claims">{claims}</ul>{_legend()}'),
    )
    parts = "".join(
        f'<section class="step"><p class="head"><span>{i}</span> {escape(head)}</p>{body}</section>'
        for i, (head, body) in enumerate(steps, 1)
    )
    return Interactive(f'<div class="abstract" role="group" aria-label="The book in one picture">{parts}</div>')


def _small(shown: np.ndarray) -> np.ndarray:
    side = Pillow.fromarray((shown * 255).round().astype(np.uint8)).resize((SIDE, SIDE), Pillow.Resampling.LANCZOS)
    return np.asarray(side) / 255


def _image(pixels: np.ndarray, alt: str, classes: str = "") -> str:
    kind = f' class="{classes}"' if classes else ""
    return f'<img src="{_png(pixels)}" alt="{escape(alt)}"{kind}>'


def _face(shown: np.ndarray, name: str) -> str:
    return f"<div>{_image(_small(shown), f'The {name}.')}<span>{name}</span></div>"


def _enlarged(saliency: ArrayLike) -> np.ndarray:
    values = np.asarray(saliency, dtype=np.float32)
    large = Pillow.fromarray(values).resize((SIDE, SIDE), Pillow.Resampling.BICUBIC)
    return _heat(np.clip(np.asarray(large), 0, None))


def _layer(name: str, values: np.ndarray, under: str) -> str:
    """The probability over the places of a layer, on the probe in grey; many places are shown as CELLS × CELLS."""
    h, w = values.shape
    alt = f"Probability at {name}, {w} by {h} places: {_where(values)}"
    tiles = f"{under}{_image(_heat(np.sqrt(_pooled(values))), alt, 'cells')}"
    return f'<div class="stack"><div>{tiles}</div><span>{escape(name)}<br>{w} × {h}</span></div>'


def _pooled(values: np.ndarray) -> np.ndarray:
    """Sums over blocks of places, CELLS × CELLS of them at most.

    >>> _pooled(np.ones((2 * CELLS, CELLS))).shape == (CELLS, CELLS)
    True
    """
    for axis in (0, 1):
        n = values.shape[axis]
        starts = np.unique(np.arange(min(n, CELLS)) * n // min(n, CELLS))
        values = np.add.reduceat(values, starts, axis=axis)
    return values


def _where(values: ArrayLike) -> str:
    """Where most of a map lies, in words.

    >>> _where([[0, 0, 0], [0, 0, 0], [0, 9, 0]])
    'most of it at the bottom.'
    """
    found = np.asarray(values, dtype=float)
    if found.max() <= 0:
        return "empty."
    y, x = (np.average(np.arange(n) + 0.5, weights=found.sum(1 - i)) / n for i, n in enumerate(found.shape))
    up = "top" if y < 0.4 else "bottom" if y > 0.6 else ""
    side = "left" if x < 0.4 else "right" if x > 0.6 else ""
    return f"most of it at the {' '.join(filter(None, (up, side))) or 'centre'}."


def _trapezium() -> str:
    """A network, as such drawings show it: wide at the image, narrow at the embedding."""
    return (
        '<svg viewBox="0 0 100 64" role="img" aria-label="A network between an image and an embedding">'
        '<path d="M8 4 L78 20 L78 44 L8 60 Z" fill="none" stroke="currentColor" stroke-width="2"/>'
        + "".join(f'<path d="M{x} {4 + (x - 8) * 16 / 70:.1f} V{60 - (x - 8) * 16 / 70:.1f}" stroke="currentColor"/>'
                  for x in (22, 36, 50, 64))
        + "".join(f'<circle cx="92" cy="{y}" r="3" fill="currentColor"/>' for y in (20, 28, 36, 44))
        + "</svg>"
    )  # fmt: skip


def _key() -> str:
    stops = ",".join(f"rgba({r * 255:.0f},{g * 255:.0f},{b * 255:.0f},{a:.2f})" for r, g, b, a in colours(5))
    return (
        f'<p class="key"><span style="background:linear-gradient(90deg,{stops}),#fff"></span> least to most salient</p>'
    )


SIDES = ("for", "open", "against")
MARKS = {"reproduced": "✓", "contradicted": "✗", "not resolved": "?"}


def _claim(one: Verdict) -> str:
    total = sum(one.counts.values())
    sides = {side: n for side in SIDES if (n := one.counts.get(side, 0))}
    bar = "".join(f'<i class="{side}" style="flex:{n}"></i>' for side, n in sides.items())
    counts = ", ".join(f"{n} {side}" for side, n in one.counts.items())
    said = f"{counts}, of {total} comparisons" if total else "no comparison"
    return (
        f'<li><a href="{escape(one.href)}"><b>{escape(one.key)}</b> {escape(one.about)}</a> '
        f'<span class="verdict">{MARKS.get(one.verdict, "–")} {escape(one.verdict)}</span>'
        f'<span class="bar" role="img" aria-label="{escape(said)}">{bar}</span></li>'
    )


def _legend() -> str:
    sides = "".join(f'<span><i class="{side}"></i> {side}</span> ' for side in SIDES)
    return f'<p class="key">comparisons {sides}</p>'
