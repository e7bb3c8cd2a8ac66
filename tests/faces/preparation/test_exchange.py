"""Quadruplets from photos, sketches and parts: each region is a part, all else is left alone, to the bit."""

import pytest
import torch

from gweebp.faces import PARTS
from gweebp.faces.preparation.exchange import exchange
from gweebp.faces.preparation.parse import NONE, dilate
from gweebp.faces.preparation.seams import blend

SIZE, PEOPLE = 40, 3
CALLS: list[list[int]] = []


def noise_fill(images, masks, seeds):
    """A network that draws: what it invents depends on the seed and on where, and on nothing else."""
    CALLS.append(list(seeds))
    drawn = [
        torch.randint(256, x.shape, generator=torch.Generator().manual_seed(s), dtype=torch.uint8)
        for x, s in zip(images, seeds, strict=True)
    ]
    return torch.where(masks[:, None], torch.stack(drawn), images)


@pytest.fixture
def people():
    random = torch.Generator().manual_seed(0)
    photos, sketches = torch.randint(256, (2, PEOPLE, 3, SIZE, SIZE), generator=random, dtype=torch.uint8)
    labels = torch.full((2, PEOPLE, SIZE, SIZE), NONE, dtype=torch.uint8)
    for code in range(len(PARTS)):
        labels[0, :, 3 + 6 * code : 7 + 6 * code, 8:20] = code
        labels[1, :, 2 + 6 * code : 6 + 6 * code, 10:30] = code  # elsewhere in the sketch
    return photos, sketches, labels[0], labels[1], torch.tensor([4, 9, 2])


def test_regions_are_grown_parts_and_nothing_else_changes(people):
    photos, sketches, photo_labels, sketch_labels, subject = people
    four, skipped = exchange(*people, noise_fill, margin=0.05)
    assert skipped == []
    assert four.subject.tolist() == [s for s in subject.tolist() for _ in PARTS]
    assert four.part.tolist() == list(range(6)) * PEOPLE
    person = torch.arange(PEOPLE).repeat_interleave(len(PARTS))
    assert torch.equal(four.op, sketches[person])
    assert torch.equal(four.om, photos[person])
    sides = ((four.op, four.ip, four.region, sketch_labels), (four.om, four.in_, four.mate_region, photo_labels))
    for before, after, region, labels in sides:
        assert region is not None
        assert torch.equal(region, dilate(labels[person] == four.part[:, None, None], 2))
        assert not ((before != after).any(1) & ~region).any()
        share = (before != after).any(1)[region].float().mean()
        assert share > 0.98  # all of the region is invented


def test_photo_and_sketch_share_a_seed_and_no_two_parts_do(people):
    CALLS.clear()
    exchange(*people, noise_fill)
    photo, sketch = CALLS[0::2], CALLS[1::2]
    assert photo == sketch
    seeds = [seed for call in photo for seed in call]
    assert len(set(seeds)) == len(seeds) == len(PARTS) * PEOPLE
    CALLS.clear()
    one = exchange(*(x[1:2] for x in people), noise_fill).quadruplets
    assert CALLS[0] == photo[1]  # a person's seeds do not depend on who else is there
    assert torch.equal(one.ip, exchange(*people, noise_fill).quadruplets.ip[6:12])
    other = exchange(*(x[1:2] for x in people), noise_fill, seed=1).quadruplets
    assert not torch.equal(other.ip, one.ip)


def test_the_route_over_a_translated_mate(people):
    """IP takes its part from the translated IN, blended; its own fill is never asked for."""
    photos, sketches = people[:2]
    seen = []

    def negative(images):
        seen.append(images)
        return 255 - images

    CALLS.clear()
    flat = torch.full_like(sketches, 120)
    four, _ = exchange(photos, flat, *people[2:], noise_fill, translate=negative, margin=0.05)
    assert len(CALLS) == PEOPLE  # photos only
    assert torch.equal(torch.cat(seen), four.in_)
    assert not ((four.op != four.ip).any(1) & ~four.region).any()
    for row in range(len(four)):
        assert torch.equal(four.ip[row], blend(four.op[row], 255 - four.in_[row], four.region[row]))


def test_parts_that_cannot_be_exchanged_are_listed(people):
    photos, sketches, photo_labels, sketch_labels, subject = people
    photo_labels[0][photo_labels[0] == 2] = NONE  # no eyes in one photo
    sketch_labels[1][sketch_labels[1] == 4] = NONE  # no mouth in one sketch
    sketch_labels[2] = 5  # a sketch that is all skin

    def lazy(images, masks, seeds):
        return images if len(images) == 5 else noise_fill(images, masks, seeds)

    four, skipped = exchange(photos, sketches, photo_labels, sketch_labels, subject, noise_fill)
    assert len(four) == 10
    assert [s["item"] for s in skipped] == ["4 eyes", "9 mouth", *(f"2 {part}" for part in PARTS)]
    assert all("no such part" in s["why"] for s in skipped)
    four, skipped = exchange(photos, sketches, photo_labels, sketch_labels, subject, lazy)
    assert len(four) == 0
    assert four.op.shape == (0, 3, SIZE, SIZE)
    assert sum("as it was" in s["why"] for s in skipped) == 10
    some, skipped = exchange(*people, noise_fill, parts=("mouth", "nose"))
    assert some.part.tolist() == [4, 3, 3]
    assert [s["item"] for s in skipped] == ["9 mouth", "2 mouth", "2 nose"]


def test_what_does_not_fit(people):
    photos, sketches, photo_labels, sketch_labels, subject = people
    for given, options, message in [
        ((photos.float(), *people[1:]), {}, r"photos must be uint8 \(3, 3, 40, 40\), got torch\.float32"),
        ((photos, sketches[:2], *people[2:]), {}, r"sketches must be uint8 \(3, 3, 40, 40\), got .*\(2, "),
        ((photos, sketches, photo_labels, sketch_labels[:, 1:], subject), {}, "sketch_labels must be"),
        ((*people[:4], subject[:1]), {}, r"subject must be \(3,\)"),
        (people, {"parts": ("nose", "ear")}, r"unknown: \['ear'\]"),
        (tuple(x[:0] for x in people), {}, "expected people, 0 given"),
    ]:
        with pytest.raises(ValueError, match=message):
            exchange(*given, noise_fill, **options)
