"""What every stage takes: how many threads, which device, which seed, which files."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import fields
from types import ModuleType
from typing import Any

import torch

from gweebp.commands.arguments import Distinct, Number, to_method, to_options, to_path
from gweebp.support.ranges import SEED, THREADS, Allowed, Range

DEVICES = ("auto", "cpu", "cuda", "mps")


def progress() -> bool:
    """Show bars: standard error is a terminal."""
    return sys.stderr.isatty()


def add_table(parser: argparse.ArgumentParser, what: str, table: Mapping[str, ModuleType]) -> None:
    """Add one sub-command for each name in `table`, of which options.`what` names the chosen one.

    A module says in the first line of its docstring what it makes, and has `add_arguments(parser)` and `run(options)`.
    """
    commands = parser.add_subparsers(dest=what, required=True, metavar=what.upper())
    for one, module in table.items():
        text = module.__doc__ or ""
        command = commands.add_parser(one, help=text.partition("\n")[0], description=text)
        module.add_arguments(command)


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add --seed, --threads and --device."""
    add_numbers(
        parser,
        seed=(SEED, 0, "random seed"),
        threads=(THREADS, 1, "CPU threads; their number changes the last digits of results"),
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="cpu",
        help="where to compute; auto takes the best device of this machine (default: cpu)",
    )


def add_numbers(parser: argparse._ActionsContainer, **numbers: tuple[Range, float | int | None, str]) -> None:
    """Add an option for each number: what it may be, its default (None: it is required), what it means."""
    for flag, (allowed, default, text) in numbers.items():
        text += f", {allowed.bounds}" + ("" if default is None else f" (default: {default})")
        parser.add_argument(
            f"--{flag.replace('_', '-')}", type=Number(allowed), default=default, required=default is None,
            metavar="N" if allowed.whole else "X", help=text,
        )  # fmt: skip


def add_optional(parser: argparse._ActionsContainer, **numbers: tuple[Range, str]) -> None:
    """Add an option for each number that may be left out, without a default: what it may be, what it means."""
    for flag, (allowed, text) in numbers.items():
        metavar = "N" if allowed.whole else "X"
        parser.add_argument(f"--{flag}", type=Number(allowed), metavar=metavar, help=f"{text}, {allowed.bounds}")


def add_recipe(parser: argparse.ArgumentParser, kind: type) -> None:
    """Add one option for each field of a dataclass with defaults, except its seed.

    Its docstring has an entry "name: text" for each field; its RANGES are the numbers and words that a field may have.
    """
    ranges: Mapping[str, Allowed] = getattr(kind, "RANGES", {})
    texts = attributes(kind)
    group = parser.add_argument_group("recipe")
    for field in fields(kind):
        if field.name == "seed":
            continue
        flag, text, may = "--" + field.name.replace("_", "-"), texts[field.name], ranges.get(field.name)
        how: dict[str, Any] = {"choices": may}
        if isinstance(field.default, bool):
            how = {"action": argparse.BooleanOptionalAction}
            text += f" (default: {'yes' if field.default else 'no'})"
        elif isinstance(may, Range):
            how = {"type": Number(may), "metavar": "N" if may.whole else "X"}
            text += f", {may.bounds} (default: {field.default})"
        else:
            text += f" (default: {field.default})"
        group.add_argument(flag, default=field.default, help=text.replace("%", "%%"), **how)


def attributes(kind: type) -> dict[str, str]:
    """Name → text of the entries under "Attributes:" in the docstring of a class, without the final dot.

    >>> class Recipe:
    ...     \"\"\"Numbers.
    ...
    ...     Attributes:
    ...         steps: of the optimiser,
    ...             one batch each.
    ...     \"\"\"
    >>> attributes(Recipe)
    {'steps': 'of the optimiser, one batch each'}
    """
    section = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.split(r"^    (?=\w+: )", section, flags=re.M)[1:]
    pairs = (" ".join(entry.split()).removesuffix(".").partition(": ") for entry in entries)
    return {name: text for name, _, text in pairs}


def recipe_of(options: argparse.Namespace, kind: type) -> dict[str, Any]:
    """What the command line says of the fields of `kind`, its seed included."""
    return {field.name: getattr(options, field.name) for field in fields(kind)}


def add_inputs(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add one required file argument for each name, --out among them."""
    for one in names:
        parser.add_argument(f"--{one}", type=to_path, required=True, metavar="FILE", help=INPUTS[one])


def add_methods(parser: argparse.ArgumentParser) -> None:
    """Add --methods and --options."""
    text = "names in gweebp.METHODS, or names of variants that --options defines"
    parser.add_argument(
        "--methods", nargs="+", type=to_method, action=Distinct, required=True, metavar="NAME", help=text
    )
    parser.add_argument(
        "--options",
        type=to_options,
        default={},
        metavar="JSON",
        help='options of methods, such as {"corrrise": {"masks": 500}}; an entry with "method" defines a variant under '
        'a new name, such as {"few": {"method": "corrrise", "estimate": "controlled", "tolerance": 0.14}}',
    )


INPUTS = {
    "faces": "faces.safetensors of `prepare faces`",
    "quadruplets": "quadruplets.safetensors of `prepare faces`",
    "weights": "weights.safetensors of `train`",
    "trials": "the JSON of `verify`",
    "maps": "the file of `maps`",
    "out": "the file to write",
}


def device_of(options: argparse.Namespace) -> torch.device:
    """Set the number of threads and return the device; ValueError where this machine has no such device.

    >>> device_of(argparse.Namespace(threads=1, device="cpu"))
    device(type='cpu')
    """
    torch.set_num_threads(options.threads)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    chosen = options.device
    if chosen == "auto":
        chosen = next(best for best in ("cuda", "mps", "cpu") if there[best])
    if not there[chosen]:
        raise ValueError(f"this machine has no {chosen} device for PyTorch; use --device auto or --device cpu")
    return torch.device(chosen)
