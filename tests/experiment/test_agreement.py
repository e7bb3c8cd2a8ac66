"""Games against truth: a world in which the better map is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gweebp.experiment import agreement
from gweebp.experiment.build import Run
from gweebp.faces.quadruplets import Quadruplets
from gweebp.support import files

Q, SIDE, STEPS = 12, 8, 5
QUALITY = {"random": 0.0, "ebp": 0.3, "gradcam": 0.6, "gweebp": 1.0}


def written(folder: Path, maps: dict, hiding: dict, inpainting: dict) -> Run:
    """A build with 12 quadruplets of 8 x 8 pixels, two per identity, whose region is 8 pixels.

    maps: method -> (12, 8, 8). hiding, inpainting: method -> (12, 5) bool, matched and success; after each step of the
    inpainting game another quarter of the pixels outside is a false positive.
    """
    region = torch.zeros(Q, SIDE, SIDE, dtype=torch.bool)
    region[:, :2, :4] = True
    flat, index = torch.zeros(Q, 3, SIDE, SIDE, dtype=torch.uint8), torch.arange(Q)
    Quadruplets(flat, flat, flat, flat, region, index // 2, index % 6).save(folder / "data/d/quadruplets.safetensors")
    files.write_json(folder / "trials/d/lcnn9.json", {"inpainting": {"qualified": index.tolist()}})
    games = {"hiding/subject": index, "inpainting/subject": index // 2, "inpainting/part": index % 6}
    games["inpainting/outside"] = torch.full((Q,), SIDE * SIDE - 8)
    for name in maps:
        games[f"hiding/{name}/matched"] = hiding[name]
        games[f"inpainting/{name}/success"] = inpainting[name]
        games[f"inpainting/{name}/false_positives"] = torch.linspace(0, 56, STEPS).long().expand(Q, -1)
    files.write_tensors(folder / "maps/d/lcnn9/all.safetensors", {f"inpainting/{k}": v for k, v in maps.items()})
    files.write_tensors(folder / "games/d/lcnn9/all.safetensors", games)
    return Run(folder, "d", "lcnn9")


@pytest.fixture
def run(tmp_path):
    """A method of quality k puts that much of its mass into the region, and both games say so."""
    generator = torch.Generator().manual_seed(0)
    maps, hiding, inpainting = {}, {}, {}
    for name, quality in QUALITY.items():
        noise = torch.rand(Q, SIDE, SIDE, generator=generator)
        maps[name] = noise
        maps[name][:, :2, :4] += 1.2 * quality
        level = quality + 0.1 * torch.rand(Q, 1, generator=generator)
        hiding[name] = torch.linspace(0, 1, STEPS) <= 1 - level  # hiding turned on its head
        inpainting[name] = torch.linspace(0, 1, STEPS) >= 1 - level
    return written(tmp_path, maps, hiding, inpainting)


@pytest.mark.parametrize("score", agreement.TRUTH_SCORES)
def test_truth_ranks_by_quality_and_chance_is_the_share_of_the_region(run, score):
    found = agreement.truth_estimates(run, score)
    values = [found[m].value for m in QUALITY]  # a maximum inside is rare enough for two methods to tie
    assert values == sorted(values) and (score == "pointing" or len(set(values)) == len(values))
    assert found["gweebp"].low > agreement.chance(run) == pytest.approx(8 / 64)
    assert found["random"].high >= 8 / 64
    assert found["random"].low < 0.15  # the precision of a random order lies above the share, on so few pixels


def test_a_game_that_ranks_like_the_truth_agrees_and_its_reverse_does_not(run):
    found = agreement.with_truth(run, "energy", resamples=200)
    assert found["inpainting"].value == 1
    assert found["hiding"].value == -1
    lead = agreement.lead(run, "inpainting", "hiding", "energy", resamples=200)
    assert lead.value == 2
    assert lead.low > 0


def test_yardsticks_of_the_same_quadruplets_share_their_resamples(tmp_path):
    """A game whose area of each quadruplet is its map's mass inside: any resample gives both the same mean."""
    step = torch.arange(Q) % 4 + 1  # from which on the quadruplet is a success
    area = (4.5 - step) / 4  # by trapezoids over FAR 0, 1/4, .. 1
    inside, outside = area / 8, (1 - area) / (SIDE * SIDE - 8)
    maps = outside[:, None, None].repeat(1, SIDE, SIDE)
    maps[:, :2, :4] = inside[:, None, None]
    success = torch.arange(STEPS) >= step[:, None]
    run = written(tmp_path, {"ebp": maps}, {"ebp": success}, {"ebp": success})
    truth, game, other = (
        agreement.yardstick(run, name, resamples=50, seed=seed)["ebp"]
        for name, seed in (("energy", 3), ("inpainting", 3), ("inpainting", 4))
    )
    assert truth[0] == pytest.approx(game[0], abs=1e-6) == pytest.approx(area.mean().item(), abs=1e-6)
    np.testing.assert_allclose(truth[1], game[1], atol=1e-6)
    assert abs(truth[1] - other[1]).max() > 0.01


def test_an_unknown_yardstick_is_refused(run):
    with pytest.raises(ValueError, match="unknown yardstick 'mass'; known: hiding"):
        agreement.yardstick(run, "mass")
