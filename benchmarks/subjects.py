"""What is measured on: the two networks at the paper's sizes, with random weights, and triplets with a gain."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gweebp import networks
from gweebp.excitation.layers import run_from


def network(name: str, **options: float) -> networks.EmbeddingNetwork:
    """A frozen network of the paper's size."""
    return networks.build(name, seed=0, **options).eval().requires_grad_(False)


@torch.no_grad()
def triplet(net: networks.EmbeddingNetwork, b: int) -> tuple[Tensor, Tensor, Tensor]:
    """b probes of noise, and embeddings of mates near to them and of non-mates anywhere."""
    g = torch.Generator().manual_seed(0)
    probe = torch.rand(b, net.channels, net.size, net.size, generator=g)
    e = torch.cat([net(part) for part in probe.split(8)])
    return probe, e * (1 + 0.3 * torch.rand(e.shape, generator=g)), e.std() * torch.randn(e.shape, generator=g)


@torch.no_grad()
def forward(net: nn.Module, images: Tensor) -> None:
    """The plain forward pass."""
    net(images)


def forward_and_backward(net: nn.Module, images: Tensor, layer: str) -> None:
    """The forward pass and the gradient at a layer."""
    activation, embedding = run_from(net, images, layer)
    torch.autograd.grad(embedding.sum(), activation)
