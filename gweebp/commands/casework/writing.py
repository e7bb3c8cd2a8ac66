"""What is kept of an examined case: an annotated picture, and a JSON document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gweebp.commands.casework.examiner import Examined
from gweebp.support import files

__all__ = ["write"]


def write(examined: Examined, document: dict[str, Any], picture: Path | None, json: Path | None) -> None:
    """Write the annotated picture and the JSON document, those that have a path, whole or not at all."""
    if picture is not None:
        from gweebp.commands.casework.page import explanation  # matplotlib is an extra

        figure = explanation(examined)
        with files.atomic(picture) as temporary:
            figure.savefig(temporary, dpi=200)
    if json is not None:
        files.write_json(json, document)
