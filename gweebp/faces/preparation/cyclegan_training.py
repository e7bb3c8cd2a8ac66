"""Training of CycleGAN (Zhu et al., ICCV 2017, Sec. 3-4 and appendix), on sketches and photos that need not be pairs.

With G: sketch to photo, F: photo to sketch, and a critic of patches for each kind:

    L = (D_photo(G(s)) - 1)^2 + (D_sketch(F(p)) - 1)^2                  least squares
      + a_cycle    [|F(G(s)) - s| + |G(F(p)) - p|]                      there and back is where one started
      + a_identity a_cycle [|G(p) - p| + |F(s) - s|]                    a photo is a photo already

Critics see fakes from a pool of the last 50, at half weight. Adam, 2e-4, beta = (0.5, 0.999), constant for the first
half of the steps, then falling to 0.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.faces.preparation.adversarial import Plan, Training, critic_loss, descend, fooled
from gweebp.faces.preparation.cyclegan import Translator, normal
from gweebp.faces.preparation.resnet_generator import PatchGAN
from gweebp.faces.variation import augment
from gweebp.networks import weights
from gweebp.support.ranges import Allowed, Range, whole
from gweebp.support.record import environment
from gweebp.support.rests_on import digest_of

__all__ = ["Recipe", "fit", "pooled"]


@dataclass(frozen=True)
class Recipe(Plan):
    """The numbers of the translator's training; the defaults are the published ones, but for the steps.

    Attributes:
        steps: optimiser steps.
        batch: sketches per step, and as many photos.
        lr: learning rate of generators and critics.
        cycle: weight of the cycle's loss.
        identity: weight of the identity's loss, as a share of the cycle's; 0: it is not computed.
        pool: generated images that the critics' pool holds.
        shift: images move by up to this many pixels.
        flip: mirror images at random.
        seed: of the networks, the batches and the pool.

    >>> Recipe(steps=8).rate(7)
    0.25
    """

    RANGES: ClassVar[Mapping[str, Allowed]] = {
        **Plan.RANGES,
        "cycle": Range(0),
        "identity": Range(0),
        "pool": whole(1),
        "shift": whole(0, 1024),
    }

    cycle: float = 10.0
    identity: float = 0.5
    pool: int = 50
    shift: int = 4


def fit(
    net: Translator,
    sketches: Tensor,
    photos: Tensor,
    *,
    out: str | Path,
    device: str | torch.device = "cpu",
    snapshot: str | Path | None = None,
    progress: bool = True,
    origin: str = "",
    record: Mapping[str, Any] | None = None,
    **recipe: Any,
) -> dict[str, Any]:
    """Train `net`, in place, and write it to `out`.

    Args:
        net: from `cyclegan.build`, or one that has learned already.
        sketches, photos: uint8 (n, 3, size, size) and (m, 3, size, size), of net's size.
        out: a safetensors file for the weights, with the record in it.
        snapshot: where the training keeps its state; taken up again where it lies there.
        origin: what says which weights `net` came with, such as their digest, where it has learned before.
        record: more for the record, such as what the network rests on.
        recipe: fields of `Recipe`.

    Returns:
        the record: recipe, origin, losses (means over 50 steps each), environment.
    """
    started, plan = time.perf_counter(), Recipe(**recipe)
    for name, images in (("sketches", sketches), ("photos", photos)):
        if images.shape[1:] != (3, net.size, net.size) or not len(images):
            raise ValueError(f"expected {name} (n, 3, {net.size}, {net.size}), n > 0, got {tuple(images.shape)}")
    stepper = _Stepper(net, plan, device)
    training = stepper.training(
        sketches=len(sketches), photos=len(photos), faces=digest_of(sketches, photos), origin=origin
    )
    training.run(
        lambda draws: stepper.step(_draw(sketches, plan, draws), _draw(photos, plan, draws), draws),
        plan,
        snapshot=snapshot,
        progress=progress,
        label="translator",
    )
    net.eval()
    made: dict[str, Any] = {
        "recipe": asdict(plan),
        "origin": origin,
        "sketches": len(sketches),
        "photos": len(photos),
    }
    made |= {"losses": training.losses, "environment": environment(seed=plan.seed, started=started, device=device)}
    made |= record or {}
    weights.save(net, out, made)
    return made


def pooled(pool: Tensor, fakes: Tensor, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The pool with new fakes in it, and what the critic sees of both.

    While the pool is not full, a fake goes in and is seen; then it is seen itself with probability one half, or else
    changes places with one of the pool, which is seen.

    Args:
        pool: (k, 3, h, w), k <= size. fakes: (b, 3, h, w).

    Returns:
        pool (., 3, h, w), seen (b, 3, h, w).

    Source: Shrivastava et al., CVPR 2017, as used by Zhu et al.

    >>> pool, seen = pooled(torch.zeros(0, 1, 1, 1), torch.ones(2, 1, 1, 1), 50, torch.Generator())
    >>> len(pool), len(seen)
    (2, 2)
    """
    seen = []
    for fake in fakes.detach():
        if len(pool) < size:
            pool = torch.cat([pool, fake[None]])
        elif torch.rand((), generator=generator) < 0.5:
            place = int(torch.randint(size, (), generator=generator))
            pool = pool.clone()
            old, pool[place] = pool[place].clone(), fake
            fake = old
        seen.append(fake)
    return pool, torch.stack(seen)


def _draw(images: Tensor, plan: Recipe, generator: torch.Generator) -> Tensor:
    """A batch (b, 3, h, w) in -1..1, varied."""
    rows = torch.randint(len(images), (plan.batch,), generator=generator)
    return augment(images[rows].float() / 127.5 - 1, generator, flip=plan.flip, shift=plan.shift)


class _Stepper:
    """Generators, critics and optimisers; one step updates the generators, then the critics."""

    def __init__(self, net: Translator, plan: Recipe, device: str | torch.device) -> None:
        self.plan = plan
        self.net = net.train().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            self.critic_photo, self.critic_sketch = (PatchGAN(net.config["width"]) for _ in range(2))
            for critic in (self.critic_photo, self.critic_sketch):
                normal(critic)
                critic.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        judges = [*self.critic_photo.parameters(), *self.critic_sketch.parameters()]
        self.optimiser = torch.optim.Adam(net.parameters(), betas=(0.5, 0.999))
        self.critics = torch.optim.Adam(judges, betas=(0.5, 0.999))
        empty = torch.zeros(0, 3, net.size, net.size, device=device)
        self.pools = {"photos": empty, "sketches": empty.clone()}

    def training(self, **data: int | str) -> Training:
        """The state of a training on so many images."""
        return Training(
            {"net": self.net, "critic_photo": self.critic_photo, "critic_sketch": self.critic_sketch},
            {"net": self.optimiser, "critics": self.critics},
            {"net": self.plan.lr, "critics": self.plan.lr},
            {**asdict(self.plan), **self.net.config, **data},
            self.pools,
        )

    def step(self, sketch: Tensor, photo: Tensor, generator: torch.Generator) -> dict[str, float]:
        plan, G, back = self.plan, self.net.to_photo, self.net.to_sketch
        like = next(self.net.parameters())
        sketch, photo = (x.to(like).contiguous(memory_format=torch.channels_last) for x in (sketch, photo))
        fake_photo, fake_sketch = G(sketch), back(photo)
        adversarial = fooled(self.critic_photo(fake_photo)) + fooled(self.critic_sketch(fake_sketch))
        cycle = F.l1_loss(back(fake_photo), sketch) + F.l1_loss(G(fake_sketch), photo)
        same = sketch.new_zeros(())
        if plan.identity:
            same = F.l1_loss(G(photo), photo) + F.l1_loss(back(sketch), sketch)
        descend(self.optimiser, adversarial + plan.cycle * (cycle + plan.identity * same))
        judged = sketch.new_zeros(())
        for name, critic, real, fake in (
            ("photos", self.critic_photo, photo, fake_photo),
            ("sketches", self.critic_sketch, sketch, fake_sketch),
        ):
            self.pools[name], seen = pooled(self.pools[name], fake, plan.pool, generator)
            judged = judged + critic_loss(critic(real), critic(seen))
        descend(self.critics, judged)
        terms = {"adversarial": adversarial, "cycle": cycle, "identity": same, "critics": judged}
        return {name: term.item() for name, term in terms.items()}
