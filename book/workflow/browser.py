"""Chromium without a window: what `make pdf` prints with, and what the tests of the pages look through."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
QUIET = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
)


class NoBrowserError(Exception):
    """No Chromium on this machine; the message says how to get one."""


def chromium() -> str:
    """Path of Chromium or Chrome: the one that the environment names in CHROMIUM, or the first that is found."""
    named = os.environ.get("CHROMIUM", "")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, (*NAMES, *MAC))), None)
    if found is None:
        what = f"CHROMIUM={named} is no program" if named else "no Chromium or Chrome on this machine"
        raise NoBrowserError(
            f"{what}: install one (on Debian and Ubuntu: apt install chromium), or say where it is, CHROMIUM=path"
        )
    return found


@contextmanager
def opened() -> Iterator[Browser]:
    """A browser that reads pages from disk and asks nobody for anything.

    Raises:
        NoBrowserError: there is none; or playwright, which drives it, is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowserError("the package playwright is missing: pip install 'gweebp[book]'") from None
    path = chromium()
    with sync_playwright() as driver:
        root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox refuses to run as root
        browser = driver.chromium.launch(executable_path=path, args=[*QUIET, *(["--no-sandbox"] if root else [])])
        try:
            yield browser
        finally:
            browser.close()
