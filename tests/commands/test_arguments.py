"""Every argument of every stage refuses what can't be meant: exit status 2, and a message that names the flag."""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import math
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gweebp.__main__ import STAGES, main, parser
from gweebp.commands.arguments import (
    Distinct,
    Number,
    to_json,
    to_label,
    to_method,
    to_name,
    to_note,
    to_options,
    to_path,
)
from gweebp.commands.prepare.tools import to_fill
from gweebp.support.ranges import Range

pytestmark = pytest.mark.promise("errors: an argument out of its range is refused by its name")


def walked(command: list[str], found: argparse.ArgumentParser) -> Iterator[tuple[list[str], argparse.Action]]:
    """Every argument of a command and of its sub-commands."""
    for action in found._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                if not command or sub is not None:
                    yield from walked([*command, name], sub)
        elif not isinstance(action, argparse._HelpAction):
            yield command, action


ARGUMENTS = [
    (command, action)
    for stage in STAGES
    if stage != "explain"
    for command, action in walked([], parser(stage))
    if command[0] == stage
]
NUMBERS = [pair for pair in ARGUMENTS if isinstance(pair[1].type, Number)]

JUNK = [
    "",
    " ",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "1e400",
    "-1e400",
    "²",
    "１",
    "1_0",
    "0x10",
    "1,5",
    "one",
    "--",
    "1 2",
    "9" * 5000,
]
NUMERIC = st.one_of(
    st.sampled_from(JUNK),
    st.integers().map(str),
    st.floats().map(repr),
    st.sampled_from(["-1", "0", "0.5", "3e9"]),
    st.text(max_size=6),
)
NOT_PATHS = st.one_of(st.sampled_from(["", " ", "\t"]), st.text(max_size=5).map(lambda text: f"{text}\0"))
NOT_LABELS = st.one_of(NOT_PATHS, st.just("a\nb"), st.integers(101, 300).map(lambda n: "x" * n))
NOT_NAMES = st.one_of(NOT_LABELS, st.sampled_from([".", "..", "a/b", "../a", "a b", "-a", "a;b", "a'b", "<b>", "$a"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda x: st.lists(x, max_size=2), max_leaves=4
)
NOT_JSON = st.one_of(
    st.sampled_from(
        ["", "{", "{'a': 1}", '{"a": NaN}', '{"a": -Infinity}', '{"a": {}, "a": {}}', "[" * 9999, "nan", "ü"]
    ),
    VALUES.map(json.dumps),
)
NOT_OPTIONS = st.one_of(NOT_JSON, VALUES.map(lambda value: json.dumps({"gweebp": value})))
REFUSED = {
    to_path: NOT_PATHS,
    to_fill: NOT_PATHS,
    to_label: NOT_LABELS,
    to_note: NOT_LABELS.filter(bool),
    to_method: st.one_of(NOT_LABELS, st.sampled_from(["a/b", "/"])),
    to_name: NOT_NAMES,
    to_json: NOT_JSON,
    to_options: NOT_OPTIONS,
}


@pytest.fixture(autouse=True, scope="module")
def once():
    """Build each parser once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gweebp.__main__.parser", functools.cache(parser))
        yield


def is_one(text: str, allowed: Range) -> bool:
    """Whether the text is a number of the range, by a reading of its own."""
    if allowed.whole and not re.fullmatch("[+-]?[0-9]{1,4000}", text, re.ASCII):
        return False
    try:
        value = int(text) if allowed.whole else float(text)
        if not math.isfinite(value):
            return False
    except (ValueError, OverflowError):
        return False
    return (allowed.low < value or (value == allowed.low and not allowed.above)) and (
        value < allowed.high or (value == allowed.high and not allowed.below)
    )


def refused_by(action: argparse.Action) -> st.SearchStrategy[str]:
    """Texts that an argument must refuse."""
    if action.choices is not None:
        return st.text(max_size=8).filter(lambda text: text not in action.choices)
    if action.nargs == 0:
        return st.text(max_size=8)
    if isinstance(action.type, Number):
        allowed = action.type.allowed
        return NUMERIC.filter(lambda text: not is_one(text, allowed))
    return REFUSED[action.type]


@pytest.mark.parametrize(
    ("command", "action"), ARGUMENTS, ids=[f"{' '.join(c)} {a.option_strings[0]}" for c, a in ARGUMENTS]
)
@settings(max_examples=15)
@given(data=st.data())
def test_what_cannot_be_meant_is_refused(command, action, data):
    bad = data.draw(refused_by(action))
    with contextlib.redirect_stderr(io.StringIO()) as said, pytest.raises(SystemExit) as done:
        main([*command, f"{action.option_strings[0]}={bad}"])
    assert done.value.code == 2
    (refusal,) = re.findall(f"error: argument {action.option_strings[0]}.*", said.getvalue(), re.S)
    assert action.nargs == 0 or re.search("expected|invalid choice", refusal)


@pytest.mark.parametrize(
    ("command", "action"), NUMBERS, ids=[f"{' '.join(c)} {a.option_strings[0]}" for c, a in NUMBERS]
)
@settings(max_examples=15)
@given(text=NUMERIC)
def test_a_number_of_the_range_is_taken(command, action, text):
    if is_one(text, action.type.allowed):
        assert action.type(text) == float(text)
    assert action.default is None or action.default in action.type.allowed


def test_lists_hold_each_value_once():
    lists = [(command, action) for command, action in ARGUMENTS if action.nargs == "+"]
    assert len(lists) >= 5
    assert all(isinstance(action, Distinct) for _, action in lists)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("maps --methods ebp gweebp ebp", "argument --methods: ebp is given twice"),
        ("prepare inpaint --parts nose nose", "argument --parts: nose is given twice"),
        ("verify --fpr 0.1 --threshold 1", "not allowed with argument --fpr"),
        ("train --negatives some", "invalid choice: 'some' (choose from"),
    ],
)
def test_what_does_not_go_together(line, message, capsys):
    with pytest.raises(SystemExit) as done:
        main(line.split())
    assert done.value.code == 2
    assert message in capsys.readouterr().err
