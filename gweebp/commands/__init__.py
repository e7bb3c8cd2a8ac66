"""The stages of the command line, one file each: `add_arguments(parser)` says what it takes, `run(options)` does it."""
