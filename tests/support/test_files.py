import ast
import bz2
import contextlib
import errno
import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from gweebp import networks
from gweebp.faces.preparation import cyclegan
from gweebp.faces.quadruplets import Quadruplets
from gweebp.networks import weights
from gweebp.support import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def half_written():
        with files.atomic(path) as temporary:
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        half_written()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_temporary_name_keeps_the_suffix_and_lies_beside(tmp_path):
    with files.atomic(tmp_path / "deep" / "map.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path / "deep"
        Image.new("L", (2, 2)).save(temporary)
    assert names(tmp_path / "deep") == ["map.png"]


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (float("nan"), ValueError, "not JSON compliant"),
        (float("inf"), ValueError, "not JSON compliant"),
        ({1, 2}, TypeError, "set is not JSON serializable"),
    ],
)
def test_json_that_others_cannot_read_is_not_written(tmp_path, bad, error, message):
    with pytest.raises(error, match=message):
        files.write_json(tmp_path / "r.json", {"x": bad})
    assert names(tmp_path) == []


def test_corrupt_json(tmp_path):
    (tmp_path / "r.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"r\.json is not valid JSON"):
        files.read_json(tmp_path / "r.json")


def test_missing_files_are_named(tmp_path):
    for read in (files.read_json, files.read_tensors, files.read_image, files.sha256):
        with pytest.raises(FileNotFoundError, match=r"no file .*gone"):
            read(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        files.read_image(tmp_path)


def test_tensors_that_share_memory_or_strides_come_back(tmp_path):
    x = torch.arange(12.0).reshape(3, 4)
    files.write_tensors(tmp_path / "t.safetensors", {"a": x, "b": x.T, "c": x[1:]}, {"n": [1, 2]})
    tensors, metadata = files.read_tensors(tmp_path / "t.safetensors")
    assert torch.equal(tensors["b"], x.T)
    assert torch.equal(tensors["c"], x[1:])
    assert metadata == {"n": [1, 2]}


def test_equal_tensors_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        metadata = {key: key for key in "abcdefgh"}
        files.write_tensors(tmp_path / name, {key: torch.ones(3) for key in "hgfedcba"}, metadata)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_metadata_of_other_programs_are_kept_as_text(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "t.safetensors", metadata={"format": "pt"})
    assert files.read_tensors(tmp_path / "t.safetensors")[1] == {"format": "pt"}


def test_truncated_tensors(tmp_path):
    path = tmp_path / "t.safetensors"
    files.write_tensors(path, {"a": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        files.read_tensors(path)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK"])
def test_every_8_bit_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.new("RGB", (5, 3), (255, 255, 255)).convert(mode).save(path)
    image = files.read_image(path)
    assert image.shape == (3, 3, 5)
    assert image.dtype == torch.uint8
    assert image.min() == 255


def test_transparent_pixels_are_white(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    image = files.read_image(tmp_path / "x.png")
    assert image[:, 0, 0].tolist() == [10, 20, 30]
    assert image[:, 1, 1].tolist() == [255, 255, 255]


def test_exif_rotation_is_applied(tmp_path):
    image = Image.new("RGB", (6, 2))
    exif = image.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees
    image.save(tmp_path / "x.jpg", exif=exif)
    assert files.read_image(tmp_path / "x.jpg").shape == (3, 6, 2)


def test_deep_images_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 60000, np.uint16)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match="save it as 8-bit"):
        files.read_image(tmp_path / "x.png")


def test_images_come_back(tmp_path):
    random = torch.Generator().manual_seed(0)
    grey = torch.randint(256, (5, 4), generator=random, dtype=torch.uint8)
    for image in (torch.randint(256, (3, 4, 5), generator=random, dtype=torch.uint8).transpose(1, 2), grey, grey > 9):
        files.write_image(tmp_path / "x.png", image)
        expected = image * 255 if image.dtype == torch.bool else image
        assert torch.equal(files.read_image(tmp_path / "x.png"), expected.expand(3, 5, 4))
    for bad in (grey.float(), grey[None], grey[None, None]):
        with pytest.raises(ValueError, match=r"expected uint8 \(3, h, w\) or \(h, w\)"):
            files.write_image(tmp_path / "y.png", bad)
    assert names(tmp_path) == ["x.png"]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "gif"])
def test_any_truncation_of_an_image_is_a_value_error(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for keep in (0, 1, 10, 60, len(whole) // 2):
        path.write_bytes(whole[:keep])
        with pytest.raises(ValueError, match="can't be read as an image"):
            files.read_image(path)


def test_text_is_no_image(tmp_path):
    (tmp_path / "x.png").write_text(json.dumps({"not": "an image"}))
    with pytest.raises(ValueError, match=r"x\.png can't be read as an image"):
        files.read_image(tmp_path / "x.png")


def test_images_packed_with_bzip2(tmp_path):
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    Image.fromarray(pixels).save(tmp_path / "face.ppm")
    packed = tmp_path / "face.ppm.bz2"
    packed.write_bytes(bz2.compress((tmp_path / "face.ppm").read_bytes()))
    assert torch.equal(files.read_image(packed), files.read_image(tmp_path / "face.ppm"))
    for broken in (packed.read_bytes()[:-20], b"BZh9 not really", bz2.compress(b"no image")):
        packed.write_bytes(broken)
        with pytest.raises(ValueError, match=r"face\.ppm\.bz2 can't be read as an image"):
            files.read_image(packed)


# ---- writing that fails ----


@contextlib.contextmanager
def full_disk(room: int):
    """No file may grow beyond `room` bytes: what a full disk, or a quota, says to every writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _quadruplets(folder: Path) -> None:
    images, index = torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)
    Quadruplets(images, images, images, images, images[:, 0] > 0, index, index).save(folder / "out.safetensors")


def _atomic_text(folder: Path) -> None:
    with files.atomic(folder / "out.csv") as temporary, temporary.open("w") as file:
        file.write("0123456789" * 1000)


WRITERS = {
    "json": lambda folder: files.write_json(folder / "out.json", list(range(2000))),
    "tensors": lambda folder: files.write_tensors(folder / "out.safetensors", {"a": torch.zeros(5000)}),
    "png": lambda folder: files.write_image(folder / "out.png", torch.randint(256, (3, 60, 60), dtype=torch.uint8)),
    "jpg": lambda folder: files.write_image(folder / "out.jpg", torch.randint(256, (3, 60, 60), dtype=torch.uint8)),
    "tif": lambda folder: files.write_image(folder / "out.tif", torch.randint(256, (3, 60, 60), dtype=torch.uint8)),
    "text": _atomic_text,
    "network": lambda folder: networks.save(networks.lcnn9(width=0.05, size=16), folder / "out.safetensors"),
    "translator": lambda folder: weights.save(cyclegan.build(0.05, 1, 32), folder / "out.safetensors"),
    "quadruplets": _quadruplets,
}


@pytest.mark.promise("errors: every refusal is an error of ours")
@pytest.mark.parametrize("name", WRITERS)
@given(room=st.integers(0, 3000))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path, name, room):
    for found in tmp_path.iterdir():
        found.unlink()
    WRITERS[name](tmp_path)
    (written,) = tmp_path.iterdir()
    before = written.read_bytes()
    assert len(before) > 3000
    with pytest.raises(OSError, match=rf"{written.name}") as caught, full_disk(room):
        WRITERS[name](tmp_path)
    assert "File too large" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [written.name] and written.read_bytes() == before


@pytest.mark.promise("errors: every refusal is an error of ours")
@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_that_cannot_be_written_is_named(tmp_path, name, monkeypatch):
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="file"):
        WRITERS[name](tmp_path / "file")

    def refuse(source, target):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(source), None, str(target))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match=r"Permission denied.*out\."):
        WRITERS[name](tmp_path / "shut")
    assert names(tmp_path / "shut") == []


def test_everything_that_is_written_goes_through_atomic():
    """No module opens a file to write it, but inside `files.atomic`, or to claim a name of its own (mode "x")."""
    writing = {"write_text", "write_bytes", "savefig", "save_file", "imsave"}
    found = []

    def visit(node: ast.AST, path: Path, inside: bool) -> None:
        if isinstance(node, ast.With):
            inside = inside or any("atomic(" in ast.unparse(item.context_expr) for item in node.items)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name) and not inside:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            modes = [a.value for a in (*node.args, *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)]
            opens = called == "open" and any(m in ("w", "wb", "a", "ab", "w+", "r+", "wt") for m in modes)
            if called in writing or opens:
                found.append(f"{path.name}: {ast.unparse(node)[:60]}")
        for child in ast.iter_child_nodes(node):
            visit(child, path, inside)

    package = Path(files.__file__).parents[1]
    for path in package.rglob("*.py"):
        visit(ast.parse(path.read_text(encoding="utf-8")), path, inside=False)
    assert [f for f in found if "savefig(buffer" not in f] == []  # into memory
