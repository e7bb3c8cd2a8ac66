"""The test people of the study: drawn by number, so that any one of them can be drawn again alone."""

from __future__ import annotations

import torch

from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets
from gweebp.faces.synthetic import doppelgangers
from gweebp.faces.synthetic.world import World

FIRST, DISTRACTORS, ASIDE = 3_000_000, 1_000_000, 3_900_000  #: numbers of test people, distractors, people for budgets


def people(world: World, count: int, distractors: int, *, first: int = FIRST) -> FaceSet:
    """Test people `first`, `first + 1`, ... with photo and sketch, and the photos of distractors.

    No training network has seen one of them (`synthetic.faceset` numbers its people otherwise).

    Example:
        >>> faces = people(World("drawn", 32, seed=7, error=0.1), count=3, distractors=2)
        >>> faces.ids[0], faces.sizes["test"], len(faces.gallery())
        ('person-3000000', 3, 5)
    """
    numbers, others = first + torch.arange(count), DISTRACTORS + torch.arange(distractors)
    latents = world.people(numbers)
    return FaceSet(
        name=f"synthetic-{world.kind}",
        ids=tuple(f"person-{number:07d}" for number in numbers.tolist()),
        photos=world.photos(numbers, latents).images,
        sketches=world.sketches(numbers, latents).images,
        split=torch.full((count,), 2),
        distractors=world.photos(others, world.people(others)).images,
        record={"world": world.record(), "first": first, "skipped": []},
    )


def number_of(faces: FaceSet, row: int) -> int:
    """The number by which row `row` of the gallery is drawn: a test person's or a distractor's."""
    return DISTRACTORS + row - len(faces.ids) if row >= len(faces.ids) else int(faces.ids[row].removeprefix("person-"))


def quadruplets_of(faces: FaceSet, rows: torch.Tensor) -> Quadruplets:
    """Six candidates of each of these people, one per part, person by person; `subject` is a row of `faces`."""
    return doppelgangers(faces, rows)


def drawn(world: World, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sketch and photo of one person, each uint8 (1, 3, size, size).

    Example:
        >>> [tuple(x.shape) for x in drawn(World("drawn", 32, seed=7, error=0.1), 3_000_005)]
        [(1, 3, 32, 32), (1, 3, 32, 32)]
    """
    one = torch.tensor([number])
    latents = world.people(one)
    return world.sketches(one, latents).images, world.photos(one, latents).images
