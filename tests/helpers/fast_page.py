"""In place of the annotated picture of a case, which takes matplotlib half a second: a small one, sealed as that is."""

import io

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gweebp.commands.casework import seals
from gweebp.commands.casework.examiner import Examined


def drawn(examined: Examined, suffix: str) -> bytes:
    """What `gweebp.commands.casework.writing` writes as a picture; its patch in tests of all else."""
    nonce, data, about = "ab" * 32, io.BytesIO(), PngInfo()
    about.add_text("gweebp", seals.blank(nonce))
    about.add_text("sentence", examined.explanation.sentence)
    Image.new("L", (4, 4)).save(data, "png", pnginfo=about)
    return seals.sealed(data.getvalue(), nonce)
