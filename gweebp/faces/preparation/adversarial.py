"""Training against critics, as the inpainter and the translator are trained: least-squares losses, and the loop.

Mao et al., "Least squares generative adversarial networks", ICCV 2017. A step draws everything from a generator that
depends on the seed and on its own number only, so a training taken up again goes on as if it had never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from gweebp.support import files
from gweebp.support.ranges import BATCH, POSITIVE, SEED, Allowed, check_all, whole

__all__ = ["Plan", "Training", "critic_loss", "descend", "fooled"]

_STRIDE = 1_000_003  # between the seeds of two trainings: a prime above any number of steps
SAVE_EVERY = 100  # steps between snapshots: some tens of seconds on one core


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """What a critic minimises: scores of 1 for real images and of 0 for fake ones.

    >>> critic_loss(torch.ones(4), torch.zeros(4)).item(), critic_loss(torch.zeros(4), torch.ones(4)).item()
    (0.0, 1.0)
    """
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def fooled(fake: Tensor) -> Tensor:
    """What a generator minimises: that the critic's scores of its images are not 1.

    >>> fooled(torch.zeros(4)).item()
    1.0
    """
    return (fake - 1).square().mean()


def descend(optimiser: Optimizer, loss: Tensor) -> None:
    """One step of the optimiser down the loss."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


@dataclass(frozen=True)
class Plan:
    """The numbers that all such trainings have.

    Attributes:
        steps: optimiser steps.
        batch: images per step.
        lr: peak learning rate; it falls to 0 along the last half of the steps.
        flip: mirror images at random.
        seed: of the networks, the batches and the draws.

    >>> Plan(steps=8).rate(7)
    0.25
    """

    RANGES: ClassVar[Mapping[str, Allowed]] = {"steps": whole(1), "batch": BATCH, "lr": POSITIVE, "seed": SEED}

    steps: int = 2000
    batch: int = 1
    lr: float = 2e-4
    flip: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_all(vars(self), self.RANGES)

    def rate(self, step: int) -> float:
        """Learning rate of step 0..steps-1, as a share of its peak."""
        return min(1.0, 2 * (1 - step / self.steps))


@dataclass
class Training:
    """Modules and optimisers on their way, with the losses so far; saved whole, taken up again exactly.

    Attributes:
        modules, optimisers: by name.
        rates: learning rate of each optimiser, at its peak.
        plan: what was asked for, ready for JSON; another plan does not take a snapshot up.
        tensors: what else a step reads and writes.
        step: steps done.
        losses: mean of each loss over every `log_every` steps.
    """

    modules: Mapping[str, nn.Module]
    optimisers: Mapping[str, Optimizer]
    rates: Mapping[str, float]
    plan: dict[str, object]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    step: int = 0
    losses: dict[str, list[float]] = field(default_factory=dict)

    def run(
        self,
        one: Callable[[torch.Generator], Mapping[str, float]],
        plan: Plan,
        *,
        snapshot: str | Path | None = None,
        save_every: int | None = None,
        log_every: int = 50,
        progress: bool = True,
        label: str = "training",
    ) -> None:
        """Call `one` with each step's generator until all steps of the plan are done.

        Args:
            one: a step: it updates modules by the optimisers and returns its losses by name.
            snapshot: where the state is kept; what lies there by the same plan is taken up.
            save_every, log_every: steps between snapshots (None: SAVE_EVERY), and between two means of the losses.
            progress: show a bar, where there is a terminal.

        Raises:
            ValueError: the snapshot belongs to another plan.
            FloatingPointError: a loss is NaN or infinite.
        """
        snapshot, save_every = None if snapshot is None else Path(snapshot), save_every or SAVE_EVERY
        if snapshot is not None and snapshot.is_file():
            self.restore(snapshot)
        sums: dict[str, float] = {}
        with tqdm(total=plan.steps, initial=self.step, desc=label, disable=None if progress else True) as bar:
            while self.step < plan.steps:
                for name, optimiser in self.optimisers.items():
                    optimiser.param_groups[0]["lr"] = self.rates[name] * plan.rate(self.step)
                generator = torch.Generator().manual_seed(plan.seed * _STRIDE + self.step)
                for name, value in one(generator).items():
                    if value != value or abs(value) == float("inf"):
                        raise FloatingPointError(f"loss {name} is {value} at step {self.step + 1}: lower lr")
                    sums[name] = sums.get(name, 0.0) + value / log_every
                self.step += 1
                if self.step % log_every == 0:
                    for name, value in sums.items():
                        self.losses.setdefault(name, []).append(round(value, 5))
                    bar.set_postfix({name: f"{value:.3f}" for name, value in sums.items()}, refresh=False)
                    sums = {}
                if snapshot is not None and self.step % save_every == 0 and self.step < plan.steps:
                    self.save(snapshot)
                bar.update()

    def save(self, path: Path) -> None:
        """Write the state as safetensors, atomically."""
        tensors = {f"tensors/{name}": tensor for name, tensor in self.tensors.items()}
        for name, module in self.modules.items():
            tensors |= {f"modules/{name}/{key}": tensor for key, tensor in module.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            for number, state in optimiser.state_dict()["state"].items():
                tensors |= {f"optimisers/{name}/{number}/{key}": tensor for key, tensor in state.items()}
        files.write_tensors(path, tensors, {"plan": self.plan, "step": self.step, "losses": self.losses})

    def restore(self, path: Path) -> None:
        """Read what `save` wrote. Raises ValueError for a snapshot of another plan, or a broken one."""
        tensors, metadata = files.read_tensors(path)
        if metadata.get("plan") != self.plan:
            raise ValueError(f"{path} is the snapshot of another training: delete it, or train with its numbers")
        with files.interpreted(path, "a snapshot of this training"):
            self.step, self.losses = metadata["step"], metadata["losses"]
            for name, tensor in _under(tensors, "tensors/").items():
                self.tensors[name] = tensor.to(self.tensors[name].device)
            for name, module in self.modules.items():
                module.load_state_dict(_under(tensors, f"modules/{name}/"))
            for name, optimiser in self.optimisers.items():
                state: dict[int, dict[str, Tensor]] = {}
                for key, tensor in _under(tensors, f"optimisers/{name}/").items():
                    number, entry = key.split("/")
                    state.setdefault(int(number), {})[entry] = tensor
                optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
