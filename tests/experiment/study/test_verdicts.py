"""What decided a verdict, and how many trainings it rests on: on made-up outcomes whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gweebp.experiment.claims import judge
from gweebp.experiment.evidence import Evidence, of_scores
from gweebp.experiment.sentences import HIDING, WIDE, Claim, Comparison, Sentence
from gweebp.experiment.study import verdicts
from gweebp.experiment.study.evidence import of_study


def unit(number, means):
    rng = np.random.default_rng(number)
    people = 100 * number + np.arange(40)
    values = {m: of_scores(mean + 0.02 * rng.normal(size=40), people) for m, mean in means.items()}
    return SimpleNamespace(
        title="VGG16, composites", plays=lambda game: set(means), figure=lambda game, m, methods: values[m],
        agreement_lead=lambda: None,
    )  # fmt: skip


def study(*by_training):
    return [Evidence("vgg16", "synthetic-composite", tuple(unit(k, means) for k, means in enumerate(by_training)))]


def claim(*others, asserts="better", most=False):
    cases = tuple((Comparison(HIDING, "UoM-SGFS", "vgg16", "gweebp", other, asserts),) for other in others)
    return Claim("C1", "a claim", (Sentence("words", "4.3", "ours", cases, most),))


def judged(evidence, *others, **kind):
    (row,) = verdicts.verdicts(evidence, judge(evidence, [claim(*others, **kind)]))
    return row


WHOLE = {"gweebp": 0.6, "ebp": 0.5, "cebp": 0.4, "xface": 0.7}


def test_a_contradiction_is_decided_by_the_comparison_furthest_on_the_other_side():
    row = judged(study(*[WHOLE | {"corrrise": 0.9}] * 4), "ebp", "xface", "corrrise")
    assert row.verdict == "contradicted" and not row.preliminary
    assert "CorrRISE" in row.decided and "−0.3" in row.decided
    assert row.counts == {"for": 1, "against": 2, "open": 0} and row.trainings == 4


def test_a_reproduced_sentence_is_decided_by_the_comparison_nearest_to_its_bar():
    row = judged(study(*[WHOLE] * 4), "cebp", "ebp")
    assert row.verdict == "reproduced" and row.text == "reproduced"
    assert row.decided.startswith("gweEBP less EBP, VGG16, composites, hiding game: +0.")


def test_few_trainings_make_a_verdict_preliminary_where_it_rests_on_them():
    few = study(WHOLE, *[{k: v for k, v in WHOLE.items() if k != "xface"}] * 3)
    against = judged(few, "ebp", "xface")  # what is against it was played in one training
    assert against.preliminary and against.text == "contradicted (preliminary: 1 training)"
    assert not judged(few, "ebp").preliminary
    without = study({**WHOLE, "xface": 0.2}, *[{k: v for k, v in WHOLE.items() if k != "xface"}] * 3)
    every = judged(without, "ebp", "xface")  # nearest to the bar is EBP, and XFace is needed all the same
    assert every.verdict == "reproduced" and "EBP" in every.decided and every.preliminary


def test_what_is_not_resolved_and_what_lacks_a_method_say_so():
    wide = judged(
        study(*[{"gweebp": 0.55 + 0.03 * k, "ebp": 0.53 - 0.02 * (k % 2)} for k in range(4)]), "ebp", asserts=WIDE
    )
    assert wide.verdict == "not resolved" and not wide.preliminary and "above the margin" in wide.decided
    absent = judged(study(WHOLE, WHOLE, WHOLE), "ebp", "corrrise")
    assert (absent.verdict, absent.decided, absent.trainings) == ("not tested here", "not played yet: CorrRISE", 0)


def test_who_beats_a_method_that_should_lead():
    evidence = study(*[WHOLE | {"corrrise": 0.9}] * 4)
    found = verdicts.beaten_by(judge(evidence, [claim("ebp", "xface", "corrrise")]))
    assert found == {"C1": ["XFace (VGG16, composites)", "CorrRISE (VGG16, composites)"]}
    assert verdicts.beaten_by(judge(evidence, [claim("ebp", "cebp")])) == {}


def test_of_most_cases_all_count():
    row = judged(study(*[WHOLE] * 3), "ebp", "cebp", "xface", most=True)
    assert row.decided == "of 3 comparisons in 3 cases, 2 for it, 0 open, 1 against" and row.trainings == 3


@pytest.fixture(scope="module")
def kept(request):
    runs = of_study(request.config.rootpath / "data/study")
    return verdicts.verdicts(runs)


def test_the_kept_study_has_one_deciding_row_per_claim(kept):
    assert [row.claim for row in verdicts.of_claims(kept)] == [f"C{k}" for k in range(1, 10)]
    text = verdicts.sentence(kept)
    assert all(text.count(f"C{k}") == 1 for k in range(1, 10))
    assert all(row.decided for row in kept)
