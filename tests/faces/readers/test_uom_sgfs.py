"""UoM-SGFS and Color FERET, in generated files laid out as they are distributed."""

import bz2
import io
import zipfile

import pytest
from PIL import Image

from gweebp.faces.readers import uom_sgfs

PLAIN = ("00100", "00101", "00102", "00103")
SUBJECTS = ("00002", "00003", "00013", "00019", "00043", *PLAIN, "00645")


def ppm(shade: int, side: int = 20) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (shade, shade, 60)).save(file, "PPM")
    return file.getvalue()


def feret(root, names, size="images", packed=True, shade=100):
    for name in names:
        path = root / f"colorferet/dvd1/data/{size}/{name[:5]}/{name}.ppm{'.bz2' if packed else ''}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bz2.compress(ppm(shade)) if packed else ppm(shade))


@pytest.fixture
def folder(tmp_path):
    for letter in "AB":
        images = tmp_path / f"UoM-SGFS-v2/Sketches/Set {letter}/Images"
        images.mkdir(parents=True)
        for subject in SUBJECTS:
            Image.new("RGB", (20, 20), (200, ord(letter), 0)).save(images / f"{subject}.bmp")
        (images.parent / "Fiducial Points").mkdir()
        (images.parent / "Fiducial Points/00002.txt").write_text("1 2 3")
    feret(tmp_path, ["00002_930831_fa", "00002_940422_fa", "00002_931230_fb", "00002_931230_fa", "00002_931230_pl"])
    feret(tmp_path, ["00003_941121_fa", "00003_931230_fa_a", "00013_931230_fb", "00019_940128_fa", "00043_931230_fa"])
    feret(tmp_path, ["00645_941031_fb", "00645_941031_fa", *(f"{subject}_931230_fa" for subject in PLAIN)])
    feret(tmp_path, ["00002_931230_fa", "00900_941201_fa"], size="thumbnails", shade=1)
    (tmp_path / "a copy").mkdir()
    (tmp_path / "a copy/00002_931230_fa.ppm").write_bytes(ppm(2))
    feret(tmp_path, ["00739_941201_fa", "00739_941205_fa", "00740_941201_fb", "00741_941201_hl"])
    (tmp_path / "colorferet/dvd1/doc/partitions").mkdir(parents=True)
    (tmp_path / "colorferet/dvd1/doc/partitions/fa.txt").write_text("00002 00002_940422_fa.ppm\n")
    return tmp_path


def chosen(listing):
    return {pair.id: pair.photo.name.partition(".")[0] for pair in listing.pairs if pair.photo}


def test_sketches_and_photos_by_subject(folder):
    listing = uom_sgfs.listing(folder)
    assert [pair.id for pair in listing.pairs] == list(SUBJECTS)
    assert chosen(listing) == {
        "00002": "00002_931230_fa",  # not of August 1993, fa before fb
        "00003": "00003_931230_fa_a",
        "00013": "00013_931230_fb",
        "00019": "00019_940128_fa",
        "00043": "00043_931230_fa",
        "00645": "00645_941031_fa",
        **{subject: f"{subject}_931230_fa" for subject in PLAIN},
    }
    assert "data/images/" in listing.pairs[0].photo.as_posix()  # not the thumbnail, not the copy
    assert listing.pairs[0].sketch == folder / "UoM-SGFS-v2/Sketches/Set A/Images/00002.bmp"
    assert uom_sgfs.listing(folder, sketches="B").pairs[0].sketch.parts[-3] == "Set B"


def test_subjects_without_a_sketch_are_distractors(folder):
    (folder / "distractors").mkdir()
    Image.new("RGB", (20, 20)).save(folder / "distractors/other.png")
    found = uom_sgfs.listing(folder).distractors
    assert list(found) == ["00739_941201_fa", "00740_941201_fb", "00900_941201_fa", "other"]


def write_list(folder, kind, names):
    if kind == "xlsx":
        path = folder / "UoM-SGFS-v2/Additional Data/data.xlsx"
        path.parent.mkdir()
        with zipfile.ZipFile(path, "w") as book:
            book.writestr("xl/sharedStrings.xml", "".join(f"<si><t>{name}.ppm</t></si>" for name in names))
    elif kind == "names":
        for name in names:
            path = folder / f"UoM-SGFS-v2/Photos/Fiducial Points/{name}.pts"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("1 2")
    else:
        path = folder / "UoM-SGFS-v2/Photos/filenames.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\r\n".join(f"{name}.ppm" for name in names))


@pytest.mark.parametrize("kind", ["txt", "xlsx", "names"])
def test_the_photos_that_uom_sgfs_names_are_taken(folder, kind):
    write_list(
        folder, kind, ["00002_940422_fa", "00003_941121_fa", "00043_931230_fa", "00645_941031_fb", "99999_941031_fa"]
    )
    listing = uom_sgfs.listing(folder)
    names = chosen(listing)
    assert [names[s] for s in ("00002", "00003", "00645")] == ["00002_940422_fa", "00003_941121_fa", "00645_941031_fb"]
    assert listing.facts == {"sketch_set": "A", "photos_named": 4}


def test_lists_that_disagree(folder):
    write_list(folder, "txt", ["00002_940422_fa"])
    write_list(folder, "xlsx", ["00002_931230_fa"])
    with pytest.raises(ValueError, match=r"names 00002_9\d+_fa, another list 00002_9\d+_fa: keep one"):
        uom_sgfs.listing(folder)


def test_photos_beside_the_sketches_are_photos_and_no_list(folder):
    """As some keep them: those of Color FERET copied, unpacked, into Photos/Images."""
    images = folder / "UoM-SGFS-v2/Photos/Images"
    images.mkdir(parents=True)
    for name in ("00002_931230_fa", "00002_931230_fb"):
        (images / f"{name}.ppm").write_bytes(ppm(9))
    listing = uom_sgfs.listing(folder)
    assert chosen(listing)["00002"] == "00002_931230_fa"
    assert listing.facts["photos_named"] == 0


def test_what_is_missing_or_broken_is_listed_and_counted(folder):
    write_list(folder, "txt", ["00003_940307_fa"])  # a photo that is not there, though others of the subject are
    broken = next(folder.rglob("00019_940128_fa.ppm.bz2"))
    broken.write_bytes(broken.read_bytes()[:-30])
    for path in folder.rglob("00013_931230_fb*"):
        path.unlink()
    with pytest.warns(UserWarning, match="skipped 3 of 13 people"):
        faces = uom_sgfs.load(folder, size=16, seed=0)
    why = {item["item"]: item["why"] for item in faces.record["skipped"]}
    assert why["00003"] == "no file 00003_940307_fa.ppm"
    assert why["00013"] == "it has no photo"
    assert "00019_940128_fa.ppm.bz2 can't be read as an image" in why["00019"]
    assert faces.name == "uom-sgfs-a"
    assert faces.ids == ("00002", "00043", *PLAIN, "00645")
    assert (faces.record["sizes"]["listed"], faces.record["sizes"]["read"]) == (10, 7)
    assert len(faces.distractors) == 3
    assert faces.photos[0, 0].unique().tolist() == [100] and faces.sketches[0, 1].unique().tolist() == [ord("A")]
    assert str(folder) not in str(faces.record)


def test_photos_that_are_not_square_are_to_be_aligned_first(folder):
    for path in folder.rglob("0*.ppm.bz2"):
        image = io.BytesIO()
        Image.new("RGB", (20, 30)).save(image, "PPM")
        path.write_bytes(bz2.compress(image.getvalue()))
    with pytest.raises(ValueError, match=r"20x30 pixels: .* align others first"):
        uom_sgfs.load(folder, size=16, seed=0)


def test_folders_that_hold_no_such_set(folder, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match=r'expected a folder "Set A" with 00002\.bmp'):
        uom_sgfs.listing(tmp_path_factory.mktemp("empty"))
    with pytest.raises(ValueError, match='must be "A" or "B", got \'C\''):
        uom_sgfs.listing(folder, sketches="C")
    Image.new("RGB", (9, 9)).save(folder / "UoM-SGFS-v2/Sketches/Set A/Images/00002.png")
    with pytest.raises(ValueError, match="two sketches of one subject: remove one"):
        uom_sgfs.listing(folder)
