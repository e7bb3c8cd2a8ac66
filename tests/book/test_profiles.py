"""Profiles are values only: the same keys in each, nothing unknown, nothing that names another dataset."""

import ast
import copy
import json
import tokenize
from pathlib import Path

import pytest
import yaml
from build import snakemake, tidy
from chapters import contents, executed, pages
from profiles import DRAWN, FOLDER, ProfileError, _unknown, differences, groups_of, load, read

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
OWN = set(NAMES) - {"cuhk"}  # which is a dataset and the layout of a folder as well


def written(tmp_path: Path, change) -> str:
    profile = copy.deepcopy(read("smoke"))
    change(profile)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(profile))
    return str(path)


def test_the_four_profiles_are_there():
    assert {"smoke", "book", "paper", "cuhk"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_has_the_same_keys(name, tmp_path):
    assert list(differences(read(name), read("book"))) == []
    needs_data = any(dataset["kind"] not in DRAWN for dataset in read(name)["datasets"].values())
    assert load(name, str(tmp_path) if needs_data else "")["profile"] == name


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_names_known_methods_once(name):
    from gweebp import METHODS
    from gweebp.commands.maps import variant

    maps = read(name)["maps"]
    methods = [method for group in maps["groups"].values() for method in group]
    for method, options in maps["options"].items():
        assert method in methods, f"options of {method}, which no group names"
        variant(method, options)
    assert {maps["options"].get(m, {}).get("method", m) for m in methods} <= set(METHODS)
    assert len(methods) == len(set(methods))
    assert {"random", "center"} <= set(methods)


@pytest.mark.parametrize("name", NAMES)
def test_networks_of_other_kinds_are_explained_by_methods_that_can(name):
    from gweebp import METHODS, networks

    profile = read(name)
    further = profile["further"]
    assert not set(further["networks"]) & set(profile["networks"])
    assert further["networks"].keys() <= networks.NETWORKS.keys()
    for network in further["networks"]:
        methods = [method for group in groups_of(profile, network).values() for method in group]
        assert {"random", "center", "gweebp"} <= set(methods)
        assert len(methods) == len(set(methods))
        assert any(METHODS[method].attention for method in methods) == (network in further["attentive"])
    assert groups_of(profile, next(iter(profile["networks"]))) == profile["maps"]["groups"]


def branches_on_profiles(code: str) -> list[str]:
    """Conditions of Python code, and tables to look up in, that name a profile or ask which profile is built."""
    conditions: list[ast.AST] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Compare | ast.match_case):
            conditions.append(node)
        elif isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            conditions.append(node.test)
        elif isinstance(node, ast.comprehension):
            conditions += node.ifs
        elif isinstance(node, ast.Dict):
            conditions += [key for key in node.keys if isinstance(key, ast.Constant) and key.value in OWN]
    found = []
    for condition in conditions:
        constants = {node.value for node in ast.walk(condition) if isinstance(node, ast.Constant)}
        keys = {node.slice.value for node in ast.walk(condition) if isinstance(node, ast.Subscript) and
                isinstance(node.slice, ast.Constant)}  # fmt: skip
        if constants & OWN or "profile" in keys:
            found.append(ast.unparse(condition))
    return found


@pytest.mark.parametrize(
    "code",
    [
        'if profile == "smoke": steps = 1',
        "steps = 1 if 'paper' in str(build) else 2",
        'chosen = [name for name in names if name != "book"]',
        'if config["profile"].startswith(("s", "t")): pass',
        'match profile:\n    case "smoke": pass',
        'steps = {"smoke": 1, "paper": 100}[profile]',
        'while not build.name.endswith("uom_sgfs"): pass',
    ],
)
def test_a_branch_on_a_profile_is_found(code):
    assert branches_on_profiles(code)


def test_no_branch_on_a_profile_anywhere():
    code = [path for folder in ("book/workflow", "notebooks", "gweebp") for path in (ROOT / folder).rglob("*.py")]
    assert {"build.py", "results.py", "equations.py"} <= {path.name for path in code}
    found = {path.relative_to(ROOT): branches_on_profiles(path.read_text(encoding="utf-8")) for path in code}
    assert {str(path): lines for path, lines in found.items() if lines} == {}


def test_the_workflow_names_no_profile():
    with (ROOT / "book/workflow/Snakefile").open("rb") as lines:
        texts = {token.string.strip("\"'") for token in tokenize.tokenize(lines.readline)}
    assert {"sanity", "networks"} <= texts
    assert not texts & {*OWN, "profile"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.update(treads=p.pop("threads")), "unknown key 'treads' .did you mean 'threads'"),
        (lambda p: p["networks"]["vgg16"].update(widht=1), "unknown key 'networks/vgg16/widht' .did you mean 'width'"),
        (lambda p: p["networks"]["lcnn9"].pop("size"), "missing key 'networks/lcnn9/size'"),
        (lambda p: p.update(seed="0"), "seed: expected int, got str '0'"),
        (lambda p: p["report"].append("faces"), "report lacks or names an unknown 'faces'"),
        (lambda p: p["training"].pop("synthetic-drawn"), "training lacks or names an unknown 'synthetic-drawn'"),
        (
            lambda p: p["datasets"]["synthetic-drawn"].update(pretrain="nobody"),
            "pretrain lacks or names an unknown 'nobody'",
        ),
        (
            lambda p: p["replicates"]["networks"].append("vgg19"),
            "replicates/networks lacks or names an unknown 'vgg19'",
        ),
        (lambda p: p["further"]["datasets"].append("faces"), "further/datasets lacks or names an unknown 'faces'"),
        (lambda p: p["further"]["attentive"].append("vgg16"), "further/attentive lacks or names an unknown 'vgg16'"),
        (
            lambda p: p["training"]["synthetic-drawn"].pop("vit"),
            "training/synthetic-drawn lacks or names an unknown 'vit'",
        ),
        (lambda p: p["further"]["groups"].update(white=[]), "further/groups has names that are taken: white"),
    ],
)
def test_a_broken_profile_says_what_is_wrong(change, message, tmp_path):
    with pytest.raises(ProfileError, match=message):
        load(written(tmp_path, change))


def test_an_unknown_profile_names_the_nearest():
    with pytest.raises(ProfileError, match="no profile 'smokey'; did you mean 'smoke'"):
        load("smokey")


def test_a_profile_of_ones_own_may_name_its_datasets(tmp_path):
    def rename(profile):
        for key in ("datasets", "training"):
            profile[key]["mine"] = profile[key].pop("synthetic-drawn")
        profile["report"] = profile["replicates"]["datasets"] = profile["further"]["datasets"] = ["mine"]

    assert load(written(tmp_path, rename))["profile"] == "mine"


def test_pairs_need_a_folder_that_exists(tmp_path):
    with pytest.raises(ProfileError, match="nowhere is not a folder: put them there"):
        load("cuhk", str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("folder", "called", "name"),
    [("my sketches (2)", "", "my-sketches-2"), ("cuhk", "", "cuhk"), ("x", "yard", "yard"), ("x", "cuhk", "cuhk")],
)
def test_a_set_is_called_what_its_user_calls_it(tmp_path, folder, called, name):
    (tmp_path / folder).mkdir()
    profile = load("cuhk", str(tmp_path / folder), called=called)
    assert profile["report"] == [name] and name in profile["datasets"] and name in profile["training"]
    assert ("cuhk" in str(profile["report"])) == (name == "cuhk")
    assert claims_of(name) == (name == "cuhk")  # what is said of CUHK is judged on CUHK
    if (FOLDER / "uom_sgfs.yaml").is_file():  # the layout of one set alone: whatever the folder is called
        assert load("uom_sgfs", str(tmp_path / folder))["report"] == read("uom_sgfs")["report"]


def claims_of(name):
    from gweebp.experiment.paper import STANDS_FOR

    return STANDS_FOR.get(name) == "CUHK"


@pytest.mark.parametrize("called", ["a/b", "synthetic-drawn", "synthetic-mine", " ", "-x"])
def test_a_name_that_cannot_be_or_is_a_drawn_sets_is_refused(tmp_path, called):
    with pytest.raises(ProfileError, match="SET="):
        load("cuhk", str(tmp_path), called=called)


def test_a_name_for_a_profile_that_reads_no_data_is_refused():
    with pytest.raises(ProfileError, match="leave out SET=mine"):
        load("smoke", called="mine")


def test_a_network_without_its_weights_is_left_out_and_nothing_else_changes(tmp_path):
    (tmp_path / "mobilefacenet.pt").touch()
    whole = load("cuhk", str(tmp_path), str(tmp_path / "mobilefacenet.pt"))
    assert whole["absent"] == {}
    assert whole["networks"]["mobilefacenet"]["weights"] == str(tmp_path / "mobilefacenet.pt")
    given = read("cuhk")
    given["networks"]["mobilefacenet"]["weights"] = str(tmp_path / "nowhere.pt")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(given, sort_keys=False))
    without = load(str(path), str(tmp_path))
    assert without["absent"] == {"mobilefacenet": str(tmp_path / "nowhere.pt")}
    assert list(without["networks"]) == [name for name in whole["networks"] if name != "mobilefacenet"]
    same = whole.keys() - {"networks", "absent", "profile"}
    assert {key: without[key] for key in same} == {key: whole[key] for key in same}


def test_weights_that_are_not_there_or_that_nobody_takes(tmp_path):
    with pytest.raises(ProfileError, match=r"WEIGHTS=.*none\.pt is no file"):
        load("cuhk", str(tmp_path), str(tmp_path / "none.pt"))
    with pytest.raises(ProfileError, match="profile smoke takes no weights of yours"):
        load("smoke", weights=str(tmp_path))


def test_every_notebook_is_a_chapter_of_the_book_or_of_a_profile():
    further = {name for profile in NAMES for name in read(profile)["extra_chapters"]}
    assert not further & set(executed())
    assert {path.stem for path in ROOT.glob("notebooks/*.py")} == {*executed(), *further}


def test_a_further_chapter_ends_the_part_that_it_names():
    book, real = contents(), contents({"real_faces": "Experiment"})
    (added,) = [page for page in pages({"real_faces": "Experiment"}) if page not in pages()]
    assert added == "book/chapters/real_faces"
    assert real["parts"][2]["chapters"] == [*book["parts"][2]["chapters"], {"file": added}]
    assert [part for part in real["parts"] if part["caption"] != "Experiment"] == [
        part for part in book["parts"] if part["caption"] != "Experiment"
    ]


@pytest.mark.parametrize("called", ["yard", "cuhk", "my-set.2"])
def test_a_set_of_another_name_is_named_so_wherever_the_profile_names_it(tmp_path, called):
    found = load("cuhk", str(tmp_path), called=called)
    assert list(_unknown(found)) == []
    assert called == "cuhk" or '"cuhk"' not in json.dumps(found | {"profile": ""})


def test_a_chapter_without_content_is_not_in_the_menu(tmp_path):
    (tmp_path / "pairs").mkdir()
    without = load("cuhk", str(tmp_path / "pairs"))
    assert "which_game" not in executed(without["extra_chapters"])
    (tmp_path / "pairs/landmarks68.csv").touch()
    menu = executed(load("cuhk", str(tmp_path / "pairs"))["extra_chapters"])
    assert {"which_game", "real_faces", "beyond_convolutions"} <= set(menu) and "training_seeds" not in menu
    mine, path = read("smoke"), tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(mine | {"replicates": mine["replicates"] | {"seeds": 1}}, sort_keys=False))
    all_of, once = (set(executed(load(name)["extra_chapters"])) for name in ("smoke", str(path)))
    assert all_of - once == {"training_seeds"} and once < all_of
    path.write_text(yaml.safe_dump(mine | {"extra_chapters": {}}, sort_keys=False))  # several trainings are shown
    assert load(str(path))["extra_chapters"] == {"training_seeds": "Experiment"}


def test_a_chapter_that_the_book_has_no_more_leaves_no_record(tmp_path, monkeypatch):
    monkeypatch.setattr("build.ROOT", tmp_path)
    folder = tmp_path / "_build/smoke/chapters"
    folder.mkdir(parents=True)
    for name in ("results.ipynb", "results.json", "real_faces.ipynb", "real_faces.json"):
        (folder / name).touch()
    tidy(load("smoke"))
    assert {path.name for path in folder.iterdir()} == {"results.ipynb", "results.json"}


def test_data_for_a_profile_that_reads_none_is_refused(tmp_path):
    with pytest.raises(ProfileError, match="reads no data of yours"):
        load("smoke", str(tmp_path))


def test_a_value_of_the_profile_changes_the_command_but_the_cores_do_not():
    profile = load("smoke")
    few, many = (snakemake(profile, cores, ["html"]) for cores in (1, 4))
    assert [a for a, b in zip(few, many, strict=True) if a != b] == ["1"]


def test_a_group_that_the_profile_has_no_more_leaves_no_results(tmp_path, monkeypatch):
    monkeypatch.setattr("build.ROOT", tmp_path)
    folder = tmp_path / "_build/smoke/games/synthetic-drawn/vgg16"
    folder.mkdir(parents=True)
    group = next(iter(read("smoke")["maps"]["groups"]))
    for name in (group, "gone"):
        (folder / f"{name}.safetensors").touch()
    tidy(load("smoke"))
    assert [path.stem for path in folder.iterdir()] == [group]


def test_trainings_that_the_profile_has_no_more_leave_no_trials(tmp_path, monkeypatch):
    monkeypatch.setattr("build.ROOT", tmp_path)
    profile = load("smoke")
    profile["replicates"] |= {"networks": ["lcnn9"], "datasets": ["synthetic-drawn"], "seeds": 2}
    kept = ["synthetic-composite/lcnn9", "synthetic-drawn/lcnn9", "synthetic-drawn/lcnn9-seed1"]
    gone = ["synthetic-drawn/lcnn9-seed2", "synthetic-drawn/vgg16-seed1", "synthetic-composite/lcnn9-seed1"]
    for name in (*kept, *gone):
        path = tmp_path / f"_build/smoke/trials/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tidy(profile)
    found = [path.relative_to(tmp_path / "_build/smoke/trials").with_suffix("") for path in tmp_path.rglob("*.json")]
    assert sorted(path.as_posix() for path in found) == sorted(kept)
