"""Pages on their way into the book: whole or not at all, and nothing of them where git would take it."""

import json
import re

import chapters
import pytest
import render
from answer import FirstPage
from chapters import ROOT, executed


@pytest.fixture
def mine(tmp_path):
    build = tmp_path / "_build/mine"
    (build / "chapters").mkdir(parents=True)
    for name in executed():
        (build / f"chapters/{name}.ipynb").write_text(name)
    return build


def test_chapters_are_replaced_whole_or_not_at_all(mine, tmp_path):
    target = tmp_path / "chapters"
    render.copy_chapters(mine, "a banner", {}, FirstPage("- an answer", "<b>a picture</b>"), target)
    names = {path.stem for path in target.glob("*.ipynb")}
    assert names == set(executed())
    (mine / "chapters/gallery.ipynb").unlink()
    with pytest.raises(FileNotFoundError, match=r"gallery\.ipynb"):
        render.copy_chapters(mine, "another", {}, FirstPage("", ""), target)
    assert {path.stem for path in target.glob("*.ipynb")} == names
    assert (target / "answer.txt").read_text() == "- an answer"
    assert (target / "abstract.html").read_text() == "<b>a picture</b>"
    assert "a banner" in (target / "banner.json").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"_build", "chapters"}


def test_each_profile_has_pages_of_its_own(mine):
    """What Sphinx reads holds no chapter of another profile, whatever was built or is being built beside it."""
    pages = render.source(mine, "a banner", {}, FirstPage("", ""))
    assert pages.parent == mine
    assert {path.stem for path in (pages / "book/chapters").glob("*.ipynb")} == set(executed())
    assert all((pages / f"{page}.md").is_file() for page in chapters.pages() if not page.startswith(chapters.EXECUTED))
    assert (pages / "_config.yml").read_text() == (ROOT / "_config.yml").read_text()


def test_no_page_links_a_chapter_that_is_left_out(mine):
    """Of each notebook and page of the book, as they stand."""
    extra = dict.fromkeys(("which_game", "beyond_convolutions"), "")
    for name in executed():
        text = (ROOT / f"notebooks/{name}.py").read_text(encoding="utf-8")
        (mine / f"chapters/{name}.ipynb").write_text(json.dumps({"source": text}))
    linked = {f"{name}.ipynb" for name in ("results", "related_work")} | {"intro.md"}
    pages = render.source(mine, "a banner", extra, FirstPage("", ""))
    files = [*pages.rglob("*.ipynb"), *(pages / "book/pages").rglob("*.md")]
    assert linked <= {path.name for path in files}
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\]\([^)]*(which_game|beyond_convolutions)|\{doc\}`[^`]*(which_game|beyond)", text), path
        if path.suffix == ".ipynb":
            assert json.loads(text)
    assert "which_game" not in (pages / "_toc.yml").read_text()
    assert not {"which_game.ipynb", "beyond_convolutions.ipynb"} & {path.name for path in files}


def test_git_ignores_the_pages():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for folder in (render.TARGET, render.TARGET.with_name(render.FRESH)):
        assert f"/{folder.relative_to(ROOT).as_posix()}/" in ignored
