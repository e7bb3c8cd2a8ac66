"""Cases are chosen by their scores, whatever the order of the trials."""

import numpy as np
import pytest

from gweebp.experiment.typical_cases import choose


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffle_chooses_the_same_trials(seed):
    scores = np.random.default_rng(seed).random(31)
    order = np.random.default_rng(seed + 1).permutation(31)
    whole, shuffled = choose(scores), choose(scores[order])
    assert {k: order[i] for k, i in shuffled.items()} == whole
    assert scores[whole["typical"]] == np.median(scores)
    assert scores[whole["worst"]] == scores.min()
    assert scores[whole["best"]] == scores.max()


@pytest.mark.parametrize("bad", [[], [np.nan, 1.0], [[1.0]]])
def test_bad_scores(bad):
    with pytest.raises(ValueError, match="scores have shape"):
        choose(bad)
