"""The report of a case and the page of a table: whole, escaped, offline, sealed, and made again only when needed."""

import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gweebp import networks
from gweebp.__main__ import main
from gweebp.commands.casework import Examiner, read_table, run_table, seals
from gweebp.commands.casework.examiner import Examined
from gweebp.commands.casework.explanation import Explanation
from gweebp.commands.casework.index import index_page
from gweebp.commands.casework.pictures import Picture
from gweebp.commands.casework.report import report
from gweebp.commands.casework.summary import failed
from gweebp.networks.frames import FRAMES

SIZE = 32
VOID = ("meta", "img", "br", "line", "circle", "rect")


class Page(HTMLParser):
    """Elements, their attributes and the text of a page; every element must be closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def check(text):
    """A page that needs nothing from elsewhere and tells those who see no pictures what they show."""
    page = Page(text)
    addresses = [attrs.get(key, "") for _, attrs in page.elements for key in ("src", "href") if key in attrs]
    assert all(a.startswith("data:image/png;base64,") or not re.match(r"\w+:|//", a) for a in addresses)
    assert not re.search(r"@import|url\(", text) and not page.of("link")
    assert all(attrs.get("alt", "").strip() for attrs in page.of("img"))
    assert page.of("html")[0]["lang"] == "en" and len(page.of("title")) == len(page.of("h1")) == 1
    return page


def case(name="a.png", note="", network="lcnn9", saliency=None):
    pixels = torch.randint(256, (3, 40, 30), dtype=torch.uint8, generator=torch.manual_seed(0))
    shown = [Picture(f"{i}{name}", pixels // (i + 1), f"{i}" * 64) for i in range(3)]
    found = Explanation(saliency, 0.5, 0.9, 0.7, network, "gweebp", notes=(note,) if note else ())
    return Examined(shown[0], [shown[1]], shown[2], False, found, {"gweebp": "1", "date": "d", "weights_sha256": "f"})


HOSTILE = st.text(st.sampled_from("<>&\"'/=;`- aé\u2028"), min_size=1, max_size=12)


@pytest.mark.promise("pages: a name is text, whatever stands in it")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE, HOSTILE, HOSTILE)
def test_whatever_is_named_stays_text(tmp_path, name, note, network):
    plain, odd = report(case(), {}, "s"), report(case(name, note, network), {}, "s")
    ours = {tag for tag, _ in Page(plain).elements} | {"li", "ul"}
    page = check(odd)
    assert {tag for tag, _ in page.elements} <= ours
    assert all(set(attrs) <= {"lang", "charset", "name", "content", "class", "src", "alt", "scope", "viewbox", "role",
               "aria-label", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height", "fill", "stroke",
               "stroke-dasharray", "text-anchor"} for _, attrs in page.elements)  # fmt: skip
    assert f"0{name}" in page.words and note in page.words
    made = index_page([failed(name, note), failed("x", "y")], tmp_path).decode()
    assert {tag for tag, _ in check(made).elements} == {tag for tag, _ in check(index_page([failed("x", "y")] * 2,
            tmp_path).decode()).elements}  # fmt: skip


def test_a_report_holds_every_picture_number_limit_and_hash():
    saliency = torch.rand(4, 4, generator=torch.manual_seed(1))
    examined = case(saliency=saliency / saliency.sum())
    text = report(examined, examined.document(), "s")
    page, said = check(text), " ".join(check(text).words)
    assert len(page.of("img")) == 5  # three pictures, the map, its key
    for wanted in (*examined.explanation.said, *examined.explanation.limits, *(p.sha256 for _, p in examined.pictures)):
        assert wanted in said
    assert "0.500000" in said and "not aligned" in said and "gweebp 1" in said and "@media print" in text
    without = Page(report(case(), {}, "s"))
    assert len(without.of("img")) == 3 and "colour" not in " ".join(without.words)


def test_a_picture_that_was_aligned_is_called_so_and_others_are_not():
    examined = case()
    aligned = replace(examined.probe, aligned="aligned to the frame 'head'", given=examined.probe.pixels)
    text = report(replace(examined, probe=aligned), {}, "s")
    assert text.count("<strong>probe</strong>, aligned<br>") == 1 and text.count("</strong>, aligned<br>") == 1


@pytest.fixture
def home(tmp_path, monkeypatch, faces):
    """Pictures of which two have one name, a gallery, weights that know their frame, and a table with a bad row."""
    monkeypatch.chdir(tmp_path)
    pictures = {"a/1": faces.photos[0] // 8 * 8, "b/1": faces.photos[0], "nonmate": faces.photos[1]}
    pictures |= {f"others/{i}": faces.photos[i] for i in range(2, len(faces.photos))}
    for name, image in pictures.items():
        Path(f"{name}.png").parent.mkdir(exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(f"{name}.png")
    net = networks.build("lcnn9", seed=0, width=0.125, size=SIZE, embedding=16).eval()
    net.frame = FRAMES["head"]
    networks.save(net, "net.safetensors")
    Path("cases.csv").write_text(
        "id,probe,mate,nonmate\n1,a/1.png,b/1.png,nonmate.png\n2,none.png,b/1.png,nonmate.png\n"
    )
    return tmp_path


def explain(*arguments):
    return main(["explain", *arguments, "--weights", "net.safetensors"])


def test_a_report_of_one_case_on_the_command_line(home, capsys):
    line = ("a/1.png", "b/1.png", "--gallery", "others", "--html", "out.html", "--json", "out.json")
    assert explain(*line, "--words", "Ms. Smith", "Mr. Jones") == 0
    page, document = check(Path("out.html").read_text()), json.loads(Path("out.json").read_text())
    said = " ".join(page.words)
    assert "Ms. Smith" in said and "mate" not in said.replace("estimate", "")
    assert [p["name"] for p in document["pictures"]][:2] == ["a/1.png", "b/1.png"]  # one name, told apart
    for shown in document["pictures"]:
        assert shown["sha256"] in said and len(shown["sha256"]) == 64
    assert document["made"]["weights_sha256"] in said and document["layer"] in said
    assert "was not checked" in said or "no upright face" in said
    assert seals.written_by_us("out.html") and str(home) not in Path("out.html").read_text()
    assert explain(*line) == 0  # our own is replaced
    with open("out.html", "a") as file:
        file.write("<!-- a remark -->")
    before = Path("out.html").read_bytes()
    assert explain(*line) == 1 and "out.html is there already" in capsys.readouterr().err
    assert Path("out.html").read_bytes() == before
    assert explain(*line[:4], "--html", "net.safetensors") == 1


def test_the_page_of_a_table_links_the_reports_also_where_cases_failed(home):
    assert explain("--batch", "cases.csv", "--out", "out") == 1
    text = Path("out/index.html").read_text()
    page = check(text)
    assert [attrs["href"] for attrs in page.of("a")] == ["1.html"] and Path("out/1.html").is_file()
    assert len(page.of("img")) == 1 and "no file none.png" in " ".join(page.words)
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert explain("--batch", "cases.csv", "--out", "out") == 1
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    Path("out/1.html").unlink()  # a report that is lost is made again
    examiner = Examiner(networks.load("net.safetensors"))
    run_table(examiner, read_table("cases.csv"), "other", {})
    assert explain("--batch", "cases.csv", "--out", "out") == 1 and Path("out/1.html").is_file()


def test_the_table_is_sorted_by_its_script_and_read_without_it(home, tmp_path):
    explain("--batch", "cases.csv", "--out", "out")
    text = Path("out/index.html").read_text()
    assert text.count("<script>") == 1 and "data-sort" in text
    rows = [a for a in Page(text).of("td") if "data-value" in a]
    assert rows[0]["data-value"] == "1"
    script = text.partition("<script>")[2].partition("</script>")[0]
    try:
        done = subprocess.run(["node", "--check", "-"], input=script, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no node to check the script's syntax")
    assert done.returncode == 0, done.stderr


def test_a_click_sorts_the_table_and_another_turns_it(tmp_path):
    from browser import NoBrowserError, opened

    names = ("10", "9", "Ä b", "lost")
    rows = [row | {"report": f"{row['id']}.html"} for row in (failed(name, "a note") for name in names)]
    for row, distance in zip(rows, (0.9, 0.125, 1.25), strict=False):
        row.update(mate_distance=distance, outcome="explained", strength="clear")
    (tmp_path / "index.html").write_bytes(index_page(rows, tmp_path))
    try:
        with opened() as browser:
            page = browser.new_page()
            trouble = []
            page.on("pageerror", lambda error: trouble.append(str(error)))
            page.on("console", lambda message: trouble.append(message.text))
            page.goto((tmp_path / "index.html").as_uri())

            heads = page.locator("thead button")
            lines = "buttons => buttons.map(b => b.scrollHeight / parseFloat(getComputedStyle(b).lineHeight))"
            tall = heads.evaluate_all(lines)
            words = [len(text.split()) for text in heads.all_inner_texts()]
            assert all(high < n + 0.9 for high, n in zip(tall, words)), "a word is torn apart"

            def order():
                return [text.split("\t")[1] for text in page.locator("tbody tr").all_inner_texts()]

            assert order() == list(names)
            distance = page.get_by_role("button", name="distance to the candidate")
            distance.click()
            assert order() == ["9", "10", "Ä b", "lost"]  # what failed has no distance: last, whichever way
            assert page.locator("th[aria-sort]").all_inner_texts() == ["distance to the candidate"]
            distance.press("Enter")  # by the keyboard, too
            assert order() == ["Ä b", "10", "9", "lost"]
            page.get_by_role("button", name="case", exact=True).click()
            assert order() == ["9", "10", "Ä b", "lost"]  # numbers in names as numbers
            assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
            page.set_viewport_size({"width": 360, "height": 740})  # on a telephone: a cell under the other, named
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            named = "getComputedStyle(document.querySelectorAll('tbody td')[4], '::before').content"
            assert "distance to the candidate" in page.evaluate(named)
            assert trouble == []
    except NoBrowserError as error:
        pytest.skip(str(error))
