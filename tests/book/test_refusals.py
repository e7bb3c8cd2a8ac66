"""What comes into the workflow from outside: profiles, CORES, NAME and PARAMS. Each refusal is an error of ours."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import build
import pytest
import values
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from parameters import ChapterError, convert, pairs
from profiles import ProfileError, load, read

ROOT = Path(__file__).parents[2]
SMOKE = read("smoke")
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([10**30, -1, 0]), st.floats(), st.text(max_size=5),
    st.just([]), st.just({}), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Every place of a profile, sections and single values alike."""
    for key, below in value.items() if isinstance(value, dict) else []:
        yield (*path, key)
        yield from places(below, (*path, key))


PLACES = list(places(SMOKE))


def put(profile: dict, path: tuple, value: Any) -> None:
    for key in path[:-1]:
        profile = profile[key]
    profile[path[-1]] = value


def written(tmp_path_factory, text: str | bytes, name: str = "mine.yaml") -> Path:
    path = tmp_path_factory.mktemp("profiles") / name
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    return path


def refusal(error: type[Exception], call: Callable[..., Any], *given: Any) -> tuple[str, Any]:
    """What is said in an error of ours, and "" where there is none; what the call returns."""
    try:
        return "", call(*given)
    except error as said:
        return str(said), None


def loads_or_refuses(path: Path) -> str:
    """What is said of a profile; "" where it is taken: then the workflow's configuration can be written."""
    said, found = refusal(ProfileError, load, str(path))
    assert said or json.loads(json.dumps(found, allow_nan=False)) == found
    assert not said or path.stem in said
    return said


@pytest.mark.promise("errors: a broken profile is refused before anything is built")
@settings(max_examples=150)
@given(path=st.sampled_from(PLACES), value=ODD)
def test_any_value_at_any_place(tmp_path_factory, path, value):
    profile = copy.deepcopy(SMOKE)
    put(profile, path, value)
    said = loads_or_refuses(written(tmp_path_factory, yaml.safe_dump(profile, sort_keys=False, allow_unicode=True)))
    if said:
        assert any(str(key) in said for key in path), said
    elif path[0] in ("seed", "threads", "cores"):
        assert type(value) is int and value >= (path[0] != "seed")


RANGES = {
    ("seed",): [-1, 2**32], ("threads",): [0, -1, 5000], ("cores",): [0, -3], ("device",): ["gpu", "CPU"],
    ("datasets", "synthetic-drawn", "subjects"): [-1], ("datasets", "synthetic-drawn", "size"): [0, -64],
    ("datasets", "synthetic-drawn", "error"): [-0.1, 1.5, float("nan"), float("inf")],
    ("datasets", "synthetic-drawn", "fpr"): [2.0, -0.1], ("datasets", "synthetic-drawn", "kind"): ["painted"],
    ("datasets", "synthetic-drawn", "doppelgangers"): [7], ("networks", "vgg16", "width"): [0.0, -1.0, 300.0],
    ("networks", "vgg16", "size"): [-1, 10**6], ("networks", "vgg16", "embedding"): [0],
    ("training", "synthetic-drawn", "lcnn9", "lr"): [0.0, float("inf")],
    ("training", "synthetic-drawn", "lcnn9", "steps"): [-1],
    ("training", "synthetic-drawn", "lcnn9", "margin"): [0.0, 3.0],
    ("maps", "batch"): [0], ("maps", "options"): [{"corrrise": {"maks": 3}}, {"corrrise": [3]}, {"nobody": {}}],
    ("maps", "groups"): [{"white": ["gwebp"]}, {"white": ["ebp", "ebp"]}, {"a/b": ["ebp"]}, {}],
    ("replicates", "seeds"): [0], ("sanity", "samples"): [2], ("sanity", "steps"): [-1],
    ("sanity", "methods"): [["nobody"], []],
    ("games", "steps"): [1], ("games", "thresholds"): ["percent"], ("games", "rule"): ["far"], ("games", "batch"): [-4],
    ("report",): [[], ["synthetic-drawn", "synthetic-drawn"], [3]],
    ("chapters",): [{"nobody": {}}, {"hiding_game": {"--out": "x"}}, {"hiding_game": {"steps": "²"}},
                    {"hiding_game": 3}],
    ("extra_chapters",): [{"real_faces": "Nowhere"}, {"../x": "Experiment"}, {"real_faces": ["Experiment"]}],
    ("invention",): [{"painter": {}}, {"inpainter": {"steps": 0}}, {"inpainter": {"--out": 1}}, {"inpainter": [1]},
                     {"parser": 1}],
}  # fmt: skip


@pytest.mark.promise("errors: a broken profile is refused before anything is built")
@pytest.mark.parametrize(("path", "value"), [(path, value) for path, odd in RANGES.items() for value in odd], ids=repr)
def test_a_value_out_of_its_range_is_named(tmp_path_factory, path, value):
    profile = copy.deepcopy(SMOKE)
    put(profile, path, value)
    said = loads_or_refuses(written(tmp_path_factory, yaml.safe_dump(profile, sort_keys=False)))
    assert said and path[-1] in said


NAMES = ["a b", "a/b", "../x", "", ".", "-x", "a;b", "a'b", "{a}", "<b>", "a\nb", "$HOME", "x" * 101, "*"]


@pytest.mark.promise("errors: a broken profile is refused before anything is built")
@settings(max_examples=40)
@given(place=st.sampled_from(["datasets", "maps"]), name=st.sampled_from(NAMES))
def test_a_name_that_can_not_be_part_of_a_path(tmp_path_factory, place, name):
    profile = copy.deepcopy(SMOKE)
    if place == "maps":
        profile["maps"]["groups"][name] = profile["maps"]["groups"].pop("black")
    else:
        for key in ("datasets", "training"):
            profile[key][name] = profile[key].pop("synthetic-drawn")
        profile["report"] = ["synthetic-composite", name]
        profile["further"]["datasets"] = [name]
    assert "expected a name of letters" in loads_or_refuses(written(tmp_path_factory, yaml.safe_dump(profile)))


@pytest.mark.promise("errors: a broken profile is refused before anything is built")
@pytest.mark.parametrize(
    "name", ["a b.yaml", "-x.yaml", ".yaml", "..yaml", "a'b.yaml", "{a}.yaml", "book.yaml", "cuhk.yml"]
)
def test_a_file_whose_name_can_not_be_that_of_a_build(tmp_path_factory, name):
    path = written(tmp_path_factory, yaml.safe_dump(SMOKE), name)
    with pytest.raises(ProfileError, match="rename"):
        load(str(path))


WHOLE = (ROOT / "book/profiles/smoke.yaml").read_text(encoding="utf-8")
BROKEN = {
    "cut off": "seed: {a: 1",
    "a tab": "seed:\n\t- 1",
    "a key twice": WHOLE + "\nseed: 1\n",
    "a key twice inside": WHOLE.replace("batch: 16", "{batch: 16, batch: 3}"),
    "another document": WHOLE + "\n---\nseed: 1\n",
    "an object": "!!python/object/apply:os.system ['true']",
    "nothing": "",
    "a list": "- 1",
    "a text": "seed",
    "not UTF-8": b"seed: \xff\xfe",
    "a date that is none": WHOLE.replace("seed: 0", "seed: 2026-13-45"),
    "a number of many digits": WHOLE.replace("seed: 0", "seed: " + "9" * 5000),
    "keys that are numbers": "1: 2",
    "a key that is a list": "? [1]\n: 2",
    "an alias of nothing": "seed: *nothing",
    "an alias of itself": "seed: &a [*a]",
    "a bomb": "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"{y}: &{y} [{', '.join([f'*{x}'] * 10)}]\n" for x, y in pairwise("abcdefghi")),
    "nested deeply": "[" * 5000,
}  # fmt: skip


@pytest.mark.promise("errors: a broken profile is refused before anything is built")
@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_profile(tmp_path_factory, kind):
    assert loads_or_refuses(written(tmp_path_factory, BROKEN[kind]))


@pytest.mark.promise("errors: a broken profile is refused before anything is built")
@settings(max_examples=60)
@given(data=st.data())
def test_a_file_that_was_cut_or_changed(tmp_path_factory, data):
    at = data.draw(st.integers(0, len(WHOLE)))
    other = data.draw(st.text(st.characters(codec="utf-8"), max_size=4))
    loads_or_refuses(written(tmp_path_factory, WHOLE[:at] + other + WHOLE[at + data.draw(st.integers(0, 40)) :]))


@pytest.mark.promise("errors: what is asked of make is refused by its name")
@given(text=st.one_of(st.text(max_size=8), st.sampled_from(["²", "１", "0", "-1", "1e3", "9" * 5000, " 2", "2 "])))
def test_cores(text):
    said, found = refusal(ProfileError, build.jobs, text, 7)
    if re.fullmatch("[+]?0*[1-9][0-9]{0,2}", text, re.ASCII):  # up to 999: surely a number of jobs
        assert found == int(text)
    assert said.startswith(f"CORES={text}: ") if said else found == (int(text) if text else 7)


WORDS = st.one_of(
    st.sampled_from(["--out", "--out=x", "-o", "steps", "=1", "'", '"', "\\", "a b=1", "1=2", "é=1", "--", "#"]),
    st.sampled_from(["steps=1", "steps=2"]),
    st.text(max_size=5),
)  # fmt: skip


@pytest.mark.promise("errors: what is asked of make is refused by its name")
@given(words=st.lists(WORDS, max_size=3))
def test_parameters_smuggle_no_option(words):
    text = " ".join(words)
    said, found = refusal(ProfileError, build.words, text)
    if said:
        assert said.startswith(f"PARAMS={text}: ")
    else:
        assert all(word.partition("=")[0].isidentifier() and "=" in word for word in found)
        assert len(pairs(found)) == len(found)


@pytest.mark.promise("errors: what is asked of make is refused by its name")
@given(text=st.text(max_size=8), default=st.sampled_from([3, 0.5, True, "ebp"]))
def test_a_parameter_has_the_type_of_its_default_or_is_refused(text, default):
    said, found = refusal(ChapterError, convert, "name", text, default)
    if said:
        assert said.startswith("parameter name is a")
    else:
        assert isinstance(found, type(default))
        json.dumps(found, allow_nan=False)


@cache
def asked(*words: str) -> subprocess.CompletedProcess:
    """What `make chapter` does, without make."""
    command = [sys.executable, "book/workflow/build.py", "--profile=smoke", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.promise("errors: what is asked of make is refused by its name")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--chapter=excitation_backprop", "--parameters=--out x"), "PARAMS=--out x: expected NAME=VALUE"),
        (("--chapter=excitation_backprop", "--parameters=size='3"), "PARAMS=size='3: No closing quotation"),
        (("--chapter=../book/workflow/build",), "NAME=../book/workflow/build: no such chapter"),
        (("--chapter=",), "say which chapter"),
        (("--cores=²",), "CORES=²: expected a whole number"),
        (("--cluster=nowhere",), "CLUSTER=nowhere: no such cluster"),
        (("--profile=" + "x" * 300,), "no profile"),
    ],
)
def test_the_command_refuses_in_one_line(words, message):
    done = asked(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert message in done.stderr


FLAGS = {"PARAMS": "--parameters", "NAME": "--chapter", "DATA": "--data", "CORES": "--cores"}


@pytest.mark.promise("errors: what is asked of make is refused by its name")
@settings(max_examples=12)
@given(
    value=st.text(st.sampled_from("ab \"'`\\;&|><(){}*?#~%é"), max_size=8),
    name=st.sampled_from(["PARAMS", "NAME", "DATA", "CORES"]),
)
def test_make_passes_every_value_as_one_text(tmp_path_factory, value, name):
    """Whatever stands in it, but "$" and leading spaces, which are make's own: the shell does nothing with it."""
    folder = tmp_path_factory.mktemp("make")
    (folder / "Makefile").write_text((ROOT / "Makefile").read_text(encoding="utf-8"), encoding="utf-8")
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >> said\n')
    python.chmod(0o755)
    for file in ("requirements.txt", "pyproject.toml"):
        (folder / file).touch()
    (folder / ".venv/.set-up").touch()
    words = ["make", "--silent", "chapter", f"{name}={value}"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    assert f"{FLAGS[name]}={value.lstrip()}" in (folder / "said").read_text(encoding="utf-8").splitlines()
    assert {path.name for path in folder.iterdir()} == {
        "Makefile",
        ".venv",
        "requirements.txt",
        "pyproject.toml",
        "said",
    }


def test_what_is_judged_are_arguments_of_the_stages():
    """A renamed flag must not leave a value of the profile unchecked."""
    for command, keys in {
        "train": ["seed", "threads", "device", "width", "size", "embedding", "steps", "lr", "margin"],
        "prepare faces": ["subjects", "pretraining", "distractors", "doppelgangers", "error", "kind", "quadruplets"],
        "maps": ["batch"],
        "play": ["steps", "thresholds", "rule", "batch"],
        "sanity": ["samples", "methods"],
        "prepare learn inpainter": ["steps", "batch", "looks", "init"],
    }.items():
        assert set(keys) <= values.arguments(command).keys()
