"""What tests of black-box methods watch: the forward passes of a small network, the bytes of tensors alive."""

from __future__ import annotations

import contextlib
import gc

import torch
from torch import nn


class Counted(nn.Module):
    """A small network in float64 that notes the batch size of each forward pass."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.calls = (
            nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(300, 4)).double(),
            [],
        )

    def forward(self, x):
        self.calls.append(len(x))
        return self.net(x)


def triplet(b=1, seed=0):
    return torch.rand(3, b, 1, 12, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@contextlib.contextmanager
def peak(net):
    """A list whose maximum is the bytes of tensors alive, made since, as each forward pass of `net` ends."""
    found = []

    def note(*_):
        storages = [o.untyped_storage() for o in gc.get_objects() if type(o) is torch.Tensor]
        found.append(sum({s.data_ptr(): s.nbytes() for s in storages}.values()))

    gc.collect()
    gc.freeze()
    handle = net.register_forward_hook(note)
    try:
        yield found
    finally:
        handle.remove()
        gc.unfreeze()
