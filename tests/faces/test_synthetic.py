"""The synthetic face world: determinism, exact masks and regions, resolution independence, sound parameters."""

from __future__ import annotations

import pytest
import torch

from gweebp.faces import FaceSet, synthetic
from gweebp.faces.synthetic import capture, draws, eyebrows, eyes, mouth, nose, parameters, shapes, sketches
from gweebp.faces.synthetic.doppelgangers import substitutes
from gweebp.faces.synthetic.parameters import COUNT, MEMBERS, PARAMETERS, PARTS
from gweebp.faces.synthetic.rendering import render
from gweebp.faces.synthetic.world import KINDS, World

PEOPLE = torch.arange(6)


def photo(size: int = 48, identities: torch.Tensor = PEOPLE, latents: torch.Tensor | None = None, **options):
    z = parameters.sample(0, identities) if latents is None else latents
    return render(z, capture.sample(0, identities, "photo"), size, **options)


# Numbers


def test_numbers_depend_on_seed_identity_and_stream_alone():
    together = draws.normal(3, torch.tensor([4, 9, 2**40]), "a", 50)
    assert torch.equal(together[1], draws.normal(3, torch.tensor([9]), "a", 50)[0])
    assert torch.equal(together[1, :7], draws.normal(3, torch.tensor([9]), "a", 7)[0])
    for seed, identity, stream in ((4, 9, "a"), (3, 10, "a"), (3, 9, "b")):
        other = draws.normal(seed, torch.tensor([identity]), stream, 50)[0]
        assert not torch.isclose(together[1], other).any()


def test_numbers_are_uniform_and_independent():
    x = draws.uniform(0, torch.arange(4000), "x", 8)
    assert x.min() > 0 and x.max() < 1
    counts = torch.histc(x, 20, 0, 1)
    expected = x.numel() / 20
    assert (counts - expected).square().sum() / expected < 43.8  # chi-squared, 19 degrees, p = 0.001
    z = torch.corrcoef(torch.cat([x[:-1], x[1:]], 1).T) - torch.eye(16)  # between columns, and between neighbours
    assert z.abs().max() < 5 / 4000**0.5


# Parameters


def test_every_parameter_is_named_once_and_belongs_to_one_part():
    names = [p.name for p in PARAMETERS]
    assert len(set(names)) == len(names) == COUNT
    assert sorted(torch.cat(list(MEMBERS.values())).tolist()) == list(range(COUNT))
    assert set(MEMBERS) == {"base", *PARTS}


def test_values_fill_their_ranges_uniformly():
    value = parameters.values(parameters.sample(1, torch.arange(3000)))
    for row in PARAMETERS:
        share = (value[row.name].flatten() - row.low) / (row.high - row.low)
        assert share.min() >= 0 and share.max() <= 1
        ks = (share.sort().values - torch.linspace(0, 1, 3000)).abs().max()
        assert ks < 1.95 / 3000**0.5, row.name  # Kolmogorov-Smirnov, p = 0.001


@pytest.mark.parametrize("error", [0.2, 0.6])
def test_a_memory_is_another_person_of_the_same_world_at_the_stated_correlation(error):
    z = parameters.sample(0, torch.arange(4000))
    seen = parameters.misremember(z, draws.normal(0, torch.arange(4000), "eyewitness", COUNT), error)
    column = [p.name for p in PARAMETERS].index("nose_bridge")  # remembered = 1
    assert torch.corrcoef(torch.stack([z[:, column], seen[:, column]]))[0, 1].item() == pytest.approx(
        (1 - error**2) ** 0.5, abs=0.03
    )
    assert seen.std(0).sub(1).abs().max() < 0.06


@pytest.mark.parametrize("error", [-0.1, 1.1])
def test_an_impossible_error_is_refused(error):
    with pytest.raises(ValueError, match="expected a share from 0 to 1"):
        parameters.misremember(torch.zeros(1, COUNT), torch.zeros(1, COUNT), error)


# Shapes


def test_profiles_have_compact_support():
    d = torch.linspace(-3, 3, 601)
    assert (shapes.cover(d, 0.5)[d > 0.2501] == 0).all() and (shapes.cover(d, 0.5)[d < -0.2501] == 1).all()
    assert (shapes.ridge(d, 1.0)[d.abs() > 1] == 0).all()
    assert (shapes.bump(d, d * 0, 1.0, 1.0)[d.abs() > 1] == 0).all()


def test_an_ellipse_s_distance_is_exact_on_its_axes_and_zero_on_it():
    angle = torch.linspace(0, 6.28, 50)
    assert shapes.ellipse(0.5 * angle.cos(), 0.2 * angle.sin(), 0.5, 0.2).abs().max() < 1e-6
    near = shapes.ellipse(torch.tensor([0.51]), torch.tensor([0.0]), 0.5, 0.2)
    assert near.item() == pytest.approx(0.01, abs=3e-4)


# Renderings


def test_a_face_is_the_same_alone_in_any_batch_and_in_any_order():
    world = World("drawn", 40, seed=5, error=0.2)
    people = torch.arange(11)
    z = world.people(people)
    order = torch.tensor([7, 3, 10, 0, 1])
    for draw in (world.photos, world.sketches):
        every = draw(people, z, masks=True)
        some = draw(people[order], z[order], masks=True)
        assert torch.equal(every.images[order], some.images) and torch.equal(every.masks[order], some.masks)
        assert torch.equal(every.images[7:8], draw(people[7:8], z[7:8]).images)


def test_another_seed_is_another_world():
    a, b = (World("composite", 32, seed, 0.4) for seed in (0, 1))
    assert not torch.equal(a.photos(PEOPLE, a.people(PEOPLE)).images, b.photos(PEOPLE, b.people(PEOPLE)).images)


def test_identities_look_unlike_each_other():
    images = photo().photo
    assert (images[:, None] - images[None]).abs().mean((2, 3, 4))[~torch.eye(6, dtype=torch.bool)].min() > 0.02


def test_every_part_shows_and_masks_never_exceed_one():
    masks = photo(96, torch.arange(40)).masks
    assert masks.min() >= 0 and masks.sum(1).max() <= 1 + 1e-5
    share = (masks >= 0.5).float().mean((2, 3))
    least = dict(hair=0.02, eyebrows=0.002, eyes=0.01, nose=0.01, mouth=0.004, skin=0.1)
    for code, part in enumerate(PARTS):
        assert share[:, code].median() > least[part], part
    assert (share[:, [0, 2, 3, 4, 5]] > 0).all()  # a fringe may hide the eyebrows


def test_masks_change_no_pixel():
    assert torch.equal(photo(masks=True).photo, photo(masks=False).photo)


def test_resolution_independent():
    fine, coarse = photo(256, masks=False).photo, photo(64, masks=False).photo
    small = torch.nn.functional.interpolate(fine, size=(64, 64), mode="area")
    assert (small - coarse).abs().mean() < 0.012


@pytest.mark.parametrize("part", [eyes, nose, mouth, eyebrows])
def test_boxes_hold_all_that_a_part_draws(part, monkeypatch):
    """Cutting out a part's box must save work, never a pixel. One face at a time: in a batch boxes grow together."""
    people = torch.arange(40).split(1)
    cut = [photo(64, one, masks=True) for one in people]
    monkeypatch.setattr(part, "BOX", (9.0, -9.0, 9.0))
    for one, before in zip(people, cut, strict=True):
        after = photo(64, one, masks=True)
        assert torch.equal(before.photo, after.photo) and torch.equal(before.masks, after.masks)


def test_left_and_right_differ_in_some_faces():
    """Asymmetry: without it a mirrored face would be the same person."""
    flat = capture.sample(0, PEOPLE, "photo", jitter=0.0)
    images = render(parameters.sample(0, PEOPLE), flat, 64, masks=False).photo
    assert (images - images.flip(3)).abs().mean((1, 2, 3)).min() > 0.003


# Sketches


def test_sketches_are_grey_and_leave_the_wall_out():
    for kind in KINDS:
        world = World(kind, 64, 0, KINDS[kind])
        images = world.sketches(PEOPLE, world.people(PEOPLE)).images
        assert torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2])
        assert images[:, :, :4, :4].float().mean() > 200


def test_the_drawing_keeps_dark_skin_light():
    z = parameters.sample(0, torch.arange(2))
    column = [p.name for p in PARAMETERS].index("melanin")
    z[0], z[:, column] = z[1], torch.tensor([-2.0, 2.0])
    world = World("drawn", 96, 0, 0.0)
    drawn = world.sketches(torch.tensor([1, 1]), z, masks=True)
    light, dark = (image[0][mask[5]].float().mean() for image, mask in zip(drawn.images, drawn.masks, strict=True))
    assert light > 170 and dark > 170


def test_blur_keeps_the_mean_and_spreads_a_point():
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    spread = sketches.blur(point, 4 / 41)  # σ = 2 pixels
    x = torch.arange(41) - 20
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    assert (spread.sum((0, 1, 2)) * x.square()).sum().item() == pytest.approx(4, rel=0.15)


# Sets


@pytest.fixture(scope="module", params=list(KINDS))
def faces(request) -> FaceSet:
    return synthetic.faceset(request.param, subjects=16, distractors=3, size=48, seed=2, pretraining=4, doppelgangers=2)


def test_a_set_holds_what_was_asked_for(faces):
    assert faces.sizes == dict(train=14, validation=2, test=4, distractors=3, doppelgangers=28)
    assert len(set(faces.ids)) == 20 and faces.gallery().shape == (7, 3, 48, 48)
    assert (faces.split[16:] == 0).all()


def test_the_record_makes_the_same_set_again(faces, tmp_path):
    faces.save(tmp_path)
    record = FaceSet.load(tmp_path).record
    again = World(**record["world"])
    people = torch.tensor([int(i.removeprefix("person-")) for i in faces.ids])
    assert torch.equal(again.photos(people, again.people(people)).images, faces.photos)
    assert torch.equal(again.sketches(people, again.people(people)).images, faces.sketches)


def test_more_subjects_or_distractors_leave_the_others_as_they_are():
    few = synthetic.faceset("drawn", subjects=4, distractors=1, size=32, doppelgangers=0)
    more = synthetic.faceset("drawn", subjects=8, distractors=3, size=32, pretraining=2, doppelgangers=1)
    assert torch.equal(few.photos, more.photos[:4]) and torch.equal(few.distractors, more.distractors[:1])


def test_training_doppelgangers_take_the_parts_in_turn(faces):
    assert (faces.split[faces.doppelganger_of] == 0).all()
    counts = faces.doppelganger_part.bincount(minlength=6)
    assert counts.max() - counts.min() <= 4
    same = faces.photos[faces.doppelganger_of] == faces.doppelganger_photos
    assert not same.flatten(1).all(1).any() and same.float().mean() > 0.7


def test_sketches_of_the_drawn_kind_are_truer_than_composites():
    assert KINDS["drawn"] < KINDS["composite"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(kind="painted"), "unknown kind of sketch 'painted'; known: composite, drawn"),
        (dict(subjects=3), "subjects must be a whole number, 4 to"),
        (dict(distractors=-1), "distractors must be"),
        (dict(doppelgangers=7), "doppelgangers must be a whole number, 0 to 6"),
        (dict(size=8), "size must be a whole number, 16"),
        (dict(error=2.0), "error must be a number, 0 to 1; got 2.0"),
    ],
)
def test_a_wrong_argument_is_named(change, message):
    arguments = dict(kind="drawn", subjects=4, distractors=0, size=32) | change
    with pytest.raises(ValueError, match=message):
        synthetic.faceset(**arguments)


# Doppelgängers


def test_a_substitute_differs_in_the_part_alone():
    world = World("drawn", 32, 0, 0.1)
    people, part = torch.arange(6), torch.arange(6)
    z = world.people(people)
    changed = substitutes(world, people, z, part, "test") != z
    for code, name in enumerate(PARTS):
        assert changed[code].nonzero().flatten().tolist() == MEMBERS[name].tolist()


def test_outside_the_region_the_pairs_agree_to_the_bit(faces):
    four = synthetic.doppelgangers(faces)
    assert len(four) == 24 and four.mate_region is not None
    for a, b, region in ((four.op, four.ip, four.region), (four.om, four.in_, four.mate_region)):
        changed = (a != b).any(1)
        assert not (changed & ~region).any()
        assert changed.flatten(1).any(1).all()  # every swap shows
    assert torch.equal(four.part, torch.arange(6).repeat(4))
    assert torch.equal(four.subject, faces.test.repeat_interleave(6))


def test_regions_are_tight(faces):
    """Most of a region changes, and a region is where its part is: not the face."""
    four = synthetic.doppelgangers(faces)
    changed = (four.op != four.ip).any(1)
    for code, part in enumerate(PARTS):
        rows = four.part == code
        region = four.region[rows]
        assert (changed[rows] & region).sum() / region.sum() > 0.4, part
        share = region.float().mean().item()
        low, high = dict(hair=(0.05, 0.6), skin=(0.1, 0.6)).get(part, (0.004, 0.13))
        assert low < share < high, (part, share)


def test_the_originals_are_the_set_s_own_images(faces):
    four = synthetic.doppelgangers(faces)
    assert torch.equal(four.op, faces.sketches[four.subject]) and torch.equal(four.om, faces.photos[four.subject])


def test_chosen_subjects_and_another_seed(faces):
    chosen = faces.test[:1]
    one, all_of_them = synthetic.doppelgangers(faces, chosen), synthetic.doppelgangers(faces)
    assert torch.equal(one.ip, all_of_them.ip[:6])
    other = synthetic.doppelgangers(faces, chosen, seed=99)
    assert torch.equal(one.op, other.op) and not torch.equal(one.ip, other.ip)


def test_real_faces_have_no_exact_doppelgangers(faces):
    images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    real = FaceSet("real", tuple("abcd"), images, images, torch.tensor([0, 0, 1, 2]))
    with pytest.raises(ValueError, match="real is no synthetic set"):
        synthetic.doppelgangers(real)
