"""Seals: a file that `gweebp explain` writes says so itself, by the hash of all of its bytes.

A seal is the text `gweebp-sha256-` and 64 digits, somewhere in the file: in the metadata of a picture, in an entry of a
JSON document, in a column of a table. The digits are the SHA-256 of the file with 64 zeros in their place. So a file is
known wherever it is moved, no list has to be kept beside it, and a file in which anything was changed since is not
known any more: it is somebody's work.
"""

from __future__ import annotations

import hashlib
import re
import stat
import zlib
from pathlib import Path

__all__ = ["LARGEST", "blank", "intact", "sealed", "written_by_us"]

MARK = b"gweebp-sha256-"
ZEROS = b"0" * 64
SEAL = re.compile(rb"gweebp-sha256-([0-9a-f]{64})")
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 2**28  # bytes: nothing that `explain` writes comes near


def blank(nonce: str) -> str:
    """The place of a seal in a file that is being made.

    Args:
        nonce: 64 hexadecimal digits that occur nowhere else in that file.

    >>> blank("ab" * 32)[:20]
    'gweebp-sha256-ababab'
    """
    return MARK.decode() + nonce


def sealed(data: bytes, nonce: str) -> bytes:
    """The file with its seal in place of `blank(nonce)`.

    >>> data = sealed(b'{"seal": "' + blank("ab" * 32).encode() + b'"}', "ab" * 32)
    >>> intact(data), intact(data.replace(b"{", b"{ ")), intact(b"{}")
    (True, False, False)
    """
    empty = _swapped(data, nonce.encode(), ZEROS)
    if empty == data:
        raise ValueError("the file has no place for a seal")
    return _swapped(data, nonce.encode(), _digits(empty))


def intact(data: bytes) -> bool:
    """The bytes are those of a file that was sealed, and nothing in them was changed since."""
    return any(_digits(_swapped(data, found, ZEROS)) == found for found in set(SEAL.findall(data)))


def written_by_us(path: str | Path) -> bool:
    """There is a file of that name, itself and no link to one, whose seal is intact."""
    path = Path(path)
    try:
        about = path.lstat()
        return stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST and intact(path.read_bytes())
    except (OSError, ValueError):  # nothing there, or nothing that can be read
        return False


def _digits(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _swapped(data: bytes, old: bytes, new: bytes) -> bytes:
    """The file with other digits in its seal; in a PNG, whose chunks end with a checksum, the whole chunk changes."""
    if data.startswith(PNG):
        return data.replace(_chunk(old), _chunk(new))
    return data.replace(MARK + old, MARK + new)


def _chunk(digits: bytes) -> bytes:
    content = b"tEXtgweebp\0" + MARK + digits
    return content + zlib.crc32(content).to_bytes(4, "big")
