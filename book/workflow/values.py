"""What the values of a profile may be: what the arguments of the stages may be, and names that can be parts of paths.

The profile's numbers become arguments of `python -m gweebp`, and are judged by its own parsers: what a stage would
refuse after an hour of building is refused at once, by its place in the profile.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jupytext
from chapters import ROOT, captions, executed
from parameters import ChapterError, convert, defaults
from profiles import LEARNERS

from gweebp.__main__ import parser
from gweebp.commands.arguments import Number, to_method, to_name
from gweebp.commands.maps import variant
from gweebp.networks import NETWORKS
from gweebp.support.ranges import COUNT, SHARE, Range, whole

__all__ = ["wrong_names", "wrong_values"]

# what is no argument of a stage
MORE = {"cores": whole(1, 4096), "replicates/seeds": whole(1, 1000), "sanity/steps": COUNT, "fpr": SHARE}


def wrong_names(profile: Mapping[str, Any]) -> Iterator[str]:
    """Names that can't be parts of paths, sections and lists without any, and values that are named twice."""
    groups, further = profile["maps"]["groups"], profile["further"]
    sections = {"datasets": profile["datasets"], "networks": profile["networks"], "maps/groups": groups}
    sections |= {f"further/{key}": further[key] for key in ("networks", "groups")}
    for place, names in sections.items():
        if not names:
            yield f"{place} is empty: expected at least one"
        for name in names:
            try:
                to_name(name)
            except argparse.ArgumentTypeError as error:
                yield f"{place}: {error}"
    for place, names in (("networks", profile["networks"]), ("further/networks", further["networks"])):
        for name in names.keys() - NETWORKS.keys():
            yield f"{place}: unknown {name!r}{_near(name, NETWORKS)}"
    lists = {"report": profile["report"], "maps/groups": [m for group in groups.values() for m in group]}
    lists |= {f"replicates/{key}": profile["replicates"][key] for key in ("networks", "datasets", "groups")}
    lists |= {"sanity/methods": profile["sanity"]["methods"], "further/datasets": further["datasets"]}
    lists |= {"further/groups": [m for group in further["groups"].values() for m in group]}
    for place, values in lists.items():
        if not values and not place.startswith("replicates"):
            yield f"{place} is empty: expected at least one name"
        for value in values:
            if not isinstance(value, str):
                yield f"{place}: expected names, got {value!r}"
            elif values.count(value) > 1:
                yield f"{place} names {value!r} twice"


def wrong_values(profile: Mapping[str, Any]) -> Iterator[str]:
    """Values that no stage, method or chapter takes, each with its place. The names must be right."""
    sections = [("", profile, "train"), ("maps", profile["maps"], "maps"), ("games", profile["games"], "play")]
    sections += [("sanity", profile["sanity"], "sanity"), ("replicates", profile["replicates"], "train")]
    sections += [(f"datasets/{name}", values, "prepare faces") for name, values in profile["datasets"].items()]
    for place, networks in (("networks", profile["networks"]), ("further/networks", profile["further"]["networks"])):
        sections += [(f"{place}/{name}", values, "train") for name, values in networks.items()]
    for dataset, networks in profile["training"].items():
        sections += [(f"training/{dataset}/{name}", values, "train") for name, values in networks.items()]
    for place, values, command in sections:
        for key, value in values.items():
            at = f"{place}/{key}" if place else key
            more = MORE.get(at) or (MORE.get(key) if place else None)
            why = _misfit(value, more or arguments(command).get(key))
            if why:
                yield f"{at}: {why}"
    yield from _inventors(profile["invention"])
    yield from _methods(profile)
    yield from _chapters(profile)


@cache
def arguments(command: str) -> dict[str, argparse.Action]:
    """Name -> argument of a stage.

    >>> sorted(arguments("sanity").keys() & {"samples", "methods", "steps"})
    ['methods', 'samples']
    """
    found, words = parser(command.partition(" ")[0]), command.split()
    for word in words:
        (table,) = (action for action in found._actions if isinstance(action, argparse._SubParsersAction))
        found = table.choices[word]
    return {action.dest: action for action in found._actions}


def _misfit(value: Any, may: argparse.Action | Range | None) -> str:
    """Why an argument can't have this value; "" where it can, and where nothing is known."""
    if may is None or isinstance(value, Mapping) or value == "":  # "": not given
        return ""
    if isinstance(may, Range):
        return "" if value in may else f"expected {may}, got {value!r}"
    if isinstance(may.type, Number):
        return _misfit(value, may.type.allowed)
    if may.nargs == 0:
        return "" if isinstance(value, bool) else f"expected true or false, got {value!r}"
    for one in value if isinstance(value, list) else [value]:
        if may.choices is not None and one not in may.choices:
            return f"expected one of {', '.join(map(str, may.choices))}, got {one!r}"
        try:
            if may.type is not None:
                may.type(str(one))
        except argparse.ArgumentTypeError as error:
            return str(error)
    return ""


def _inventors(invention: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the networks that invent face parts."""
    for name, values in invention.items():
        if name == "parser":
            if not isinstance(values, str):
                yield f"invention/parser: expected the name of a file, got {values!r}"
        elif name in LEARNERS:
            known = arguments(f"prepare learn {name}")
            if not isinstance(values, Mapping):
                yield f"invention/{name}: expected options of `prepare learn {name}`, got {values!r}"
                continue
            for key, value in values.items():
                why = _misfit(value, known[key]) if key in known else f"unknown option{_near(key, known)}"
                if why:
                    yield f"invention/{name}/{key}: {why}"


def _methods(profile: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the groups of methods and their options."""
    maps, options = profile["maps"], profile["maps"]["options"]
    places = {"maps/groups": maps["groups"], "further/groups": profile["further"]["groups"]}
    named = {name: f"{p}/{g}" for p, groups in places.items() for g, names in groups.items() for name in names}
    named = dict.fromkeys(profile["sanity"]["methods"], "sanity/methods") | named
    for name in options.keys() - named.keys():
        yield f"maps/options: {name!r} is in no group of methods{_near(name, named)}"
    for name, place in named.items():
        own = options.get(name, {})
        if not isinstance(own, Mapping):
            yield f"maps/options/{name}: expected options of the method, got {own!r}"
            continue
        try:
            variant(to_method(name), dict(own))
        except (argparse.ArgumentTypeError, ValueError) as error:
            yield f"{place}: {error}"


def _chapters(profile: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the parameters of chapters, and with further chapters."""
    there = {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    further, parts = profile["extra_chapters"], captions()
    for name, caption in further.items():
        if name not in there:
            yield f"extra_chapters: no notebook {name!r}{_near(name, there)}"
        elif name in executed():
            yield f"extra_chapters: {name!r} is in every book"
        if caption not in parts:
            yield f"extra_chapters/{name}: no part {caption!r} of the book; there are: {', '.join(parts)}"
    for name, values in profile["chapters"].items():
        if name not in {*executed(), *(further.keys() & there)}:
            yield f"chapters: no chapter {name!r}{_near(name, executed())}"
        elif not isinstance(values, Mapping):
            yield f"chapters/{name}: expected parameters of the chapter, got {values!r}"
        else:
            yield from _parameters(name, values)


def _parameters(chapter: str, values: Mapping[str, Any]) -> Iterator[str]:
    known = defaults(jupytext.read(ROOT / "notebooks" / f"{chapter}.py"))
    for key, value in values.items():
        if key not in known:
            yield f"chapters/{chapter}: no parameter {key!r}{_near(key, known)}"
            continue
        try:
            convert(key, str(value), known[key])
        except ChapterError as error:
            yield f"chapters/{chapter}: {error}"


def _near(name: object, known: Any) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else f"; known: {', '.join(sorted(known))}"
