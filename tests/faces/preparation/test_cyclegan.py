"""The translator: sizes and kinds of images, the critics' pool, and a training that goes on where it was."""

from pathlib import Path

import pytest
import torch
from torch import nn

from gweebp.faces.preparation import adversarial, cyclegan, cyclegan_training, parser_training
from gweebp.faces.preparation.cyclegan import translate
from gweebp.faces.preparation.cyclegan_training import Recipe, fit, pooled
from gweebp.faces.preparation.quality import rank1
from gweebp.faces.preparation.resnet_generator import ResnetGenerator
from gweebp.networks import weights
from gweebp.support import files

SHIPPED = Path(__file__).parents[3] / "data/checkpoints/translator.safetensors"


class Negative(nn.Module):
    def forward(self, x):
        return -x


@pytest.fixture(scope="module")
def faces():
    """Sketches and photos, uint8 (3, 3, 32, 32) each."""
    return tuple(parser_training.faces(look, 3, 32, seed=7)[0] for look in ("drawn", "photo"))


def test_translation_keeps_range_size_and_order(faces):
    negative = translate(Negative(), faces[1], batch=2)
    assert torch.equal(negative, 255 - faces[1])
    odd = faces[1][:, :, :30, :27]
    assert translate(Negative(), odd).shape == odd.shape
    assert (translate(Negative(), odd).float().mean() - (255 - odd.float()).mean()).abs() < 1
    assert translate(Negative(), faces[1], size=64).shape == faces[1].shape
    assert translate(Negative(), faces[1][:0]).shape == (0, 3, 32, 32)
    with pytest.raises(TypeError, match=r"uint8 in 0\.\.255"):
        translate(Negative(), faces[1].float())
    with pytest.raises(ValueError, match="multiple of 4, got 30"):
        translate(Negative(), faces[1], size=30)


def test_each_direction_has_its_generator(faces):
    net = cyclegan.build(0.125, 1, 32, seed=0).train()
    photos = translate(net.to_photo, faces[0])
    assert torch.equal(net.photos(faces[0]), photos)
    assert not torch.equal(net.sketches(faces[0]), photos)
    assert net.training


def test_the_pool_shows_critics_older_fakes():
    generator, pool, shown = torch.Generator().manual_seed(0), torch.zeros(0, 1, 1, 1), []
    for number in range(200):
        pool, seen = pooled(pool, torch.full((1, 1, 1, 1), float(number)), 5, generator)
        shown.append(int(seen))
        assert len(pool) == min(5, number + 1)
    old = [number - s for number, s in enumerate(shown)]
    assert old[:5] == [0] * 5
    assert min(old) == 0
    assert 0.35 < sum(age > 0 for age in old) / 200 < 0.65
    assert len(set(shown)) == 200 - sum(number not in shown for number in range(200))


def test_training_taken_up_again_ends_as_one_that_never_stopped(faces, tmp_path, monkeypatch):
    """The pool of fakes, the optimisers and the draws go on where they were."""

    def train(seed, **options):
        net = cyclegan.build(0.125, 0, 32, seed=seed)
        fit(net, *faces, out=tmp_path / "net.safetensors", steps=4, pool=2, progress=False, **options)
        return net

    whole, snapshot, original = train(0), tmp_path / "snapshot.safetensors", cyclegan_training._Stepper.step
    done = []

    def step(self, *arguments):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(1)
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(cyclegan_training._Stepper, "step", step)
        patch.setattr(adversarial, "SAVE_EVERY", 2)
        with pytest.raises(KeyboardInterrupt):
            train(0, snapshot=snapshot)
    again = train(1, snapshot=snapshot)  # the snapshot decides, not the weights
    for key, tensor in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], tensor, msg=key)
    loaded = cyclegan.load(tmp_path / "net.safetensors")
    assert loaded.config == {"width": 0.125, "blocks": 0, "size": 32}
    assert torch.equal(loaded.photos(faces[0]), again.photos(faces[0]))


def test_training_learns_another_tone(faces, tmp_path):
    """Two kinds that differ in tone alone: each generator must find the other's."""
    bright, dark = 155 + faces[1] // 3, faces[1] // 3
    net = cyclegan.build(0.125, 0, 32, seed=0)
    recipe = {"steps": 25, "lr": 4e-3, "identity": 0.0}
    fit(net, bright, dark, out=tmp_path / "net.safetensors", progress=False, **recipe)
    off = [(net.photos(bright).float() - dark).mean().abs(), (net.sketches(dark).float() - bright).mean().abs()]
    assert max(off) < 25 < 100 < (bright.float() - dark).mean()


def test_published_generators_load_and_others_do_not(tmp_path):
    net = ResnetGenerator(0.125, 3)
    torch.save(net.state_dict(), tmp_path / "latest_net_G_A.pth")
    loaded = cyclegan.published(tmp_path / "latest_net_G_A.pth")
    assert loaded.config == {"width": 0.125, "blocks": 3}
    assert not loaded.training
    weights.save(cyclegan.build(0.125, 1, 32), tmp_path / "ours.safetensors")
    with pytest.raises(ValueError, match="no generator of CycleGAN"):
        cyclegan.published(tmp_path / "ours.safetensors")
    with pytest.raises(ValueError, match="pool must be a whole number, 1 or more"):
        Recipe(pool=0)
    with pytest.raises(ValueError, match=r"expected photos \(n, 3, 32, 32\), n > 0"):
        fit(cyclegan.build(0.125, 1, 32), torch.zeros(1, 3, 32, 32), torch.zeros(0, 3, 32, 32), out=tmp_path / "x")


def test_the_translator_we_ship_brings_sketches_and_photos_together():
    """On people that it has not seen: what it makes of a sketch is like the photo, and more often finds it."""
    net = cyclegan.load(SHIPPED)
    sketches, photos = (parser_training.faces(look, 40, 96, seed=2000)[0] for look in ("drawn", "photo"))
    made, drawn = net.photos(sketches), net.sketches(photos)

    def off(a, b):
        return (a.float() - b.float()).abs().mean()

    def tone(images):
        return torch.cat([images.float().mean((0, 2, 3)), images.float().std((0, 2, 3))])

    assert off(made, photos) < 0.5 * off(sketches, photos)
    assert off(drawn, sketches) < 0.5 * off(sketches, photos)
    assert off(tone(made), tone(photos)) < 0.25 * off(tone(sketches), tone(photos))
    assert rank1(made, photos) > rank1(sketches, photos)
    assert rank1(sketches, drawn) > 1.5 * rank1(sketches, photos)
    assert files.read_tensors(SHIPPED)[1]["record"]["environment"]["command"].startswith("gweebp")
    assert SHIPPED.stat().st_size < 5e6
