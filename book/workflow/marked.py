"""The part of a page that a program writes: what lies between two marks."""

from __future__ import annotations


def filled(text: str, start: str, block: str, end: str, page: str) -> str:
    """The text with `block` between the marks, in lines of its own.

    Args:
        text: of the page. start, end: the marks. block: what is to lie between them. page: its name, for errors.

    Raises:
        ValueError: a mark is missing.

    >>> filled("a\\n<!-- b -->\\nold\\n<!-- e -->\\nc", "<!-- b -->", "new", "<!-- e -->", "the page").splitlines()
    ['a', '<!-- b -->', 'new', '<!-- e -->', 'c']
    """
    before, found, rest = text.partition(start)
    _, last, after = rest.partition(end)
    if not found or not last:
        raise ValueError(f"{page} lacks the line {start if not found else end}")
    return f"{before}{start}\n{block}\n{end}{after}"
