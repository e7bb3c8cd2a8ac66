"""The loop of trainings against critics: it stops, goes on, and says when it can't."""

import pytest
import torch
from torch import nn

from gweebp.faces.preparation.adversarial import Plan, Training, critic_loss, fooled


def training(seed, plan=None):
    torch.manual_seed(seed)
    net = nn.Linear(3, 1)
    optimiser = torch.optim.Adam(net.parameters())
    return Training({"net": net}, {"net": optimiser}, {"net": 0.1}, plan or {"steps": 9}, {"seen": torch.zeros(1)})


def run(training, steps=9, stop=None, **options):
    net, optimiser = training.modules["net"], training.optimisers["net"]

    def one(generator):
        if training.step == stop:
            raise KeyboardInterrupt
        loss = (net(torch.randn(4, 3, generator=generator)) - 1).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        training.tensors["seen"] = training.tensors["seen"] + 1
        return {"loss": loss.item()}

    training.run(one, Plan(steps=steps), log_every=2, progress=False, **options)
    return training


def test_stopped_and_taken_up_again_it_ends_the_same(tmp_path):
    snapshot = tmp_path / "snapshot.safetensors"
    whole = run(training(0))
    with pytest.raises(KeyboardInterrupt):
        run(training(0), stop=6, snapshot=snapshot, save_every=4)
    again = run(training(1), snapshot=snapshot, save_every=4)
    assert torch.equal(again.modules["net"].weight, whole.modules["net"].weight)
    assert again.tensors["seen"] == whole.tensors["seen"] == 9
    assert again.losses == whole.losses
    assert len(whole.losses["loss"]) == 4


def test_a_snapshot_of_another_training_is_refused(tmp_path):
    snapshot = tmp_path / "snapshot.safetensors"
    run(training(0), snapshot=snapshot, save_every=4)
    with pytest.raises(ValueError, match="snapshot of another training: delete it"):
        run(training(0, {"steps": 10}), steps=10, snapshot=snapshot)


def test_a_loss_that_is_no_number_stops_it():
    broken = training(0)
    with torch.no_grad():
        broken.modules["net"].bias.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="loss loss is inf at step 1"):
        run(broken)


def test_losses_pull_both_ways():
    real, fake = torch.tensor([0.9]), torch.tensor([0.2], requires_grad=True)
    critic_loss(real, fake).backward()
    assert fake.grad > 0
    fake.grad = None
    fooled(fake).backward()
    assert fake.grad < 0


def test_numbers_of_a_plan_are_checked():
    for name in ("steps", "batch", "lr"):
        with pytest.raises(ValueError, match=f"{name} must be .*; got 0"):
            Plan(**{name: 0})
    assert [Plan(steps=4).rate(step) for step in range(4)] == [1, 1, 1, 0.5]
