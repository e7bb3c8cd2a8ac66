"""The face parser: which classes make which part, what the network is shown, and that the one we ship is good."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from gweebp.__main__ import main
from gweebp.faces import PARTS
from gweebp.faces.preparation import parser_training as training
from gweebp.faces.preparation.bisenet import CLASSES, BiSeNet
from gweebp.faces.preparation.parse import NONE, miou, polygons
from gweebp.faces.preparation.parser import Parser, normalised
from gweebp.faces.synthetic import World
from gweebp.faces.synthetic.world import KINDS
from gweebp.networks import weights

SHIPPED = Path(__file__).parents[3] / "data/checkpoints/parser.safetensors"


def small(classes: int, seed: int = 0) -> BiSeNet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return BiSeNet(classes=classes, width=0.125)


class Painted(BiSeNet):
    """Says class k where the red channel of the image is 10 k."""

    def forward(self, x):
        red = (255 * (x[:, 0] * 0.229 + 0.485) / 10).round().long()
        return F.one_hot(red, self.config["classes"]).permute(0, 3, 1, 2).float()


def test_the_classes_of_the_published_network_become_parts():
    parts = {
        "skin": 5, "l_brow": 1, "r_brow": 1, "l_eye": 2, "r_eye": 2, "eye_g": 2, "nose": 3, "mouth": 4, "u_lip": 4,
        "l_lip": 4, "hair": 0,
    }  # fmt: skip
    none = {"background", "l_ear", "r_ear", "ear_r", "neck", "neck_l", "cloth", "hat"}
    expected = parts | dict.fromkeys(none, NONE)
    parser = Parser(Painted(19, 0.125), size=19)
    image = (10 * torch.arange(19, dtype=torch.uint8)).expand(1, 3, 19, 19).contiguous()
    assert parser.labels(image)[0, 0].tolist() == [expected[name] for name in CLASSES]
    ours = Parser(Painted(7, 0.125), size=7).labels(image[..., :7, :7])
    assert ours[0, 3].tolist() == [0, 1, 2, 3, 4, 5, NONE]
    with pytest.raises(ValueError, match="a parser has 19 or 7 classes, this network 5"):
        Parser(small(5))


def test_labels_of_any_size_and_batch():
    parser = Parser(small(7), size=64)
    images = torch.randint(256, (5, 3, 50, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = parser.labels(images)
    assert labels.shape == (5, 50, 40)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels, parser.labels(images, batch=2))
    assert parser.labels(images[:0]).shape == (0, 50, 40)
    with pytest.raises(ValueError, match=r"images must be uint8 \(n, 3, h, w\), got torch\.float32"):
        parser.labels(images.float())


def test_the_network_is_shown_imagenet_normalisation():
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    x = normalised(images, 16)
    for c, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        torch.testing.assert_close(x[:, c], (images[:, c] / 255 - mean) / std)
    assert normalised(images, 32).shape == (2, 3, 32, 32)


def test_a_published_checkpoint_is_used_at_512_pixels_and_ours_at_its_own(tmp_path):
    net = BiSeNet()
    torch.save({f"module.{key}": value for key, value in net.state_dict().items()}, tmp_path / "79999_iter.pth")
    assert Parser.load(tmp_path / "79999_iter.pth").size == 512
    ours = Parser(small(7), size=96)
    ours.save(tmp_path / "ours.safetensors", {"recipe": {"steps": 3}})
    again = Parser.load(tmp_path / "ours.safetensors")
    assert again.size == 96
    images = torch.randint(256, (1, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.labels(images), ours.labels(images))
    (tmp_path / "bad.pth").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"bad\.pth"):
        Parser.load(tmp_path / "bad.pth")


def test_faces_know_their_parts():
    for look in training.LOOKS:
        images, labels = training.faces(look, 3, 48, seed=5)
        assert images.shape == (3, 3, 48, 48)
        assert set(range(len(PARTS))) <= set(labels.unique().tolist()) <= {*range(len(PARTS)), NONE}
    world = World("composite", 48, 5, KINDS["composite"])
    people = torch.arange(3)
    masks = world.photos(people, world.people(people), masks=True).masks
    labels = training.faces("photo", 3, 48, seed=5)[1]
    assert all(torch.equal(labels == code, masks[:, code]) for code in range(len(PARTS)))


def test_variation_moves_labels_with_the_image():
    labels = torch.full((6, 32, 32), NONE, dtype=torch.uint8)
    labels[:, 8:24, 4:20] = 3
    x = (labels == 3).float()[:, None].expand(-1, 3, -1, -1)
    moved, there = training.varied(x, labels, torch.Generator().manual_seed(1))
    assert not torch.equal(there, labels)
    for image, mine in zip(moved.mean(1), there, strict=True):
        bright = image > image.min() + (image.max() - image.min()) / 2
        assert (bright == (mine == 3)).float().mean() > 0.95
    assert len({int((mine == 3).sum()) for mine in there}) > 1  # each its own way


def test_training_learns_and_is_repeatable():
    recipe = {"size": 32, "width": 0.125, "people": 3, "steps": 8, "batch": 2, "lr": 0.01, "progress": False}
    state = torch.get_rng_state()
    parser, record = training.fit(**recipe)
    again, _ = training.fit(**recipe)
    assert torch.equal(torch.get_rng_state(), state)
    assert record["losses"][-1] < 0.9 * record["losses"][0]
    assert record["recipe"]["steps"] == 8
    pairs = zip(parser.net.state_dict().values(), again.net.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    with pytest.raises(FloatingPointError, match="at step"):
        training.fit(**recipe | {"lr": 1e30})


def test_learning_from_the_command_line(tmp_path, capsys):
    """The file says how it was made, and how good it is on other people."""
    out = tmp_path / "parser.safetensors"
    recipe = "--size 64 --width 0.125 --people 2 --steps 2 --batch 2 --lr 0.01 --seed 3 --threads 1"
    assert main(f"prepare learn parser --out {out} {recipe}".split()) == 0
    assert capsys.readouterr().out.count("mean IoU") == len(training.LOOKS)
    record = weights.read(out)[1]["record"]
    assert record["recipe"]["steps"] == len(record["losses"]) == 2
    assert record["iou"]["on"]["seed"] == 4
    again = training.evaluate(Parser.load(out), **record["iou"]["on"])
    assert again == record["iou"]["found"]


@pytest.mark.parametrize("look", training.LOOKS)
def test_the_parser_we_ship_beats_polygons_on_people_it_never_saw(look):
    """Polygons get the exact landmarks; the parser looks at the picture only."""
    assert SHIPPED.stat().st_size < 5e6
    chosen = {"people": 6, "size": 128, "seed": 4321}
    images, true = training.faces(look, **chosen)
    plain = torch.stack([polygons(points, 128) for points in training.points(look, **chosen)])
    bar, found = miou(plain, true), miou(Parser.load(SHIPPED).labels(images), true)
    assert found["mean"] > max(0.75, bar["mean"] + 0.05)
    assert all(found[part] > 0.4 for part in PARTS)
