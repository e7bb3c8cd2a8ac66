"""The tiny networks on which the peers' outputs in tests/data/oracles were computed, with their weights."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn

ORACLES = next(p for p in Path(__file__).resolve().parents if p.name == "tests") / "data/oracles"


class MFM(nn.Module):
    """Max-feature-map: the larger of the two halves of the channels."""

    def forward(self, x):
        return torch.max(*x.chunk(2, dim=1))


def _conv(c, out, k=3):
    return nn.Conv2d(c, out, k, padding=k // 2)


def tinyrelu():
    return dict(
        conv1=_conv(3, 4), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2), conv2=_conv(4, 6), relu2=nn.ReLU(),
        flatten=nn.Flatten(), fc=nn.Linear(96, 5), relu3=nn.ReLU(),
    )  # fmt: skip


def tinymfm():
    return dict(
        conv1=_conv(1, 8), mfm1=MFM(), pool1=nn.MaxPool2d(2), conv2=_conv(4, 8, 1), mfm2=MFM(), conv3=_conv(4, 12),
        mfm3=MFM(), flatten=nn.Flatten(), fc=nn.Linear(96, 10), mfm4=MFM(),
    )  # fmt: skip


def vgg8():
    layers, c = {}, 3
    for block, widths in enumerate(([8, 8], [16, 16], [16] * 3, [16] * 3, [16] * 3), 1):
        for i, width in enumerate(widths, 1):
            layers[f"conv{block}_{i}"], layers[f"relu{block}_{i}"], c = _conv(c, width), nn.ReLU(), width
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    return dict(**layers, flatten=nn.Flatten(), fc=nn.Linear(16, 12))


def load(file: str, name: str):
    """(network in float64, the file's arrays)."""
    z = np.load(ORACLES / f"{file}.npz", allow_pickle=False)
    net = nn.Sequential(OrderedDict({"tinyrelu": tinyrelu, "tinymfm": tinymfm, "vgg8": vgg8}[name]())).double().eval()
    net.load_state_dict({k: torch.tensor(z[f"w/{k}"], dtype=torch.float64) for k in net.state_dict()})
    return net, z
