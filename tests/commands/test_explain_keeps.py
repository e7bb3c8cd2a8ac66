"""`gweebp explain` again: what a mistake, a bad row, a plugin or an odd name costs, and what a result rests on."""

import csv
import json
import os
import shutil
import struct
import warnings
import zlib
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from helpers import fast_page
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import gweebp
from gweebp import figures, networks
from gweebp.__main__ import main
from gweebp.commands.casework import Case, Examiner, Explanation, pictures, read_table, run_table, seals, writing
from gweebp.commands.casework.examiner import Examined
from gweebp.commands.casework.page import explanation
from gweebp.commands.casework.pictures import Picture, printable
from gweebp.commands.plugins import load_plugin, unchanged
from gweebp.faces.preparation import landmarks
from gweebp.support import files

SIZE = 32
TABLE = "id,probe,mate,nonmate\nfirst,probe.png,mate.png,nonmate.png\nnearest,probe.png,mate.png,\n"


@pytest.fixture(scope="module")
def net():
    return networks.build("lcnn9", seed=0, width=0.125, size=SIZE, embedding=16).eval()


@pytest.fixture
def home(tmp_path, monkeypatch, faces, net):
    """The working folder: three pictures, a gallery, the weights, and a table of two cases."""
    monkeypatch.chdir(tmp_path)
    Path("others").mkdir()
    pictures = {"probe": faces.photos[0] // 8 * 8, "mate": faces.photos[0], "nonmate": faces.photos[1]}
    for name, image in pictures.items() | {(f"others/{i}", faces.photos[i]) for i in (2, 3)}:
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(f"{name}.png")
    networks.save(net, "net.safetensors")
    Path("cases.csv").write_text(TABLE)
    monkeypatch.setattr(writing, "_drawn", fast_page.drawn)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return tmp_path


def command(*arguments, weights="net.safetensors"):
    try:
        return main(["explain", *map(str, arguments), "--weights", str(weights)])
    except SystemExit as stopped:
        return stopped.code


BATCH = ("--batch", "cases.csv", "--gallery", "others", "--out", "out")
ONE = ("probe.png", "mate.png", "nonmate.png")


def contents(folder="."):
    return {path.as_posix(): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def rows():
    return {row["id"]: row for row in json.loads(Path("out/results.json").read_text())}


# ---- a finished table that is run again with a mistake ---------------------------------------------------------------


def unmounted():
    Path("pictures").mkdir()
    for name in ONE:
        os.rename(name, f"pictures/{name}")


MISTAKES = {
    "a layer": (["--layer", "features.pool33"], None, "no layer 'features.pool33'"),
    "the value of an option": (["--options", '{"gain": "cosin"}'], None, "cosin"),
    "the kind of an option": (["--method", "xface", "--options", '{"seed": "one"}'], None, "seed"),
    "the name of an option": (["--options", '{"gian": 1}'], None, "did you mean 'gain'"),
    "a method": (["--method", "gwebp"], None, "did you mean 'gweebp'"),
    "a threshold": (["--threshold", "3"], None, "expected 0..2"),
    "a plugin": (["--plugin", "none.py"], None, "no file none.py"),
    "a plugin that fails": (["--plugin", "bad.py"], lambda: Path("bad.py").write_text("1 / 0"), "ZeroDivisionError"),
    "a plugin that exits": (["--plugin", "bad.py"], lambda: Path("bad.py").write_text("exit(0)"), "SystemExit"),
    "the weights": ([], lambda: os.rename("net.safetensors", "other.safetensors"), "no file net.safetensors"),
    "cut weights": ([], lambda: Path("net.safetensors").write_bytes(b"cut"), "net.safetensors"),
    "the gallery": ([], lambda: os.rename("others", "elsewhere"), "no folder others"),
    "an empty gallery": ([], lambda: [p.unlink() for p in Path("others").iterdir()], ""),
    "landmarks": (["--landmarks", "none.csv"], None, "no file none.csv"),
    "trials": (["--trials", "none.json"], None, "no file none.json"),
    "a folder that is not mounted": ([], unmounted, "each case lacks a picture"),
    "the table": ([], lambda: Path("cases.csv").write_text("probe,mat\n"), "did you mean 'mate'"),
    "a column given twice": (
        [],
        lambda: Path("cases.csv").write_text("id,probe,mate,mate\na,b,c,d\n"),
        "given 2 times",
    ),
    "an id given twice": ([], lambda: Path("cases.csv").write_text("id,probe,mate\nA,b,c\na,b,c\n"), "used twice"),
}


@pytest.mark.promise("files: no original is ever lost")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_finished_table_that_is_run_again_with_a_mistake_keeps_all_its_results(home, capsys, mistake):
    assert command(*BATCH) == 0
    flags, accident, message = MISTAKES[mistake]
    if accident is not None:
        accident()
    before = contents("out")
    capsys.readouterr()
    assert command(*BATCH, *flags) == 1
    assert message in capsys.readouterr().err
    after = contents("out")
    if mistake == "an empty gallery":  # it costs the case that needs it, and of that the earlier result stays
        assert {name for name in before if before[name] != after[name]} == {
            f"out/{name}" for name in ("results.csv", "results.json", "index.html")
        }
        assert [row["outcome"] for row in rows().values()] == ["explained", "error"]
    else:
        assert after == before


def test_options_are_tried_on_noise_that_changes_nothing(net, monkeypatch):
    examiner = Examiner(net, {"gain": "cosin"})
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="cosin"):
        examiner.try_options()
    examiner.options = {}
    examiner.try_options()
    assert torch.equal(torch.get_rng_state(), state)


# ---- one bad row -----------------------------------------------------------------------------------------------------


def bomb(path, side=60_000):
    """A PNG of a few kB that says it has `side` x `side` pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1_000_000)), (b"IEND", b""))
    made = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(made))


BAD_ROWS = {
    "NUL in the id": ("x\0y", "probe.png", None, "cannot be the name of a file"),
    "a line break in the id": ("x\ny", "probe.png", None, "cannot be the name of a file"),
    "251 letters": ("x" * 251, "probe.png", None, "too many for the name of a file"),
    "126 letters of two bytes": ("é" * 126, "probe.png", None, "too many for the name of a file"),
    "the name of the table": ("results", "probe.png", None, "is the table of all results"),
    "the name of the table in upper case": ("RESULTS", "probe.png", None, "is the table of all results"),
    "NUL in a path": ("x", "a\0.png", None, "no file"),
    "a path that is too long": ("x", "a" * 5000 + ".png", None, "too long"),
    "a folder as a picture": ("x", "others", None, "no file"),
    "a bomb": ("x", "bomb.png", lambda: bomb("bomb.png"), "bomb"),
    "a folder in the way": ("x", "probe.png", lambda: Path("out/x.json").mkdir(parents=True), "is a folder"),
    "a deeply nested document": ("x", "probe.png", lambda: document("[" * 200_000), "gweebp did not write it"),
    "an older document": ("x", "probe.png", lambda: document('{"inputs": {}}'), "gweebp did not write it"),
    "a bare document": ("x", "probe.png", lambda: document("{"), "gweebp did not write it"),
}  # fmt: skip


def document(text):
    Path("out").mkdir()
    Path("out/x.json").write_text(text)


@pytest.mark.promise("errors: one bad case stops no other")
@pytest.mark.parametrize("bad", BAD_ROWS)
def test_one_bad_row_never_stops_the_others(home, bad):
    name, probe, accident, message = BAD_ROWS[bad]
    if accident is not None:
        accident()
    with open("cases.csv", "w", newline="", encoding="utf-8") as file:
        header, *good = [line.split(",") for line in TABLE.split()]
        csv.writer(file).writerows([header, good[0], (name, probe, "mate.png", "nonmate.png"), good[1]])
    assert command(*BATCH) == 1
    found = rows()
    assert [row["outcome"] for row in found.values()] == ["explained", "error", "explained"]
    assert message in found[name]["error"]
    assert {"out/first.png", "out/first.json", "out/nearest.png", "out/nearest.json"} <= contents().keys()
    with open("out/results.csv", newline="", encoding="utf-8") as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["explained", "error", "explained"]


class Unforeseen(Exception):
    pass


@pytest.mark.promise("errors: one bad case stops no other")
@pytest.mark.parametrize("error", [Unforeseen("x"), MemoryError(), RecursionError("deep"), KeyError("k"), OSError("")])
def test_an_error_that_was_not_foreseen_is_a_row_too(home, net, monkeypatch, error):
    examiner = Examiner(net, gallery=Path("others"))

    def examined(case):
        if case.nonmate is None:
            raise error
        return Examiner.examine(examiner, case)

    monkeypatch.setattr(examiner, "examine", examined)
    first, second = run_table(examiner, read_table("cases.csv"), "out", {})
    assert (first["outcome"], second["outcome"]) == ("explained", "error")
    assert type(error).__name__ in second["error"]


def test_a_gallery_with_names_and_pictures_that_cannot_be_read(home):
    shutil.copy("others/2.png", os.fsencode("others/caf") + b"\xe9.png")
    bomb("others/bomb.png")
    os.mkfifo("others/pipe.png")
    os.symlink("nowhere", "others/broken.png")
    Path("others/folder.png").mkdir()
    assert command(*BATCH, "--json", "x") == 1
    assert command(*BATCH) == 0
    before = contents("out")
    assert command(*BATCH) == 0 and contents("out") == before
    name = os.fsdecode(b"caf\xe9.png")
    os.rename("nonmate.png", name)
    assert command("probe.png", "mate.png", name, "--out", "one.png", "--json", "one.json") == 0
    made = json.loads(Path("one.json").read_text(encoding="utf-8"))
    assert made["nonmate"] == made["inputs"]["files"]["nonmate"][0]["name"] == r"caf\udce9.png"


@pytest.mark.promise("files: a finished case is taken up where it is")
@pytest.mark.parametrize("spoil", ["", "{", '{\n  "outcome"'])
def test_what_a_crash_spoilt_of_a_result_is_made_again(home, spoil):
    assert command(*BATCH) == 0
    before = contents("out")
    Path("out/first.json").write_text(spoil)
    assert command(*BATCH) == 0
    after = contents("out")
    assert after.keys() == before.keys() and after["out/first.png"] == before["out/first.png"]
    assert seals.intact(after["out/first.json"])
    Path("out/first.png").write_bytes(b"")  # an emptied picture of a finished case
    assert command(*BATCH) == 0
    assert contents("out")["out/first.png"] == before["out/first.png"]


def test_what_a_user_changed_in_a_result_stays(home, capsys):
    assert command(*BATCH) == 0
    Path("out/first.json").write_text(Path("out/first.json").read_text().replace("explained", "doubtful", 1))
    with open("out/nearest.png", "ab") as file:
        file.write(b"x")
    before = contents("out")
    assert command(*BATCH) == 1
    said = capsys.readouterr().err
    assert "first.json is there already" in said and "nearest.png is there already" in said
    after = contents("out")
    assert {name for name in before if after[name] != before[name]} == {
        f"out/{name}" for name in ("results.csv", "results.json", "index.html")
    }
    Path("out/results.csv").write_text(Path("out/results.csv").read_text() + "my remark\n")
    before = contents("out")
    assert command(*BATCH) == 1
    assert "results.csv is there already" in capsys.readouterr().err and contents("out") == before


# ---- formulas --------------------------------------------------------------------------------------------------------


@pytest.mark.promise("errors: one bad case stops no other")
def test_what_a_spreadsheet_would_compute_is_marked_as_text(home):
    ids = ["=1+1", "@SUM(1)", "+1", "-1", "＝1", "a;=1+1", "plain"]
    for i, start in enumerate("=+-@"):
        shutil.copy("others/2.png", f"{start}{i}.png")
    with open("cases.csv", "w", newline="", encoding="utf-8") as file:
        lines = [(name, "probe.png", "mate.png", f"{'=+-@'[i % 4]}{i % 4}.png") for i, name in enumerate(ids)]
        csv.writer(file).writerows([("id", "probe", "mate", "nonmate"), *lines, ("=x", "=none.png", "mate.png", "")])
    assert command(*BATCH) == 1
    with open("out/results.csv", newline="", encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == len(ids) + 1
    for row in listed:
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "＝"))], row
    assert listed[0]["id"] == "'=1+1" and listed[-2]["id"] == "plain"
    assert ';=1+1"' in Path("out/results.csv").read_text(encoding="utf-8")  # within quotes
    assert list(rows()) == [*ids, "=x"]  # JSON has no formulas
    assert Path("out/=1+1.png").is_file()


# ---- what a result rests on ------------------------------------------------------------------------------------------

PLUGIN = """
from gweebp.methods import method
@method("test: again")
def mine(net, probe, mate, nonmate, *, layer, power=1):
    "Brightness."
    return probe.mean(1) ** power
"""


@pytest.fixture
def no_plugins(monkeypatch):
    monkeypatch.setattr("gweebp.networks.NETWORKS", dict(networks.NETWORKS))
    yield
    for name in [name for name in gweebp.METHODS if name.startswith("test: ")]:
        del gweebp.METHODS[name]


def edited(name):
    def edit(home):
        with Image.open(name) as picture:
            pixels = np.array(picture)
        pixels[0, 0] ^= 255
        Image.fromarray(pixels).save(name)

    return edit


CHANGES = {
    "the probe": (edited("probe.png"), {"first", "nearest"}),
    "the non-mate": (edited("nonmate.png"), {"first"}),
    "a picture of the gallery": (edited("others/3.png"), {"nearest"}),
    "another picture in the gallery": (lambda home: shutil.copy("probe.png", "others/9.png"), {"nearest"}),
    "the name of a picture of the gallery": (lambda home: os.rename("others/3.png", "others/4.png"), {"nearest"}),
    "the plugin": (lambda home: Path("mine.py").write_text(PLUGIN + "# more\n"), {"first", "nearest"}),
    "nothing": (lambda home: None, set()),
}


@pytest.mark.promise("files: a finished case is taken up where it is")
@pytest.mark.parametrize("what", CHANGES)
def test_a_case_is_computed_again_when_what_it_rests_on_has_changed(home, no_plugins, what):
    Path("mine.py").write_text(PLUGIN)
    given = [*BATCH, "--method", "test: again", "--plugin"]
    assert command(*given, "mine.py") == 0
    before = contents("out")
    change, wanted = CHANGES[what]
    change(home)
    assert command(*given, "mine.py") == 0
    after = contents("out")
    assert {name for name in ("first", "nearest") if after[f"out/{name}.json"] != before[f"out/{name}.json"]} == wanted


@pytest.mark.promise("files: a finished case is taken up where it is")
def test_a_case_is_computed_again_by_other_settings_weights_or_versions(home, monkeypatch):
    ways = [[], ["--threshold", "0.5"], ["--layer", "features.pool2"], ["--method", "ebp"],
            ["--options", '{"gain": "cosine"}'], ["--method", "random", "--seed", "1"],
            ["--method", "random", "--seed", "2"]]  # fmt: skip
    seen = set()
    for flags in ways:
        assert command(*BATCH, *flags) == 0
        seen.add(Path("out/first.json").read_bytes())
        assert command(*BATCH, *flags) == 0
    monkeypatch.setattr(gweebp, "__version__", "9")
    assert command(*BATCH, *ways[-1]) == 0
    seen.add(Path("out/first.json").read_bytes())
    networks.save(networks.build("lcnn9", seed=1, width=0.125, size=SIZE, embedding=16), "net.safetensors")
    assert command(*BATCH, *ways[-1]) == 0
    seen.add(Path("out/first.json").read_bytes())
    assert len(seen) == len(ways) + 2


def test_with_landmarks_the_folder_says_what_an_image_is_and_is_rested_on(home, net, faces):
    points = {("photo", "1"): torch.rand(68, 2) * 20 + 5, ("sketch", "1"): torch.rand(68, 2) * 20 + 5}
    landmarks.write("landmarks.csv", points)
    from gweebp.commands.casework.alignment import Aligner

    examiner = Examiner(net, read=Aligner("landmarks.csv", SIZE))
    found = []
    for folder in ("photos", "sketches"):
        Path(folder).mkdir()
        shutil.copy("probe.png", f"{folder}/1.png")
        found.append(examiner.rests_on(Case(Path(f"{folder}/1.png"), (Path("mate.png"),), Path("nonmate.png"))))
    assert found[0] != found[1]
    frames = [Image.open(name) for name in ONE[:2]]
    frames[0].save("photos/1.png", save_all=True, append_images=frames[1:])
    assert examiner.read(Path("photos/1.png")).notes[:1] == pictures.read("photos/1.png").notes != ()


def test_a_picture_that_changes_while_it_is_read_is_an_error(home, net, monkeypatch):
    cases, examiner = read_table("cases.csv"), Examiner(net, gallery=Path("others"))

    def examined(case):
        made = Examiner.examine(examiner, case)
        edited("probe.png")(home)
        return made

    monkeypatch.setattr(examiner, "examine", examined)
    (row,) = run_table(examiner, {"first": cases["first"]}, "out", {})
    assert row["error"] == "a picture was changed while the run was on: run again"


# ---- plugins and the weights -----------------------------------------------------------------------------------------

SAVES = (
    PLUGIN
    + """
import gweebp.networks as n
n.save(n.build("lcnn9", width=0.125, size=32, embedding=16), "net.safetensors")
"""
)
WRITES = {
    "it saves random weights": SAVES,
    "it writes into the file": PLUGIN + "with open('net.safetensors', 'r+b') as file:\n    file.write(b'00000000')\n",
    "it removes the file": PLUGIN + "import os\nos.remove('net.safetensors')\n",
    "it puts a link there": PLUGIN + "import os\nos.remove('net.safetensors')\nos.symlink('x', 'net.safetensors')\n",
}


@pytest.mark.promise("files: no original is ever lost")
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("how", WRITES)
def test_a_plugin_cannot_change_the_weights(home, no_plugins, capsys, how, linked):
    if linked:
        os.rename("net.safetensors", "trained.safetensors")
        os.symlink("trained.safetensors", "net.safetensors")
    original = Path("net.safetensors").read_bytes()
    sentences = set()
    for n in range(3):
        Path("mine.py").write_text(WRITES[how] + f"# {n}\n")  # so that this process runs it again
        assert command(*ONE, "--plugin", "mine.py", "--json", f"{n}.json") == 0
        said = capsys.readouterr()
        assert "net.safetensors was changed as the plugin was loaded, and was put back" in said.err
        assert Path("net.safetensors").read_bytes() == original and Path("net.safetensors").is_symlink() == linked
        made = json.loads(Path(f"{n}.json").read_text())
        assert made["inputs"]["weights_sha256"] == files.sha256("net.safetensors")
        assert made["inputs"]["plugin_sha256"] == files.sha256("mine.py")
        sentences.add(made["sentence"])
    assert len(sentences) == 1
    if "removes" not in how:
        assert len(list(Path().glob("*.changed-*"))) == 3  # what it wrote is not ours to remove


def test_a_plugin_that_changes_the_weights_and_then_fails(home, no_plugins, capsys):
    original = Path("net.safetensors").read_bytes()
    Path("mine.py").write_text(SAVES + "1 / 0\n")
    assert command(*ONE, "--plugin", "mine.py", "--json", "a.json") == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said and "was put back" in said
    assert Path("net.safetensors").read_bytes() == original


def test_weights_are_put_back_when_the_user_interrupts_a_plugin(home):
    original = Path("net.safetensors").read_bytes()

    def interrupted():
        with unchanged("net.safetensors"):
            Path("net.safetensors").write_bytes(b"")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert Path("net.safetensors").read_bytes() == original


def test_a_plugin_is_run_once_as_long_as_it_stays_as_it_is(home, no_plugins):
    Path("mine.py").write_text(PLUGIN)
    assert load_plugin("mine.py") == ["test: again"] and load_plugin("mine.py") == []
    assert not Path("__pycache__").exists()
    Path("mine.py").write_text(PLUGIN.replace("again", "other"))
    assert load_plugin("mine.py") == ["test: other"] and "test: again" not in gweebp.METHODS
    Path("mine.py").write_text(PLUGIN.replace("again", "third") + "import gweebp.networks as n\n"
                               "n.NETWORKS['test'] = n.NETWORKS.pop('vgg16')\nraise SystemExit(0)\n")  # fmt: skip
    with pytest.raises(ValueError, match="SystemExit"):
        load_plugin("mine.py")
    assert "test: other" in gweebp.METHODS and "test: third" not in gweebp.METHODS
    assert "vgg16" in networks.NETWORKS and "test" not in networks.NETWORKS


# ---- names -----------------------------------------------------------------------------------------------------------

FACE = np.random.default_rng(0).integers(0, 256, (3, 20, 16), dtype=np.uint8)
ODD = ["$", "$12$", r"\foo", "^", "_", "{", "}", "%", "<b>", "&", "-->", "木", "\U0001f600", "é", "\n", "\x1b"]
LETTERS = st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"], exclude_characters="/\0")
BYTES = st.binary(min_size=1, max_size=12).map(lambda name: name.replace(b"/", b"").replace(b"\0", b"a"))
#: names that a file may have: any bytes but "/" and NUL
NAMES = st.lists(LETTERS, min_size=1, max_size=12).map("".join) | BYTES.map(os.fsdecode)


def examined(name):
    pictures = [Picture(printable(name), torch.from_numpy(FACE)) for _ in range(3)]
    note = f"A note on {pictures[0].name}."
    found = Explanation(torch.ones(2, 2) / 4, 0.3, 0.9, 0.5, printable(name), "gweebp", (note,))
    return Examined(pictures[0], pictures[1:2], pictures[2], False, found)


@pytest.mark.promise("pages: a name is text, whatever stands in it")
@example("a$12$b.png")
@example(r"$\frac{$")
@settings(max_examples=30)
@given(NAMES)
def test_a_file_is_titled_as_it_is_named(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a letter that the font does not have
        figure = explanation(examined(name))
    title = figure.axes[0].get_title()
    assert title.startswith("probe\n") and not figure.axes[0].title.get_parse_math()
    shown = title.partition("\n")[2]
    if name.isascii() and name.isprintable() and len(name) < 12:
        assert shown == name


@pytest.mark.promise("pages: a name is text, whatever stands in it")
@pytest.mark.parametrize("name", ["a$12$b", r"$\foo$", "$", "a$b$c$d"])
def test_names_in_figures_are_text_and_no_formulas(name):
    drawn = [
        figures.image_grid([FACE], [name], rows=[name]),
        figures.triplet(FACE, FACE, FACE, {name: np.ones((2, 2))}),
        figures.roc({name: ([0, 0.01, 1], [0.1, 0.8, 1])}),
        figures.distances({name: ([0.1, 0.2], [1.0, 1.1], 0.5)}),
        figures.bars({name: 0.5}, xlabel=name),
    ]
    for figure in drawn:
        texts = [text for text in figure.findobj(mpl.text.Text) if name in text.get_text()]
        assert texts and not any(text.get_parse_math() for text in texts)


def test_the_axis_of_rates_reads_as_percent():
    figure = figures.roc({"VGG16": ([0, 0.001, 0.01, 1], [0.1, 0.5, 0.8, 1])})
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"0.1%", "1%", "10%", "100%"} <= set(labels)


@pytest.mark.promise("files: no original is ever lost")
def test_a_page_that_cannot_be_drawn_costs_nothing_of_the_work_before(home, monkeypatch, capsys):
    def fails(*arguments):
        raise RuntimeError("no ink")

    monkeypatch.setattr(writing, "_drawn", fails)
    assert command(*ONE, "--out", "a.png", "--json", "a.json") == 1
    assert "a.png can't be drawn (RuntimeError: no ink); the numbers are in a.json" in capsys.readouterr().err
    assert json.loads(Path("a.json").read_text())["outcome"] == "explained" and not Path("a.png").exists()


@pytest.mark.parametrize("shape", [(6000, 16), (16, 6000)])
def test_a_long_thin_picture_is_drawn_in_a_page_of_the_usual_size(shape):
    picture = Picture("thin.png", torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)))
    found = Explanation(torch.ones(2, 2) / 4, 0.3, 0.9, 0.5, "lcnn9", "gweebp")
    figure = explanation(Examined(picture, [picture], picture, False, found))
    assert figure.get_figheight() < 12


# ---- seals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", writing.FORMATS)
def test_every_format_carries_a_seal_and_can_be_read(tmp_path, suffix):
    data = writing._drawn(examined("a.png"), suffix)
    assert seals.intact(data)
    for i in np.random.default_rng(0).integers(0, len(data), 20):
        assert not seals.intact(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
    for other in (data + b"\n", data[:-1], b" " + data):
        assert not seals.intact(other)
    (tmp_path / f"a{suffix}").write_bytes(data)
    if suffix not in (".pdf", ".svg"):
        assert files.read_image(tmp_path / f"a{suffix}").shape[2] == 1200


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
@example("gweebp-sha256-" + "0" * 64)
@example("gweebp-sha256-" + "ab" * 32)
def test_a_seal_in_what_is_sealed_changes_nothing(value):
    data = writing.sealed_json({"value": value})
    assert seals.intact(data) and json.loads(data)["value"] == value
