"""The bootstrap: against a plain loop, its coverage, and the interpolation of the pooled curve."""

import numpy as np
import pytest

from gweebp.games import bootstrap, roc


def share(hit, n):
    return (hit / n)[..., 0]


def test_weights_draw_whole_groups():
    groups = np.array([7, 7, 7, 2, 2, 9])
    w = bootstrap.weights(groups, resamples=500, seed=3)
    assert (w[:, :3] == w[:, :1]).all()
    assert (w[:, 3] == w[:, 4]).all()
    assert (w[:, 0] + w[:, 3] + w[:, 5] == 3).all()
    np.testing.assert_allclose(w.mean(0), 1, atol=0.15)


def test_equals_resampling_by_hand():
    rng = np.random.default_rng(0)
    hit, groups = rng.integers(0, 2, (40, 1)).astype(float), np.repeat(np.arange(10), 4)
    found = bootstrap.estimate(share, (hit, np.ones((40, 1))), groups, resamples=300, seed=5)
    values = []
    for w in bootstrap.weights(groups, 300, 5):
        drawn = np.repeat(np.arange(40), w.astype(int))
        values.append(hit[drawn].mean())
    assert found.value == pytest.approx(hit.mean())
    assert found[1:] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_samples_of_a_subject_that_may_not_be_drawn_are_refused():
    hit, ones = np.array([[1.0], [0.0], [1.0]]), np.ones((3, 1))
    drawn = bootstrap.resampled(share, (hit, ones), [4, 6, 6], resamples=200, among=[4, 5, 6])
    assert np.isnan(drawn).any()  # none of the three was drawn
    with pytest.raises(ValueError, match="groups name subjects that `among` lacks"):
        bootstrap.resampled(share, (hit, ones), [4, 6, 6], among=[4, 5])


def test_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        hit = (rng.random((80, 1)) < 0.3).astype(float)
        _, low, high = bootstrap.estimate(share, (hit, np.ones((80, 1))), resamples=400)
        covered += low <= 0.3 <= high
    assert 0.90 < covered / 300 < 0.98


def test_groups_widen_the_interval():
    hit = np.repeat(np.random.default_rng(2).integers(0, 2, (20, 1)), 6, axis=0).astype(float)
    samples = (hit, np.ones((120, 1)))
    alone = bootstrap.estimate(share, samples)
    grouped = bootstrap.estimate(share, samples, np.repeat(np.arange(20), 6))
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_pairs_are_sharper_than_separate_intervals():
    rng = np.random.default_rng(3)
    hit = rng.integers(0, 2, (100, 1)).astype(float)
    better = hit.copy()
    better[rng.choice(100, 8)] = 1
    ones = np.ones((100, 1))
    paired = bootstrap.difference(share, (better, ones), (hit, ones))
    single = bootstrap.estimate(share, (hit, ones))
    assert paired.high - paired.low < 0.7 * (single.high - single.low)
    assert 0 < paired.p <= 1


def test_p_is_uniform_without_a_difference():
    rng = np.random.default_rng(4)
    ones, ps = np.ones((60, 1)), []
    for _ in range(200):
        ps.append(bootstrap.difference(share, (rng.normal(size=(60, 1)), ones), (ones * 0, ones), resamples=300).p)
    assert 0.4 < np.mean(ps) < 0.6
    assert np.mean(np.array(ps) < 0.1) < 0.18


def test_sr_is_linear_and_takes_the_last_point_of_a_step():
    far, sr = np.array([0, 0, 0.2, 0.2, 1.0]), np.array([0, 0.4, 0.6, 0.8, 0.9])
    np.testing.assert_allclose(roc.sr_at(far, sr, np.array([0, 0.1, 0.2, 0.6, 1])), [0.4, 0.5, 0.8, 0.85, 0.9])


def test_curve_is_flat_beyond_its_last_point():
    far, sr = np.array([0.0, 0.5]), np.array([0.0, 0.6])
    np.testing.assert_allclose(roc.sr_at(far, sr, np.array([0.5, 1.0])), [0.6, 0.6])
    np.testing.assert_allclose(roc.area_under(far, sr), 0.5 * 0.3 + 0.5 * 0.6)


def test_area_equals_the_integral_of_sr():
    rng = np.random.default_rng(5)
    far = np.sort(np.concatenate([np.zeros((4, 2)), rng.random((4, 20)), np.ones((4, 1))], 1), axis=1)
    sr = rng.random(far.shape)
    grid = (np.arange(200_000) + 0.5) / 200_000
    for upto in (0.1, 0.37, 1.0):
        expected = roc.sr_at(far, sr, grid * upto).mean(-1)
        np.testing.assert_allclose(roc.area_under(far, sr, upto), expected, atol=1e-5)


def test_more_thresholds_hardly_move_a_smooth_curve():
    def played(steps):
        far = np.linspace(0, 1, steps)
        return far, np.sqrt(far)

    assert roc.area_under(*played(21)) == pytest.approx(roc.area_under(*played(101)), abs=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap.weights([]), "at least one sample"),
        (lambda: bootstrap.weights([[1]]), "expected \\(samples,\\)"),
        (lambda: bootstrap.weights([1], resamples=0), "resamples is 0"),
        (lambda: bootstrap.estimate(share, (np.ones((2, 1)), np.ones((2, 1))), level=95), "level is 95"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
