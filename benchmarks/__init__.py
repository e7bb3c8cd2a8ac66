"""How fast it is, in one run on the machine at hand: `make bench`, or `python -m benchmarks --help`."""
