"""A parser of our own, trained on faces of the synthetic world: it knows the parts of every pixel.

Photos and both kinds of sketch, so that one parser serves them all: the paper's parser, trained on photos only, fails
on drawings (Sec. 4.4.2). Cross-entropy on the output and on the two auxiliary heads; Adam; images varied in place,
scale, turn, colour and contrast.
"""

from __future__ import annotations

import math
import time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from gweebp.faces.preparation.bisenet import BiSeNet
from gweebp.faces.preparation.parse import NONE, miou
from gweebp.faces.preparation.parser import Parser, normalised
from gweebp.faces.quadruplets import PARTS
from gweebp.faces.synthetic import World
from gweebp.faces.synthetic.world import KINDS
from gweebp.support.record import environment

__all__ = ["LOOKS", "evaluate", "faces", "fit", "points", "varied"]

LOOKS = ("photo", *KINDS)  # photos, composites, drawings
_RARE = (1.0, 2.0, 2.0, 1.5, 1.5, 1.0, 1.0)  # weight of each part's pixels, and of none: small parts count more
_AUXILIARY = 0.3  # weight of each auxiliary head's loss


def faces(look: str, people: int, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Synthetic faces with their parts.

    Args:
        look: one of LOOKS.
        people: how many.
        size: height and width in pixels.
        seed: of the world: another seed, other people.

    Returns:
        images uint8 (n, 3, size, size), label maps uint8 (n, size, size).

    >>> images, labels = faces("drawn", 2, 32, seed=0)
    >>> images.shape, labels.shape
    (torch.Size([2, 3, 32, 32]), torch.Size([2, 32, 32]))
    """
    world, identities = _world(look, size, seed), torch.arange(people)
    draw = world.photos if look == "photo" else world.sketches
    drawn = draw(identities, world.people(identities), masks=True)
    none = ~drawn.masks.any(1)
    return drawn.images, drawn.masks.to(torch.uint8).argmax(1).to(torch.uint8).masked_fill(none, NONE)


def points(look: str, people: int, size: int, seed: int) -> Tensor:
    """The landmarks of `faces(look, people, size, seed)`: float64 (n, 68, 2), for `parse.polygons`.

    >>> points("photo", 2, 32, seed=0).shape
    torch.Size([2, 68, 2])
    """
    world, identities = _world(look, size, seed), torch.arange(people)
    found = world.photo_landmarks if look == "photo" else world.sketch_landmarks
    return found(identities, world.people(identities))


def _world(look: str, size: int, seed: int) -> World:
    kind = look if look in KINDS else "composite"
    return World(kind, size, seed, KINDS[kind])


def fit(
    *,
    size: int = 256,
    width: float = 0.25,
    people: int = 400,
    steps: int = 600,
    batch: int = 8,
    lr: float = 0.003,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> tuple[Parser, dict[str, Any]]:
    """Train a parser.

    Args:
        size: height and width that the network sees; the faces are drawn at half of it.
        width: of BiSeNet's layers, times the published ones.
        people: synthetic people of each look.
        steps, batch, lr: steps, images a step, highest learning rate (warm-up, then cosine to 0).
        seed: of weights, people and variation; two runs on one machine give the same weights.
        device: where to compute.
        progress: show a bar, where there is a terminal.

    Returns:
        the parser, on the CPU, and its record: recipe, losses, environment.

    Raises:
        FloatingPointError: the loss is NaN or infinite.

    >>> parser, record = fit(size=64, width=0.125, people=2, steps=2, batch=2, progress=False)
    >>> len(record["losses"]), parser.size
    (2, 64)
    """
    started = time.perf_counter()
    recipe = {"size": size, "width": width, "people": people, "steps": steps, "batch": batch, "lr": lr, "seed": seed}
    sets = [faces(look, people, size // 2, seed) for look in LOOKS]
    images, labels = (torch.cat(x) for x in zip(*sets, strict=True))
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = BiSeNet(classes=len(PARTS) + 1, width=width).to(device)
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps, pct_start=0.1)
    losses: list[float] = []
    for _ in tqdm(range(steps), desc="training a parser", disable=None if progress else True):
        rows = torch.randint(len(images), (batch,), generator=generator)
        x, y = varied(normalised(images[rows], size).to(device), labels[rows].to(device), generator)
        loss = _loss(net, x, y)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {len(losses)}: lower lr ({lr})")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(round(loss.item(), 5))
    record = {"recipe": recipe, "losses": losses, "environment": environment(seed=seed, started=started, device=device)}
    return Parser(net.cpu(), size), record


def evaluate(parser: Parser, people: int, size: int, seed: int) -> dict[str, dict[str, float]]:
    """Look -> part -> intersection over union, on people of another world (`seed`).

    >>> found = evaluate(Parser(BiSeNet(7, 0.125), 64), people=1, size=32, seed=1)
    >>> list(found)
    ['photo', 'composite', 'drawn']
    """
    found = {}
    for look in LOOKS:
        images, labels = faces(look, people, size, seed)
        found[look] = miou(parser.labels(images), labels)
    return found


def varied(x: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each image moved, scaled, turned, perhaps mirrored or grey, lit and contrasted on its own, its labels alike.

    Args:
        x: float (n, 3, s, s), normalised.
        labels: uint8 (n, h, h), at any scale.
        generator: of the draw, on the CPU.

    Returns:
        x of the same shape, labels uint8 (n, s, s): NONE beyond the old image.

    >>> x, labels = varied(torch.zeros(2, 3, 8, 8), torch.zeros(2, 4, 4, dtype=torch.uint8), torch.Generator())
    >>> x.shape, labels.shape
    (torch.Size([2, 3, 8, 8]), torch.Size([2, 8, 8]))
    """
    n = len(x)
    draw = (2 * torch.rand(8, n, generator=generator) - 1).to(x)
    turn, scale = draw[0] * math.radians(12), 1.25 ** draw[1]
    mirror = draw[2].sign()
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    theta = torch.stack([cos * mirror, -sin, 0.1 * draw[3], sin * mirror, cos, 0.1 * draw[4]], 1).view(n, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    moved = F.grid_sample(labels[:, None].float() - NONE, grid, mode="nearest", align_corners=False)[:, 0] + NONE
    grey = (draw[5] > 0.5).view(n, 1, 1, 1)
    x = torch.where(grey, x.mean(1, keepdim=True), x)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * 1.4 ** draw[6].view(n, 1, 1, 1) + 0.4 * draw[7].view(n, 1, 1, 1), moved.to(torch.uint8)


def _loss(net: BiSeNet, x: Tensor, labels: Tensor) -> Tensor:
    target = labels.long().clamp(max=len(PARTS))  # NONE becomes the last class
    weight = torch.tensor(_RARE, device=x.device)
    main, *auxiliary = (F.cross_entropy(logits, target, weight) for logits in net.heads(x))
    return main + _AUXILIARY * torch.stack(auxiliary).sum()
