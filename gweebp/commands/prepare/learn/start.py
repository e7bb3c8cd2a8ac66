"""What a learner starts from: a network of the size that was asked for, or one that has learned already."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from torch import nn

from gweebp.commands.arguments import to_path
from gweebp.commands.common import add_optional
from gweebp.support import files
from gweebp.support.ranges import Range
from gweebp.support.rests_on import digest

__all__ = ["add_start", "made_by", "start"]

Net = TypeVar("Net", bound=nn.Module)


def add_start(parser: argparse.ArgumentParser, **shape: tuple[Range, object, str]) -> None:
    """Add --init, and an option for each number of a new network's shape: what it may be, its default, its meaning."""
    parser.add_argument(
        "--init",
        type=to_path,
        metavar="FILE",
        help="weights of `prepare learn` to continue from; they set the network's shape",
    )
    parser.set_defaults(shape={name: default for name, (_, default, _) in shape.items()})
    add_optional(
        parser, **{name: (may, f"{text} (default: {default})") for name, (may, default, text) in shape.items()}
    )


def made_by(options: argparse.Namespace) -> dict[str, object]:
    """For the record: the stage, and the files that the network rests on."""
    given = {name: vars(options).get(name) for name in ("init", "parser")}
    rests_on = {name: digest(path) for name, path in given.items() if path is not None}
    return {"stage": f"prepare learn {options.learner}", "rests_on": rests_on}


def start(options: argparse.Namespace, build: Callable[..., Net], load: Callable[[Path], Net]) -> tuple[Net, str]:
    """The network, and the SHA-256 of the weights that it comes with, "" of a new one; sets options.size.

    Raises:
        ValueError: --init and a shape that is not its own.
    """
    asked = {name: getattr(options, name) for name in options.shape}
    if options.init is None:
        shape = {name: default if asked[name] is None else asked[name] for name, default in options.shape.items()}
        net, origin = build(**shape, seed=options.seed), ""
    else:
        net, origin = load(options.init), files.sha256(options.init)
        shape = cast(dict[str, object], net.config)
        for name, value in asked.items():
            if value not in (None, shape[name]):
                raise ValueError(
                    f"--{name} {value}: the network in {options.init} is of {name} {shape[name]}; "
                    f"leave out --{name}, or --init to train a new one"
                )
    options.size = shape["size"]
    return net, origin
