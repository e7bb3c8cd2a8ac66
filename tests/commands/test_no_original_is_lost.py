"""`gweebp explain` costs nobody a file: folders, names, failures and kills are generated, and the files compared."""

import csv
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from helpers import fast_page
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from PIL import Image

from gweebp import networks
from gweebp.__main__ import main
from gweebp.commands.casework import seals, writing

pytestmark = pytest.mark.promise("files: no original is ever lost")

SIZE = 32
FOLDERS = ("in", "out", "gallery")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.safetensors"
    networks.save(networks.build("lcnn9", seed=0, width=0.125, size=SIZE, embedding=16), path)
    return path


def face(number):
    """One of a few pictures as the bytes of a PNG: 0 shows almost what 1 shows."""
    generator = torch.Generator().manual_seed(number or 1)
    coarse = torch.randint(256, (1, 3, 5, 5), generator=generator).float()
    pixels = torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")[0].to(torch.uint8)
    data = io.BytesIO()
    Image.fromarray((pixels if number else pixels // 8 * 8).permute(1, 2, 0).numpy()).save(data, "png")
    return data.getvalue()


FACES = [face(n) for n in range(4)]


STEMS = ("a", "A", "b", "0", "results", "net", "cases")
PATHS = st.builds(
    lambda folder, stem, suffix: f"{folder}/{stem}{suffix}",
    st.sampled_from([*FOLDERS, "in/../out"]),
    st.sampled_from(STEMS) | st.sampled_from("0123"),
    st.sampled_from([".png", ".png", ".json", ".csv"]),
)
PICTURES = st.sampled_from([f"in/{i}.png" for i in range(4)] * 5) | PATHS  # mostly such as can be read
OUTPUTS = st.sampled_from(
    ["out/a.png", "out/b.png"] * 3 + ["new/a.png", "gallery/a.png", "a.pdf", "in/0.png", "in/a.png"]
)
DOCUMENTS = st.sampled_from(["out/a.json", "out/b.json"] * 3 + ["in/net.safetensors", "in/a.png", "out/results.json"])
IDS = st.sampled_from(["a", "b", "0"] * 4) | st.sampled_from(
    [*STEMS, "1", "x" * 251, "x\0", "@SUM(1)", "=1+1", "é", "", "in", "..", "a/b", "x\ny"]
)
ROWS = st.tuples(IDS, PICTURES, PICTURES, PICTURES | st.just(""))
ACTS = ("writes", "changes", "moves", "copies", "links", "links hard", "removes", "makes a folder")
OPTIONS = st.sampled_from([
    [], [], [], [], [], [], ["--threshold", "0.5"], ["--layer", "features.pool33"], ["--options", '{"gain": "cosin"}'],
    ["--method", "ebp"], ["--method", "zzz"], ["--plugin", "in/none.py"], ["--trials", "in/a.json"],
])  # fmt: skip
CONTENTS = st.sampled_from([b"", b"{", b"mine", b"[" * 100_000, b'{"inputs": {}}', *FACES]) | st.binary(max_size=20)


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(writing, "_drawn", fast_page.drawn)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def snapshot(folder):
    """Everything below a folder: the bytes of a file, where a link leads, or that it is a folder."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


def command(*arguments):
    """The exit status of `gweebp explain`; a wrong call, which argparse refuses, gives 2."""
    try:
        return main(["explain", *map(str, arguments)])
    except SystemExit as stopped:
        return stopped.code


# ---- every output against every input, under every name --------------------------------------------------------------

INPUTS = {
    "PROBE": "in/probe.png", "MATE": "in/mate.png", "NONMATE": "in/nonmate.png", "--mate": "in/mate2.png",
    "--gallery": "gallery/g.png", "--weights": "in/net.png", "--trials": "in/trials.png",
    "--landmarks": "in/landmarks.png", "--plugin": "in/plugin.png",
}  # fmt: skip
SPELLINGS = {
    "as it is": lambda path: path,
    "absolute": lambda path: path.absolute(),
    "by a detour": lambda path: path.parent / ".." / path.parent.name / "." / path.name,
    "by a link to the folder": lambda path: Path("link") / path.name,
    "by a link to it": lambda path: Path("out/link.png"),
    "by a hard link": lambda path: Path("out/hard.png"),
    "in upper case": lambda path: path.with_name(path.name.upper()),
}


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Files that are no pictures, weights or anything: whoever reads them, before names are compared, fails."""
    monkeypatch.chdir(tmp_path)
    for name in FOLDERS:
        Path(name).mkdir()
    for name in INPUTS.values():
        Path(name).write_bytes(name.encode())


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("flag", INPUTS)
def test_what_is_read_is_never_written_to_under_whatever_name(world, capsys, tally, flag, spelling):
    original = Path(INPUTS[flag])
    Path("link").symlink_to(original.parent)
    Path("out/link.png").symlink_to(original.absolute())
    os.link(original, "out/hard.png")
    output = SPELLINGS[spelling](original)
    given = [INPUTS[name] for name in ("PROBE", "MATE", "NONMATE")[: 2 if flag == "--gallery" else 3]]
    for name in ("--mate", "--weights", "--trials", "--landmarks", "--plugin"):
        given += [name, INPUTS[name]]
    given += ["--gallery", "gallery"] if flag == "--gallery" else []
    before = snapshot(".")
    for written in ("--out", "--json"):
        assert command(*given, written, output) == 1
        said = capsys.readouterr().err
        assert "is the same file as" in said or "would stand among the pictures of --gallery" in said
        assert snapshot(".") == before
        tally("outputs refused")


TABLES = {  # id, --out, --batch, --weights
    "the folder of the pictures": ("probe", "in", "cases.csv", "in/net.png"),
    "a link to that folder": ("probe", "link", "cases.csv", "in/net.png"),
    "an id in upper case": ("PROBE", "in", "cases.csv", "in/net.png"),
    "a link to a picture": ("link", "out", "cases.csv", "in/net.png"),
    "a hard link to a picture": ("hard", "out", "cases.csv", "in/net.png"),
    "a document that is the weights": ("net", "out", "cases.csv", "out/net.json"),
    "the table itself": ("a", ".", "results.csv", "in/net.png"),
    "the gallery": ("a", "gallery", "cases.csv", "in/net.png"),
    "a link to the gallery": ("a", "others", "cases.csv", "in/net.png"),
}


@pytest.mark.parametrize("case", TABLES)
def test_no_case_of_a_table_is_written_to_what_is_read(world, capsys, case):
    name, out, batch, weights = TABLES[case]
    Path("link").symlink_to("in")
    Path("others").symlink_to("gallery")
    Path("out/link.png").symlink_to("../in/probe.png")
    os.link("in/probe.png", "out/hard.png")
    shutil.copy("in/net.png", "out/net.json")
    Path(batch).write_text(f"id,probe,mate,nonmate\n{name},in/probe.png,in/mate.png,in/nonmate.png\n")
    before = snapshot(".")
    assert command("--batch", batch, "--out", out, "--weights", weights, "--gallery", "gallery") == 1
    said = capsys.readouterr().err
    assert "is the same file as" in said or "would stand among the pictures of --gallery" in said
    assert snapshot(".") == before


def test_two_results_are_not_written_to_one_file(world, capsys):
    before = snapshot(".")
    given = [INPUTS[name] for name in ("PROBE", "MATE", "NONMATE")]
    assert command(*given, "--weights", "in/net.png", "--out", "out/a.png", "--json", "out/../out/A.png") == 1
    assert "--out" in capsys.readouterr().err and snapshot(".") == before


CASE_FILES = [f"{name}.{kind}" for name in "ab" for kind in ("png", "html", "json")]

OTHERS = {
    "a file": lambda path: path.write_bytes(b"mine"),
    "an empty file": lambda path: path.touch(),
    "a folder": lambda path: path.mkdir(),
    "a link": lambda path: path.symlink_to("elsewhere"),
    "a broken link": lambda path: path.symlink_to("nowhere"),
    "a deeply nested document": lambda path: path.write_text("[" * 100_000),
    "an older document": lambda path: path.write_text(json.dumps({"inputs": {}, "outcome": "explained"})),
    "a result that was changed": lambda path: path.write_bytes(writing.sealed_json({"a": 1}).replace(b"1", b"2", 1)),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("name", ["a.png", "a.html", "a.json", "results.csv", "results.json", "index.html"])
def test_what_others_wrote_is_never_replaced(tmp_path, monkeypatch, weights, fast, capsys, name, other):
    monkeypatch.chdir(tmp_path)
    for i, picture in enumerate(FACES):
        Path(f"{i}.png").write_bytes(picture)
    Path("out").mkdir()
    Path("out/elsewhere").write_bytes(b"mine")
    OTHERS[other](Path("out") / name)
    Path("cases.csv").write_text("id,probe,mate,nonmate\na,0.png,1.png,2.png\nb,1.png,0.png,3.png\n")
    before = snapshot(".")
    assert command("--batch", "cases.csv", "--out", "out", "--weights", weights) == 1
    assert f"out/{name}" in capsys.readouterr().err
    after = snapshot(".")
    assert {key: after[key] for key in before} == before
    tables = {"out/results.csv", "out/results.json", "out/index.html"}
    made = {"out/b.png", "out/b.html", "out/b.json"} | tables if name[0] == "a" else set()
    assert after.keys() - before.keys() == made  # the other case, if one case is all that the file is in the way of
    if name[0] == "a":
        flag = {"a.png": "--out", "a.html": "--html", "a.json": "--json"}[name]
        assert command("0.png", "1.png", "2.png", "--weights", weights, flag, f"out/{name}") == 1
        assert {key: value for key, value in snapshot(".").items() if key in before} == before


# ---- folders, calls and accidents, generated -------------------------------------------------------------------------


class Folders(RuleBasedStateMachine):
    """A user who keeps pictures, tables and other work in a few folders, links and copies them, and runs the command.

    What the command wrote is known here by the content of each file that a call made or changed, whatever the command
    itself knows. All else must be as it was after each call; and what was a result must still be one.
    """

    net: Path
    home: Path

    @initialize()
    def empty(self):
        self.root = Path(tempfile.mkdtemp(dir=self.home))
        os.chdir(self.root)
        for name in FOLDERS:
            Path(name).mkdir()
        for i, picture in enumerate(FACES):
            Path(f"in/{i}.png").write_bytes(picture)
            Path(f"gallery/{i}.png").write_bytes(picture)
        shutil.copy(self.net, "in/net.safetensors")
        self.written = set()

    def teardown(self):
        os.chdir("/")

    # -- what the user does

    @rule(path=PATHS, other=PATHS, content=CONTENTS, keep=st.integers(0, 50), what=st.sampled_from(ACTS))
    def works(self, path, other, content, keep, what):
        with suppress(OSError, shutil.Error):
            if what == "writes":
                Path(path).write_bytes(content)
            elif what == "changes":  # a result, or loses its end
                content = Path(path).read_bytes()
                Path(path).write_bytes(content + b"\n" if keep > 25 else content[: -keep - 1])
            elif what == "moves":
                if not os.path.lexists(other):
                    os.rename(path, other)
            else:
                does = {"copies": shutil.copyfile, "links": lambda a, b: os.symlink(os.path.abspath(a), b),
                        "links hard": os.link, "removes": lambda a, b: os.unlink(a),
                        "makes a folder": lambda a, b: os.mkdir(b)}  # fmt: skip
                does[what](path, other)

    # -- what the command does

    @rule(images=st.lists(PICTURES, min_size=2, max_size=3, unique=True), out=OUTPUTS, document=st.none() | DOCUMENTS,
          options=OPTIONS)  # fmt: skip
    def explains_one(self, images, out, document, options):
        given = [*images, *(["--gallery", "gallery"] if len(images) == 2 else [])]
        self.calls(*given, "--out", out, *(["--json", document] if document else []), *options)

    @rule(rows=st.lists(ROWS, min_size=1, max_size=3, unique_by=lambda row: row[0]),
          out=st.sampled_from(["out"] * 4 + ["in", "gallery", "new/folder", "in/../out", "in/0.png"]),
          table=st.sampled_from(["cases.csv", "in/cases.csv", "out/results.csv"]), options=OPTIONS)  # fmt: skip
    def explains_a_table(self, rows, out, table, options):
        with suppress(OSError), open(table, "w", encoding="utf-8", newline="") as file:
            rows = [[name, *(os.path.relpath(p, os.path.dirname(table)) if p else "" for p in paths)]
                    for name, *paths in rows]  # fmt: skip
            csv.writer(file).writerows([("id", "probe", "mate", "nonmate"), *rows])
        self.calls("--batch", table, "--out", out, "--gallery", "gallery", *options)

    def calls(self, *arguments):
        before = snapshot(".")
        results = {name for name, content in before.items() if isinstance(content, bytes) and seals.intact(content)}
        status = command(*arguments, "--weights", "in/net.safetensors")
        assert status in (0, 1, 2)
        after = snapshot(".")
        for name, content in before.items():
            ours = isinstance(content, bytes) and not Path(name).is_symlink() and sha256(content) in self.written
            if not ours and after.get(name, "gone") != content:
                cut_off = isinstance(content, bytes) and after[name].startswith(content) and self.was_cut(name, before)
                assert cut_off, f"{name} was {content!r:.80}, and is {after.get(name, 'gone')!r:.80}"
        assert all(seals.intact(after[name]) for name in results)
        for name, content in after.items():
            if isinstance(content, bytes) and before.get(name) != content:
                assert seals.intact(content), name
                self.written.add(sha256(content))
        assert not [name for name in after if ".gweebp-" in name]

    @staticmethod
    def was_cut(name, before):
        """The other file of that case is a result: what is cut off was one too, and its beginning is in the new one."""
        stem, suffix = os.path.splitext(name)
        other = before.get(stem + {".png": ".json", ".json": ".png"}.get(suffix, "?"))
        return isinstance(other, bytes) and seals.intact(other)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_whatever_stands_in_the_folders_and_whatever_is_called(tmp_path_factory, weights, fast, tally):
    class Here(Folders):
        net, home = weights, tmp_path_factory.mktemp("worlds")

        def calls(self, *arguments):
            super().calls(*arguments)
            tally("calls of the command")

    here = os.getcwd()
    try:
        run_state_machine_as_test(Here, settings=settings(max_examples=60, stateful_step_count=20, deadline=None))
    finally:
        os.chdir(here)


# ---- kills, interrupts and full disks --------------------------------------------------------------------------------


def in_a_child(work, fails, at):
    """Fork, do `work` there, and let its step number `at` on the file system fail; how the child ended.

    Args:
        fails: called in the child before that step: it kills it, or raises.

    Returns:
        the signal or (exit status, steps that it took).
    """
    reading, writing_end = os.pipe()
    child = os.fork()
    if not child:
        steps = [0]

        def hook(event, arguments):
            changes = event in ("os.rename", "os.link", "os.remove", "os.mkdir", "os.truncate") or (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            )
            if changes and str(Path.cwd()) in os.path.abspath(os.fsdecode(arguments[0])):
                steps[0] += 1
                if steps[0] == at:
                    fails()

        status = 99
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            sys.addaudithook(hook)
            status = work()
        except BaseException:
            status = 98
        finally:
            os.write(writing_end, str(steps[0]).encode())
            os._exit(status)
    os.close(writing_end)
    with os.fdopen(reading) as pipe:
        steps = pipe.read()
    _, status = os.waitpid(child, 0)
    return ("killed", 0) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), int(steps))


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt():
    raise KeyboardInterrupt


def disk_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path, monkeypatch, weights, fast, capsys):
    monkeypatch.chdir(tmp_path)
    for i, picture in enumerate(FACES):
        Path(f"{i}.png").write_bytes(picture)
    monkeypatch.setattr(os, "fsync", lambda descriptor: disk_full())
    before = snapshot(".")
    assert command("0.png", "1.png", "2.png", "--weights", weights, "--out", "a.png", "--json", "a.json") == 1
    assert "No space left on device: 'a.png'" in capsys.readouterr().err and snapshot(".") == before


@pytest.mark.parametrize(
    ("fails", "start"), [(kill, "nothing"), (kill, "results"), (interrupt, "results"), (disk_full, "results")]
)
def test_at_whatever_step_a_run_ends_files_are_whole_and_the_next_run_ends_it(
    tmp_path, monkeypatch, weights, fast, tally, fails, start
):
    monkeypatch.chdir(tmp_path)
    for i, picture in enumerate(FACES):
        Path(f"{i}.png").write_bytes(picture)
    Path("cases.csv").write_text("id,probe,mate,nonmate\na,0.png,1.png,2.png\nb,1.png,0.png,3.png\n")
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    given = ("--batch", "cases.csv", "--out", "out", "--weights", weights)
    if start == "results":
        assert command(*given, "--threshold", "0.5") == 0
    originals = snapshot(".")
    results = {f"out/{name}" for name in (*CASE_FILES, "results.csv", "results.json", "index.html")}
    # where a process is killed is tried at every step; what is raised there passes the same code, at every second
    for at in range(1, 200, 1 if fails is kill else 2):
        shutil.copytree("out", "saved")
        ended, steps = in_a_child(lambda: command(*given), fails, at)
        if ended == 0 and steps < at:
            break
        after = snapshot(".")
        assert ended in {kill: ("killed",), interrupt: (130,), disk_full: (0, 1)}[fails], (ended, at)
        for name, content in originals.items():
            if name not in results:
                assert after[name] == content
        for name in results & after.keys():
            assert seals.intact(after[name]), (name, at)
        assert results & originals.keys() <= after.keys()
        assert command(*given) == 0
        done = snapshot(".")
        assert not [name for name in done if ".gweebp-" in name]
        assert {name for name in done if name.startswith("out/")} == results | {"out/notes.txt"}
        assert [row["outcome"] for row in json.loads(done["out/results.json"])] == ["explained", "explained"]
        tally({kill: "kills survived", interrupt: "interrupts survived", disk_full: "full disks survived"}[fails])
        shutil.rmtree("out")
        os.rename("saved", "out")
    assert at > 10
