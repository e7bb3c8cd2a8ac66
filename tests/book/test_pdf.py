"""What `make pdf` says where something is missing; tests/test_browser.py prints."""

import pytest
from browser import NoBrowserError, chromium
from pdf import main


def test_without_a_browser_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    assert main(["--build", "_build/none"]) == 1
    assert "CHROMIUM=/nowhere/chromium is no program: install one (on Debian and Ubuntu: apt install chromium)" in (
        capsys.readouterr().err
    )


def test_a_machine_without_any_browser_is_told_so(monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NoBrowserError, match="no Chromium or Chrome on this machine"):
        chromium()


def test_a_book_that_is_not_built_is_named(monkeypatch, capsys):
    monkeypatch.setattr("pdf.chromium", lambda: "chromium")
    assert main(["--build", "_build/none"]) == 1
    assert "none is not built: run `make book PROFILE=none`" in capsys.readouterr().err
