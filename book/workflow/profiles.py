"""Profiles: the numbers of one build of the book, as YAML. A profile changes values, never what is done with them."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from gweebp import METHODS
from gweebp.commands.arguments import to_name
from gweebp.experiment.training_seeds import name_of
from gweebp.faces.preparation.pairs import landmarks_of

FOLDER = Path(__file__).parents[1] / "profiles"
# the entries below these are named by the profile; each must have the keys that the reference's entries have
NAMED = ("datasets", "networks", "training", "training/*", "maps/*", "further/*")
# what is below is checked by the method, chapter or command itself
FREE = ("maps/options", "chapters", "extra_chapters", "invention")
REFERENCE = "book"
LEARNERS = ("inpainter", "translator")  # networks of a profile's `invention`, each {option of `prepare learn`: value}
DRAWN = ("composite", "drawn")  # kinds of datasets that read no folder of the user's


class ProfileError(Exception):
    """A profile that can't be used; the message says which value and what to do."""


def load(name: str, data: str = "", weights: str = "", called: str = "") -> dict[str, Any]:
    """The profile `name` (in book/profiles, or a path to a YAML file), checked, with the user's paths filled in.

    data: folder of pairs. called: what its set is called in titles and tables; "": with `data`, as its folder, so that
    a set is not judged as the paper's because it is read like it; "cuhk" or "uom-sgfs" says that it is that set.
    weights: published weights of the network that the profile takes as given; without them that network is left out,
    and named in `absent` with the file that is missing.
    """
    import values  # here: it reads all commands, and every job of the workflow imports this file

    profile = read(name)
    _check_place(name)
    for check in (lambda found: differences(found, read(REFERENCE)), values.wrong_names, _unknown, values.wrong_values):
        wrong = list(check(profile))
        if wrong:
            raise ProfileError(f"profile {name}: " + "; ".join(wrong))
    readers = [dataset for dataset in profile["datasets"].values() if dataset["kind"] not in DRAWN]
    if data and not readers:
        raise ProfileError(f"profile {name} reads no data of yours: leave out DATA={data}, or use PROFILE=cuhk")
    for dataset in readers:
        dataset["folder"] = data or dataset["folder"]
        if not os.path.isdir(dataset["folder"]):
            raise ProfileError(
                f"profile {name} reads photos and sketches, and {dataset['folder']} is not a folder: "
                "put them there, or say where they are with DATA=folder"
            )
    if called and not readers:
        raise ProfileError(f"profile {name} reads no data of yours: leave out SET={called}")
    if called or (
        data and any(dataset["kind"] == "pairs" for dataset in readers)
    ):  # other kinds are sets by themselves
        profile = renamed(profile, called or _as_name(data))
    given = {net: shape for net, shape in profile["networks"].items() if shape["weights"]}
    if weights and not given:
        raise ProfileError(f"profile {name} takes no weights of yours: leave out WEIGHTS={weights}")
    for shape in given.values():
        shape["weights"] = weights or shape["weights"]
        if weights and not os.path.isfile(weights):
            raise ProfileError(f"WEIGHTS={weights} is no file")
    absent = {net: shape["weights"] for net, shape in given.items() if not os.path.isfile(shape["weights"])}
    profile["networks"] = {net: shape for net, shape in profile["networks"].items() if net not in absent}
    return profile | {"profile": Path(name).stem, "absent": absent, "extra_chapters": with_content(profile)}


def renamed(profile: dict[str, Any], called: str) -> dict[str, Any]:
    """The profile with the set that it reads from a folder under another name, wherever it is named.

    >>> cuhk = {"kind": "pairs", "pretrain": "drawn"}
    >>> profile = {"datasets": {"drawn": {"kind": "drawn", "pretrain": ""}, "cuhk": cuhk}, "report": ["cuhk"],
    ...            "training": {"drawn": {}, "cuhk": {}}, "replicates": {"datasets": []}, "further": {"datasets": []}}
    >>> found = renamed(profile, "yard")
    >>> list(found["datasets"]), found["report"], list(found["training"])
    (['drawn', 'yard'], ['yard'], ['drawn', 'yard'])
    """
    try:
        to_name(called)
    except argparse.ArgumentTypeError as error:
        raise ProfileError(f"SET={called}: {error}") from None
    (old, *more) = [key for key, dataset in profile["datasets"].items() if dataset["kind"] not in DRAWN]
    if more:
        raise ProfileError(f"the profile reads {1 + len(more)} sets: name them there, and leave out DATA and SET")
    if called != old and (called in profile["datasets"] or called.startswith("synthetic-")):
        raise ProfileError(f"SET={called} is the name of a drawn set: choose another")

    def new(key: str) -> str:
        return called if key == old else key

    datasets = {new(key): value | {"pretrain": new(value["pretrain"])} for key, value in profile["datasets"].items()}
    again = profile["replicates"] | {"datasets": [new(key) for key in profile["replicates"]["datasets"]]}
    training = {new(key): value for key, value in profile["training"].items()}
    further = profile["further"] | {"datasets": [new(key) for key in profile["further"]["datasets"]]}
    named = {"report": [new(key) for key in profile["report"]], "replicates": again, "further": further}
    return profile | {"datasets": datasets, "training": training} | named


def with_content(profile: Mapping[str, Any]) -> dict[str, str]:
    """The further chapters of a profile, {name: part}; "" for each chapter that would have nothing to show.

    >>> with_content(read("book")), with_content(read("smoke"))
    ({}, {'training_seeds': 'Experiment'})
    """
    found = dict(profile["extra_chapters"])
    again = profile["replicates"]
    if again["seeds"] > 1 and again["networks"] and again["datasets"] and again["groups"]:
        found.setdefault("training_seeds", "Experiment")
    else:
        found.pop("training_seeds", None)
    if not any(has_quadruplets(profile["datasets"][name]) for name in profile["report"]):
        found["which_game"] = ""  # it holds both games against the truth, which only quadruplets have
    return found


def has_quadruplets(dataset: Mapping[str, Any]) -> bool:
    """Whether quadruplets of a dataset are made: they are asked for, and landmarks tell the parts of real faces."""
    known = dataset["kind"] in DRAWN or dataset["landmarks"] or landmarks_of(dataset["folder"])
    return bool(dataset["quadruplets"] and known)


def _as_name(folder: str) -> str:
    """The name of a folder, as far as it can be the name of a set.

    >>> _as_name("/data/my sketches (2)/")
    'my-sketches-2'
    """
    return re.sub(r"[^\w.+-]+", "-", Path(os.path.abspath(folder)).name).strip("-.+") or "pairs"


def read(name: str) -> dict[str, Any]:
    """The YAML of a profile as it stands."""
    path = _path(name)
    if not os.path.isfile(path):
        known = sorted(file.stem for file in FOLDER.glob("*.yaml"))
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ProfileError(f"no profile {name!r}{hint} There are: {', '.join(known)}; or name a YAML file of your own")
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Once)
        _check_size(found)
        return found
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, OSError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" in line {place.line + 1}" if place else ""
        why = getattr(error, "problem", None) or (
            str(error) if isinstance(error, ValueError | OSError) else type(error).__name__
        )
        raise ProfileError(f"profile {name} can't be read{line}: {why}") from None


def _path(name: str) -> Path:
    return Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"


def _check_place(name: str) -> None:
    """The folder of the build has the name of the file: it must do for a folder, and not be another profile's."""
    stem = _path(name).stem
    try:
        to_name(stem)
    except argparse.ArgumentTypeError as error:
        raise ProfileError(
            f"profile {name}: {error}; rename the file, its name is that of the folder in _build"
        ) from None
    own = FOLDER / f"{stem}.yaml"
    if own.is_file() and not own.samefile(_path(name)):
        raise ProfileError(
            f"profile {name} would build into _build/{stem}, where the book's own {stem} goes: rename it"
        )


class _Once(yaml.SafeLoader):
    """YAML without a key that is given twice, of which the last would win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                problem = f"the key {key.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


def _check_size(found: Any, most: int = 100_000) -> None:
    """ValueError for values that aliases make too many of, or hold themselves, and for keys that are not text."""
    waiting = [found]
    while waiting:
        value = waiting.pop()
        most -= 1
        if most < 0:
            raise ValueError("it holds more than 100,000 values; an alias may hold itself")
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise ValueError(f"the key {key!r} is a {type(key).__name__}: write it in quotes")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def trainings(profile: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Every training that a profile asks for: its name -> the network, and how far its seed is from the profile's."""
    again = profile["replicates"]
    further = {name_of(net, k): (net, k) for net in again["networks"] for k in range(1, again["seeds"])}
    return {network: (network, 0) for network in shapes(profile)} | further


def shapes(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Every network of a profile: those of all chapters, and the further ones of one chapter."""
    return profile["networks"] | profile["further"]["networks"]


def groups_of(profile: Mapping[str, Any], network: str) -> dict[str, list[str]]:
    """The groups of methods that explain a network, {group: methods}; what reads attention, only where there is any.

    >>> list(groups_of(read("book"), "vit"))[-1], list(groups_of(read("book"), "iresnet18"))
    ('attention', ['kinds'])
    """
    further = profile["further"]
    if network not in further["networks"]:
        return profile["maps"]["groups"]
    attentive = network in further["attentive"]
    return {
        group: methods
        for group, methods in further["groups"].items()
        if attentive or not any(METHODS[m].attention for m in methods if m in METHODS)
    }


def offered(profile: Mapping[str, Any], build: str) -> dict[str, str]:
    """What chapters are told of the profile that they are built with, where they have such a parameter."""
    shown = {"networks": ",".join(profile["networks"]), "datasets": ",".join(profile["report"])}
    further = profile["further"]
    shown |= {"further": ",".join(further["networks"]), "further_datasets": ",".join(further["datasets"])}
    return {"build": build, "profile": profile["profile"], "seeds": str(profile["replicates"]["seeds"])} | shown


def differences(profile: Any, reference: Any, place: str = "", pattern: str = "") -> Iterator[str]:
    """What is missing, unknown or of another type in `profile`, beside a profile known to be whole.

    >>> list(differences({"seed": "1", "treads": 1}, {"seed": 0, "threads": 1}))
    ["unknown key 'treads' (did you mean 'threads'?)", "missing key 'threads'", "seed: expected int, got str '1'"]

    pattern: of the place, as in NAMED; a name in the profile may hold a slash, so the place does not tell.
    """
    if isinstance(reference, dict) and isinstance(profile, dict):
        if place in FREE:
            return
        named = pattern in NAMED
        if not named:
            for key in profile.keys() - reference.keys():
                near = difflib.get_close_matches(str(key), reference, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                yield f"unknown key {_join(place, key)!r}{hint}"
            for key in reference.keys() - profile.keys():
                yield f"missing key {_join(place, key)!r}"
        for key, value in profile.items():
            within = f"{pattern}/*" if pattern else str(key)
            if key in reference:
                yield from differences(value, reference[key], _join(place, key), within)
            elif named and reference:
                yield from differences(value, next(iter(reference.values())), _join(place, key), within)
    elif type(profile) is not type(reference) and not (isinstance(reference, float) and type(profile) is int):
        yield f"{place or 'the file'}: expected {type(reference).__name__}, got {type(profile).__name__} {profile!r}"


def _learned(dataset: str, datasets: Mapping[str, Any]) -> list[str]:
    """A dataset, and the one that networks learn before it."""
    pretrain = datasets.get(dataset, {}).get("pretrain", "")
    return [dataset, pretrain] if pretrain else [dataset]


def _join(place: str, key: object) -> str:
    return f"{place}/{key}" if place else str(key)


def _unknown(profile: dict[str, Any]) -> Iterator[str]:
    """Names that are used somewhere and are none of the profile's own."""
    datasets, networks = profile["datasets"], profile["networks"]
    used = [("report", dataset, datasets) for dataset in profile["report"]]
    used += [(f"datasets/{k}/pretrain", v["pretrain"], datasets) for k, v in datasets.items() if v["pretrain"]]
    used += [("training", dataset, profile["training"]) for dataset in datasets]
    used += [
        (f"training/{dataset}", net, profile["training"].get(dataset, {})) for dataset in datasets for net in networks
    ]
    further = profile["further"]
    used += [("further/datasets", dataset, datasets) for dataset in further["datasets"]]
    used += [("further/attentive", net, further["networks"]) for net in further["attentive"]]
    used += [
        (f"training/{dataset}", net, profile["training"].get(dataset, {}))
        for reported in further["datasets"]
        for dataset in _learned(reported, datasets)
        for net in further["networks"]
    ]
    for key, taken in (("networks", networks), ("groups", profile["maps"]["groups"])):
        if twice := further[key].keys() & taken.keys():
            yield f"further/{key} has names that are taken: {', '.join(sorted(twice))}"
    used += [("invention", name, ("parser", *LEARNERS)) for name in profile["invention"]]
    again = {"networks": networks, "datasets": profile["report"], "groups": profile["maps"]["groups"]}
    used += [(f"replicates/{key}", one, among) for key, among in again.items() for one in profile["replicates"][key]]
    for place, wanted, among in used:
        if wanted not in among:
            yield f"{place} lacks or names an unknown {wanted!r}; known: {', '.join(among)}"
