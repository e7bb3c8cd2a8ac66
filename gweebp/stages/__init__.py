"""The stages of the command line, one file each: `add_arguments(parser)` says what it takes, `run(options)` does it."""

from gweebp.stages import maps, play, prepare, train, verify

__all__ = ["STAGES"]

STAGES = {"prepare": prepare, "train": train, "verify": verify, "maps": maps, "play": play}
