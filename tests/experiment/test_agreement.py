"""Games against truth: a world in which the better map is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gweebp.experiment import agreement
from gweebp.experiment.build import Run
from gweebp.faces.quadruplets import Quadruplets
from gweebp.support import files

QUALITY = {"random": 0.0, "ebp": 0.3, "gradcam": 0.6, "gweebp": 1.0}


@pytest.fixture
def run(tmp_path):
    """12 quadruplets; a method of quality k puts that much of its mass into the region, and both games say so."""
    q, side, steps = 12, 8, 5
    region = torch.zeros(q, side, side, dtype=torch.bool)
    region[:, :2, :4] = True
    flat, index = torch.zeros(q, 3, side, side, dtype=torch.uint8), torch.arange(q)
    Quadruplets(flat, flat, flat, flat, region, index // 2, index % 6).save(tmp_path / "data/d/quadruplets.safetensors")
    files.write_json(tmp_path / "trials/d/lcnn9.json", {"inpainting": {"qualified": index.tolist()}})
    generator = torch.Generator().manual_seed(0)
    maps, games = {}, {"hiding/subject": index, "inpainting/subject": index // 2, "inpainting/part": index % 6}
    games["inpainting/outside"] = torch.full((q,), side * side - 8)
    for name, quality in QUALITY.items():
        noise = torch.rand(q, side, side, generator=generator)
        maps[f"inpainting/{name}"] = noise + 1.2 * quality * region
        level = quality + 0.1 * torch.rand(q, 1, generator=generator)
        games[f"hiding/{name}/matched"] = torch.linspace(0, 1, steps) <= 1 - level  # hiding turned on its head
        games[f"inpainting/{name}/success"] = torch.linspace(0, 1, steps) >= 1 - level
        games[f"inpainting/{name}/false_positives"] = torch.linspace(0, 56, steps).long().expand(q, -1)
    files.write_tensors(tmp_path / "maps/d/lcnn9/all.safetensors", maps)
    files.write_tensors(tmp_path / "games/d/lcnn9/all.safetensors", games)
    return Run(tmp_path, "d", "lcnn9")


@pytest.mark.parametrize("score", agreement.TRUTH)
def test_truth_ranks_by_quality_and_chance_is_the_share_of_the_region(run, score):
    found = agreement.truth_estimates(run, score)
    assert sorted(found, key=lambda m: found[m].value) == list(QUALITY) or score == "pointing"
    assert found["gweebp"].low > agreement.chance(run) == pytest.approx(8 / 64)
    assert found["random"].high >= 8 / 64
    assert found["random"].low < 0.15  # the precision of a random order lies above the share, on so few pixels


def test_a_game_that_ranks_like_the_truth_agrees_and_its_reverse_does_not(run):
    found = agreement.agreement(run, "energy", resamples=200)
    assert found["inpainting"].value == 1
    assert found["hiding"].value == -1
    lead = agreement.agreement_difference(run, "inpainting", "hiding", "energy", resamples=200)
    assert lead.value == 2
    assert lead.low > 0


def test_yardsticks_of_the_same_quadruplets_share_their_resamples(run):
    one, two = (agreement.yardstick(run, name, resamples=50)["ebp"][1] for name in ("energy", "energy"))
    np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="unknown yardstick 'mass'; known: hiding"):
        agreement.yardstick(run, "mass")
