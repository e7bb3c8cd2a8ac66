"""Training of the inpainter (Zheng, Cham and Cai, CVPR 2019, Sec. 3, with the released code's symmetric divergences).

Two paths share the generator. I is the image, m its known pixels (1 = known):

    reconstructive   z ~ posterior N(mu_r, s_r), made from the hole's true content (1 - m)*I
    generative       z ~ prior N(mu_g, s_g), made from m*I alone; this is what fills later

    L = a_kl  [J(N(0, s_m), posterior) + J(posterior, prior)]      J: KL both ways
      + a_rec [|I - I_r| + |(m + b (1 - m))*(I - I_g)|]            mean absolute error at each of four sizes
      + a_adv [(D_r(I_r) - D_r(I))^2 + (D(I_g) - 1)^2]             least squares, each path with a critic of its own

In the second J the posterior is fixed: the prior follows it. s_m = 1/(1 + exp(8*(share known - 0.8))): the more is
hidden, the freer the content. b is 0 as published: critic and prior alone say what belongs into a hole; a short
training needs b > 0, which pulls fillings towards what was there. Adam, beta = (0, 0.999), critics at twice the rate.
Holes are face parts, or boxes, in equal shares.
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
from torch.distributions import Normal, kl_divergence

from gweebp.faces.preparation.adversarial import Plan, Training, critic_loss, descend, fooled
from gweebp.faces.preparation.holes import holes
from gweebp.faces.preparation.inpainter import Inpainter, orthogonal
from gweebp.faces.preparation.pluralistic import SIZES, Discriminator
from gweebp.networks import weights
from gweebp.support.ranges import SHARE, Allowed, Range, whole
from gweebp.support.record import environment
from gweebp.support.rests_on import digest_of

__all__ = ["Recipe", "fit"]


@dataclass(frozen=True)
class Recipe(Plan):
    """The numbers of the inpainter's training; weights of the losses are the published ones.

    Attributes:
        steps: optimiser steps.
        batch: images per step.
        lr: peak learning rate of the inpainter; it falls to 0 along the last half of the steps.
        kl: weight of the divergence.
        rec: weight of the reconstruction.
        adv: weight of the critics.
        hole: b, the weight of a hole's true content in the generative path.
        dilate: a part's hole is widened by up to this many pixels.
        flip: mirror images at random.
        seed: of the network, the batches and the draws.

    >>> Recipe(steps=8).rate(7)
    0.25
    """

    RANGES: ClassVar[Mapping[str, Allowed]] = {
        **Plan.RANGES,
        **dict.fromkeys(("kl", "rec", "adv"), Range(0)),
        "hole": SHARE,
        "dilate": whole(0, 1024),
    }

    batch: int = 8
    lr: float = 4e-4
    kl: float = 20.0
    rec: float = 20.0
    adv: float = 1.0
    hole: float = 0.0
    dilate: int = 3


def fit(
    net: Inpainter,
    images: Tensor,
    labels: Tensor,
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
        net: from `inpainter.build`, or one that has learned already.
        images: uint8 (n, 3, size, size), faces of net's size.
        labels: uint8 (n, size, size), the part each pixel shows, index into datasets.PARTS, 255 = none.
        out: a safetensors file for the weights, with the record in it.
        snapshot: where the training keeps its state; taken up again where it lies there.
        origin: what says which weights `net` came with, such as their digest, where it has learned before.
        record: more for the record, such as what the network rests on.
        recipe: fields of `Recipe`.

    Returns:
        the record: recipe, origin, losses (means over 50 steps each), environment.
    """
    started, plan = time.perf_counter(), Recipe(**recipe)
    if images.shape[1:] != (3, net.size, net.size) or labels.shape != (len(images), net.size, net.size):
        raise ValueError(
            f"expected images (n, 3, {net.size}, {net.size}) and labels (n, {net.size}, {net.size}), got "
            f"{tuple(images.shape)} and {tuple(labels.shape)}"
        )
    stepper = _Stepper(net, plan, device)
    training = stepper.training(images=len(images), faces=digest_of(images, labels), origin=origin)
    training.run(
        lambda generator: stepper.step(*_batch(images, labels, plan, generator), generator),
        plan,
        snapshot=snapshot,
        progress=progress,
        label="inpainter",
    )
    net.eval()
    made = {"recipe": asdict(plan), "origin": origin, "images": len(images), "losses": training.losses}
    made |= {"environment": environment(seed=plan.seed, started=started, device=device), **(record or {})}
    weights.save(net, out, made)
    return made


def _batch(images: Tensor, labels: Tensor, plan: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images (b, 3, h, w) in -1..1 and what is known of them, (b, 1, h, w)."""
    rows = torch.randint(len(images), (plan.batch,), generator=generator)
    x, known = images[rows].float() / 127.5 - 1, ~holes(labels[rows], generator, plan.dilate)[:, None]
    mirrored = (torch.rand(plan.batch, 1, 1, 1, generator=generator) < 0.5) & plan.flip
    return torch.where(mirrored, x.flip(3), x), torch.where(mirrored, known.flip(3), known).float()


def _divergence(p: tuple[Tensor, Tensor], q: tuple[Tensor, Tensor]) -> Tensor:
    """KL(p||q) + KL(q||p) of normal distributions, each (mean, standard deviation), averaged over components."""
    one, other = (Normal(*moments, validate_args=False) for moments in (p, q))
    return (kl_divergence(one, other) + kl_divergence(other, one)).mean()


class _Stepper:
    """Network, critics and optimisers; one step updates the critics, then the network."""

    def __init__(self, net: Inpainter, plan: Recipe, device: str | torch.device) -> None:
        self.plan = plan
        self.net = net.train().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            self.critic, self.critic_rec = (Discriminator(net.config["width"]) for _ in range(2))
            for critic in (self.critic, self.critic_rec):
                orthogonal(critic)
                critic.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        judges = [*self.critic.parameters(), *self.critic_rec.parameters()]
        self.optimiser = torch.optim.Adam(net.parameters(), betas=(0.0, 0.999))
        self.critics = torch.optim.Adam(judges, betas=(0.0, 0.999))

    def training(self, **data: int | str) -> Training:
        """The state of a training on so many images."""
        return Training(
            {"net": self.net, "critic": self.critic, "critic_rec": self.critic_rec},
            {"net": self.optimiser, "critics": self.critics},
            {"net": self.plan.lr, "critics": 2 * self.plan.lr},
            {**asdict(self.plan), **self.net.config, **data},
        )

    def step(self, image: Tensor, known: Tensor, generator: torch.Generator) -> dict[str, float]:
        like = next(self.net.parameters())
        image, known = image.to(like).contiguous(memory_format=torch.channels_last), known.to(like)
        pictures, divergence = self._paths(image, known, generator)
        (rec, gen), plan = pictures[-1].chunk(2), self.plan
        judged = critic_loss(self.critic(image), self.critic(gen.detach()))
        judged_rec = critic_loss(self.critic_rec(image), self.critic_rec(rec.detach()))
        descend(self.critics, judged + judged_rec)
        with torch.no_grad():
            real = self.critic_rec(image)
        adversarial = fooled(self.critic(gen)) + (self.critic_rec(rec) - real).square().mean()
        appearance = image.new_zeros(())
        for picture in pictures:
            size = picture.shape[2:]
            truth, seen = (F.interpolate(x, size=size, mode="bilinear", align_corners=True) for x in (image, known))
            small_rec, small_gen = picture.chunk(2)
            weight = seen + plan.hole * (1 - seen)
            appearance = appearance + F.l1_loss(small_rec, truth) + F.l1_loss(weight * small_gen, weight * truth)
        # the divergence counts once for each size of picture, as the appearance does
        descend(self.optimiser, SIZES * plan.kl * divergence + plan.rec * appearance + plan.adv * adversarial)
        terms = {"kl": divergence, "appearance": appearance, "adversarial": adversarial, "critics": judged + judged_rec}
        return {name: term.item() for name, term in terms.items()}

    def _paths(self, image: Tensor, known: Tensor, generator: torch.Generator) -> tuple[list[Tensor], Tensor]:
        """Pictures of four sizes (2b, 3, ., .), reconstructive path first; the mean divergence."""
        features, mu, sigma = self.net.encoder(known * image)
        post_mu, post_sigma = self.net.encoder.posterior_of((1 - known) * image)
        free = torch.sigmoid(8 * (0.8 - known.mean((1, 2, 3), keepdim=True))).expand_as(mu)
        divergence = _divergence((torch.zeros_like(mu), free), (post_mu, post_sigma))
        divergence = divergence + _divergence((post_mu.detach(), post_sigma.detach()), (mu, sigma))
        noise = torch.randn(2, *mu.shape, generator=generator).to(mu)
        z = torch.cat([post_mu + post_sigma * noise[0], mu + sigma * noise[1]])
        f_m, f_e, seen = (torch.cat([x, x]) for x in (features[-1], features[2], known))
        return self.net.generator(z, f_m, f_e, seen), divergence
