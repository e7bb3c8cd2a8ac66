"""Intervals and tests that hold at small n: coverage and type I error by simulation, on data such as the games make."""

import math

import numpy as np
import pytest
from scipy import stats

from gweebp.games import inpainting, jackknife
from gweebp.games.jackknife import Error, Known, above, below, error_of, interval, known, share_interval
from gweebp.games.student import quantile, survival

STEPS = 11


def mean(total, count):
    return (total / count)[..., 0]


def area(hits, count):
    return (hits / count).mean(-1)


def population(rng, people=20_000):
    """Totals of each person in two games, of two methods: bounded, in steps, one to six trials per person."""
    trials = rng.integers(1, 7, people)
    owner = np.repeat(np.arange(people), trials)
    person = rng.normal(size=people)[owner]
    hits, false = [], []
    outside = rng.integers(800, 1200, len(owner)).astype(float)[:, None]
    for method in range(2):
        start = 4 + 2 * (0.7 * person + 0.7 * rng.normal(size=len(owner))) + 0.5 * method  # the step that succeeds
        hits.append(np.arange(STEPS) >= np.where(rng.random(len(owner)) < 0.15, 99, start)[:, None])
        far = np.cumsum(rng.gamma(0.3, 1, (len(owner), STEPS)), 1)
        false.append(np.round(outside * (far - far[:, :1]) / (far[:, -1:] - far[:, :1])))
    ones = np.ones((len(owner), 1))

    def summed(x):
        total = np.zeros((people, x.shape[1]))
        np.add.at(total, owner, x)
        return total

    return {
        "hiding": (area, [[summed(1.0 * h), summed(ones)] for h in hits]),
        "inpainting": (
            inpainting.statistic("area", 0.5),
            [[summed(1.0 * h), summed(f), summed(outside), summed(ones)] for h, f in zip(hits, false)],
        ),
    }


@pytest.fixture(scope="module")
def worlds():
    return population(np.random.default_rng(0))


@pytest.mark.parametrize("n", [20, 60, 200])
@pytest.mark.parametrize("game", ["hiding", "inpainting"])
def test_intervals_cover_as_often_as_they_say(worlds, game, n):
    statistic, (first, second) = worlds[game]
    true = statistic(*(s.sum(0) for s in first)) - statistic(*(s.sum(0) for s in second))
    share = statistic(*(s.sum(0) for s in first))
    rng, runs = np.random.default_rng(n), 800
    covered, of_share, p = 0, 0, []
    for _ in range(runs):
        rows = rng.choice(len(first[0]), n, replace=False)
        one, two = (known(statistic, [s[rows] for s in side], np.arange(n)) for side in (first, second))
        e = error_of([one.minus(two)])
        low, high = interval(e)
        covered += low <= true <= high
        low, high = share_interval(error_of([one]))
        of_share += low <= share <= high
        p.append(2 * min(above(e, true), below(e, true)))
    slack = 2.6 * math.sqrt(0.05 * 0.95 / runs)  # of the simulation itself
    assert 0.93 - slack / 2 <= covered / runs <= 0.97 + slack / 2
    assert 0.93 - slack / 2 <= of_share / runs <= 0.98
    assert np.mean(np.array(p) < 0.05) < 0.07 + slack / 2
    assert np.mean(np.array(p) < 0.005) < 0.012


@pytest.mark.parametrize("n", [11, 28, 120])
def test_the_far_tail_that_holms_correction_asks_for(worlds, n):
    """p < 0.05/168, once 25 times too frequent at n = 11; here of a mean, whose jackknife is the t test itself."""
    _, ((hits, count), (others, _)) = worlds["hiding"]
    d = (hits - others).mean(1) / count[:, 0]
    x = np.random.default_rng(n).choice(d - d.mean(), (100_000, n))
    t = x.mean(1) / (x.std(1, ddof=1) / math.sqrt(n))
    bar = quantile(1 - 0.025 / 168, n - 1)
    assert np.mean(abs(t) > bar) < 3 * 0.05 / 168
    e = error_of([known(mean, (x[0][:, None], np.ones((n, 1))))])
    assert e.value / e.error == pytest.approx(t[0])
    assert 2 * min(above(e), below(e)) == pytest.approx(stats.ttest_1samp(x[0], 0).pvalue, rel=1e-4)


def trained(rng, trainings, people, spread, same, interaction=0.5):
    """Figures of several trainings whose own effect has `spread` standard errors of one training's people."""
    n = 60
    who = [np.arange(n) if same else np.arange(k * n, (k + 1) * n) for k in range(trainings)]
    everyone = rng.choice(people, trainings * n) * math.sqrt(1 - interaction)
    found = []
    for own in who:
        x = everyone[own] + rng.choice(people, n) * math.sqrt(interaction)
        x = x + spread * people.std() / math.sqrt(n) * rng.normal()
        found.append(known(mean, (x[:, None], np.ones((n, 1))), own))
    return found


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("spread", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("trainings", [3, 5])
def test_intervals_over_people_and_trainings(trainings, spread, same):
    """A percentile interval over people alone covers 83 % where the spread is 1, 64 % where it is 2."""
    rng, runs = np.random.default_rng([trainings, int(spread), same]), 500
    people = rng.choice([-0.35, -0.1, 0.0, 0.0, 0.05, 0.2, 0.6], 5000)
    people = people - people.mean()
    covered, tail = 0, 0
    for _ in range(runs):
        e = error_of(trained(rng, trainings, people, spread, same))
        low, high = interval(e)
        covered += low <= 0 <= high
        tail += 2 * min(above(e), below(e)) < 0.005
    assert 0.92 < covered / runs < (0.98 if not same else 0.998)
    assert tail / runs < 0.015


def test_the_jackknife_of_a_mean_is_the_t_test():
    x = np.random.default_rng(1).normal(size=(17, 1))
    e = error_of([known(mean, (x, np.ones((17, 1))))])
    assert (e.value, e.error) == pytest.approx((x.mean(), x.std(ddof=1) / math.sqrt(17)))
    assert interval(e) == pytest.approx(stats.t.interval(0.95, 16, x.mean(), stats.sem(x[:, 0])), rel=1e-6)


def test_samples_of_one_person_are_left_out_together():
    x = np.arange(12.0)[:, None]
    grouped = known(mean, (x, np.ones((12, 1))), np.repeat([4, 9, 5], 4))
    by_hand = [np.delete(x, np.s_[i : i + 4]).mean() for i in (0, 8, 4)]  # in the order of the ids
    assert grouped.people.tolist() == [4, 5, 9]
    np.testing.assert_allclose(grouped.influence, 2 * (np.mean(by_hand) - np.array(by_hand)))


def test_a_paired_difference_is_that_of_the_differences():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 9, 1))
    ones = np.ones((9, 1))
    paired, direct = known(mean, (a, ones)).minus(known(mean, (b, ones))), known(mean, (a - b, ones))
    assert paired.value == pytest.approx(direct.value)
    np.testing.assert_allclose(paired.influence, direct.influence)


def test_unpaired_people_give_the_error_of_independent_samples():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(8, 1)), rng.normal(size=(8, 1))
    one = known(mean, (a, np.ones((8, 1))), np.arange(8))
    two = known(mean, (b, np.ones((8, 1))), np.arange(8, 16))
    expected = math.sqrt(error_of([one]).error ** 2 + error_of([two]).error ** 2)
    assert error_of([one.minus(two)]).error == pytest.approx(expected, rel=0.05)


def test_one_person_says_nothing_and_equal_people_say_what_their_number_says():
    one = known(mean, (np.ones((3, 1)), np.ones((3, 1))), [7, 7, 7])
    assert interval(error_of([one])) == (-math.inf, math.inf)
    assert share_interval(error_of([one])) == (0.0, 1.0)
    assert above(error_of([one])) == 1.0
    ten = error_of([known(mean, (np.full((10, 1), 0.3), np.ones((10, 1))))])
    assert above(ten) == pytest.approx(2**-10)
    assert below(ten) == 1.0
    all_ten = error_of([known(mean, (np.ones((10, 1)), np.ones((10, 1))))])
    assert share_interval(all_ten) == pytest.approx((0.025**0.1, 1.0))


def test_trainings_with_their_own_people_are_replications():
    rng = np.random.default_rng(4)
    found = trained(rng, 5, rng.normal(size=500), 1.0, same=False)
    values = [f.value for f in found]
    e = error_of(found)
    assert (e.error, e.freedom) == pytest.approx((np.std(values, ddof=1) / math.sqrt(5), 4))


@pytest.mark.parametrize("freedom", [1, 2, 4, 7.7, 28, 500])
def test_student_is_scipys(freedom):
    for t in (-2.0, 0.0, 0.1, 1.0, 3.3, 12.0, 40.0):
        assert survival(t, freedom) == pytest.approx(stats.t.sf(t, freedom), rel=1e-5)
    assert quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: known(mean, (np.ones((2, 1)), np.ones((2, 1))), [1]), "groups name 1 samples"),
        (lambda: interval(Error(0, 1, 3, 4), 95), "level is 95"),
        (lambda: quantile(1.0, 3), "share is 1.0"),
        (lambda: survival(1.0, 0.5), "freedom is 0.5"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_leaving_out_the_only_person_of_a_ratio_keeps_the_figure():
    found = jackknife.known(mean, (np.array([[2.0], [0.0]]), np.array([[3.0], [0.0]])), [0, 1])
    assert np.isfinite(found.influence).all()
    assert isinstance(found, Known)


def test_trainings_that_happen_to_agree_are_not_surer_than_their_people_make_them():
    """Equal figures of the same people, whose influences have nothing in common: the error is that of twice as many."""
    people, influence = np.arange(4), np.array([0.3, -0.3, 0.1, -0.1])
    own = error_of([Known(0.5, people, influence)]).error
    assert error_of([Known(0.5, people, influence), Known(0.5, people, -influence)]).error == pytest.approx(
        own / math.sqrt(2)
    )


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_same_training_many_times_is_as_sure_as_once(k):
    one = Known(0.5, np.arange(6), np.array([0.3, -0.3, 0.1, -0.1, 0.2, -0.2]))
    assert error_of([one] * k).error == pytest.approx(error_of([one]).error)


def test_no_difference_at_all_is_not_evidence_of_one():
    nothing = Error(0.0, 0.0, 4.0, 5)
    assert above(nothing) == below(nothing) == 1
    assert above(Error(0.1, 0.0, 4.0, 5)) == 0.5**5
