"""Figures that move: a slider, pictures beside it, and a sentence that says what is seen.

Each is a piece of HTML that holds its own data; book/_static/interactive.js brings it to life on the book's pages,
without a server. Where that script does not run, in Jupyter or in print, the first state stands still.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image as Pillow

from gweebp.figures.neurons import Panel, neurons
from gweebp.figures.pictures import HEAT, Image, picture
from gweebp.figures.style import style_of
from gweebp.games.stepped import SteppedGame
from gweebp.methods.names import in_order

OUTLINE = (0, 229, 255, 255)
_NO_MARKUP = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&"})  # outside texts, JSON has none of these


class Interactive(NamedTuple):
    """HTML that a notebook shows."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        """Short: the HTML holds images."""
        return "an interactive figure"


def threshold_slider(
    op: Image, ip: Image, region: ArrayLike, played: Mapping[str, SteppedGame], *, count: int, first: str = "gweebp"
) -> Interactive:
    """The reader moves the share of the map's mass that is replaced, and sees the blend, SR and FAR follow.

    Args:
        op, ip: the probe and its inpainted twin, (c, h, w).
        region: bool (h, w), the exchanged part.
        played: method → its game, all of as many steps.
        count: quadruplets behind SR and FAR.
        first: the method that is shown first.

    Raises:
        ValueError: for games of different numbers of steps, or of more than 255.

    >>> k = 3
    >>> one = SteppedGame(np.eye(4), np.ones((4, 4), int), [False] * k, [0.0] * k, [0.0] * k, [0.0] * k)
    >>> threshold_slider(np.zeros((1, 4, 4)), np.ones((1, 4, 4)), np.eye(4) > 0, {"gweebp": one}, count=1)
    an interactive figure
    """
    methods = in_order(played)
    first = first if first in played else methods[-1]
    shown = played[first]
    steps = len(shown.sr) - 1
    if any(len(p.sr) != steps + 1 for p in played.values()) or steps > 255:
        raise ValueError(f"methods of {[len(p.sr) - 1 for p in played.values()]} steps: expected the same, 1 to 255")
    # the largest mask at a FAR of at most 10 %: where the game is decided
    start = max((step for step, far in enumerate(shown.far) if far <= 0.1), default=0)
    before, after = picture(op), picture(ip)
    data = {
        "op": _png(before), "ip": _png(after), "count": count,
        "methods": {
            style_of(m).label: {
                "color": style_of(m).color, "map": _png(_heat(p.saliency)), "steps": _png(p.steps.astype(np.uint8)),
                "matched": [int(x) for x in p.matched],
                "alone": _rounded(p.alone), "far": _rounded(p.far), "sr": _rounded(p.sr),
            }
            for m, p in played.items()
        },
    }  # fmt: skip
    blend = np.where((shown.steps <= start)[..., None], after, before)
    over, outline = _png(_heat(shown.saliency)), _png(_outline(region, before.shape[:2]))
    options = "".join(_option(style_of(m).label, selected=m == first) for m in methods)
    return Interactive(
        '<div class="interactive" data-kind="threshold" role="group" aria-label="Masks of a map, moved by a slider">'
        f'<div class="pictures">{_stack("the map", "The probe under the map.", _png(_light(before)), over, outline)}'
        f"{_stack('the blend', 'The probe with its most salient pixels replaced.', _png(blend), outline)}"
        '<div class="chart"></div></div>'
        f'<div class="controls" hidden><label>method <select>{options}</select></label> <label>share of the mass '
        f'<input type="range" min="0" max="{steps}" value="{start}" step="1"></label></div>'
        f'<p class="says" aria-live="polite">{_sentence(shown, start, count)}</p>{_script(data)}</div>'
    )


def layer_slider(image: Image, layers: Mapping[str, tuple[ArrayLike, ArrayLike, str]], titles: tuple[str, str],
                 first: str) -> Interactive:  # fmt: skip
    """Two maps of each layer side by side, before and after; the reader moves along the layers.

    Args:
        image: (c, h, w).
        layers: name → (map (h', w') before, map after, a sentence).
        titles: of the two maps.
        first: the layer that is shown first.

    >>> layer_slider(np.zeros((1, 8, 8)), {"conv1": (np.eye(8), np.eye(8), "Alike.")}, ("EBP", "gweEBP"), "conv1")
    an interactive figure
    """
    under = _png(_light(picture(image)))
    data = [
        {"name": name, "maps": [_png(_heat(before)), _png(_heat(after))], "says": text}
        for name, (before, after, text) in layers.items()
    ]
    place = list(layers).index(first)
    stacks = "".join(
        _stack(title, f"The image under the map of {title}.", under, data[place]["maps"][side])
        for side, title in enumerate(titles)
    )
    return Interactive(
        '<div class="interactive" data-kind="layers" role="group" aria-label="Maps of each layer, moved by a slider">'
        f'<div class="pictures">{stacks}</div><div class="controls" hidden><label>layer <input type="range" min="0" '
        f'max="{len(data) - 1}" value="{place}" step="1"></label></div>'
        f'<p class="says" aria-live="polite">{escape(first)}: {escape(layers[first][2])}</p>{_script(data)}</div>'
    )


def walk_slider(by_panel: Mapping[str, Panel], layers: Sequence[str], says: Sequence[str]) -> Interactive:
    """A small network on which the reader walks from the head down, layer by layer.

    Args:
        by_panel: title → (values, connections), as `neurons` draws them.
        layers: their names, top first.
        says: one sentence about each layer.

    Raises:
        ValueError: for another number of sentences than of layers.

    >>> toy = {"": ([[1.0], [0.7, 0.3]], [[[0.7, 0.3]]])}
    >>> walk_slider(toy, ["head", "pixels"], ["The head holds all.", "The pixels share it."])
    an interactive figure
    """
    if len(says) != len(layers):
        raise ValueError(f"{len(says)} sentences for {len(layers)} layers: expected one per layer")
    frames = [_drawn(neurons(by_panel, layers, numbered=True, reached=k)) for k in range(len(layers))]
    data = [
        {"name": name, "frame": frame, "says": text} for name, frame, text in zip(layers, frames, says, strict=True)
    ]
    last = len(data) - 1
    alt = f"A network of {len(layers)} layers; the numbers of the walk are written down to the chosen layer."
    return Interactive(
        '<div class="interactive" data-kind="walk" role="group" aria-label="A walk down a network, moved by a slider">'
        f'<img class="frame" src="{frames[last]}" alt="{alt}"><div class="controls" hidden><label>walked down to '
        f'<input type="range" min="0" max="{last}" value="{last}" step="1"></label></div>'
        f'<p class="says" aria-live="polite">{escape(layers[last])}: {escape(says[last])}</p>{_script(data)}</div>'
    )


def _drawn(figure: Figure) -> str:
    """A figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _sentence(played: SteppedGame, step: int, count: int) -> str:
    share = step / (len(played.sr) - 1)
    return (
        f"{share:.0%} of the mass: this blend is matched to {'IN' if played.matched[step] else 'OM'}, at "
        f"{played.alone[step]:.1%} false alarms. Over all {count} quadruplets: SR {played.sr[step]:.1%} at FAR "
        f"{played.far[step]:.1%}."
    )


def _stack(caption: str, alt: str, *layers: str) -> str:
    """Images on top of one another; only the first has a text."""
    first, *others = layers
    over = "".join(f'<img src="{source}" alt="" aria-hidden="true">' for source in others)
    below = f"<span>{escape(caption)}</span>"
    return f'<div class="stack"><div><img src="{first}" alt="{escape(alt)}">{over}</div>{below}</div>'


def _option(label: str, *, selected: bool) -> str:
    """An entry of a menu. Its value is the label to the letter: as text alone, browsers would join its spaces."""
    return f'<option value="{escape(label)}"{" selected" * selected}>{escape(label)}</option>'


def _script(data: object) -> str:
    """Data for the script, as JSON in which nothing can end the element: "<", ">" and "&" are written as escapes."""
    text = json.dumps(data, separators=(",", ":"))
    return f'<script type="application/json">{text.translate(_NO_MARKUP)}</script>'


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(float(x), 4) for x in values]


def _light(shown: NDArray[Any]) -> NDArray[Any]:
    """Grey and lightened, as `show` draws what lies under a map."""
    return 0.35 + 0.65 * (shown @ np.array([0.299, 0.587, 0.114]))


def _heat(saliency: ArrayLike) -> NDArray[Any]:
    values = np.asarray(saliency, dtype=float)
    return HEAT(values / (values.max() or 1))


def _outline(region: ArrayLike, size: tuple[int, int]) -> NDArray[Any]:
    """A clear image (h, w, 4) with the pixels of the region's border, or just outside it, drawn."""
    inside = np.asarray(Pillow.fromarray(np.asarray(region, dtype=np.uint8) * 255).resize(size[::-1])) > 127
    padded = np.pad(inside, 1)
    near = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    drawn = np.zeros((*size, 4))
    drawn[near & ~inside] = np.array(OUTLINE) / 255
    return drawn


def _png(pixels: NDArray[Any]) -> str:
    """Pixels as a data URI. Floats in 0..1 or uint8; (h, w), (h, w, 3) or (h, w, 4)."""
    values = pixels if pixels.dtype == np.uint8 else (np.asarray(pixels) * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(values).save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
