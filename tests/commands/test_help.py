"""`--help` says of every argument what it is, and what it is where it is left out."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gweebp.__main__ import STAGES, parser


def arguments(command: str, found: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Every argument of a command and of its sub-commands."""
    for action in found._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from arguments(f"{command} {name}", sub)
        elif not isinstance(action, argparse._HelpAction):
            yield command, action


def command(stage: str) -> argparse.ArgumentParser:
    (commands,) = (a for a in parser(stage)._actions if isinstance(a, argparse._SubParsersAction))
    return commands.choices[stage]


ALL = [pair for stage in STAGES for pair in arguments(stage, command(stage))]
NAMES = [f"{name} {max(action.option_strings, default=action.dest)}" for name, action in ALL]


EXTRAS = ("scipy", "cv2", "dlib", "matplotlib", "torchvision", "pandas", "seaborn", "psutil", "face_recognition_models")
ASKS = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[2].split(), None))
from gweebp.__main__ import main
for line in sys.argv[1].split(","):
    try:
        status = main([*line.split(), "--help"])
    except SystemExit as end:
        status = end.code
    if status:
        sys.exit(f"{line} --help ended with {status}")
"""


def test_help_needs_no_extra():
    """Who has installed no extra is told what a command takes, and which steps do without."""
    lines = sorted({name for name, _ in ALL})
    command = [sys.executable, "-c", ASKS, ",".join(lines), " ".join(EXTRAS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"explain", "prepare faces", "study play"} <= set(lines) and done.stdout.count("usage:") == len(lines)


@pytest.mark.parametrize(("name", "action"), ALL, ids=NAMES)
def test_an_argument_says_what_it_is(name, action):
    text = action.help or ""
    assert len(text.split(", default")[0].split("(default")[0].split()) >= 2, f"{name}: {text!r} says too little"
    if action.default not in (None, [], {}, "", argparse.SUPPRESS) and not isinstance(
        action, argparse._StoreTrueAction
    ):
        assert "(default: " in text, f"{name}: {text!r} does not say the default"


@pytest.mark.parametrize(("name", "action"), ALL, ids=NAMES)
def test_the_default_that_is_said_is_the_default(name, action):
    said = (action.help or "").rpartition("(default: ")[2].removesuffix(")")
    value = action.default
    if isinstance(value, (bool, int, float)) and not isinstance(action, argparse._StoreTrueAction):
        assert said == (("no", "yes")[value] if isinstance(value, bool) else str(value))


def test_all_commands_are_looked_at():
    assert {name.split()[0] for name, _ in ALL} == set(STAGES)
    assert len(ALL) > 150
