"""The authors' layout: what is written is read back, what is broken is listed, and the games run on what is read."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from gweebp.faces import PARTS, Quadruplets, inpainting_game
from gweebp.support import files

IDS = ("m2-034", "f1-013", "7")


def made(size: int = 6, subjects: int = 3) -> Quadruplets:
    """Noise: each of `subjects` with every part."""
    random = torch.Generator().manual_seed(0)
    originals = torch.randint(256, (2, subjects, 3, size, size), generator=random, dtype=torch.uint8)
    op, om = originals.repeat_interleave(len(PARTS), 1)
    ip, in_ = torch.randint(256, (2, len(op), 3, size, size), generator=random, dtype=torch.uint8)
    region, mate_region = torch.rand(2, len(op), size, size, generator=random) < 0.4
    subject, part = torch.arange(subjects).repeat_interleave(len(PARTS)), torch.arange(len(PARTS)).repeat(subjects)
    return Quadruplets(op, om, ip, in_, region, subject, part, mate_region)


def same(a: Quadruplets, b: Quadruplets) -> bool:
    return all(torch.equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True) if x is not None)


def table(root: Path) -> Path:
    return root / "data/inpainting-game/UoM/filtered_masks_threshold-lcnn9.csv"


def edit(root: Path, change) -> None:
    with table(root).open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    rows = [row for row in rows if change(row) is not False]
    with table(root).open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def root(tmp_path) -> Path:
    inpainting_game.write(tmp_path, "UoM", "lcnn9", made(), IDS)
    return tmp_path


@pytest.mark.parametrize("keep", [range(18), [4, 2, 9, 17]])
def test_round_trip_is_exact(tmp_path, keep):
    four = made().select(torch.tensor(list(keep)))
    path = inpainting_game.write(tmp_path, "UoM", "lcnn9", four, IDS)
    assert path == table(tmp_path)
    found = inpainting_game.read(tmp_path, "UoM", "lcnn9")
    assert found.skipped == []
    mine = [IDS[i] for i in four.subject.tolist()]
    assert [found.ids[i] for i in found.quadruplets.subject.tolist()] == mine
    assert same(replace(found.quadruplets, subject=four.subject), four)
    # and what is read can be written again
    inpainting_game.write(tmp_path / "again", "UoM", "lcnn9", found.quadruplets, found.ids)
    assert table(tmp_path / "again").read_bytes() == table(tmp_path).read_bytes()
    assert same(inpainting_game.read(tmp_path / "again", "UoM", "lcnn9").quadruplets, found.quadruplets)


@pytest.mark.promise("files: no original is ever lost")
@pytest.mark.parametrize("field", ["op", "om", "ip", "in_", "region", "mate_region"])
def test_what_is_there_is_never_replaced(root, field):
    """The authors' own files may lie there: the same quadruplets are written again, others are refused."""
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    inpainting_game.write(root, "UoM", "lcnn9", made(), IDS)
    inpainting_game.write(root, "UoM", "vgg16", made().select(torch.arange(6)), IDS)
    other = getattr(made(), field).flip(-1) if field.endswith("region") else 255 - getattr(made(), field)
    with pytest.raises(ValueError, match="is there and is another image"):
        inpainting_game.write(root, "UoM", "other", replace(made(), **{field: other}), IDS)
    with pytest.raises(ValueError, match="is there and lists other quadruplets"):
        inpainting_game.write(root, "UoM", "vgg16", made(), IDS)
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and "vgg16" not in path.name}
    assert after == before


def test_without_mate_regions(tmp_path):
    four = replace(made(), mate_region=None)
    inpainting_game.write(tmp_path, "UoM", "lcnn9", four, IDS)
    found = inpainting_game.read(tmp_path, "UoM", "lcnn9").quadruplets
    assert found.mate_region is None
    assert same(found, four)


def test_the_layout_as_a_table_of_somebody_else_writes_it(tmp_path):
    """By hand, following the description: other paths, other column order, a further column, masks of 0 and 1."""
    folder = tmp_path / "data/inpainting-game/CUHK"
    four = made(subjects=1)
    rows = []
    for kind, original, inpainted in (("REF", four.om, four.in_), ("PROBE", four.op, four.ip)):
        files.write_image(folder / kind / "whole.png", original[3])
        files.write_image(folder / kind / "3/filled.png", inpainted[3])
        mask = four.region[3].to(torch.uint8) if kind == "PROBE" else torch.ones(6, 6, dtype=torch.uint8)
        files.write_image(folder / kind / "3/filled_mask.png", mask)
        start = f".\\data\\inpainting-game\\CUHK\\{kind}" if kind == "REF" else f"./data/inpainting-game/CUHK/{kind}"
        number = "3.0" if kind == "REF" else "00003"
        rows.append([0.5, "m2-034", number, "m2-034-01", f"{start}/whole.png", f"{start}/3/filled.png", kind])
    columns = ["OrigTripletSim", "SUBJECT_ID", "MASK_ID", "ORIGINAL_BASENAME", "OriginalFile", "InpaintingFile"]
    path = folder / "filtered_masks_threshold-CUHK-vgg16.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([[*columns, "TRIPLET_SET"], *rows])
    for named in (tmp_path, tmp_path / "data"):
        found = inpainting_game.read(named, "CUHK", "vgg16")
        assert found.ids == ("m2-034",)
        assert found.quadruplets.mate_region is not None
        assert found.quadruplets.mate_region.all()
        row = four.select(torch.tensor([3]))
        assert same(replace(found.quadruplets, mate_region=None), replace(row, mate_region=None))


def test_sizes(root):
    found = inpainting_game.read(root, "UoM", "lcnn9", size=12)
    assert found.quadruplets.op.shape == (18, 3, 12, 12)
    assert torch.equal(found.quadruplets.region[:, ::2, ::2], made().region)
    path = root / "data/inpainting-game/UoM/aligned/7/probe-2-eyes.png"
    Image.open(path).resize((8, 8)).save(path)
    with pytest.warns(UserWarning, match="skipped 1 of 18"):
        found = inpainting_game.read(root, "UoM", "lcnn9")
    assert found.skipped == [
        {"item": "subject 7, mask 2", "why": "its ip has 8x8 pixels, others have 6x6: read them with a size"}
    ]
    assert len(inpainting_game.read(root, "UoM", "lcnn9", size=6).quadruplets) == 18


def test_broken_quadruplets_are_skipped_and_listed(root):
    aligned = root / "data/inpainting-game/UoM/aligned"
    (aligned / "7/ref.png").unlink()  # all six of one subject
    (aligned / "f1-013/probe-0-hair.png").write_bytes(b"no image")
    (aligned / "f1-013/probe-1-eyebrows_mask.png").unlink()
    files.write_image(aligned / "f1-013/probe-2-eyes_mask.png", torch.zeros(6, 6, dtype=torch.bool))

    def broken(row):
        where = row["SUBJECT_ID"], row["MASK_ID"], row["TRIPLET_SET"]
        if where[:2] == ("f1-013", "3"):
            row["MASK_ID"] = "6"
        if where == ("f1-013", "5", "REF"):
            row["OriginalFile"] = ""
        return where != ("f1-013", "4", "REF")

    edit(root, broken)
    with pytest.warns(UserWarning, match=r"skipped 12 of 18 .*first: subject f1-013, mask 0: .*can't be read as an im"):
        found = inpainting_game.read(root, "UoM", "lcnn9")
    why = {item["item"]: item["why"] for item in found.skipped}
    assert len(why) == 12
    assert "no file data/inpainting-game/UoM/aligned/f1-013/probe-1-eyebrows_mask.png" in why["subject f1-013, mask 1"]
    assert "nothing was inpainted" in why["subject f1-013, mask 2"]
    assert "expected 0 to 5 (hair, eyebrows," in why["subject f1-013, mask 6"]
    assert "0 rows with TRIPLET_SET REF, expected one" in why["subject f1-013, mask 4"]
    assert "names no file" in why["subject f1-013, mask 5"]
    assert "no file data/inpainting-game/UoM/aligned/7/ref.png" in why["subject 7, mask 3"]
    assert str(root) not in str(found.skipped)
    assert found.ids == ("m2-034",)
    assert same(found.quadruplets, made().select(torch.arange(6)))


def test_folders_and_tables_that_are_wrong(root):
    with pytest.raises(FileNotFoundError, match=r"no folder .*CUHK: unpack the data"):
        inpainting_game.read(root, "CUHK", "lcnn9")
    with pytest.raises(
        FileNotFoundError, match=r"no .*-vgg16\.csv .*tables there: filtered_masks_threshold-lcnn9\.csv"
    ):
        inpainting_game.read(root, "UoM", "vgg16")
    table(root).write_text("SUBJECT_ID,MASK_ID\n1,2\n")
    with pytest.raises(ValueError, match=r"lacks the columns \['InpaintingFile', 'OriginalFile', 'TRIPLET_SET'\]"):
        inpainting_game.read(root, "UoM", "lcnn9")
    table(root).write_text(",".join(inpainting_game.COLUMNS) + "\n")
    with pytest.raises(ValueError, match="none of 0 quadruplets"):
        inpainting_game.read(root, "UoM", "lcnn9")
    table(root).unlink()
    inpainting_game.write(root, "UoM", "lcnn9", made(), IDS)
    shutil.rmtree(root / "data/inpainting-game/UoM/aligned")
    with pytest.raises(ValueError, match=r"none of 18 quadruplets .*first: subject m2-034, mask 0: no file data/"):
        inpainting_game.read(root, "UoM", "lcnn9")


def test_what_the_layout_cannot_hold_is_not_written(tmp_path):
    four = made()
    for change, ids, message in [
        ({"part": four.part * 0}, IDS, r"several of \('m2-034', 'hair'\)"),
        ({"op": four.ip}, IDS, "holds one OP of a subject, m2-034 has several"),
        ({"om": four.ip}, IDS, "holds one OM of a subject, m2-034 has several"),
        ({}, ("../up", "b", "c"), r"'\.\./up' can't be the name of a folder"),
        ({}, ("a", "", "c"), "'' can't be the name of a folder"),
    ]:
        with pytest.raises(ValueError, match=message):
            inpainting_game.write(tmp_path, "UoM", "lcnn9", replace(four, **change), ids)
    assert list(tmp_path.iterdir()) == []


def test_a_set_of_faces_of_the_subjects(root):
    found = inpainting_game.read(root, "UoM", "lcnn9")
    faces = inpainting_game.faceset(found, "uom")
    assert faces.ids == IDS
    assert faces.test.tolist() == [0, 1, 2]
    assert torch.equal(faces.photos, made().om[::6])
    assert torch.equal(faces.sketches, made().op[::6])
    assert faces.record["sizes"]["quadruplets"] == 18
