"""Templates of several images, and the nearest person who is somebody else."""

import pytest
import torch
import torch.nn.functional as F

import gweebp
from gweebp.networks import as_input, build
from gweebp.networks.gallery import nearest_impostor, template
from gweebp.networks.verification import embed


def test_a_template_weighs_images_alike_whatever_their_embeddings_lengths():
    e = torch.randn(4, 8, generator=torch.manual_seed(0))
    found = template(e * torch.tensor([[1.0], [10.0], [0.1], [3.0]]))
    torch.testing.assert_close(found, F.normalize(F.normalize(e, dim=1).mean(0, keepdim=True)))
    torch.testing.assert_close(template(e[:1]), F.normalize(e[:1], dim=1))


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [(torch.zeros(0, 3), "no embeddings"), (torch.zeros(1, 3), "zero"), (torch.tensor([[1.0, 0], [-1, 0]]), "zero")],
)
def test_a_template_of_nothing_is_refused(embeddings, message):
    with pytest.raises(ValueError, match=message):
        template(embeddings)


def test_the_nearest_impostor_is_the_nearest_of_the_others():
    generator = torch.manual_seed(0)
    probe, gallery = torch.randn(5, 8, generator=generator), torch.randn(20, 8, generator=generator)
    own = torch.rand(5, 20, generator=generator) < 0.5
    index, distance = nearest_impostor(probe, gallery, own)
    for row in range(5):
        d = (F.normalize(probe[row], dim=0) - F.normalize(gallery, dim=1)).norm(dim=1)
        wanted = min((d[j].item(), j) for j in range(20) if not own[row, j])
        assert (distance[row].item(), index[row].item()) == (pytest.approx(wanted[0], abs=1e-6), wanted[1])
    assert torch.equal(nearest_impostor(probe, gallery, own[0])[0][:1], index[:1])


@pytest.mark.parametrize(
    ("gallery", "own", "message"),
    [
        (torch.eye(3), torch.ones(3, dtype=torch.bool), "shows nobody but the probe's own person"),
        (torch.zeros(0, 3), None, "gallery of 0 faces"),
        (torch.eye(3), torch.ones(2, dtype=torch.bool), r"own must be bool \(3,\) or \(1, 3\)"),
        (torch.eye(3), torch.ones(3), "own must be bool"),
    ],
)
def test_a_gallery_that_cannot_serve_is_refused(gallery, own, message):
    with pytest.raises(ValueError, match=message):
        nearest_impostor(torch.ones(1, 3), gallery, own)


def test_explain_takes_a_template_and_an_impostor(faces):
    net = build("lcnn9", seed=0, width=0.125, size=32, embedding=16).eval()
    mates = torch.cat([faces.photos[:1], faces.photos[:1].flip(3)])
    mate = template(embed(net, mates))
    others = embed(net, faces.photos[1:])
    probe = faces.photos[:1] // 8 * 8
    index, _ = nearest_impostor(embed(net, probe), others)
    maps = gweebp.explain(net, as_input(net, probe), mate, others[index])
    torch.testing.assert_close(maps.sum(), torch.tensor(1.0))
