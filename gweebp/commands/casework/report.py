"""The report of a case: one HTML page with everything on it, to print, to send, and to read without a network.

Pictures are in the page. Every text is escaped. No script, no font and no picture is fetched from anywhere.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from gweebp.commands.casework.examiner import Examined
from gweebp.commands.casework.explanation import Explanation, called
from gweebp.overlay import FADED, OPACITY, colours, overlay
from gweebp.support.images import reduced

__all__ = ["STYLE", "data_uri", "page", "report"]

SIDE = 512  # pixels of a picture on the page, at most
KEY = (256, 16)  # pixels of the colour key
KEY_TEXT = "least to most salient, by this map's own maximum"

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 62rem; margin: 0 auto;
  padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.4rem 0 .4rem; }
p, ul { margin: .4rem 0; max-width: 46rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem; }
figure { margin: 0; break-inside: avoid; } figure img { width: 100%; height: auto; border: 1px solid #767676; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.key img { height: 1rem; width: 100%; image-rendering: pixelated; }
.limits { border-left: .3rem solid #9a3412; padding: .1rem 1.8rem; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #c8c8c8;
  overflow-wrap: anywhere; }
.cases :is(th, td) { overflow-wrap: break-word; } .cases td:first-child { width: 15rem; }
.cases img { width: 100%; height: auto; } .cases button { font: inherit; text-align: left; padding: 0 .2rem; }
.files td:first-child { overflow-wrap: break-word; } .files td:nth-child(2) { min-width: 8rem; }
@media (max-width: 45rem) {
  .cases :is(tbody, tr, td) { display: block; } .cases td { border: 0; }
  .cases tbody tr { border-bottom: 1px solid #c8c8c8; }
  .cases thead tr { display: flex; flex-wrap: wrap; }
  .cases td:first-child { width: auto; } .cases td:empty { display: none; }
  .cases td[data-name]::before { content: attr(data-name) ": "; color: #444; }
}
code { font: .8rem ui-monospace, monospace; overflow-wrap: anywhere; }
svg { width: 100%; max-width: 36rem; height: auto; } svg text { font: 13px system-ui, sans-serif; fill: #1a1a1a; }
footer { margin-top: 1.5rem; font-size: .8rem; color: #444; }
@page { size: A4; margin: 15mm; }
@media print {
  body { font-size: 10.5pt; max-width: none; padding: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2 { break-after: avoid; } table, svg { break-inside: avoid; } .screen { display: none; }
}
"""


def report(examined: Examined, document: Mapping[str, Any], seal: str) -> str:
    """The page of a case.

    Args:
        document: `examined.document()`, with `inputs` and `record` where there are. seal: of `seals.blank`.
    """
    found = examined.explanation
    title = f"What {found.network} used of {examined.probe.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(found.sentence)}</p>",
        *(f"<p>{escape(text)}</p>" for text in found.said[1:]),
        _pictures(examined),
        "<h2>Distances</h2>",
        _scale(found),
        "<h2>What this does not show</h2>",
        _list(found.limits, "limits"),
    ]
    if found.notes:
        parts += ["<h2>Notes</h2>", _list(found.notes)]
    parts += [
        "<h2>Numbers</h2>",
        _table(_numbers(found)),
        "<h2>How it was made</h2>",
        _table(_made(examined, document)),
    ]
    parts += ["<h2>Files</h2>", _files(examined)]
    return page(title, "\n".join(parts), seal)


def page(title: str, body: str, seal: str, script: str = "") -> str:
    """A whole page around `body`, which is HTML; `title` is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="gweebp">\n<meta name="seal" content="{seal}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "<footer>The seal in this page's head is the hash of the page: gweebp replaces only pages whose seal is intact."
        f"</footer>\n{script}</body>\n</html>\n"
    )


def data_uri(image: Tensor) -> str:
    """An image uint8 (3, h, w) as the address of a PNG that is in the page."""
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(buffer, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _pictures(examined: Examined) -> str:
    found = examined.explanation
    shown = [
        _figure(data_uri(reduced(p.pixels, SIDE)), f"{what}, {p.name}", _caption(what, p.name, bool(p.aligned)))
        for what, p in examined.pictures
    ]
    if found.saliency is not None:
        opacity = OPACITY * (FADED if found.faded else 1)
        over = overlay(_large(examined.probe.pixels), found.saliency, opacity=opacity)
        kind = "map, faded: the difference is small" if found.faded else "map"
        alt = f"the probe in grey under the map of {examined.method}; half of the map is on {found.half_mass_area:.0%}"
        key = f'<span class="key"><img src="{_key(opacity)}" alt="colour key"></span>{escape(KEY_TEXT)}'
        shown.append(_figure(data_uri(over), alt, _caption(kind, examined.method) + "<br>" + key))
    given = [(what, p) for what, p in examined.pictures if p.given is not None]
    parts = [f'<div class="pictures">{"".join(shown)}</div>']
    if given:
        before = [
            _figure(data_uri(reduced(p.given, SIDE // 2)), f"{what} before it was aligned", _caption(what, "as given"))
            for what, p in given
            if p.given is not None
        ]
        parts += ["<h2>Before they were aligned</h2>", f'<div class="pictures">{"".join(before)}</div>']
    return "\n".join(parts)


def _large(image: Tensor) -> Tensor:
    """The image at the size of the page: a map on few pixels looks coarser than it is."""
    image = reduced(image, SIDE)
    times = max(1, SIDE // max(image.shape[1:]))
    return image.repeat_interleave(times, 1).repeat_interleave(times, 2)


def _key(opacity: float) -> str:
    """The colours from the least to the most salient, over the light grey of a map's ground."""
    scale = torch.from_numpy(colours(KEY[0], opacity)).float()
    mixed = torch.lerp(torch.full((KEY[0], 3), 0.85), scale[:, :3], scale[:, 3:])
    return data_uri((255 * mixed).round().byte().T[:, None].expand(3, KEY[1], KEY[0]))


def _figure(source: str, alt: str, caption: str) -> str:
    return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{caption}</figcaption></figure>'


def _caption(what: str, name: str, aligned: bool = False) -> str:
    return f"<strong>{escape(what)}</strong>{', aligned' if aligned else ''}<br>{escape(name)}"


def _list(texts: Iterable[str], kind: str = "") -> str:
    return f'<ul class="{kind}">' + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{value}</td></tr>' for name, value in rows)
    return f"<table>{lines}</table>"


def _numbers(found: Explanation) -> list[tuple[str, str]]:
    mate, nonmate = found.words
    rows = [(f"distance to {called(mate)}", f"{found.mate_distance:.6f}")]
    rows += [(f"distance to {called(nonmate)}", f"{found.nonmate_distance:.6f}"), ("difference", f"{found.gain:.6f}")]
    if found.as_strangers is not None and found.strangers is not None:
        among = f" of {found.strangers.count}" if found.strangers.count else ""
        condition = "" if found.strangers.levels else "if they were "
        for word, distance in zip(found.words, (found.mate_distance, found.nonmate_distance)):
            many = f"{found.strangers.in_words(distance)}{among} ({condition}{found.strangers.source})"
            rows.append((f"strangers as near as {called(word)}", many))
    if found.threshold is not None:
        verdict = ", ".join(f"{w}: {v}" for w, v in zip(found.words, found.decision.values()))
        condition = f" ({found.conditions})" if found.conditions else ""
        rows.append(("threshold", f"{found.threshold:.6f}{condition}; {verdict}"))
    for name, share in (
        ("part of the image that holds half of the map", found.half_mass_area),
        (f"part of the map shared with {found.compared} other pairs", found.shared),
        ("evidence that is not on the map", found.off_the_map if found.saliency is not None else None),
    ):
        if share is not None:
            rows.append((name, "less than 1%" if share < 0.01 else f"{share:.1%}"))
    return [(name, escape(value)) for name, value in rows]


def _made(examined: Examined, document: Mapping[str, Any]) -> list[tuple[str, str]]:
    found, made, inputs = examined.explanation, examined.made, document.get("inputs") or {}
    rows = [("program", f"gweebp {made.get('gweebp', '')}"), ("date", made.get("date", ""))]
    rows += [("network", found.network), ("method", examined.method)]
    if inputs.get("options"):
        rows.append(("options", ", ".join(f"{key}={value!r}" for key, value in inputs["options"].items())))
    rows.append(("alignment", examined.alignment))
    table = [(name, escape(str(value))) for name, value in rows if value]
    hashes = [("weights", made.get("weights_sha256")), ("plugin", inputs.get("plugin_sha256"))]
    hashes += [("landmarks", inputs.get("landmarks_sha256")), ("trials", inputs.get("trials_sha256"))]
    return table + [(f"sha256 of {name}", f"<code>{escape(str(value))}</code>") for name, value in hashes if value]


def _files(examined: Examined) -> str:
    head = '<tr><th scope="col">picture</th><th scope="col">file</th><th scope="col">sha256</th></tr>'
    rows = "".join(
        f"<tr><td>{escape(what)}</td><td>{escape(p.name)}</td><td><code>{escape(p.sha256)}</code></td></tr>"
        for what, p in examined.pictures
    )
    return f'<table class="files">{head}{rows}</table>'


def _scale(found: Explanation) -> str:
    """Both distances, and what the threshold accepts, on a line."""
    end = min(2.0, 1.25 * max(found.mate_distance, found.nonmate_distance, found.threshold or 0, 0.1))
    mate, nonmate = found.words
    alt = f"{mate} at {found.mate_distance:.3f}, {nonmate} at {found.nonmate_distance:.3f}"
    parts = ['<line x1="10" y1="55" x2="450" y2="55" stroke="#767676"/>']

    def x(distance: float) -> float:
        return 10 + 440 * distance / end

    def text(distance: float, y: float, label: str) -> str:
        side = "start" if distance < 0.2 * end else "end" if distance > 0.8 * end else "middle"
        return f'<text x="{x(distance):.1f}" y="{y}" text-anchor="{side}">{escape(label)}</text>'

    if found.threshold is not None:
        alt += f", accepted up to {found.threshold:.3f}"
        wide = x(found.threshold) - 10
        parts.insert(0, f'<rect x="10" y="35" width="{wide:.1f}" height="40" fill="#e3e3e3"/>')
        parts.append(text(found.threshold, 16, f"accepted up to {found.threshold:.3f}"))
        parts.append(f'<line x1="{wide + 10:.1f}" y1="20" x2="{wide + 10:.1f}" y2="80" stroke="#1a1a1a" '
                     'stroke-dasharray="4 3"/>')  # fmt: skip
    parts.append(f'<circle cx="{x(found.mate_distance):.1f}" cy="55" r="6" fill="#0072B2"/>')
    parts.append(text(found.mate_distance, 33, f"{mate} {found.mate_distance:.3f}"))
    parts.append(f'<rect x="{x(found.nonmate_distance) - 6:.1f}" y="49" width="12" height="12" fill="#B34700"/>')
    parts.append(text(found.nonmate_distance, 94, f"{nonmate} {found.nonmate_distance:.3f}"))
    caption = "<p>Distance to the probe, L2 of unit embeddings: 0 the same, 2 the farthest.</p>"
    return f'<svg viewBox="0 0 460 100" role="img" aria-label="{escape(alt)}">{"".join(parts)}</svg>{caption}'
