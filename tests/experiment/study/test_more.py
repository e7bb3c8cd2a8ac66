"""What would decide a sentence that is open, on made-up outcomes, against the t distribution of another library."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from gweebp.experiment.claims import judge
from gweebp.experiment.evidence import Evidence, of_scores
from gweebp.experiment.sentences import HIDING, Claim, Comparison, Sentence
from gweebp.experiment.study import verdicts


def unit(number, leads, shared=False):
    """A training in which gweEBP leads method m by leads[m], on its own people, or on those of all trainings."""
    people = np.arange(40) + (0 if shared else 100 * number)
    wave = 0.3 * np.where(np.arange(40) % 2, 1, -1) * shared  # by how much the lead differs between people
    figures = {"gweebp": of_scores(np.full(40, 0.5), people)}
    figures |= {m: of_scores(0.5 - lead + wave, people) for m, lead in leads.items()}
    return SimpleNamespace(
        title="VGG16, composites", plays=lambda game: set(figures), figure=lambda game, m, methods: figures[m],
        agreement_lead=lambda: None,
    )  # fmt: skip


def row(units, *others, most=False):
    cases = tuple((Comparison(HIDING, "UoM-SGFS", "vgg16", "gweebp", other),) for other in others)
    claim = Claim("C1", "a claim", (Sentence("words", "4.3", "ours", cases, most),))
    evidence = [Evidence("vgg16", "synthetic-composite", tuple(units))]
    return verdicts.verdicts(evidence, judge(evidence, [claim]))[0]


@pytest.mark.parametrize(("sign", "verdict"), [(1, "reproduced"), (-1, "contradicted")])
def test_the_fewest_trainings_are_those_at_which_the_t_test_decides(sign, verdict):
    leads = sign * np.array([0.1, -0.05, 0.15, 0.02, 0.0])
    d, s = abs(leads.mean()), leads.std(ddof=1)
    expected = next(k for k in range(6, 500) if d / (s / k**0.5) > stats.t.ppf(0.975, k - 1))
    found = row([unit(k, {"ebp": lead}) for k, lead in enumerate(leads)], "ebp")
    assert found.verdict == "not resolved" and found.more.startswith(f"{expected} trainings of each run ({verdict})")


def test_holms_correction_over_the_sentence_asks_for_more_trainings():
    leads = np.array([-0.1, -0.05, -0.15, -0.02, -0.03])
    others = ["ebp", "cebp", "tcebp", "xface"]
    found = row([unit(k, dict.fromkeys(others, lead)) for k, lead in enumerate(leads)], *others)
    k = int(found.more.split()[0])
    t = abs(leads.mean()) / leads.std(ddof=1)
    assert found.verdict == "not resolved" and "alone it would be against, among 4 it is open" in found.decided
    assert stats.t.sf(t * k**0.5, k - 1) * 4 < 0.025
    assert k == 6 or stats.t.sf(t * (k - 1) ** 0.5, k - 2) * 4 >= 0.025


def test_of_most_cases_the_partial_conjunction_is_what_more_trainings_must_pass():
    leads, others = np.array([0.06, -0.02, 0.07, 0.03, 0.0]), ["ebp", "cebp", "tcebp"]
    found = row([unit(k, dict.fromkeys(others, lead)) for k, lead in enumerate(leads)], *others, most=True)
    ratio = leads.mean() / leads.std(ddof=1)
    expected = next(k for k in range(6, 500) if 2 * stats.t.sf(ratio * k**0.5, k - 1) < 0.025)  # two of three cases
    assert found.more.startswith(f"{expected} trainings of each run (reproduced)")


def test_a_difference_at_its_bar_is_decided_by_no_number_of_trainings():
    found = row([unit(k, {"ebp": lead}) for k, lead in enumerate([0.1, -0.1, 0.1, -0.1])], "ebp")
    assert found.verdict == "not resolved" and found.more.startswith("not 200 trainings")


@pytest.mark.parametrize("count", [1, 3, 5])
def test_each_stage_of_the_study_has_its_words(count):
    leads = np.array([0.03, -0.05, 0.06, -0.02, 0.01])[:count]
    found = row([unit(k, {"ebp": lead, "xface": 0.0}) for k, lead in enumerate(leads)], "ebp", "xface")
    words = "a second training" if count == 1 else "not 200 trainings"  # XFace is level
    assert found.verdict == "not resolved" and found.more.startswith(words)
    decided = row([unit(k, {"ebp": 0.2 + 0.01 * k}) for k in range(max(3, count))], "ebp")
    assert decided.verdict == "reproduced" and decided.more == ""
    absent = row([unit(k, {"ebp": 0.2}) for k in range(count)], "ebp", "corrrise")
    assert absent.verdict == "not tested here" and absent.more == ""


def test_trainings_on_the_same_people_are_not_projected():
    units = [unit(k, {"ebp": lead}, shared=True) for k, lead in enumerate([0.1, -0.05, 0.12])]
    found = row(units, "ebp")
    assert (found.verdict, found.more) == ("not resolved", "")


def test_claims_that_need_the_same_are_told_together():
    leads = np.array([0.1, -0.05, 0.15, 0.02, 0.0])
    one = row([unit(k, {"ebp": lead}) for k, lead in enumerate(leads)], "ebp")
    need = one.more.partition(",")[0]
    two, decided = dataclasses.replace(one, claim="C2"), dataclasses.replace(one, claim="C3", more="")
    told = verdicts.outlook([one, two, decided])
    assert told.endswith(f"if differences and scatter stay as they are: C1, C2: {need}.") and "C3" not in told
    assert verdicts.outlook([decided]) == ""
