"""The command line: python -m gweebp STAGE ..., the steps from faces to game results, one file in, one file out.

    prepare   `prepare faces`: a set of faces and the candidate quadruplets of the inpainting game; its other steps
              make aligned faces and quadruplets from photos and sketches
    train     a network on it
    verify    its threshold, its ranks, and the triplets and quadruplets that the games are played on
    maps      saliency maps of some methods
    play      both games on those maps
    sanity    how similar maps stay when the network, or the question, is made random

Each stage writes its output whole or not at all, with a record of how it was made. `python -m gweebp STAGE --help`
lists what a stage takes; the book's workflow calls nothing else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gweebp.stages import maps, play, prepare, sanity, train, verify
from gweebp.stages.common import add_table

STAGES = {"prepare": prepare, "train": train, "verify": verify, "maps": maps, "play": play, "sanity": sanity}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; 1 and a message on standard error where its input can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m gweebp", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_table(parser, "stage", STAGES)
    options = parser.parse_args(arguments)
    try:
        STAGES[options.stage].run(options)
    except (
        ValueError,
        OSError,
        FloatingPointError,
    ) as error:  # bad input; anything else is our mistake and shows its traceback
        command = " ".join([options.stage, *([options.step] if "step" in options else [])])
        print(f"error: {command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
