"""Kendall's tau-b against scipy, and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gweebp.games import rank_correlation


@pytest.mark.parametrize("levels", [3, 1000])
def test_tau_is_scipys(levels):
    rng = np.random.default_rng(0)
    first, second = rng.integers(levels, size=(2, 40, 7)).astype(float)
    expected = [stats.kendalltau(a, b).statistic for a, b in zip(first, second)]
    np.testing.assert_allclose(rank_correlation.tau(first, second), np.nan_to_num(expected), atol=1e-12)


def yardstick(values, noise, seed):
    rng = np.random.default_rng(seed)
    return {m: (v, v + noise * rng.standard_normal(500)) for m, v in values.items()}


def test_the_interval_widens_with_the_noise_and_holds_the_value():
    values = {m: 0.1 * i for i, m in enumerate("abcdefg")}
    sure = rank_correlation.kendall(yardstick(values, 0.001, 0), yardstick(values, 0.001, 1))
    unsure = rank_correlation.kendall(yardstick(values, 0.2, 0), yardstick(values, 0.2, 1))
    assert sure == (1.0, 1.0, 1.0)
    assert unsure.value == 1.0
    assert unsure.low < 0.7
    opposite = {m: -v for m, v in values.items()}
    assert rank_correlation.kendall(yardstick(values, 0, 0), yardstick(opposite, 0, 1)).value == -1


def test_a_constant_yardstick_ranks_nobody():
    assert rank_correlation.tau(np.ones(4), np.arange(4.0)) == 0


def test_errors():
    one = yardstick(dict(a=1.0, b=2.0, c=3.0), 0.1, 0)
    with pytest.raises(ValueError, match="2 methods in common"):
        rank_correlation.kendall(one, {m: one[m] for m in "ab"})
    with pytest.raises(ValueError, match="500 and 3 resamples"):
        rank_correlation.kendall(one, {m: (v, d[:3]) for m, (v, d) in one.items()})
