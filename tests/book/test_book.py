"""A smoke build of the whole book: every page with its headings and figures, no dead link, nothing from elsewhere."""

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
import pytest
import yaml
from bs4 import BeautifulSoup
from chapters import executed, pages, shows_results
from profiles import read

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "_build/smoke"
HTML = BUILD / "html"
EXTRA = read("smoke")["extra_chapters"]
CHAPTERS = executed(EXTRA)

pytestmark = pytest.mark.usefixtures("smoke_book")


def build(*options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "book/workflow/build.py", "--profile", "smoke", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def soup(page: str) -> BeautifulSoup:
    return BeautifulSoup((HTML / f"{page}.html").read_text(encoding="utf-8"), "html.parser")


def all_pages() -> list[Path]:
    found = sorted(path for path in HTML.rglob("*.html") if "_static" not in path.parts)
    assert {f"{page}.html" for page in pages(EXTRA)} <= {path.relative_to(HTML).as_posix() for path in found}
    return found


def references(path: Path) -> list[tuple[str, str]]:
    """(tag, address) of everything that a browser fetches for the page, or may go to from it."""
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    wanted = {"script": "src", "link": "href", "img": "src", "a": "href", "iframe": "src", "source": "src"}
    return [(tag.name, tag[wanted[tag.name]]) for tag in page.find_all(list(wanted)) if tag.get(wanted[tag.name])]


def test_a_second_build_does_nothing():
    done = build()
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stderr


def test_the_index_leads_to_the_introduction():
    index = BeautifulSoup((HTML / "index.html").read_text(), "html.parser")
    refresh = index.find("meta", attrs={"http-equiv": re.compile("refresh", re.I)})
    target = refresh["content"].partition("url=")[2] if refresh else "index.html"
    page = BeautifulSoup((HTML / target).read_text(encoding="utf-8"), "html.parser")
    assert "pick this face" in page.find("h1").text


@pytest.mark.parametrize("page", pages(EXTRA))
def test_every_page_is_there_with_its_banner_and_navigation(page):
    read = soup(page)
    assert "smoke" in read.find(class_="bd-header-announcement").text
    linked = {urlsplit(a["href"]).path.rpartition("/")[2] for a in read.select(".bd-links a[href]")}
    others = {f"{other.rpartition('/')[2]}.html" for other in pages(EXTRA)} - {f"{page.rpartition('/')[2]}.html"}
    assert others <= linked


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_has_the_headings_and_figures_of_its_notebook(chapter):
    notebook = json.loads((BUILD / f"chapters/{chapter}.ipynb").read_text(encoding="utf-8"))
    markdown = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    read = soup(f"book/chapters/{chapter}")
    article = read.find("article")
    levels = [len(marks) for marks in re.findall(r"^(#+) ", markdown, re.M)]
    assert [int(h.name[1]) for h in article.find_all(re.compile("^h[1-6]$"))] == levels
    figures = re.findall(r"^```\{(?:glue:)?figure\}", markdown, re.M)
    assert len(article.find_all("figure")) == len(figures)
    assert all(figure.find(["img", "svg", "object"]) for figure in article.find_all("figure"))
    errors = [o for cell in notebook["cells"] for o in cell.get("outputs", []) if o["output_type"] == "error"]
    assert not errors


def test_every_chapter_that_shows_results_has_a_figure():
    for chapter in CHAPTERS:
        if shows_results(chapter) and chapter != "provenance":
            assert soup(f"book/chapters/{chapter}").find("article").find(["img", "svg"]), chapter


def test_every_image_exists_and_has_a_text_for_those_who_cannot_see_it():
    count = 0
    for page in all_pages():
        for image in BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select(
            "article img:not([aria-hidden])"
        ):
            count += 1
            held = image["src"].startswith("data:")  # a slider holds its images
            assert held or (page.parent / unquote(urlsplit(image["src"]).path)).is_file(), (
                f"{page.name}: {image['src']}"
            )
            assert image.get("alt", "").strip(), f"{page.name}: {image['src']} has no alt text"
            assert not image["alt"].endswith((".png", ".svg")), f"{page.name}: alt text is a file name"
    assert count > 10


@pytest.mark.promise("pages: nothing is fetched from elsewhere, and no path of the machine is shown")
def test_nothing_is_fetched_from_another_server():
    for page in all_pages():
        for tag, address in references(page):
            if tag != "a":
                assert not urlsplit(address).netloc, f"{page.name}: {tag} {address}"
        inline = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find_all(["script", "style"])
        for element in inline:
            assert not re.search(r"(https?:)?//[a-z0-9-]+\.(?!w3)[a-z]", element.get_text()), f"{page.name}: {element}"
    for sheet in HTML.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.S)
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", text), sheet


def test_every_internal_link_and_anchor_is_alive():
    anchors: dict[Path, set[str]] = {}

    def ids(path: Path) -> set[str]:
        if path not in anchors:
            page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            anchors[path] = {tag["id"] for tag in page.find_all(id=True)}
        return anchors[path]

    dead = []
    for page in all_pages():
        for tag, address in references(page):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or tag == "img":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            alive = target.is_file() and (
                not parts.fragment or target.suffix != ".html" or parts.fragment in ids(target)
            )
            if not alive:
                dead.append(f"{page.name}: {address}")
    assert not dead


@pytest.mark.promise("pages: nothing is fetched from elsewhere, and no path of the machine is shown")
def test_no_absolute_path_leaks():
    leaked = re.compile(
        "|".join(map(re.escape, {str(ROOT), str(Path.home()) + "/", "/tmp/", "/home/", "site-packages"}))
    )
    for path in [*all_pages(), *BUILD.glob("chapters/*.ipynb"), *BUILD.rglob("*.json"), HTML / "searchindex.js"]:
        if path.name != "profile.json":
            found = leaked.search(path.read_text(encoding="utf-8"))
            assert not found, f"{path}: …{found.string[max(0, found.start() - 60) : found.end() + 60]}…"


def test_the_executed_notebook_can_be_downloaded():
    for chapter in CHAPTERS:
        links = [a["href"] for a in soup(f"book/chapters/{chapter}").select("a.btn-download-source-button")]
        assert len(links) == 1
        downloaded = (HTML / "book/chapters" / links[0]).resolve()
        assert downloaded.suffix == ".ipynb"
        assert downloaded.read_bytes() == (BUILD / f"chapters/{chapter}.ipynb").read_bytes()


def test_no_launch_button_leads_nowhere():
    for page in pages(EXTRA):
        assert not soup(page).select(".dropdown-launch-buttons, .btn-launch-thebe")


def test_every_equation_and_citation_is_resolved():
    for page in all_pages():
        text = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").get_text()
        assert "[?]" not in text
        assert not re.search(r"\{(eq|cite|numref|ref|doc)[:}]", text), page.name


def test_records_say_how_each_result_was_made():
    records = {path: json.loads(path.read_text()) for path in BUILD.glob("chapters/*.json")}
    assert {path.stem for path in records} == set(CHAPTERS)
    for path, record in records.items():
        assert record["threads"] == yaml.safe_load((ROOT / "book/profiles/smoke.yaml").read_text())["threads"]
        assert record["seconds"] > 0, path


@pytest.mark.promise("files: a build that was killed goes on where it stopped")
def test_two_builds_of_one_profile_do_not_run_at_once():
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = build()
    assert done.returncode == 2
    assert "another build in _build/smoke is running" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cores", "two"], "CORES=two: expected a whole number"),
        (["--chapter", ""], "say which chapter"),
        (["--chapter", "hiding_gam"], "did you mean 'hiding_game'"),
        (["--chapter", "excitation_backprop", "--parameters", "sed=1"], "did you mean 'seed'"),
        (["--data", "."], "reads no data of yours"),
    ],
)
def test_a_wrong_call_is_one_clear_line(options, message):
    done = build(*options)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def executes(process: subprocess.Popen, chapter: str) -> bool:
    """Whether a build executes a chapter at this moment."""
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if f"notebooks/{chapter}.py" in child.cmdline():
                return True
    return False


@pytest.mark.promise("files: a build that was killed goes on where it stopped")
def test_a_killed_build_goes_on_where_it_stopped(tally):
    """Killed without warning while a chapter runs: no lock, no half file, and the next build makes what is missing."""
    for name in ("chapters/extended_ebp.ipynb", "chapters/extended_ebp.json", "html/index.html"):
        (BUILD / name).unlink(missing_ok=True)
    command = [sys.executable, "book/workflow/build.py", "--profile", "smoke"]
    started = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    while not executes(started, "extended_ebp"):
        assert started.poll() is None, "the build ended without this chapter"
        time.sleep(0.1)
    os.killpg(started.pid, 9)
    started.wait()
    assert not (BUILD / "chapters/extended_ebp.ipynb").exists()
    done = build()
    assert done.returncode == 0, done.stderr
    assert (BUILD / "chapters/extended_ebp.ipynb").is_file()
    assert "Nothing to be done" in build().stderr
    tally("kills survived")


def test_one_chapter_with_other_parameters_leaves_the_book_as_it_is():
    before = (BUILD / "chapters/excitation_backprop.ipynb").read_bytes()
    done = build("--chapter", "excitation_backprop", "--parameters", "seed=1")
    assert done.returncode == 0, done.stderr
    rerun = json.loads((BUILD / "reruns/excitation_backprop.json").read_text())
    assert rerun["parameters"]["seed"] == 1
    assert (BUILD / "chapters/excitation_backprop.ipynb").read_bytes() == before
