"""What every stage takes: how many threads, which device, which seed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def progress() -> bool:
    """Show bars: standard error is a terminal."""
    return sys.stderr.isatty()


def add_table(parser: argparse.ArgumentParser, what: str, table: Mapping[str, ModuleType]) -> None:
    """Add one sub-command for each name in `table`, of which options.`what` names the chosen one.

    A module says in the first line of its docstring what it makes, and has `add_arguments(parser)` and `run(options)`.
    """
    commands = parser.add_subparsers(dest=what, required=True, metavar=what.upper())
    for name, module in table.items():
        text = module.__doc__ or ""
        command = commands.add_parser(name, help=text.partition("\n")[0], description=text)
        module.add_arguments(command)


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add --seed, --threads and --device."""
    parser.add_argument("--seed", type=int, default=0, help="of everything drawn at random (default: 0)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; they change float results (default: 1)")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="auto is the best there is (default: cpu)")


def add_recipe(parser: argparse.ArgumentParser, kind: type) -> None:
    """Add one option for each field of a dataclass with defaults, but its seed; its docstring says what they are."""
    text = (kind.__doc__ or "").partition("Attributes:\n")[2].partition(">>>")[0]
    group = parser.add_argument_group("recipe", text)
    for field in fields(kind):
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        elif field.name != "seed":
            group.add_argument(flag, type=type(field.default), default=field.default, metavar="X")


def recipe_of(options: argparse.Namespace, kind: type) -> dict[str, Any]:
    """What the command line says of the fields of `kind`, its seed included."""
    return {field.name: getattr(options, field.name) for field in fields(kind)}


def add_inputs(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add one required file argument for each name, --out among them."""
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=INPUTS[name])


INPUTS = {
    "faces": "faces.safetensors of `prepare faces`",
    "quadruplets": "quadruplets.safetensors of `prepare faces`",
    "weights": "weights.safetensors of `train`",
    "trials": "the JSON of `verify`",
    "maps": "the maps of `maps`",
    "out": "where the result goes",
}


def device_of(options: argparse.Namespace) -> torch.device:
    """Set the number of threads and return the device; ValueError where this machine has no such device.

    >>> device_of(argparse.Namespace(threads=1, device="cpu"))
    device(type='cpu')
    """
    torch.set_num_threads(options.threads)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    name = options.device
    if name == "auto":
        name = next(best for best in ("cuda", "mps", "cpu") if there[best])
    if not there[name]:
        raise ValueError(f"this machine has no {name} device for PyTorch; use --device auto or --device cpu")
    return torch.device(name)
