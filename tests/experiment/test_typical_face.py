"""The face that the theory opens with: chosen by the rule, drawn again by number, and what the study kept of it."""

import numpy as np
import torch

from gweebp.experiment import typical_face
from gweebp.experiment.study import outcomes
from gweebp.experiment.typical_cases import choose
from gweebp.faces import PARTS
from gweebp.networks.verification import embed
from gweebp.support.files import located


def test_the_face_is_the_typical_trial_and_its_map_the_one_that_was_played():
    case = typical_face.typical_face()
    kept, _ = outcomes.read(located(typical_face.OUTCOMES))
    trials = np.flatnonzero(kept["inpainting/part"] == PARTS.index(case.part))
    row = trials[choose(kept["truth/gweebp/region/precision"][trials])["typical"]]
    maps = case.maps("ebp", "gweebp")
    for name, saliency in maps.items():
        assert abs(case.precision(saliency) - kept[f"truth/{name}/region/precision"][row]) < 1e-3
        assert case.notes(maps)[name] in f"EBP {case.precision(saliency):.2f}"
    assert np.median(case.others["gweebp"]) == np.median(kept["truth/gweebp/region/precision"][trials])
    said = case.in_words(maps)
    assert f"gweEBP {case.inside(maps['gweebp']):.0%}" in said and f"over the {len(trials)} trials" in said


def test_its_sketch_is_matched_to_its_mate_and_the_part_makes_the_difference():
    case = typical_face.typical_face()
    op, om, ip, in_ = embed(case.net.float(), torch.stack(case.images))
    assert (op - om).norm() < (op - in_).norm()
    assert (ip - in_).norm() < (ip - om).norm()
    outside = ~case.region
    assert torch.equal(case.images[0][:, outside], case.images[2][:, outside])
