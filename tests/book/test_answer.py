"""The first page's answer: what it says of a study and of a build."""

from __future__ import annotations

from types import SimpleNamespace

import answer
import numpy as np

from gweebp.experiment.evidence import Evidence, of_scores
from gweebp.experiment.study.standings import beaten_by, standings


def unit(number, means):
    rng = np.random.default_rng(number)
    values = {m: of_scores(v + 0.01 * rng.normal(size=30), 100 * number + np.arange(30)) for m, v in means.items()}
    return SimpleNamespace(
        title="VGG16, drawings", plays=lambda game: set(means) if game != "truth" else set(),
        figure=lambda game, m, methods: values[m], agreement_lead=lambda: None,
    )  # fmt: skip


def study(**more):
    few = {"gweebp": 0.6, "ebp": 0.5, "random": 0.1, "center": 0.55}
    return [Evidence("vgg16", "synthetic-drawn", tuple(unit(k, few | (more if k == 0 else {})) for k in range(3)))]


def test_a_standing_is_against_the_method_that_is_nearest_or_ahead():
    (found,) = standings(study(), "hiding")
    assert (found.rival, found.trainings, found.first, found.against) == ("ebp", 3, True, "EBP")
    assert "xface" in found.lacking and "ebp" not in found.lacking
    (found,) = standings(study(xface=0.8), "hiding")
    assert (found.rival, found.trainings, found.first) == ("xface", 1, False)
    assert found.against == "XFace (1 training)" and found.lead.value < -0.15
    assert standings(study(), "truth") == []


def test_the_answer_says_who_is_ahead_and_what_is_not_played():
    text = answer.of_game("hiding", standings(study(), "hiding"))
    assert "ahead of all others that were played in 1 of 1 experiments" in text and "XFace" in text
    text = answer.of_game("hiding", standings(study(xface=0.8), "hiding"))
    assert "in 0 of 1" in text and "behind: −0.2" in text and "XFace (1 training)" in text
    assert answer.of_game("hiding", []) == ""


def test_a_blob_is_a_warning_where_it_beats_methods():
    assert beaten_by(study(xface=0.7), "inpainting") == ([1], 3)  # it beats EBP; not gweEBP, not XFace
    (text,) = answer.baseline(study(xface=0.7))
    assert "beats 1 of 3 methods" in text
    assert list(answer.baseline([])) == []


def test_the_answer_has_an_item_of_the_build():
    text = answer.answer(study(), [], [])
    assert text.splitlines()[-1].startswith("- **This build's own small experiment**")
