"""Triplet training of an embedding network on sketches and photos (gweEBP paper, Sec. 4.2.1).

Batches of 16 identities, one sketch and one photo each; triplet loss over the triplets of the batch, on the L2 distance
between unit embeddings; the weights kept are those that validate best.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from gweebp import networks
from gweebp.experiment.training.batches import Pool, batches, inputs
from gweebp.experiment.training.loss import triplet_loss
from gweebp.experiment.training.recipe import Recipe
from gweebp.faces.faceset import FaceSet
from gweebp.faces.variation import augment
from gweebp.networks.verification import rank_k, ranks, unit
from gweebp.support import files
from gweebp.support.record import environment

__all__ = ["RECORD", "WEIGHTS", "Recipe", "fit", "triplet_loss"]

WEIGHTS, RECORD = "weights.safetensors", "record.json"


def fit(
    net: networks.EmbeddingNetwork,
    faces: FaceSet,
    *,
    out: str | Path,
    init: str | Path | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
    record: Mapping[str, Any] | None = None,
    **recipe: Any,
) -> dict[str, Any]:
    """Train `net`, in place, and keep the weights with the best validation rank-1 (of equals, the least loss).

    Two runs with one seed, one number of threads and one starting network give the same weights.

    Args:
        net: from `networks.build`; on return it holds the best weights, in eval mode.
        faces: train on its training subjects, validate on its validation subjects.
        out: folder for weights.safetensors and then record.json, each written whole at the end.
        init: weights to start from, a file of `networks.save` or a published checkpoint, of the same architecture.
            Where its embedding is of another kind (VGG-Face's), the features are taken and the embedding is learned.
        device: where to compute; the network stays there.
        progress: show a bar, where there is a terminal.
        record: more for the record and for that in the weights, such as what they rest on.
        recipe: fields of `Recipe`.

    Returns:
        the record: recipe, losses (one a step), validation (step, rank1, loss), best, rank1, sizes, environment.

    Raises:
        ValueError: an empty split, a recipe out of range, `init` that does not fit.
        FloatingPointError: the loss is NaN or infinite; nothing is written.

    >>> import tempfile
    >>> images = torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.manual_seed(0))
    >>> faces = FaceSet("noise", tuple("abcdefgh"), images, images, torch.tensor([0, 0, 0, 0, 1, 1, 2, 2]))
    >>> net = networks.build("lcnn9", seed=0, width=0.125, size=32)
    >>> record = fit(net, faces, out=tempfile.mkdtemp(), steps=2, identities=4, progress=False)
    >>> len(record["losses"]), record["rank1"]
    (2, 1.0)
    """
    started = time.perf_counter()
    plan = Recipe(**recipe)
    started_from = None
    if init is not None:
        started_from = {"file": Path(init).name, "sha256": files.sha256(init), "weights": _start_from(net, init)}
    if plan.steps:  # it will look for eyes and mouth where these faces have them
        frame = faces.record.get("frame")
        net.frame = None if frame is None else networks.Frame.of(frame)
    net.to(device=device, memory_format=layout(net))  # type: ignore[call-overload]
    with _deterministic(plan.seed):
        losses, curve, best = _optimise(net, faces, plan, progress)
    made = {
        "network": net.config,
        "faces": faces.name,
        "sizes": faces.sizes,
        "recipe": asdict(plan),
        "init": started_from,
        "losses": losses,
        "validation": curve,
        "best": best,
        "rank1": best["rank1"],
        "environment": environment(seed=plan.seed, started=started, device=device),
        **(record or {}),
    }
    in_weights = {"faces": faces.name, "recipe": asdict(plan), "best": best, **(record or {})}
    networks.save(net, Path(out) / WEIGHTS, in_weights)
    files.write_json(Path(out) / RECORD, made)
    return made


def _optimise(
    net: networks.EmbeddingNetwork, faces: FaceSet, plan: Recipe, progress: bool
) -> tuple[list[float], list[dict[str, float]], dict[str, float]]:
    """Losses by step, the validation curve, and its best point, whose weights `net` then holds."""
    pool = Pool.training(net, faces, doppelgangers=plan.doppelgangers > 0)
    held_out = inputs(net, faces.sketches[faces.validation]), inputs(net, faces.photos[faces.validation])
    kept = next(net.parameters()).dtype  # of the weights, whatever they are trained in
    if plan.precision == "float64":
        net.double()
    optimiser = torch.optim.Adam(net.parameters(), lr=plan.lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, plan.rate)
    generator = torch.Generator().manual_seed(plan.seed)
    if plan.shuffled:
        pool = pool.shuffled(generator)
    draw = batches(pool.subjects, pool.parent, plan.identities, plan.doppelgangers, generator)
    curve = [_validate(net, *held_out, plan, step=0)]
    best, weights = curve[0], copy.deepcopy(net.state_dict())
    losses: list[float] = []
    with tqdm(total=plan.steps, desc=f"training on {faces.name}", disable=None if progress else True) as bar:
        for step in range(1, plan.steps + 1):
            losses.append(_step(net, pool, next(draw), plan, optimiser, generator, step))
            schedule.step()
            if step % plan.validate_every == 0 or step == plan.steps:
                curve.append(_validate(net, *held_out, plan, step=step))
                better = (curve[-1]["rank1"], -curve[-1]["loss"]) > (best["rank1"], -best["loss"])
                if better or plan.shuffled:
                    best, weights = curve[-1], copy.deepcopy(net.state_dict())
            bar.set_postfix(loss=f"{losses[-1]:.3f}", rank1=f"{curve[-1]['rank1']:.2f}", refresh=False)
            bar.update()
    net.load_state_dict(weights)
    net.to(kept).eval()
    return losses, curve, best


def _step(
    net: nn.Module,
    pool: Pool,
    rows: Tensor,
    plan: Recipe,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    step: int,
) -> float:
    """One optimiser step on the batch of these rows; its loss."""
    net.train()
    rows = rows.to(pool.sketches.device)
    x = torch.cat([pool.sketches[rows], pool.photos[rows]]).to(next(net.parameters()).dtype)
    x = augment(x, generator, **plan.variation).contiguous(memory_format=layout(net))
    sketches, photos = F.normalize(net(x)).chunk(2)
    loss = triplet_loss(sketches, photos, plan.margin, negatives=plan.negatives, active=plan.active)
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss.item()} at step {step}: lower lr ({plan.lr}), or check the images")
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), plan.clip)
    optimiser.step()
    return round(loss.item(), 6)


@torch.no_grad()
def _validate(net: nn.Module, sketches: Tensor, photos: Tensor, plan: Recipe, *, step: int) -> dict[str, float]:
    """Rank-1 of the validation sketches among the validation photos, and the mean loss over all their triplets."""
    net.eval()
    like = next(net.parameters())

    def embedded(x: Tensor) -> Tensor:
        rows = [net(part.to(like.dtype).contiguous(memory_format=layout(net))) for part in x.split(64)]
        return unit(torch.cat(rows))

    probe, gallery = embedded(sketches), embedded(photos)
    rank1 = rank_k(ranks(probe, gallery, torch.arange(len(probe), device=probe.device)), 1)
    loss = triplet_loss(probe, gallery, plan.margin, negatives=plan.negatives, active=False).item()
    return {"step": step, "rank1": rank1, "loss": loss}


def layout(net: nn.Module) -> torch.memory_format:
    """How images and weights lie in memory while `net` learns: channels last, up to twice as fast on narrow networks.

    Not where a convolution skips pixels, its stride above its kernel, as the shortcuts of residual networks do: oneDNN
    ends the process in the gradient of such weights (seen with torch 2.15).

    >>> layout(nn.Conv2d(3, 4, 3, stride=2)), layout(nn.Conv2d(3, 4, 1, stride=2))
    (torch.channels_last, torch.contiguous_format)
    """
    convolutions = (m for m in net.modules() if isinstance(m, nn.Conv2d))
    skips = any(stride > kernel for m in convolutions for stride, kernel in zip(m.stride, m.kernel_size))
    return torch.contiguous_format if skips else torch.channels_last


def _start_from(net: networks.EmbeddingNetwork, init: str | Path) -> str:
    """Take over the weights, all or those of the features, and say which."""
    source = networks.load(init)
    net.frame = getattr(source, "frame", None)  # a plugin's network need not have one
    given, own = source.state_dict(), net.state_dict()
    wrong = {
        key
        for key in given.keys() | own.keys()
        if key not in given or key not in own or given[key].shape != own[key].shape
    }
    if any(not key.startswith("head.") for key in wrong):
        raise ValueError(f"{init} holds {source.config}, which does not fit {net.config}")
    # an embedding of another kind is learned anew, as the paper does on top of VGG-Face
    net.load_state_dict({key: own[key] if key.startswith("head.") and wrong else given[key] for key in own})
    net.mean, net.std = net.config["mean"], net.config["std"] = source.mean, source.std  # what its weights expect
    return "features" if wrong else "all"


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Seed the global generators (dropout, if any) and ask for deterministic algorithms; put both back."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what CUDA's matrix products need for it
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # warn only: on a GPU some backward passes have no deterministic form
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
