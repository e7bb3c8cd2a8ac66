"""Eq. (1)-(6) read aloud: a neuron at a time, in float64. Slow, obvious, and from the paper, not from gweebp/

A network is a list of steps on one sample, flat vectors in, flat vectors out:

    ("affine", W, b)        y = W a + b                           Eq. (1)-(4)
    ("add", k)              y = a + (the vector that entered step k)   children: both, with weight 1
    ("max", groups)         y_i = max of a[groups[i]]             the winner takes all
    ("pass", f)             y_i = f(a_i)                          one child a parent
    ("copy", index)         y_i = a[index[i]], 0 for index −1     the same neuron in another place
    ("cat", k)              y = a, then the vector that entered step k
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def matrix(operation, shape: tuple[int, ...]) -> np.ndarray:
    """The matrix of a linear operation on one sample of `shape`, column by column."""
    n = int(np.prod(shape))
    zero = operation(torch.zeros(1, *shape, dtype=torch.float64)).flatten()
    columns = [operation(torch.eye(n, dtype=torch.float64)[j].view(1, *shape)).flatten() - zero for j in range(n)]
    return torch.stack(columns, 1).detach().numpy()


def copied(index, a):
    """a at `index`, 0 where that is −1."""
    return torch.cat([torch.as_tensor(a), torch.zeros(1, dtype=torch.float64)])[list(index)]


def forward(steps, a: Tensor) -> list[Tensor]:
    """The vector that enters each step, and the last one's output; differentiable."""
    seen = [a]
    for kind, *what in steps:
        a = seen[-1]
        if kind == "affine":
            y = torch.as_tensor(what[0]) @ a + torch.as_tensor(what[1])
        elif kind == "add":
            y = a + seen[what[0]]
        elif kind == "max":
            y = torch.stack([a[list(g)].max() for g in what[0]])
        elif kind == "copy":
            y = copied(what[0], a)
        elif kind == "cat":
            y = torch.cat([a, seen[what[0]]])
        else:
            y = what[0](a)
        seen.append(y)
    return seen


def gradients(steps, a: Tensor, mate: Tensor, nonmate: Tensor) -> list[np.ndarray]:
    """∂G/∂a of the triplet gain, Eq. (5), at each vector of `forward`."""
    seen = forward(steps, a.clone().requires_grad_())
    e = seen[-1] / seen[-1].norm()
    m, n = mate / mate.norm(), nonmate / nonmate.norm()
    gain = torch.clamp((e - n).norm() - (e - m).norm(), min=0)
    return [g.numpy() for g in torch.autograd.grad(gain, seen)]


def share(W, child, parent_response, parent_probability, extended, spare=None):
    """Eq. (1)-(2), or (3)-(4), of one affine step; W (parents, children).

    spare: responses of the children for a parent that none of `child` excites; None: its probability is lost.
    """
    result = np.zeros(len(child))
    for i in range(len(parent_response)):
        excitation = np.zeros(len(child))
        for j in range(len(child)):
            w, a = W[i, j], child[j]
            if not extended:
                excitatory = w >= 0 and a >= 0
            elif parent_response[i] >= 0:  # Eq. (3): both positive, or both negative
                excitatory = (w >= 0 and a >= 0) or (w < 0 and a < 0)
            else:  # Eq. (4): the signs differ
                excitatory = (w < 0 and a >= 0) or (w >= 0 and a < 0)
            if excitatory:
                excitation[j] = w * a
        total = excitation.sum()  # 1 / Z_i
        if total == 0 and spare is not None:
            one = slice(i, i + 1)
            result += share(W[one], spare, parent_response[one], parent_probability[one], extended)
        if total != 0:
            for j in range(len(child)):
                result[j] += excitation[j] / total * parent_probability[i]
    return result


def respond(a: float, gradient: float, clamp: bool = True) -> float:
    """Eq. (6), with the clamp on both brackets, or on the first alone as printed."""
    if a >= 0:
        return a * max(0.0, gradient)
    return a * max(0.0, -gradient) if clamp else a * -gradient


def mwp(
    steps,
    a: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    extended: bool,
    weighted: bool,
    towards: int,
    clamp: bool = True,
    dead_ends: str = "lost",
) -> list[np.ndarray]:
    """P of each vector of `forward`, from the one-hot prior at the head down."""
    seen = [v.detach().numpy() for v in forward(steps, a)]
    responses = seen
    if weighted:
        found = gradients(steps, a, mate, nonmate)
        responses = [np.array([respond(*x, clamp) for x in zip(v, g)]) for v, g in zip(seen, found)]
        for k, (kind, *what) in enumerate(steps):  # a copy is the same neuron: its ã too
            if kind == "copy":
                responses[k + 1] = copied(what[0], responses[k]).numpy()
            elif kind == "cat":
                responses[k + 1] = np.concatenate([responses[k], responses[what[0]]])
    spare = seen if weighted and dead_ends == "unweighted" else [None] * len(seen)
    head = torch.stack([mate / mate.norm(), nonmate / nonmate.norm()]).numpy()
    probability = [np.zeros_like(v) for v in seen]
    probability[-1] = share(head, responses[-1], head @ seen[-1], np.eye(2)[towards], extended, spare[-1])
    for k in reversed(range(len(steps))):
        kind, *what = steps[k]
        p = probability[k + 1]
        if kind == "affine":
            probability[k] += share(what[0], responses[k], seen[k + 1], p, extended, spare[k])
        elif kind == "add":
            for i in range(len(p)):
                pair = np.array([responses[k][i], responses[what[0]][i]])
                own = None if spare[k] is None else np.array([seen[k][i], seen[what[0]][i]])
                both = share(np.ones((1, 2)), pair, seen[k + 1][i : i + 1], p[i : i + 1], extended, own)
                probability[k][i] += both[0]
                probability[what[0]][i] += both[1]
        elif kind == "max":
            for i, group in enumerate(what[0]):
                winner = max(group, key=lambda j: seen[k][j])
                probability[k][winner] += p[i]
        elif kind == "copy":
            for i, j in enumerate(what[0]):
                if j >= 0:
                    probability[k][j] += p[i]
        elif kind == "cat":
            probability[k] += p[: len(probability[k])]
            probability[what[0]] += p[len(probability[k]) :]
        else:
            probability[k] += p
    return probability


def steps_of(net: nn.Sequential, shape: tuple[int, ...]) -> tuple[list, list[str]]:
    """The steps of a sequential network of known modules, and the name of the module behind each."""
    steps, names, x = [], [], torch.zeros(1, *shape, dtype=torch.float64)
    for name, module in net.named_children():
        y = module(x)
        n = x[0].numel()
        if isinstance(module, nn.MaxPool2d) or type(module).__name__ == "MFM":
            index = torch.arange(n, dtype=torch.float64).view_as(x)
            if isinstance(module, nn.MaxPool2d):
                k = module.kernel_size
                groups = nn.functional.unfold(index.transpose(0, 1), k, stride=k).transpose(1, 2).reshape(-1, k * k)
            else:
                groups = torch.stack([half.flatten() for half in index.chunk(2, 1)], 1)
            steps.append(("max", groups.long().tolist()))
        elif isinstance(module, (nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.Hardtanh, nn.PReLU, nn.BatchNorm2d)):
            steps.append(("pass", lambda a, module=module, x=x: module(a.view_as(x)).flatten()))
        elif isinstance(module, nn.Flatten):
            steps.append(("pass", lambda a: a))
        else:
            if getattr(module, "padding_mode", "zeros") != "zeros":  # padding first, as copies
                index = torch.arange(1, n + 1, dtype=torch.float64).view_as(x)
                index = nn.functional.pad(index, module._reversed_padding_repeated_twice, mode=module.padding_mode)
                steps.append(("copy", (index.flatten().long() - 1).tolist()))
                names.append(name + " padding")
                x = nn.functional.pad(x, module._reversed_padding_repeated_twice, mode=module.padding_mode)
                module, weights = nn.Conv2d(x.shape[1], module.out_channels, module.kernel_size).double(), module
                module.load_state_dict(weights.state_dict())
            zero = module(torch.zeros_like(x)).flatten().detach().numpy()
            steps.append(("affine", matrix(module, tuple(x.shape[1:])), zero))
        names.append(name)
        x = y
    return steps, names
