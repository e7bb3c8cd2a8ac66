"""Alignment: a face that was turned, scaled and moved comes back, to a fraction of a pixel."""

import math

import pytest
import torch
from PIL import Image

from gweebp.faces.preparation.align import FRAMES, HEAD, align, similarity, transform, warp
from gweebp.faces.preparation.landmarks import centres, named
from gweebp.faces.synthetic import World

MOVES = [(0, 1.0, 0, 0), (20, 0.8, 10, -25), (-35, 1.3, -60, 20), (90, 0.6, 40, 50), (5, 1.8, 20, -40)]


def moved(image, degrees, scale, x, y, size=260):
    """The image turned about its middle, scaled and shifted, by Pillow; and the matrix that does it."""
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    middle = image.shape[-1] / 2 - 0.5
    forward = torch.tensor([[c, -s, 0], [s, c, 0]], dtype=torch.float64)
    forward[:, 2] = torch.tensor([middle + x, middle + y]) - forward[:, :2] @ torch.full((2,), middle).double()
    back = torch.linalg.inv(torch.cat([forward, torch.tensor([[0.0, 0.0, 1.0]])]))
    # Pillow measures from the corner of the first pixel, we from its centre
    back[:2, 2] += 0.5 - 0.5 * back[:2, :2].sum(1)
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    done = picture.transform(
        (size, size), Image.Transform.AFFINE, back[:2].flatten().tolist(), Image.Resampling.BICUBIC
    )
    return torch.frombuffer(bytearray(done.tobytes()), dtype=torch.uint8).reshape(size, size, 3).permute(
        2, 0, 1
    ), forward


@pytest.fixture(scope="module")
def face():
    world, person = World("drawn", 220, seed=4, error=0.1), torch.tensor([3])
    latents = world.people(person)
    return world.photos(person, latents).images[0], world.photo_landmarks(person, latents)[0]


@pytest.mark.parametrize("move", MOVES)
def test_a_moved_face_comes_back(face, move):
    image, xy = face
    there, matrix = moved(image, *move)
    reference, expected = align(image, xy, size=96)
    aligned, landmarks = align(there, transform(matrix, xy), size=96)
    torch.testing.assert_close(landmarks, expected, atol=1e-6, rtol=0)
    # the middle of the face: what lay outside either picture is made up. Half a pixel off costs more than 4 grey levels
    part = (..., slice(40, 80), slice(30, 66))
    error = (aligned[part].float() - reference[part].float()).abs().mean()
    assert error < 2.5, f"{error:.1f} grey levels"
    for shift in (1, -1):
        assert (aligned[part].float() - reference.roll(shift, 2)[part].float()).abs().mean() > 2 * error


@pytest.mark.parametrize("move", MOVES)
def test_a_dot_on_a_landmark_is_where_the_landmark_is_said_to_be(move):
    y, x = torch.meshgrid(torch.arange(460.0), torch.arange(460.0), indexing="ij")
    generator = torch.Generator().manual_seed(0)
    xy = torch.rand(68, 2, generator=generator, dtype=torch.float64) * 4
    for part, middle in ((slice(36, 42), (85, 95)), (slice(42, 48), (135, 100)), (slice(48, 68), (105, 150))):
        xy[part] += torch.tensor(middle) - xy[part].mean(0)
    _, matrix = moved(torch.zeros(3, 220, 220, dtype=torch.uint8), *move)
    xy = transform(matrix, xy) + 100
    for dot in range(3):
        u, v = centres(xy)[dot]
        blob = 255 * torch.exp(-((x - u).square() + (y - v).square()) / (2 * 5.0**2))
        aligned, landmarks = align(blob.round().to(torch.uint8).expand(3, -1, -1), xy, size=128)
        weight = aligned[0].double()
        grid = torch.arange(128.0, dtype=torch.float64)
        found = torch.stack([(weight.sum(0) * grid).sum(), (weight.sum(1) * grid).sum()]) / weight.sum()
        torch.testing.assert_close(found, centres(landmarks)[dot], atol=0.15, rtol=0)


@pytest.mark.parametrize("name", FRAMES)
def test_eyes_and_mouth_lie_in_the_frame(face, name):
    image, xy = face
    aligned, landmarks = align(image, xy, 100, FRAMES[name])
    assert aligned.shape == (3, 100, 100)
    off = named(landmarks, FRAMES[name].names) - FRAMES[name].target(100)
    assert off.norm(dim=1).max() < 8  # faces differ in proportion
    assert off.mean(0).abs().max() < 1e-9  # least squares: no offset in the mean
    turn = centres(landmarks)[1] - centres(landmarks)[0]
    assert abs(math.degrees(math.atan2(turn[1], turn[0]))) < 6


def test_shrinking_does_not_alias():
    stripes = torch.zeros(3, 400, 400, dtype=torch.uint8)
    stripes[:, :, ::2] = 255
    shrunk = warp(stripes, torch.tensor([[0.22, 0.0, 0.0], [0.0, 0.22, 0.0]]), 80)
    assert shrunk.float().std() < 4
    assert abs(shrunk.float().mean() - 127.5) < 2


def test_a_shift_by_whole_pixels_moves_pixels_and_repeats_the_edge(face):
    image, _ = face
    shifted = warp(image, torch.tensor([[1.0, 0.0, 7.0], [0.0, 1.0, -5.0]]), 220)
    assert torch.equal(shifted[:, :215, 7:], image[:, 5:, :213])
    assert torch.equal(shifted[:, :215, 0], image[:, 5:, 0])
    assert torch.equal(shifted[:, 219, 7:], image[:, 219, :213])


def test_similarity_recovers_what_was_applied_and_never_reflects():
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    matrix = torch.tensor([[0.6, -0.8, 3.0], [0.8, 0.6, -1.0]], dtype=torch.float64) * 2
    torch.testing.assert_close(similarity(points, transform(matrix, points)), matrix)
    mirrored = similarity(points, points * torch.tensor([-1.0, 1.0]))
    assert torch.det(mirrored[:, :2]) > 0
    # no other similarity fits better
    noisy = transform(matrix, points) + 0.1 * torch.randn(5, 2, generator=generator, dtype=torch.float64)
    best = similarity(points, noisy)
    least = (transform(best, points) - noisy).square().sum()
    for _ in range(50):
        a, b, *t = 0.05 * torch.randn(4, generator=generator, dtype=torch.float64)
        other = best + torch.tensor([[a, -b, t[0]], [b, a, t[1]]])
        assert (transform(other, points) - noisy).square().sum() >= least


def test_landmarks_that_are_no_faces_or_another_images(face):
    image, xy = face
    with pytest.raises(ValueError, match="all points coincide"):
        align(image, torch.full((68, 2), 50.0), size=64)
    with pytest.raises(ValueError, match="outside the image of 220x220 pixels: are these another image's landmarks"):
        align(image, xy + 200, size=64)
    with pytest.raises(ValueError, match=r"landmarks must be \(68, 2\)"):
        align(image, xy[:5], size=64)
    with pytest.raises(ValueError, match="expected one uint8 image"):
        align(image.float(), xy, size=64)
    with pytest.raises(ValueError, match="two sets of n >= 2 points"):
        similarity(xy, xy[:3])


def test_an_aligned_face_is_left_alone(face):
    once, xy = align(*face, size=160, frame=HEAD)
    twice, again = align(once, xy, size=160, frame=HEAD)
    torch.testing.assert_close(again, xy, atol=1e-6, rtol=0)
    assert (twice.int() - once.int()).abs().max() <= 1
