"""What is kept of an examined case: an annotated picture, a page to print, and a JSON document."""

from __future__ import annotations

import hashlib
import io
import json as as_json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from gweebp.commands.casework import report as html
from gweebp.commands.casework.examiner import Examined
from gweebp.commands.casework.places import place
from gweebp.commands.casework.seals import blank, sealed

__all__ = ["FORMATS", "sealed_json", "write"]

FORMATS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".pdf", ".svg")
DPI = 200


def write(
    examined: Examined,
    document: dict[str, Any],
    picture: Path | None,
    json: Path | None,
    *,
    report: Path | None = None,
    spoilt: Iterable[Path] = (),
) -> None:
    """Write the annotated picture, the report and the JSON document, those that have a path, each whole or not at all.

    All are sealed (`seals`), and the document names the hashes of picture and report. If the picture can't be drawn,
    the others are written all the same.

    Args:
        document: `examined.document()`. picture: in the format of its suffix, one of `FORMATS`. report: an HTML page.
        spoilt: of these paths, those where a file of ours was cut off.

    Raises:
        OSError: what is there was not written by us; or it can't be written there. ValueError: it can't be drawn.
    """
    contents, failed = [], None
    if picture is not None:
        try:
            contents.append((picture, _drawn(examined, picture.suffix.lower())))
            document = document | {"picture_sha256": hashlib.sha256(contents[0][1]).hexdigest()}
        except Exception as error:  # of matplotlib, of any kind
            failed = error
    if report is not None:
        nonce = secrets.token_hex(32)
        contents.append((report, sealed(html.report(examined, document, blank(nonce)).encode(), nonce)))
        document = document | {"report_sha256": hashlib.sha256(contents[-1][1]).hexdigest()}
    if json is not None:
        contents.append((json, sealed_json(document)))
    place(contents, spoilt=spoilt)
    if failed is not None:
        kept = "" if json is None else f"; the numbers are in {json}"
        raise ValueError(f"{picture} can't be drawn ({type(failed).__name__}: {failed}){kept}") from failed


def sealed_json(value: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    """An object, or rows, as JSON that seals itself in an entry "seal" of it, or of each row.

    >>> import json
    >>> list(json.loads(sealed_json({"id": "a"})))
    ['id', 'seal']
    """
    nonce = secrets.token_hex(32)
    seal = {"seal": blank(nonce)}
    made = [row | seal for row in value] if isinstance(value, list) else value | seal
    return sealed((as_json.dumps(made, indent=2, allow_nan=False) + "\n").encode(), nonce)


def _drawn(examined: Examined, suffix: str) -> bytes:
    """The annotated picture as the bytes of a file, with its seal in the metadata that its format has."""
    from gweebp.commands.casework.page import explanation  # matplotlib is an extra

    nonce, buffer = secrets.token_hex(32), io.BytesIO()
    seal = blank(nonce)
    where: dict[str, Any] = {"metadata": {"gweebp": seal}}
    if suffix in (".pdf", ".svg"):
        where = {"metadata": {"Keywords": seal}}
    elif suffix in (".jpg", ".jpeg"):
        where = {"pil_kwargs": {"comment": seal}}
    elif suffix in (".tif", ".tiff"):
        where = {"pil_kwargs": {"description": seal}}
    elif suffix == ".webp":
        exif = Image.Exif()
        exif[0x010E] = seal  # ImageDescription
        where = {"pil_kwargs": {"exif": exif}}
    explanation(examined).savefig(buffer, format=suffix.removeprefix("."), dpi=DPI, **where)
    return sealed(buffer.getvalue(), nonce)
