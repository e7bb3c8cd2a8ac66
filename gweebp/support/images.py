"""Images read from files, in bounded memory and without silent loss, with errors that say what to do.

The head of a file is checked before its pixels are read: their number, and the bits per channel, which Pillow would
cut to 8 without a word. The formats are those in which photographs and scans are kept.
"""

from __future__ import annotations

import bz2
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

__all__ = ["existing", "opened", "read", "read_image", "reduced", "size_of"]

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "AVIF")
MOST_PIXELS = 2**26  # 8192x8192
MOST_BYTES = 2**30  # of a file
MOST_UNPACKED = 3 * MOST_PIXELS + 2**16  # bytes of a PPM file that bzip2 has packed
DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height


def reduced(image: Tensor, largest: int) -> Tensor:
    """An image, smaller where it is too large, smoothed by just as much as it shrinks.

    Args:
        image: uint8 (3, h, w).
        largest: height and width that it may have, in pixels.

    Returns:
        uint8 (3, h', w').

    >>> reduced(torch.zeros(3, 40, 20, dtype=torch.uint8), 10).shape
    torch.Size([3, 10, 5])
    """
    share = largest / max(image.shape[1:])
    if share >= 1:
        return image
    size = [max(1, round(side * share)) for side in image.shape[1:]]
    return F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True)[0].round().byte()


def read_image(path: str | Path) -> Tensor:
    """Read one image of any 8-bit mode as RGB, packed with bzip2 (`.ppm.bz2`) or not.

    Palette and grey images become RGB, EXIF rotation is applied, transparent pixels are laid over white. A file that
    holds several pictures, an animation or pages, causes a warning: the first picture is read.

    Args:
        path: of the file.

    Returns:
        uint8 (3, h, w), 0..255.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a corrupt file, one that is not an image, more than 8 bits per channel, or more than 2²⁶ pixels.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (4, 2), (255, 0, 0)).save(path)
    >>> read_image(path).shape, read_image(path)[:, 0, 0].tolist()
    (torch.Size([3, 2, 4]), [255, 0, 0])
    """
    pixels, notes = read(path)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return pixels


def read(path: str | Path) -> tuple[Tensor, tuple[str, ...]]:
    """An image, and what its reader should know about the file.

    Args:
        path: of the file.

    Returns:
        The image, as `read_image` gives it; and sentences, none for most files.

    Raises:
        FileNotFoundError, ValueError: as `read_image`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "moving.gif"
    >>> first, second = Image.new("RGB", (4, 2), "red"), Image.new("RGB", (4, 2), "blue")
    >>> first.save(path, save_all=True, append_images=[second])
    >>> pixels, notes = read(path)
    >>> pixels[:, 0, 0].tolist(), notes
    ([255, 0, 0], ('moving.gif holds 2 pictures, of which the first was read.',))
    """
    path = Path(path)
    with opened(path) as file:
        # of the photographs that phones take, the further pictures are previews and depths
        count = 1 if file.format == "MPO" else getattr(file, "n_frames", 1)
        image = ImageOps.exif_transpose(file)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        pixels = np.array(image.convert("RGB"))
    notes = (f"{path.name} holds {count} pictures, of which the first was read.",) if count > 1 else ()
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), notes


def size_of(path: str | Path) -> tuple[int, int]:
    """Width and height of the image that `read_image` would give.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError, ValueError: as `read_image`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (4, 2), (255, 0, 0)).save(path)
    >>> size_of(path)
    (4, 2)
    """
    with opened(path) as file:
        # of TIFF files Pillow gives the size of the upright image
        turned = file.format != "TIFF" and file.getexif().get(ExifTags.Base.Orientation) in TURNED
        return (file.height, file.width) if turned else (file.width, file.height)


@contextmanager
def opened(path: str | Path) -> Iterator[ImageFile]:
    """An image as Pillow has it, its pixels not yet read; errors of decoding within the block are ValueErrors.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError, ValueError: as `read_image`.
        OSError: where the disk fails, not the image.
    """
    path = existing(path)
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{path} has {size} bytes, more than {MOST_BYTES}: it is too large for an image")
    try:
        Image.init()
        with Image.open(_content(path), formats=[name for name in FORMATS if name in Image.OPEN]) as file:
            if wrong := _refusal(file):
                raise _Refused(wrong)
            yield file
    except _Refused as error:
        raise ValueError(f"{path} {error}") from None
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} can't be read as an image (it is none of {', '.join(FORMATS)}, or is cut)") from error
    except Exception as error:  # decoders raise anything on a broken file
        if isinstance(error, OSError) and error.errno is not None:  # a disk or a permission, not the image
            raise
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} can't be read as an image ({reason}); replace it or remove it") from error


def existing(path: str | Path) -> Path:
    """The path of a file that exists.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}" + (" (it is a folder)" if path.is_dir() else ""))
    return path


class _Refused(ValueError):
    """What is wrong with an image that Pillow could read."""


def _content(path: Path) -> Path | io.BytesIO:
    """The file itself, or what bzip2 has packed into it, up to the size of the largest image."""
    if path.suffix.lower() != ".bz2":
        return path
    found = io.BytesIO()
    with bz2.open(path) as packed:
        while part := packed.read(2**20):
            found.write(part)
            if found.tell() > MOST_UNPACKED:
                raise _Refused(f"unpacks to more than {MOST_UNPACKED} bytes: it is too large for an image")
    found.seek(0)
    return found


def _refusal(file: ImageFile) -> str:
    """What is wrong with an image, by its head; "" for nothing."""
    width, height = file.size
    if width * height > MOST_PIXELS:
        return f"has {width}x{height} pixels, more than {MOST_PIXELS} in all: reduce it"
    bits = _bits(file)
    if bits > 8 or file.mode in DEEP_MODES:
        return f"has pixels of {'more than 8' if bits <= 8 else bits} bits a channel: save it as 8-bit RGB or grey"
    return ""


def _bits(file: ImageFile) -> int:
    """Bits of a channel, where the format may have more than 8; Pillow's modes do not tell."""
    arguments = str([tile.args for tile in getattr(file, "tile", ())])
    if isinstance(file, TiffImageFile):
        return max(np.ravel(file.tag_v2.get(258, 1)).tolist())
    if file.format == "PNG":
        return 16 if ";16" in arguments else 8
    if file.format == "PPM":
        largest = [tile.args[-1] for tile in file.tile if isinstance(tile.args, tuple)]
        return max((int(value).bit_length() for value in largest if isinstance(value, int)), default=8)
    if file.format in ("JPEG2000", "AVIF"):
        head = _head(file)
        start, offset = (head.find(b"\xff\x4f\xff\x51"), 42) if file.format == "JPEG2000" else (head.find(b"av1C"), 6)
        place = start + offset
        if start < 0 or place >= len(head):
            return 8
        if file.format == "AVIF":
            return 10 if head[place] & 0x40 else 8
        return max((depth & 0x7F) + 1 for depth in head[place : place + 3 * head[place - 1] : 3])
    return 8


def _head(file: ImageFile) -> bytes:
    """The file's bytes, of formats whose channels are told in the midst of them."""
    if file.filename:
        return Path(os.fsdecode(file.filename)).read_bytes()
    assert isinstance(file.fp, io.BytesIO)
    return file.fp.getvalue()
