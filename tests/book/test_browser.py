"""The pages of the smoke book as a browser shows them: nothing missing, nothing broken, nobody shut out.

They are opened from disk, as a reader does who was given the folder. Needs Chromium; skipped where there is none.
"""

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import NoBrowserError, chromium, opened
from chapters import pages
from pdf import print_pdf
from profiles import read

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build/smoke/html"
PAGES = [*pages(read("smoke")["extra_chapters"]), "search", "genindex"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
SERIOUS = ("serious", "critical")

try:
    chromium()
    WITHOUT = ""
except NoBrowserError as error:
    WITHOUT = str(error)

pytestmark = [pytest.mark.skipif(bool(WITHOUT), reason=WITHOUT), pytest.mark.usefixtures("smoke_book")]


@pytest.fixture(scope="module")
def tab(smoke_book):
    """A tab of a telephone's width; what it complains of, and what it asks others for, is in tab.trouble."""
    axe = pytest.importorskip("axe_playwright_python.base").AXE_FILE_PATH.read_text(encoding="utf-8")
    with opened() as browser:
        context = browser.new_context(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
        context.add_init_script(axe)
        tab = context.new_page()
        tab.trouble = []
        tab.on("console", lambda m: tab.trouble.append(m.text) if m.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: tab.trouble.append(str(error)))
        tab.on("requestfailed", lambda request: tab.trouble.append(f"failed: {request.url}"))
        tab.on("request", lambda request: tab.trouble.append(f"off: {request.url}") if off(request.url) else None)
        yield tab


def off(url: str) -> bool:
    return not url.startswith(("data:", "blob:", HTML.as_uri()))


def visit(tab, page: str, scheme: str = "light"):
    tab.trouble.clear()
    tab.emulate_media(color_scheme=scheme)
    tab.goto((HTML / f"{page}.html").as_uri())
    tab.evaluate("window.MathJax?.startup?.promise")
    return tab


def violations(tab, scope: str = "document", rules: str = "") -> list[str]:
    """What axe finds that is serious: the rule, and where."""
    options = f"{{preload: false, resultTypes: ['violations'], runOnly: {RULES} {rules}}}"
    found = tab.evaluate(f"axe.run({scope}, {options})")["violations"]
    return [f"{v['id']}: {n['target']} {n['html'][:120]}" for v in found if v["impact"] in SERIOUS for n in v["nodes"]]


RECTS = """(node, start, end) => {
  const range = document.createRange();
  range.setStart(node, start);
  range.setEnd(node, end);
  return [...range.getClientRects()];
}"""
CUT = f"""() => [...document.querySelectorAll(".bd-article caption")].filter(caption =>
  ({RECTS})(caption, 0, caption.childNodes.length).some(rect => rect.right > innerWidth)).map(c => c.innerText)"""
TORN = f"""() => {{
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {{
    const node = walker.currentNode;
    if (node.parentElement.closest("pre, code, .math, script, style, mjx-container")) continue;
    for (const m of node.data.matchAll(/\\d (%|px|s|ms|MiB)(?!\\w)/g)) {{
      const rects = ({RECTS})(node, m.index, m.index + m[0].length);
      if (rects.length && Math.abs(rects[0].top - rects.at(-1).top) > 4) found.push(node.data.slice(0, 80));
    }}
  }}
  return found;
}}"""


@pytest.mark.parametrize("page", PAGES)
def test_page(tab, page):
    """On a telephone: no error, no request to anybody else, every image there, no scrolling sideways, accessible."""
    visit(tab, page)
    assert tab.trouble == []
    missing = "[...document.images].filter(i => !i.complete || i.naturalWidth == 0).map(i => i.src.slice(0, 200))"
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.evaluate(missing) == []
    assert tab.evaluate(CUT) == [], "a table is scrolled, its caption is not"
    assert tab.evaluate(TORN) == [], "a number and its unit are on two lines"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360, "the page scrolls sideways"
    # colours are looked at below: on the API page, of thousands of words, that takes a minute
    assert violations(tab, rules=", rules: {'color-contrast': {enabled: false}}") == []


WIDER = """() => {
  document.querySelectorAll("details").forEach(d => d.open = true);
  const boxes = [...document.querySelectorAll(".bd-article :is(pre, .output, .pst-scrollable-table-container)")];
  return boxes.filter(box => !box.matches(".math, .math *") && box.clientWidth && box.scrollWidth > box.clientWidth + 1)
    .map(box => `${box.scrollWidth - box.clientWidth} px: ${box.innerText.slice(0, 80)}`);
}"""


def test_no_cell_or_table_is_wider_than_the_page(tab):
    """On a screen 1400 pixels wide, with all that is folded open."""
    tab.set_viewport_size({"width": 1400, "height": 900})
    try:
        for page in PAGES:
            visit(tab, page)
            assert tab.evaluate("document.documentElement.scrollWidth") <= 1400, page
            assert tab.evaluate(WIDER) == [], page
    finally:
        tab.set_viewport_size({"width": 360, "height": 740})


def test_the_first_page_shows_its_picture_and_the_claims(tab):
    visit(tab, "book/pages/intro")
    picture = tab.locator(".abstract")
    assert picture.locator(".step").count() == 5
    assert picture.locator("img").count() >= 6 and picture.locator(".claims li").count() >= 8
    targets = picture.locator(".claims a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    visit(tab, "book/chapters/results")
    assert [t for t in targets if not tab.locator(f"[id='{t.partition('#')[2]}']").count()] == []


def test_the_walk_moves_by_key(tab):
    visit(tab, "book/chapters/excitation_backprop")
    figure = tab.locator('.interactive[data-kind="walk"].live')
    figure.locator("input").focus()
    seen = []
    for key in ("Home", "ArrowRight", "ArrowRight", "End"):
        tab.keyboard.press(key)
        seen.append((figure.locator(".says").inner_text(), figure.locator(".frame").get_attribute("src")))
    assert len(set(seen)) == 4 and seen[0][0].startswith("head") and seen[3][0].startswith("pixels")
    assert tab.trouble == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "page", ["book/pages/intro", "book/chapters/excitation_backprop", "book/chapters/inpainting_game"]
)
def test_colours_can_be_told_apart(tab, page, scheme):
    visit(tab, page, scheme)
    assert tab.evaluate("document.documentElement.dataset.theme") == scheme
    found = tab.evaluate("axe.run(document, {preload: false, runOnly: {type: 'rule', values: ['color-contrast']}})")
    assert [node["html"] for v in found["violations"] for node in v["nodes"]] == []


def test_search_finds_a_chapter(tab):
    """Served, as the book is on a site: from disk the results are listed as well, but without a line of each page."""
    handler = partial(Quiet, directory=HTML)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            tab.goto(f"http://127.0.0.1:{server.server_port}/search.html?q=hinge")
            tab.wait_for_selector("#search-results li a")
            found = tab.eval_on_selector_all("#search-results li a", "links => links.map(a => a.href)")
        finally:
            server.shutdown()
    assert any("gradient_weighting" in address for address in found)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_formulas_are_set(tab):
    visit(tab, "book/chapters/excitation_backprop")
    assert tab.eval_on_selector_all("mjx-container", "x => x.length") > 20
    assert tab.eval_on_selector_all("mjx-merror", "x => x.length") == 0


def test_the_threshold_slider_moves_by_key(tab):
    """The blend, the dot and the sentence follow; at the end all of the twin is there."""
    visit(tab, "book/chapters/inpainting_game")
    figure = tab.locator('.interactive[data-kind="threshold"].live')
    slider, says = figure.locator("input"), figure.locator(".says")
    slider.focus()
    tab.keyboard.press("Home")
    start = (says.inner_text(), figure.locator("circle").get_attribute("cx"), drawn(figure))
    assert "SR 0.0% at FAR 0.0%" in start[0]
    tab.keyboard.press("End")
    end = (says.inner_text(), figure.locator("circle").get_attribute("cx"), drawn(figure))
    assert "SR 100.0% at FAR 100.0%" in end[0]
    assert all(a != b for a, b in zip(start, end))
    line = figure.locator("polyline").get_attribute("points")
    figure.locator("select").select_option("random")
    tab.wait_for_function("line => document.querySelector('.chart polyline').getAttribute('points') != line", arg=line)
    assert drawn(figure) == end[2], "the whole twin, whatever the map"
    assert tab.trouble == []


def drawn(figure) -> str:
    return figure.locator("canvas").evaluate("canvas => canvas.toDataURL()")


def test_the_layer_slider_moves_by_key(tab):
    visit(tab, "book/chapters/ablation")
    figure = tab.locator('.interactive[data-kind="layers"].live')
    figure.locator("input").focus()
    seen = set()
    for key in ("Home", "ArrowRight", "End"):
        tab.keyboard.press(key)
        maps = figure.locator(".stack img:nth-child(2)").evaluate_all("images => images.map(i => i.src)")
        assert maps[0] != maps[1]
        seen.add((figure.locator(".says").inner_text(), *maps))
    assert len(seen) == 3
    assert tab.trouble == []


def test_without_scripts_a_slider_shows_its_first_state(tab):
    context = tab.context.browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto((HTML / "book/chapters/inpainting_game.html").as_uri())
        assert "matched to" in page.locator(".interactive .says").inner_text()
        assert page.locator(".interactive .stack img").first.is_visible()
        assert not page.locator(".interactive .controls").is_visible()
    finally:
        context.close()


def test_a_page_is_printed(tab, tmp_path):
    """`make pdf` prints all pages as one; here one page stands for them, with formulas, links and a table."""
    out = tmp_path / "book.pdf"
    print_pdf(tab.context.browser, HTML / "book/pages/notation.html", out, "Profile “smoke”")
    written = out.read_bytes()
    assert written.startswith(b"%PDF-")
    assert written.count(b"/Type /Page\n") + written.count(b"/Type/Page/") + written.count(b"/Type /Page/") >= 2
    assert list(tmp_path.iterdir()) == [out]


def test_each_chapter_is_printed_on_a_page_of_its_own(tab, tmp_path):
    """As where all pages are one: chapters are sections of a table of contents, deep in flexible boxes."""
    chapters = "".join(f"<section><h2>Chapter {i}</h2><h3>of few words</h3></section>" for i in range(3))
    style = (ROOT / "book/_static/book.css").as_uri()
    box = '<div class="bd-content" style="display: flex"><div class="toctree-wrapper">'
    page, out = tmp_path / "all.html", tmp_path / "book.pdf"
    page.write_text(f'<!doctype html><link rel="stylesheet" href="{style}"><body style="display: flex">{box}{chapters}')
    print_pdf(tab.context.browser, page, out, "Profile “smoke”")
    assert len(re.findall(rb"/Type ?/Page\b(?!s)", out.read_bytes())) == 3
