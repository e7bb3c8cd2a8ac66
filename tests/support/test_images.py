"""Images of any kind: read whole and in bounded memory, or refused by a ValueError that names the file."""

from __future__ import annotations

import bz2
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import memory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from gweebp.faces.preparation.parse import read_labels
from gweebp.support import files, images

pytestmark = [
    pytest.mark.promise("errors: every refusal is an error of ours"),
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
]
some = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

SUFFIXES = ["png", "jpg", "tif", "bmp", "gif", "webp", "ppm", "jp2"] + ["avif"] * bool(features.check("avif"))
MODES = {
    "png": ["1", "L", "P", "RGB", "LA", "RGBA"],
    "jpg": ["L", "RGB", "CMYK"],
    "tif": ["1", "L", "P", "RGB", "LA", "RGBA", "CMYK", "YCbCr", "LAB"],
    "bmp": ["1", "L", "P", "RGB"],
    "gif": ["L", "P"],
    "webp": ["RGB", "RGBA"],
    "ppm": ["1", "L", "RGB"],
    "jp2": ["L", "RGB", "RGBA"],
    "avif": ["RGB", "RGBA"],
}


def made(suffix: str, mode: str = "RGB", size: tuple[int, int] = (24, 17), **options: object) -> bytes:
    """A file of this format: smooth noise of this mode."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BILINEAR)
    file = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(suffix, suffix.upper())
    image = image.convert("RGB").convert(mode) if mode != "LAB" else Image.new("LAB", size)
    image.save(file, kind, **options)
    return file.getvalue()


GOOD = {(suffix, mode): made(suffix, mode) for suffix in SUFFIXES for mode in MODES[suffix]}


def read(path: Path) -> torch.Tensor | None:
    """The image; None where it is refused by a ValueError that names the file."""
    error = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return files.read_image(path)
        except ValueError as found:
            error = found
    assert path.name in str(error) and len(str(error)) < 500
    return None


@pytest.mark.parametrize(("suffix", "mode"), GOOD)
def test_every_format_and_mode(tmp_path, suffix, mode):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(GOOD[suffix, mode])
    pixels = read(path)
    assert pixels is not None and pixels.shape == (3, 17, 24) and pixels.dtype == torch.uint8
    assert images.size_of(path) == (24, 17)


@some
@given(kind=st.sampled_from(sorted(GOOD)), data=st.data(), name=st.sampled_from(["x.png", "x.dat", "x.ppm.bz2"]))
def test_damaged_images(tmp_path, kind, data, name):
    content = bytearray(GOOD[kind])
    if name.endswith("bz2") and data.draw(st.booleans()):
        content = bytearray(bz2.compress(content))
    for _ in range(data.draw(st.integers(0, 4), "changes")):
        place = data.draw(st.integers(0, min(200, len(content) - 1)) | st.integers(0, len(content) - 1), "place")
        content[place] = data.draw(st.integers(0, 255), "byte")
    path = tmp_path / name
    path.write_bytes(content[: data.draw(st.none() | st.integers(0, len(content)), "cut")])
    pixels = read(path)
    assert pixels is None or (pixels.dtype == torch.uint8 and pixels.ndim == 3 and len(pixels) == 3)
    try:
        images.size_of(path), read_labels(path)
    except ValueError as error:
        assert name in str(error)  # noqa: PT017


@some
@given(
    content=st.binary(max_size=200),
    head=st.sampled_from(
        [
            b"",
            b"\x89PNG\r\n\x1a\n",
            b"P6 ",
            b"P5\n3 3\n65535\n",
            b"BM",
            b"GIF89a",
            b"II*\0",
            b"\xff\xd8\xff\xe0",
            b"RIFF\x10\0\0\0WEBP",
            b"%!PS-Adobe-3.0 EPSF-3.0\n",
            b"\0\0\0\x0cjP  \r\n\x87\n",
            b"\xff\x4f\xff\x51",
            b"BZh9",
        ]
    ),
)
def test_any_bytes(tmp_path, content, head):
    for name in ("x.png", "x.ppm.bz2"):
        (tmp_path / name).write_bytes(head + content)
        read(tmp_path / name)


# ---- nothing is cut, turned or left out without a word ----


def png(width: int, height: int, bits: int, colour: int, raw: bytes = b"") -> bytes:
    """A PNG file by hand: Pillow writes no 16-bit colour."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    raw = raw or b"".join(b"\0" + bytes(range(channels * bits // 8)) * width for _ in range(height))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(raw)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks
    )


def tiff(samples: int, kind: int = 1, bits: int = 16) -> bytes:
    """A TIFF file of one pixel by hand."""
    values = struct.pack(f"<{samples}H", *[bits] * samples)
    tags = [
        (256, 4, 1, 1),
        (257, 4, 1, 1),
        (258, 3, samples, 122 + 24),
        (259, 3, 1, 1),
        (262, 3, 1, 2 if samples > 2 else 1),
        (273, 4, 1, 170),
        (277, 3, 1, samples),
        (278, 4, 1, 1),
        (279, 4, 1, samples * bits // 8),
        (339, 3, 1, kind),
    ]
    if samples == 1:
        tags[2] = (258, 3, 1, bits)
    body = (
        b"II*\0"
        + struct.pack("<I", 8)
        + struct.pack("<H", len(tags))
        + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        + struct.pack("<I", 0)
    )
    return body.ljust(146, b"\0") + values.ljust(24, b"\0") + bytes(samples * bits // 8)


DEEP = {
    "grey.png": png(3, 2, 16, 0),
    "rgb.png": png(3, 2, 16, 2),
    "grey-alpha.png": png(3, 2, 16, 4),
    "rgba.png": png(3, 2, 16, 6),
    "rgb.ppm": b"P6\n2 1\n65535\n" + bytes(12),
    "some.ppm": b"P6\n2 1\n1023\n" + bytes(12),
    "plain.ppm": b"P3\n1 1\n4095\n1 2 3\n",
    "grey.pgm": b"P5\n2 1\n65535\n" + bytes(4),
    "rgb.tif": tiff(3),
    "rgba.tif": tiff(4),
    "grey.tif": tiff(1),
    "float.tif": tiff(1, kind=3, bits=32),
    "packed.ppm.bz2": bz2.compress(b"P6\n2 1\n65535\n" + bytes(12)),
}


@pytest.mark.parametrize("name", DEEP)
def test_no_channel_is_cut_to_8_bits(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(DEEP[name])
    with Image.open(bz2.open(path) if name.endswith("bz2") else path) as file:
        assert file.size[0] > 0  # Pillow does read it
    with pytest.raises(ValueError, match=rf"{name} has pixels of .* bits a channel: save it as 8-bit"):
        files.read_image(path)


def test_jpeg2000_of_16_bits(tmp_path):
    deep = bytearray(made("jp2"))
    place = deep.find(b"\xff\x4f\xff\x51") + 42
    assert deep[place] == 7
    deep[place : place + 9 : 3] = [15] * 3
    (tmp_path / "deep.jp2").write_bytes(deep)
    with pytest.raises(ValueError, match=r"deep\.jp2 has pixels of 16 bits a channel"):
        files.read_image(tmp_path / "deep.jp2")
    codestream = deep[place - 42 :]
    (tmp_path / "deep.ppm.bz2").write_bytes(bz2.compress(codestream))
    with pytest.raises(ValueError, match="16 bits a channel"):
        files.read_image(tmp_path / "deep.ppm.bz2")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_of_10_bits(tmp_path):
    deep = bytearray(made("avif"))
    place = deep.find(b"av1C") + 6
    assert not deep[place] & 0x40
    deep[place] |= 0x40
    (tmp_path / "deep.avif").write_bytes(deep)
    with pytest.raises(ValueError, match=r"deep\.avif has pixels of 10 bits a channel|deep\.avif can't be read"):
        files.read_image(tmp_path / "deep.avif")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_the_first_of_several_pictures_is_read_with_a_note(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    pictures = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    with pytest.warns(UserWarning, match=rf"x\.{suffix} holds 3 pictures, of which the first was read"):
        pixels = files.read_image(path)
    assert (pixels[:, 9, 9] - torch.tensor([255, 0, 0], dtype=torch.uint8)).abs().max() < 8
    assert images.read(path)[1] == (f"x.{suffix} holds 3 pictures, of which the first was read.",)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_images_stand_upright(tmp_path, suffix, orientation):
    """A red corner at the top left of the scene, wherever the camera was held."""
    scene = Image.new("RGB", (32, 16))
    scene.paste("red", (0, 0, 12, 8))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = scene.transpose(undo[orientation]) if orientation > 1 else scene
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"x.{suffix}", exif=exif, **({"quality": 95} if suffix in ("jpg", "webp") else {}))
    pixels = files.read_image(tmp_path / f"x.{suffix}")
    assert pixels.shape == (3, 16, 32) and images.size_of(tmp_path / f"x.{suffix}") == (32, 16)
    assert pixels[0, 2, 2] > 200 and pixels[0, 13, 29] < 60 and pixels[0, 2, 29] < 60 and pixels[0, 13, 2] < 60


# ---- bounded memory ----


def test_a_small_file_takes_little_memory(tmp_path):
    pixels = 2**31
    (tmp_path / "bomb.ppm.bz2").write_bytes(bz2.compress(b"P6\n50000 50000\n255\n" + bytes(300_000_000)))
    (tmp_path / "bomb.png").write_bytes(png(60000, 60000, 8, 2, b"\0"))
    (tmp_path / "wide.png").write_bytes(png(pixels - 1, 1, 8, 0, b"\0"))
    (tmp_path / "bomb.bmp").write_bytes(
        b"BM"
        + struct.pack("<IHHI", 100, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 50000, 50000, 1, 24, 0, 0, 0, 0, 0, 0)
    )
    (tmp_path / "bomb.gif").write_bytes(
        b"GIF89a"
        + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
        + b",\0\0\0\0"
        + struct.pack("<HHB", 65535, 65535, 0)
        + b"\x02\0;"
    )
    (tmp_path / "bomb.webp").write_bytes(
        made("webp", "RGBA").replace(struct.pack("<I", 23)[:3] + struct.pack("<I", 16)[:3], b"\xff\x3f\0\xff\x3f\0")
    )
    code = """
    for path in sorted(Path(sys.argv[1]).iterdir()):
        try:
            read_image(path)
        except ValueError as error:
            assert path.name in str(error), error
        else:
            assert path.suffix == ".webp", f"{path} was read"
    """
    setup = """
    from pathlib import Path
    from gweebp.support.images import read_image
    """
    assert memory.peak(setup, code, tmp_path) < 500  # 200 MiB of them are what bzip2 may unpack
