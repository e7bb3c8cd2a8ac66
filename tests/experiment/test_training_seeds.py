"""Several trainings: the two levels of the bootstrap, and verdicts that rest on the mean over trainings."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gweebp.experiment import claims, evidence, scores, training_seeds
from gweebp.experiment.scores import Drawn
from gweebp.experiment.sentences import Claim, Comparison, Sentence
from gweebp.experiment.training_seeds import pooled, pooled_draws
from gweebp.games import hiding

STEPS = 11


class Played(SimpleNamespace):
    """A run that played the hiding game: method -> bool (t, steps)."""

    __hash__ = object.__hash__

    def __init__(self, matched, subject, network="vgg16"):
        games = SimpleNamespace(hiding=matched, hiding_subject=torch.as_tensor(subject), inpainting={})
        super().__init__(games=games, title=network, network=network, dataset="synthetic-composite", build="b")


def random_run(seed, subject, network="vgg16", share=0.7):
    rng = np.random.default_rng(seed)
    draw = {m: torch.from_numpy(rng.random((len(subject), STEPS)) < share) for m in ("ebp", "gweebp")}
    return Played(draw, subject, network)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_spread_of_trainings_is_the_standard_error_of_their_mean(k):
    x = np.random.default_rng(k).normal(size=k)
    found = pooled([Drawn(v, np.full(40_000, v)) for v in x])
    assert found.value == pytest.approx(x.mean())
    assert found.draws.mean() == pytest.approx(x.mean(), abs=0.02)
    assert found.draws.std() == pytest.approx(x.std(ddof=1) / np.sqrt(k), rel=0.02)


def test_one_training_is_what_it_is():
    run = random_run(0, np.arange(20))
    one = pooled_draws([run], "hiding", "ebp", resamples=50, seed=4)
    alone = scores.find("hiding").draw(run.games, "ebp", resamples=50, seed=4)
    assert one.value == alone.value
    np.testing.assert_array_equal(one.draws, alone.draws)


def test_trainings_draw_the_same_people():
    # the second training kept half of the people; where a resample lacks person 0, it lacks that person in both
    people = np.arange(10)
    indicator = {"ebp": torch.zeros(10, STEPS, dtype=torch.bool)}
    indicator["ebp"][0] = True
    first = Played(indicator, people)
    second = Played({"ebp": indicator["ebp"][:5]}, people[:5])
    draws = [
        scores.find("hiding").draw(r.games, "ebp", resamples=300, seed=1, among=people).draws for r in (first, second)
    ]
    known = ~np.isnan(draws[1])
    np.testing.assert_array_equal(draws[0][known] == 0, draws[1][known] == 0)


def test_people_outside_the_draw_are_refused():
    with pytest.raises(ValueError, match="lacks"):
        scores.find("hiding").draw(random_run(0, np.arange(4)).games, "ebp", resamples=5, among=np.arange(3))


def test_a_verdict_needs_all_trainings(monkeypatch):
    """Ahead in one training and behind in the next: resolved on either alone, open on both together."""
    rng = np.random.default_rng(0)

    def outcome(share):
        return torch.from_numpy(rng.random((60, STEPS)) < share)

    ahead = Played({"gweebp": outcome(0.9), "ebp": outcome(0.4)}, np.arange(60))
    behind = Played({"gweebp": outcome(0.4), "ebp": outcome(0.9)}, np.arange(60), "vgg16-seed1")
    monkeypatch.setattr(evidence, "trainings", lambda run, seeds: (ahead, behind)[:seeds])
    pair = Comparison("hiding", "UoM-SGFS", "vgg16", "gweebp", "ebp")
    claim = Claim("C0", "", (Sentence("", "", "", ((pair,),)),))
    (one,) = claims.judge(evidence.of_build([ahead], 1), [claim])
    (both,) = claims.judge(evidence.of_build([ahead], 2), [claim])
    assert one.verdict == "reproduced"
    assert both.verdict == "not resolved"
    expected = np.mean(
        [
            float(hiding.area(r.games.hiding["gweebp"], r.games.hiding_subject).value)
            - float(hiding.area(r.games.hiding["ebp"], r.games.hiding_subject).value)
            for r in (ahead, behind)
        ]
    )
    assert both.findings[0].difference.value == pytest.approx(expected)


def test_further_trainings_are_found_by_name(tmp_path):
    from gweebp.experiment.build import Run

    (tmp_path / "trials/cuhk").mkdir(parents=True)
    for name in ("lcnn9", "lcnn9-seed2", "lcnn9-seed3"):
        (tmp_path / f"trials/cuhk/{name}.json").write_text("{}")
    own = training_seeds.trainings(Run(tmp_path, "cuhk", "lcnn9"), 3)
    assert [r.network for r in own] == ["lcnn9", "lcnn9-seed2"]  # neither what is missing nor what is beyond `seeds`
    assert own[1].title == "LCNN9 (seed 2), CUHK"
