"""How much of the excitation a rule leaves out at each layer of a network: what EBP ignores, what weighting loses.

Statements about architectures, for the chapters of theory: both follow the walk from the head down to the image and
say, as a share of the probability that arrives at a layer, how much of it the rule does not pass on as another would.
"""

from __future__ import annotations

import warnings
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.excitation import LostMassWarning, mwp
from gweebp.excitation.gain import triplet_gain
from gweebp.excitation.layers import run_from
from gweebp.networks.embedding import EmbeddingNetwork

__all__ = ["ignored_by_ebp", "lost_by_weighting"]


def ignored_by_ebp(net: EmbeddingNetwork, probe: Tensor, mate: Tensor, nonmate: Tensor) -> dict[str, float]:
    """Layer, from the head down -> share of the excitation over connections that plain EBP ignores.

    At each convolution, extended EBP gives the probability P of the parents, and Eq. (3)-(4) the excitation X of each.
    What Eq. (1) sees of it goes from positive parents over positive weights to positive children.

    Args:
        probe, mate, nonmate: images (b, c, h, w) of the network's size.

    >>> from gweebp import networks
    >>> net = networks.build("lcnn9", width=1 / 16, size=32, embedding=8).double()
    >>> found = ignored_by_ebp(net, *torch.rand(3, 1, 1, 32, 32, dtype=torch.float64))
    >>> list(found)[:2], all(0 <= share <= 1 for share in found.values())
    (['head', 'conv5'], True)
    """
    e, m, n = (net(x).detach() for x in (probe, mate, nonmate))
    head = ((m * e).sum(1, keepdim=True).sign() * m * e).clamp(min=0)
    found = {"head": _mean(head * (e < 0) / head.sum(1, keepdim=True))}
    layers = ["input", *(f"features.{name}" for name, _ in net.features.named_children())]
    for below, layer in reversed(list(pairwise(layers))):
        conv = net.get_submodule(layer)
        if isinstance(conv, nn.Conv2d):
            a = run_from(net, probe, below)[0].detach()
            parents = mwp(net, probe, m, n, layer=layer, extended=True, weighted=False)
            found[layer.removeprefix("features.")] = 1 - _mean(parents * _seen(conv, a))
    return found


@torch.no_grad()
def _seen(conv: nn.Conv2d, a: Tensor) -> Tensor:
    """The share of each parent's excitation that Eq. (1) sees: over positive weights from positive children."""

    def through(weight: Tensor, children: Tensor) -> Tensor:
        return F.conv2d(children, weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)

    y, W = conv(a), conv.weight
    x = (torch.sign(y) * through(W, a) + through(W.abs(), a.abs())) / 2  # Eq. (3)-(4): 1/Z
    return (y >= 0) * through(W.clamp(min=0), a.clamp(min=0)) / x.clamp(min=1e-300)


def lost_by_weighting(
    net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor
) -> tuple[dict[str, float], dict[str, float]]:
    """Layer, from the embedding down -> share of the probability that is lost, share that worked against the triplet.

    The first is what gradient weighting has lost on its way to a convolution's output; the second what extended EBP
    finds there on responses with â ∂G/∂a <= 0, which weighting takes from them.

    Raises:
        ArithmeticError: the responses of a layer that work for the triplet and those against it do not cancel, as they
            must in a network without biases.
    """
    lost, against = {}, {}
    m, n = (net(x).detach() for x in (mate, nonmate))
    for layer in reversed([name for name, module in net.named_modules() if isinstance(module, nn.Conv2d)]):
        response, e = run_from(net, probe, layer)
        works = (response * torch.autograd.grad(triplet_gain(e, m, n).sum(), response)[0]).detach()
        if abs(works.sum() / works.abs().sum()) > 1e-10:
            raise ArithmeticError(
                f"at {layer} the responses weighted by the gain do not sum to 0: has the network biases?"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LostMassWarning)  # it is what is measured
            before, after = (mwp(net, probe, m, n, layer=layer, weighted=weighted) for weighted in (False, True))
        name = layer.removeprefix("features.")
        lost[name], against[name] = 1 - _mean(after), _mean(before * (works <= 0))
    return lost, against


def _mean(shares: Tensor) -> float:
    """The sum over all but the batch, on average."""
    return shares.sum().item() / len(shares)
