"""Which regions of a probe made a face network choose its mate; and the book that puts such maps to the test.

For images of your own:

    explain   one annotated picture and one sentence for a probe, its mate and a non-mate, or for a table of them

The book's stages, from faces to game results:

    prepare   `prepare faces`: a set of faces and the candidate quadruplets of the inpainting game; its other steps
              make aligned faces and quadruplets from photos and sketches
    train     a network on it
    verify    its threshold, its ranks, and the triplets and quadruplets that the games are played on
    maps      saliency maps of some methods
    play      both games on those maps
    sanity    how similar maps stay when the network, or the question, is made random
    study     one piece of the study on which the verdicts rest (`make study` runs them all)

`gweebp COMMAND --help` lists what a command takes. Every file is written whole or not at all, with a record of how it
was made. Exit status: 0 done; 1 something could not be used, and standard error says what; 2 a wrong call; 130
interrupted.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

STAGES = ("explain", "prepare", "train", "verify", "maps", "play", "sanity", "study")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1 and a message on standard error where its input can't be used."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # only the module of the command that is run is imported: the others' libraries may not be installed
    named = next((word for word in given if word in STAGES), "")
    options = argparse.Namespace()
    if given and not named and (near := difflib.get_close_matches(given[0], STAGES, n=1)):
        print(f"error: unknown command {given[0]!r}; did you mean {near[0]!r}?", file=sys.stderr)
        return 2
    try:
        whole = parser(named)
        for word in given:
            if word.startswith("--") and word.endswith("=--"):  # argparse takes it for a value that is an empty list
                whole.error(f"argument {word[:-3]}: expected a value, got '--'")
        whole.parse_args(given, options)
        return import_module(f"gweebp.commands.{named}").run(options) or 0
    # bad input, or a library that is not installed; anything else is our mistake and shows its traceback
    except (ValueError, OSError, FloatingPointError, ModuleNotFoundError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):  # PyTorch has no class for it on the CPU
            raise
        command = f"{named} {options.step}" if "step" in options else named
        lacks = isinstance(error, (MemoryError, RuntimeError))
        said = (
            f"not enough memory for this: fewer or smaller images or a smaller batch take less ({error})"
            if lacks
            else error
        )
        print(f"error: {command}: {' '.join(str(said).splitlines())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: every file that was written is whole", file=sys.stderr)
        return 130


def parser(named: str) -> argparse.ArgumentParser:
    """The parser of the whole command line, with what the command `named` takes."""
    program = "python -m gweebp" if Path(sys.argv[0]).stem == "__main__" else "gweebp"
    layout = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(prog=program, description=__doc__, formatter_class=layout)
    commands = whole.add_subparsers(dest="stage", required=True, metavar="COMMAND")
    for name in STAGES:
        command = commands.add_parser(name, formatter_class=layout)
        if name == named:
            module = import_module(f"gweebp.commands.{name}")
            command.description = module.__doc__
            module.add_arguments(command)
    return whole


if __name__ == "__main__":
    sys.exit(main())
