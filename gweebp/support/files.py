"""Files that are written whole or not at all, and read with errors that say what to do; `images` reads images.

Every file is written under a temporary name in its own folder and renamed when it is complete. A run that is killed at
any point therefore leaves the old file or the new one, never half a file. Temporary files that such a run leaves are
removed by a later run (`temporaries`).
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
    """Yield a temporary path beside a file; rename it to the file on success, delete it on any error.

    The temporary name keeps the suffix, so that writers which guess the format from it work.

    Args:
        path: the file to write; its folder is made where it is missing.

    Raises:
        OSError: where the file cannot be written; the error names it, and an old file of that name stays.

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
    """Write a JSON file, atomically.

    Args:
        path: the file to write.
        value: what JSON can hold.

    Raises:
        ValueError: for NaN and infinity, which other readers of JSON do not accept.
        OSError: where the file cannot be written; an old one stays.

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
    """Read a JSON file.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is not JSON.
    """
    path = existing(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits, and lists in lists
        raise ValueError(f"{path} is not valid JSON ({error}); delete it and make it again") from error


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a JSON file that holds names and values.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for any other file.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}; expected names and values: make it again")
    return found


@contextmanager
def interpreted(path: str | Path, what: str) -> Iterator[None]:
    """Turn any error in making sense of a file's content into a ValueError that names the file.

    Args:
        path: of the file.
        what: the file should be.

    Raises:
        ValueError: where the block raises it, or a LookupError, TypeError, AttributeError, ArithmeticError,
            RuntimeError.

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
    """Write tensors as safetensors, atomically. Equal content gives equal bytes.

    Args:
        path: the file to write.
        tensors: name → tensor.
        metadata: names and values that JSON can hold, which are kept beside the tensors.

    Raises:
        ValueError: for NaN and infinity among the metadata.
        OSError: where the file cannot be written; an old one stays.

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
    """Read what `write_tensors` wrote.

    Args:
        path: of the file.

    Returns:
        tensors, metadata; for a file that another program wrote, the metadata are that program's own texts.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is truncated or is not safetensors.
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
        path: the file to write; .png keeps every pixel as it is, .jpg does not.
        image: uint8 (3, h, w) RGB; or (h, w): grey, label maps; or bool (h, w): masks, as 0 and 255.

    Raises:
        ValueError: for any other tensor, or a suffix that is not of an image.
        OSError: where the file cannot be written; an old one stays.

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
    """SHA-256 of a file, as 64 hexadecimal digits.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    with existing(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def located(path: str | Path) -> Path:
    """A path as it is; where nothing is there, the same path below the repository: notebooks may run in any folder.

    Args:
        path: relative to the working folder or to the repository.

    >>> located("_build/none").as_posix()
    '_build/none'
    """
    below = Path(__file__).resolve().parents[2] / path
    return below if not Path(path).exists() and below.exists() else Path(path)
