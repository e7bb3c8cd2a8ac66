"""Files written whole or not at all, and read with errors that say what to do; images are read by `images`.

Every file is written under a temporary name in the folder where it will live and renamed when complete, so that a run
killed at any point leaves either the old file or the new one, never half a file. What such a run leaves of temporary
files, a later one removes (`temporaries`).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gweebp.support import temporaries
from gweebp.support.images import existing, read_image

__all__ = [
    "atomic",
    "interpreted",
    "located",
    "read_image",
    "read_json",
    "read_record",
    "read_tensors",
    "sha256",
    "write_image",
    "write_json",
    "write_tensors",
]

METADATA = "gweebp"  # the metadata entry of our own files


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, delete it on any error.

    The temporary name keeps the suffix, so that writers which guess the format from it work.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic(folder / "note.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> [p.name for p in folder.iterdir()]
    ['note.txt']
    """
    path = Path(path)
    try:
        with temporaries.beside(path) as temporary:
            yield temporary
            os.replace(temporary, path)
    except OSError as error:  # the user knows the file by its name, not by the temporary's
        if error.errno is None and type(error) is OSError and str(path) not in str(error):  # of Pillow's encoders
            raise OSError(f"{path} can't be written ({error})") from error
        if error.strerror and (error.filename is None or temporaries.is_ours(error.filename)):
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON, atomically. NaN and infinity raise ValueError: no other reader would accept them.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "record.json"
    >>> write_json(path, {"seed": 0})
    >>> read_json(path)
    {'seed': 0}
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file. Raises FileNotFoundError, or ValueError for a file that is not JSON."""
    path = existing(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits, and lists in lists
        raise ValueError(f"{path} is not valid JSON ({error}); delete it and make it again") from error


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a JSON file that holds names and values. Raises FileNotFoundError, or ValueError for any other file."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}; expected names and values: make it again")
    return found


@contextmanager
def interpreted(path: str | Path, what: str) -> Iterator[None]:
    """What goes wrong while the content of a file is made sense of is a ValueError that names the file.

    Args:
        what: the file should be.

    >>> with interpreted("faces.safetensors", "a set of faces"):
    ...     {"name": "demo"}["ids"]
    Traceback (most recent call last):
    ValueError: faces.safetensors is not a set of faces (KeyError: 'ids'); make it again
    """
    try:
        yield
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path} is not {what} ({error}); make it again") from error
    except (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise ValueError(f"{path} is not {what} ({type(error).__name__}: {error}); make it again") from error


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors as safetensors, atomically, `metadata` as JSON beside them. Equal content gives equal bytes.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "maps.safetensors"
    >>> write_tensors(path, {"maps": torch.ones(2, 3)}, {"method": "ebp"})
    >>> tensors, metadata = read_tensors(path)
    >>> tensors["maps"].shape, metadata
    (torch.Size([2, 3]), {'method': 'ebp'})
    """
    # one entry: safetensors writes several in random order
    text = {METADATA: json.dumps(dict(metadata or {}), allow_nan=False)}
    # clone: safetensors refuses tensors that share memory, such as two views of one batch
    whole = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    with atomic(path) as temporary:
        try:
            save_file(whole, temporary, metadata=text)
        except SafetensorError as error:
            raise OSError(f"{path} can't be written ({error})") from error


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote: (tensors, metadata).

    Of a file that another program wrote, the metadata are its own texts.
    Raises FileNotFoundError, or ValueError for a file that is truncated or is not safetensors.
    """
    path = existing(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
        found = json.loads(metadata[METADATA]) if METADATA in metadata else metadata
    # a broken header, a type that PyTorch lacks, metadata that are not JSON
    except (SafetensorError, OSError, LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is not a readable safetensors file ({error}); delete it and make it again") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: its metadata are a {type(found).__name__}; expected names and values")
    return tensors, found


def write_image(path: str | Path, image: Tensor) -> None:
    """Write one image, atomically, in the format of the suffix.

    Args:
        path: .png keeps every pixel as it is; .jpg does not.
        image: uint8 (3, h, w) RGB, or (h, w): grey, label maps; or bool (h, w): masks, as 0 and 255.

    Raises:
        ValueError: another image, or a suffix of no image. OSError: the file can't be written; the old one stays.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "noise.png"
    >>> noise = torch.randint(256, (3, 5, 4), dtype=torch.uint8, generator=torch.manual_seed(0))
    >>> write_image(path, noise)
    >>> torch.equal(read_image(path), noise)
    True
    """
    pixels = image.detach().cpu()
    if pixels.dtype == torch.bool:
        pixels = pixels.to(torch.uint8) * 255
    if pixels.dtype != torch.uint8 or not (pixels.dim() == 2 or (pixels.dim() == 3 and len(pixels) == 3)):
        raise ValueError(f"expected uint8 (3, h, w) or (h, w), or bool (h, w); got {image.dtype} {tuple(image.shape)}")
    kind = Image.registered_extensions().get(Path(path).suffix.lower())
    if kind not in Image.SAVE:
        raise ValueError(f"{path}: no image can be written by a name that ends so; expected .png, .jpg, .tif, ...")
    array = (pixels.permute(1, 2, 0) if pixels.dim() == 3 else pixels).contiguous().numpy()
    content = io.BytesIO()  # on a full disk some of Pillow's encoders say nothing, and leave half a file
    Image.fromarray(array).save(content, kind)
    with atomic(path) as temporary:
        temporary.write_bytes(content.getvalue())


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with existing(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def located(path: str | Path) -> Path:
    """`path`, or where it is not found, the same below the repository: notebooks may run in any folder.

    >>> located("_build/none").as_posix()
    '_build/none'
    """
    below = Path(__file__).resolve().parents[2] / path
    return below if not Path(path).exists() and below.exists() else Path(path)
