"""One method beside the others, against plain quantiles of the same draws."""

from types import SimpleNamespace

import numpy as np
import pytest

from gweebp import networks
from gweebp.experiment import kinds

RUN = SimpleNamespace(title="ViT, drawings")


@pytest.fixture
def drawn(monkeypatch):
    """Figures of four methods on the same resamples: rollout far below gweEBP, Grad-CAM far above, the centre near."""
    noise = np.random.default_rng(0).normal(0, 0.1, (3, 500))
    row = {
        "gweebp": (0.5, 0.5 + noise[0]),
        "rollout": (0.3, 0.3 + noise[0] + 0.1 * noise[1]),
        "gradcam": (0.9, 0.9 + noise[2]),
        "center": (0.48, 0.48 + noise[1]),
    }
    monkeypatch.setattr(kinds, "yardstick", lambda run, name, resamples, seed: row if name == "precision" else {})
    return row


def test_estimates_are_quantiles_of_the_draws(drawn):
    found = kinds.estimates([RUN], "precision")[RUN.title]
    assert list(found) == ["center", "gradcam", "gweebp", "rollout"]  # in the book's order
    for name, (value, draws) in drawn.items():
        assert found[name].value == pytest.approx(value, abs=1e-12)
        assert (found[name].low, found[name].high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.01)
    assert kinds.estimates([RUN], "hiding") == {}


def test_a_difference_is_paired(drawn):
    found = kinds.beside(RUN, "precision")
    assert "gweebp" not in found
    assert found["rollout"].value == pytest.approx(0.2, abs=1e-12)
    assert found["rollout"].high - found["rollout"].low < 0.06  # the shared noise is not counted
    assert found["center"].low < 0 < found["center"].high
    other = kinds.beside(RUN, "precision", "rollout")["gweebp"]
    assert (other.value, other.low, other.high) == pytest.approx(
        (-found["rollout"].value, -found["rollout"].high, -found["rollout"].low), abs=1e-12
    )
    assert kinds.beside(RUN, "precision", "mine") == {}


def test_in_words(drawn):
    text = kinds.in_words(RUN, "precision")
    assert text.startswith("ViT, drawings, average precision: gweEBP is above Rollout (+0.200")
    assert "; below Grad-CAM (−0.400" in text
    assert "; not resolved from centre (+0.020" in text
    assert kinds.in_words(RUN, "hiding") == "ViT, drawings, hiding game, area: not measured in this profile."


def test_cells_are_those_of_the_saliency_layer():
    net = networks.build("iresnet18", width=0.05, size=64)
    assert kinds.cells(SimpleNamespace(net=net)) == (4, 4)
