"""A synthetic set of faces, as `FaceSet`: subjects by split, distractors, and doppelgängers to train on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gweebp.faces.faceset import FaceSet, split_identities
from gweebp.faces.preparation.landmarks import mean_places
from gweebp.faces.synthetic.doppelgangers import substitutes
from gweebp.faces.synthetic.parameters import PARTS
from gweebp.faces.synthetic.world import KINDS, World
from gweebp.support.ranges import whole

OTHERS = 1_000_000  # people of one kind at most: whatever their number, those of the other kinds stay as they are
_DISTRACTORS, _PRETRAINING = OTHERS, 2 * OTHERS  # the first identities


def faceset(
    kind: str,
    subjects: int,
    distractors: int,
    size: int,
    seed: int = 0,
    *,
    error: float | None = None,
    pretraining: int = 0,
    doppelgangers: int = 1,
) -> FaceSet:
    """Draw a set of faces.

    Args:
        kind: of sketch: "composite" (from an eyewitness's memory, stands for UoM-SGFS) or "drawn" (from the photo,
            stands for CUHK).
        subjects: people with a photo and a sketch: 75 % train (20 % of those validate), 25 % test.
        distractors: other people, photos only, who enlarge the test gallery.
        size: height and width of the images.
        seed: of the world and of the split.
        error: eyewitness error, 0..1; None: the kind's own.
        pretraining: training subjects in addition, who stand for the paper's pretraining on other face data.
        doppelgangers: part-swapped copies of each training subject, each with a random part swapped, 0 to 6.

    Errors: ValueError for an unknown kind or a number out of its range.

    Returns:
        FaceSet "synthetic-composite" or "synthetic-drawn"; its record makes it again.

    Example:
        >>> faces = faceset("drawn", subjects=8, distractors=2, size=32)
        >>> faces.name, faces.sizes["test"], len(faces.gallery())
        ('synthetic-drawn', 2, 4)
    """
    whole(4, OTHERS).check("subjects", subjects)
    whole(0, OTHERS).check("distractors", distractors)
    whole(0, OTHERS).check("pretraining", pretraining)
    whole(0, len(PARTS)).check("doppelgangers", doppelgangers)
    world = World(kind, size, seed, KINDS.get(kind, 0.0) if error is None else error)
    own, more = torch.arange(subjects), _PRETRAINING + torch.arange(pretraining)
    identities = torch.cat([own, more])
    latents = world.people(identities)
    split = torch.cat([split_identities(subjects, seed), torch.zeros(pretraining, dtype=torch.int64)])
    others = _DISTRACTORS + torch.arange(distractors)
    twins, of, part = _training_doppelgangers(
        world, identities, latents, (split == 0).nonzero().flatten(), doppelgangers
    )
    return FaceSet(
        name=f"synthetic-{kind}",
        ids=tuple(f"person-{i:07d}" for i in identities.tolist()),
        photos=world.photos(identities, latents).images,
        sketches=world.sketches(identities, latents).images,
        split=split,
        distractors=world.photos(others, world.people(others)).images,
        record={
            "world": world.record(),
            "sizes": {"subjects": subjects, "distractors": distractors, "pretraining": pretraining},
            "doppelgangers": doppelgangers,
            "frame": frame_of(world),
            "skipped": [],
        },
        doppelganger_photos=world.photos(identities[of], twins).images,
        doppelganger_sketches=world.sketches(identities[of], twins).images,
        doppelganger_of=of,
        doppelganger_part=part,
    )


def frame_of(world: World, people: int = 64) -> dict[str, Any]:
    """Where the faces of a world lie in their pictures: the record of a `networks.Frame`, the mean of some people.

    Example:
        >>> x, y = frame_of(World("drawn", 64, seed=0, error=0.1))["points"]["mouth"]
        >>> 0.45 < x < 0.55, 0.6 < y < 0.9
        (True, True)
    """
    own = torch.arange(people)
    latents = world.people(own)
    points = torch.cat([world.photo_landmarks(own, latents), world.sketch_landmarks(own, latents)])
    return {"name": f"faces of synthetic-{world.kind}", "points": mean_places((points + 0.5) / world.size)}


def _training_doppelgangers(
    world: World, identities: Tensor, latents: Tensor, rows: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Latents of `count` doppelgängers of each training row, the rows they copy, and the parts swapped."""
    of = rows.repeat_interleave(count)
    turn = torch.arange(count).repeat(len(rows))
    part = (identities[of] + turn) % len(PARTS)  # in turn: every part as often
    return substitutes(world, identities[of], latents[of], part, "training"), of, part
