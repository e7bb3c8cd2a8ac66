import itertools
import math
from dataclasses import replace

import pytest
import torch

from gweebp.faces.quadruplets import PARTS, Quadruplets, qualified
from gweebp.support import files


@pytest.fixture
def quadruplets() -> Quadruplets:
    generator = torch.Generator().manual_seed(0)
    op, om, ip, in_ = torch.randint(256, (4, 6, 3, 5, 4), generator=generator, dtype=torch.uint8)
    region = torch.rand(6, 5, 4, generator=generator) < 0.5
    return Quadruplets(op, om, ip, in_, region, torch.tensor([3, 3, 5, 5, 7, 9]), torch.arange(6), ~region)


def same(a: Quadruplets, b: Quadruplets) -> bool:
    return all(torch.equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True) if x is not None)


def test_save_load_and_select(quadruplets, tmp_path):
    quadruplets.save(tmp_path / "q.safetensors")
    assert same(Quadruplets.load(tmp_path / "q.safetensors"), quadruplets)
    some = quadruplets.select(torch.tensor([4, 1]))
    assert len(some) == 2
    assert some.subject.tolist() == [7, 3]
    assert torch.equal(some.region, quadruplets.region[[4, 1]])
    assert torch.equal(some.in_, quadruplets.in_[[4, 1]])
    assert same(quadruplets.select(quadruplets.part == 2), quadruplets.select(torch.tensor([2])))
    assert quadruplets.counts() == dict.fromkeys(PARTS, 1)


def test_without_mate_region_and_empty(quadruplets, tmp_path):
    plain = replace(quadruplets, mate_region=None).select(torch.zeros(6, dtype=torch.bool))
    plain.save(tmp_path / "q.safetensors")
    again = Quadruplets.load(tmp_path / "q.safetensors")
    assert len(again) == 0
    assert again.mate_region is None
    assert again.op.shape == (0, 3, 5, 4)


def test_joined_is_one_after_the_other(quadruplets):
    first, rest = quadruplets.select(torch.arange(2)), quadruplets.select(torch.arange(2, 6))
    assert same(Quadruplets.joined([first, rest]), quadruplets)
    assert Quadruplets.joined([first, replace(rest, mate_region=None)]).mate_region is None
    with pytest.raises(ValueError, match="no quadruplets to join"):
        Quadruplets.joined([])
    with pytest.raises((ValueError, RuntimeError), match=r"size|shape"):
        Quadruplets.joined([first, replace(rest, **{k: v[..., :3] for k, v in vars(rest).items() if v.dim() > 1})])


def test_fields_that_do_not_fit(quadruplets, tmp_path):
    for change, message in [
        ({"ip": quadruplets.ip[:-1]}, r"ip must be torch\.uint8 \(6, 3, 5, 4\), got torch\.uint8 \(5, "),
        ({"in_": quadruplets.in_.float()}, r"in_ must be torch\.uint8 .*got torch\.float32"),
        ({"region": quadruplets.region.float()}, r"region must be torch\.bool"),
        ({"region": quadruplets.region[:, :-1]}, r"region must be torch\.bool \(6, 5, 4\)"),
        ({"part": quadruplets.part + 1}, r"part must lie in 0\.\.5 \(hair, eyebrows, eyes, nose, mouth, skin\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            replace(quadruplets, **change)
    files.write_tensors(tmp_path / "q.safetensors", {"op": quadruplets.op})
    with pytest.raises(ValueError, match=r"holds no quadruplets; it holds \['op'\]"):
        Quadruplets.load(tmp_path / "q.safetensors")


def test_qualified_is_equations_7_and_8():
    """All 81 combinations of below, at and above the threshold, against the two equations as written."""
    rows = list(itertools.product((0.5, 1.0, 1.5), repeat=4))
    found = qualified(*torch.tensor(rows).T, threshold=1.0)
    expected = [op_om <= 1 < op_in and ip_in <= 1 < ip_om for op_om, op_in, ip_in, ip_om in rows]
    assert found.tolist() == expected
    assert sum(expected) == 4


def test_nothing_qualifies():
    near = torch.tensor([0.5, 0.6])
    with pytest.raises(ValueError, match=r"none of 2 .*tau = 1\.0000 .*OM\) <= tau for 2; tau < d\(OP,IN\) for 0"):
        qualified(near, near, near, near, 1.0)
    assert qualified(near, near, near, near, 1.0, allow_none=True).tolist() == [False, False]


def test_bad_distances():
    near, far = torch.tensor([0.5]), torch.tensor([1.5])
    with pytest.raises(ValueError, match="NaN or infinite distances"):
        qualified(near, torch.tensor([math.nan]), near, far, 1.0)
    with pytest.raises(ValueError, match=r"four distances \(q,\)"):
        qualified(near, torch.ones(2), near, far, 1.0)
