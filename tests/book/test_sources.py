"""Rule inputs: what a stage's imports reach, and no more."""

from pathlib import Path

import pytest
from sources import ROOT, closure


def test_a_stage_rests_on_what_it_imports_wherever_that_stands():
    train = closure("gweebp/commands/train.py")
    assert {"gweebp/experiment/training/fit.py", "gweebp/networks/vgg.py", "gweebp/support/record.py"} <= set(train)


def test_a_stage_does_not_rest_on_what_it_never_runs():
    train = closure("gweebp/commands/train.py")
    assert not [file for file in train if "games" in file or "methods" in file or "figures" in file]
    assert "gweebp/__init__.py" not in train
    assert not [file for file in closure("gweebp/commands/prepare/faces.py") if "methods" in file or "training" in file]


def test_a_learner_does_not_rest_on_the_other_steps():
    translator = closure("gweebp/commands/prepare/learn/translator.py")
    assert "gweebp/faces/preparation/cyclegan_training.py" in translator
    assert not [file for file in translator if "inpainter_training" in file or "align" in file]


def test_a_name_from_the_package_itself_counts_as_all_that_it_imports(tmp_path):
    (tmp_path / "chapter.py").write_text("def f():\n    from gweebp import explain\n")
    files = closure(tmp_path / "chapter.py")
    assert {"gweebp/__init__.py", "gweebp/saliency.py", "gweebp/excitation/equations.py"} <= set(files)
    assert "gweebp/experiment/training/fit.py" not in files


def test_all_files_exist_and_are_relative():
    for stage in sorted((ROOT / "gweebp/commands").rglob("*.py")):
        for file in closure(stage.relative_to(ROOT)):
            assert not Path(file).is_absolute()
            assert (ROOT / file).is_file()


@pytest.mark.parametrize("source", ["from ..files import atomic", "from gweebp import files", "import gweebp.files"])
def test_every_spelling_of_an_import_is_followed(source, tmp_path, monkeypatch):
    package = tmp_path / "gweebp"
    (package / "part").mkdir(parents=True)
    for file in ("__init__.py", "files.py", "part/__init__.py"):
        (package / file).write_text("")
    (package / "part/stage.py").write_text(source)
    monkeypatch.setattr("sources.ROOT", tmp_path)
    assert "gweebp/files.py" in closure("gweebp/part/stage.py")


def test_data_that_a_chapter_names_count_and_are_not_read_as_code(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/net.safetensors").write_bytes(b"\x80\x00 no code")
    (tmp_path / "chapter.py").write_text('load("data/net.safetensors"), load("data/none.safetensors"), "data/"\n')
    monkeypatch.setattr("sources.ROOT", tmp_path)
    assert closure("chapter.py") == ["chapter.py", "data/net.safetensors"]
