"""Faces, quadruplets, landmarks and lists, damaged or of another program: right, or an error that names the file."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from gweebp.faces import inpainting_game
from gweebp.faces.faceset import FaceSet
from gweebp.faces.preparation import landmarks
from gweebp.faces.quadruplets import Quadruplets
from gweebp.faces.readers import cuhk, uom_sgfs
from gweebp.support import files

pytestmark = pytest.mark.promise("errors: every refusal is an error of ours")
some = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refused(call: Callable[[], Any], *names: str) -> bool:
    """Whether `call()` is refused, by a documented error that names the file or its folder."""
    found = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except (ValueError, OSError) as error:
            found = error
    assert found is None or any(name in str(found) for name in names), found
    return found is not None


def save_quadruplets(folder: Path) -> None:
    images, index = torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1])
    Quadruplets(images, images, images, images, images[:, 0] == 0, index, index).save(folder / "four.safetensors")


@pytest.fixture(scope="module")
def good(tmp_path_factory, faces: FaceSet) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("good")
    faces.save(folder)
    save_quadruplets(folder)
    points = torch.rand(68, 2, generator=torch.manual_seed(0)) * 200
    landmarks.write(folder / "landmarks.csv", {(kind, "a"): points for kind in ("photo", "sketch")})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


READERS: dict[str, Callable[[Path], Any]] = {
    "faces.safetensors": FaceSet.load,
    "record.json": lambda path: FaceSet.load(path.parent),
    "four.safetensors": Quadruplets.load,
    "landmarks.csv": landmarks.read,
}


@some
@given(data=st.data(), name=st.sampled_from(sorted(READERS)))
def test_damaged_files(tmp_path, good, data, name):
    for other, content in good.items():
        (tmp_path / other).write_bytes(content)
    changed = bytearray(good[name])
    for _ in range(data.draw(st.integers(0, 4), "changes")):
        place = data.draw(st.integers(0, len(changed) - 1) | st.integers(0, min(1500, len(changed) - 1)), "place")
        changed[place] = data.draw(st.integers(0, 255), "byte")
    (tmp_path / name).write_bytes(changed[: data.draw(st.none() | st.integers(0, len(changed)), "cut")])
    refused(lambda: READERS[name](tmp_path / name), name)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def other(tensor: Tensor, how: str) -> Tensor:
    """The tensor, of another type, shape or range."""
    if how == "flat":
        return tensor.flatten()
    if how == "number":
        return torch.zeros((), dtype=tensor.dtype)
    if how == "longer":
        return torch.cat([tensor, tensor])
    return tensor.long() - 9 if how == "negative" else tensor.to(getattr(torch, how))


@some
@given(
    data=st.data(),
    how=st.sampled_from(
        ["flat", "number", "longer", "negative", "float32", "int64", "bool", "float8_e5m2", "complex64"]
    ),
    metadata=st.none() | st.dictionaries(st.sampled_from(["name", "ids", "record", "plan"]), values) | values,
)
def test_tensors_of_another_kind(tmp_path, good, data, how, metadata):
    for name, load in (("faces.safetensors", FaceSet.load), ("four.safetensors", Quadruplets.load)):
        for other_name, content in good.items():
            (tmp_path / other_name).write_bytes(content)
        tensors, known = files.read_tensors(tmp_path / name)
        changed = data.draw(st.sampled_from(sorted(tensors)))
        tensors[changed] = other(tensors[changed], how)
        told = (
            known
            if metadata is None
            else metadata
            if isinstance(metadata, dict)
            else {"name": metadata, "ids": metadata}
        )
        files.write_tensors(tmp_path / name, tensors, told)
        refused(lambda load=load, name=name: load(tmp_path / name), name)


texts = st.sampled_from(
    [
        "id",
        "kind",
        "photo",
        "sketch",
        "x0",
        "a",
        "../a",
        "/etc/passwd",
        "a\0b",
        "x" * 300,
        "photos/a.png",
        "train",
        "1e999",
        "nan",
        "",
        '"',
        "é",
        "SUBJECT_ID",
        "MASK_ID",
        "PROBE",
        "3",
        "data/x.png",
    ]
)
tables = st.lists(st.lists(texts, max_size=6), max_size=5).map(
    lambda rows: "\n".join(",".join(row) for row in rows).encode()
)
tables |= st.binary(max_size=60) | st.sampled_from([b"\xff\xfe", b"id,photo,sketch\n" + b"x" * 200_000])


@some
@given(content=tables | tables.map(lambda rest: b"id,photo,sketch,split\n" + rest))
def test_any_list_of_pairs(tmp_path, content):
    (tmp_path / "pairs.csv").write_bytes(content)
    assert refused(lambda: cuhk.load(tmp_path, size=16, seed=0), "pairs.csv", tmp_path.name)


@some
@given(content=tables | tables.map(lambda rest: (",".join(landmarks.COLUMNS) + "\n").encode() + rest))
def test_any_landmarks(tmp_path, content):
    (tmp_path / "landmarks.csv").write_bytes(content)
    refused(lambda: landmarks.read(tmp_path / "landmarks.csv"), "landmarks.csv")


@some
@given(
    content=tables
    | tables.map(lambda rest: b"SUBJECT_ID,MASK_ID,TRIPLET_SET,OriginalFile,InpaintingFile\n" + rest)
    | st.lists(st.tuples(texts, texts, st.sampled_from(["PROBE", "REF", "x"]), texts, texts), max_size=4).map(
        lambda rows: "\n".join(
            ["SUBJECT_ID,MASK_ID,TRIPLET_SET,OriginalFile,InpaintingFile", *(",".join(row) for row in rows)]
        ).encode()
    )
)
def test_any_table_of_the_inpainting_game(tmp_path, content):
    folder = tmp_path / "data/inpainting-game/UoM"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "filtered_masks_threshold-lcnn9.csv").write_bytes(content)
    assert refused(lambda: inpainting_game.read(tmp_path, "UoM", "lcnn9"), "filtered_masks", "UoM")


def test_an_id_is_no_path(tmp_path):
    (tmp_path / "pairs.csv").write_text("id,photo,sketch\n../../evil,a.png,b.png\n")
    with pytest.raises(ValueError, match=r"lists the id '\.\./\.\./evil', which can't be the name of a file"):
        cuhk.listing(tmp_path)


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "list.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/sharedStrings.xml", bytes(uom_sgfs.MOST_BYTES + 1))
    with pytest.raises(ValueError, match=r"list\.xlsx can't be read as a workbook \(it unpacks to more than"):
        uom_sgfs._text(tmp_path / "list.xlsx")
