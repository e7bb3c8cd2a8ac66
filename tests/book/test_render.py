"""Pages on their way into the book: whole or not at all, and nothing of them where git would take it."""

import pytest
import render
from chapters import ROOT, executed


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "TARGET", tmp_path / "chapters")
    monkeypatch.setattr(render, "FRESH", tmp_path / ".chapters.new")
    build = tmp_path / "_build/mine"
    (build / "chapters").mkdir(parents=True)
    for name in executed():
        (build / f"chapters/{name}.ipynb").write_text(name)
    return build


def test_chapters_are_replaced_whole_or_not_at_all(places, tmp_path):
    render.copy_chapters(places, "a banner", {}, "- an answer")
    names = {path.stem for path in (tmp_path / "chapters").glob("*.ipynb")}
    assert names == set(executed())
    (places / "chapters/gallery.ipynb").unlink()
    with pytest.raises(FileNotFoundError, match=r"gallery\.ipynb"):
        render.copy_chapters(places, "another", {}, "")
    assert {path.stem for path in (tmp_path / "chapters").glob("*.ipynb")} == names
    assert (tmp_path / "chapters/answer.txt").read_text() == "- an answer"
    assert "a banner" in (tmp_path / "chapters/banner.json").read_text()
    assert not (tmp_path / ".chapters.new").exists()


def test_git_ignores_the_pages():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for folder in (render.TARGET, render.FRESH):
        assert f"/{folder.relative_to(ROOT).as_posix()}/" in ignored
