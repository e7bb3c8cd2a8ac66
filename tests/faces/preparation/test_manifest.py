"""Manifests: nothing is made twice, nothing is kept that changed, nothing of the user's is touched."""

import pytest

from gweebp.faces.preparation.manifest import MANIFEST, Manifest
from gweebp.support import files


class Doubling:
    """A stage that writes the text of each file twice, and notes what it made."""

    def __init__(self, tmp_path):
        self.source, self.out = tmp_path / "raw", tmp_path / "out"
        self.source.mkdir()
        for name in "abc":
            (self.source / name).write_text(name)

    def run(self, times=2, fail=(), stop_after=None, stage="double"):
        manifest = Manifest(self.out, stage, source=self.source, parameters={"times": times})
        made = []
        for path in sorted(self.source.iterdir()):
            inputs = {"text": path, "mode": "plain"}
            if manifest.has(path.name, inputs):
                continue
            if path.name in fail:
                manifest.skip(path.name, ValueError(f"{path} is broken"))
                continue
            if len(made) == stop_after:
                raise KeyboardInterrupt
            output = self.out / stage / f"{path.name}.txt"
            with files.atomic(output) as temporary:
                temporary.write_text(times * path.read_text())
            manifest.add(path.name, inputs, [output])
            made.append(path.name)
        return "".join(made), manifest.finish(seed=3)


@pytest.fixture
def stage(tmp_path):
    return Doubling(tmp_path)


def test_a_second_run_makes_nothing_and_writes_the_same(stage):
    made, first = stage.run()
    again, second = stage.run()
    assert (made, again) == ("abc", "")
    assert second["counts"] == {"made": 0, "kept": 3, "skipped": 0}
    assert second["items"] == first["items"]
    assert first["items"]["a"]["inputs"]["text"] == files.sha256(stage.source / "a")
    assert first["items"]["a"]["outputs"] == ["double/a.txt"]
    assert first["seed"] == 3


def test_what_changed_is_made_again_and_only_that(stage):
    stage.run()
    (stage.source / "b").write_text("B")
    assert stage.run()[0] == "b"
    (stage.out / "double/c.txt").unlink()
    assert stage.run()[0] == "c"
    assert stage.run(times=3)[0] == "abc"
    assert (stage.out / "double/b.txt").read_text() == "BBB"


def test_a_killed_run_goes_on_where_it_stopped(stage, monkeypatch):
    monkeypatch.setattr("gweebp.faces.preparation.manifest._SAVE_AFTER", -1.0)
    with pytest.raises(KeyboardInterrupt):
        stage.run(stop_after=2)
    assert stage.run()[0] == "c"
    with pytest.raises(KeyboardInterrupt):
        stage.run(times=5, stop_after=1)  # other parameters: nothing of the last run counts
    assert stage.run(times=5)[0] == "bc"


def test_a_run_killed_after_the_first_items_forgets_none_of_the_last_run(stage, monkeypatch):
    monkeypatch.setattr("gweebp.faces.preparation.manifest._SAVE_AFTER", -1.0)
    stage.run()
    (stage.source / "a").write_text("A")
    (stage.source / "b").write_text("B")
    with pytest.raises(KeyboardInterrupt):
        stage.run(stop_after=1)
    assert stage.run()[0] == "b"


def test_what_is_gone_or_skipped_leaves_no_output(stage):
    stage.run()
    (stage.source / "a").unlink()
    (stage.source / "b").write_text("?")
    with pytest.warns(UserWarning, match=r"skipped 1 of 2 items, see .*manifest\.json; first: b: b is broken"):
        _, section = stage.run(fail="b")
    assert section["skipped"] == [{"item": "b", "why": "b is broken"}]
    assert [path.name for path in (stage.out / "double").iterdir()] == ["c.txt"]


def test_nothing_usable_at_all_is_an_error(stage):
    with pytest.raises(ValueError, match=r"none of 3 items of .*raw can be used; first: a: a is broken"):
        stage.run(fail="abc")


def test_stages_share_a_folder(stage):
    stage.run()
    stage.run(times=3, stage="triple")
    assert set(files.read_json(stage.out / MANIFEST)) == {"double", "triple"}
    assert stage.run()[0] == ""
    assert stage.run(times=3, stage="triple")[0] == ""


def test_no_path_of_the_user_is_written(stage, tmp_path):
    with pytest.warns(UserWarning, match="skipped"):
        stage.run(fail="b")
    assert str(tmp_path) not in (stage.out / MANIFEST).read_text()


def test_originals_are_not_written_to(stage):
    for out in (stage.source, stage.source / "deep" / "er", stage.source / ".." / "raw"):
        with pytest.raises(ValueError, match="where your originals are: name another folder"):
            Manifest(out, "x", source=stage.source, parameters={})
    stage.run()
    Manifest(stage.out / "parts", "x", source=stage.out, parameters={})  # prepared data are nobody's originals
