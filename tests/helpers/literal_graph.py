"""The rules of all operations read aloud, a neuron at a time, on any graph of operations of one sample, in float64.

A graph is built entry by entry; an entry is a flat vector made of earlier ones (their numbers):

    g = Graph(); x = g.input()
    y = g.mix(x, W, b)                     y = W x + b: Eq. (1)-(4)
    y = g.mix(v, lambda a: ..., of=(a,))   W made of other entries, which get no probability: attention, a gate's matrix
    y = g.product(a, b, A, B)              y = A(b) a = B(a) b: half to each, by Eq. (1)-(4) with the other as W
    y = g.add(a, b, sign)                  a ± b: both are children
    y = g.passed(f, a, b, shares=(1, 0))   y_i = f(a, b)_i: fixed shares of P(y_i) go to a_i, b_i
    y = g.winner(index, a)                 y_i = a[index(a)[i]]: the winner takes all
    y = g.copy(index, a, b)                y_i = (a, b)[index[i]]: the same neuron in another place
    c = g.constant(values)                 no image changes it: never a child

`Graph.mwp` gives P of each entry. From the paper and the specification, not from gweebp/
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tests.helpers.literal import respond, share


def numbers(x):
    return torch.as_tensor(x, dtype=torch.float64)


class Graph:
    def __init__(self):
        self.entries = []  # (kind, numbers of the entries it is made of, what)

    def _new(self, kind, of, *what):
        self.entries.append((kind, tuple(of), *what))
        return len(self.entries) - 1

    def input(self):
        return self._new("input", ())

    def constant(self, values):
        return self._new("constant", (), numbers(values).detach().flatten())

    def mix(self, child, weight, bias=0.0, of=()):
        make = weight if callable(weight) else lambda *_: numbers(weight).detach()
        return self._new("mix", (child, *of), make, numbers(bias).detach())

    def product(self, a, b, weight_of_a, weight_of_b):
        return self._new("product", (a, b), weight_of_a, weight_of_b)

    def add(self, a, b, sign=1):
        return self._new("add", (a, b), sign)

    def passed(self, f, *of, shares=(1,)):
        return self._new("pass", of, f, shares)

    def winner(self, index, a):
        return self._new("winner", (a,), index)

    def copy(self, index, *of):
        return self._new("copy", of, list(index))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The values of all entries; differentiable."""
        seen = []
        for kind, of, *what in self.entries:
            a = [seen[k] for k in of]
            if kind == "input":
                y = x
            elif kind == "constant":
                y = what[0].clone()
            elif kind == "mix":
                y = what[0](*a[1:]) @ a[0] + what[1]
            elif kind == "product":
                y = what[0](a[1]) @ a[0]
            elif kind == "add":
                y = a[0] + what[0] * a[1]
            elif kind == "pass":
                y = what[0](*a)
            elif kind == "winner":
                y = a[0][what[0](a[0])]
            else:
                y = torch.cat(a)[what[0]]
            seen.append(y)
        return seen

    def fixed(self, seen) -> list[np.ndarray]:
        """Which neurons no image changes."""
        found = []
        for (kind, of, *what), y in zip(self.entries, seen):
            below = [found[k] for k in of]
            if kind == "input":
                f = np.zeros(len(y), bool)
            elif kind == "constant":
                f = np.ones(len(y), bool)
            elif kind == "mix":
                weight = what[0](*(seen[k] for k in of[1:])).detach().numpy()
                still = all(b.all() for b in below[1:])
                f = np.array([still and all(below[0][j] for j in np.flatnonzero(row)) for row in weight])
            elif kind == "product":
                f = np.full(len(y), below[0].all() and below[1].all())
            elif kind == "winner":
                f = np.full(len(y), below[0].all())
            elif kind == "copy":
                f = np.concatenate(below)[what[0]]
            else:
                f = np.logical_and.reduce([np.broadcast_to(b, len(y)) for b in below])
            found.append(f)
        return found

    def mwp(self, x: Tensor, mate: Tensor, nonmate: Tensor, *, extended: bool, weighted: bool, towards: int = 0):
        """P of each entry, the last one being the embedding, from the one-hot prior at the head down."""
        seen = self.forward(x.clone().requires_grad_())
        fixed = self.fixed(seen)
        values = [v.detach().numpy() for v in seen]
        rows = torch.stack([mate / mate.norm(), nonmate / nonmate.norm()])
        responses = list(values)
        if weighted:
            e = seen[-1] / seen[-1].norm()
            gain = torch.clamp((e - rows[1]).norm() - (e - rows[0]).norm(), min=0)
            live = [v for v in seen if v.requires_grad]
            found = iter(torch.autograd.grad(gain, live, allow_unused=True))
            for k, v in enumerate(seen):
                g = next(found) if v.requires_grad else None
                g = torch.zeros_like(v) if g is None else g
                responses[k] = np.array([respond(*both) for both in zip(values[k], g.numpy())])
            for k, (kind, of, *what) in enumerate(self.entries):  # a copy is the same neuron: its ã too
                if kind == "copy":
                    responses[k] = np.concatenate([responses[j] for j in of])[what[0]]
        responses = [np.where(f, 0, r) for f, r in zip(fixed, responses)]
        P = [np.zeros(len(v)) for v in values]
        P[-1] = share(rows.numpy(), responses[-1], rows.numpy() @ values[-1], np.eye(2)[towards], extended)
        for k in reversed(range(len(self.entries))):
            kind, of, *what = self.entries[k]
            if kind == "mix":
                W = what[0](*(seen[j] for j in of[1:])).detach().numpy()
                P[of[0]] += share(W, responses[of[0]], values[k], P[k], extended)
            elif kind == "product":
                for this, other, weight in ((of[0], of[1], what[0]), (of[1], of[0], what[1])):
                    W = weight(seen[other]).detach().numpy()
                    P[this] += share(W, responses[this], values[k], P[k] / 2, extended)
            elif kind == "add":
                for i, p in enumerate(P[k]):
                    pair = np.array([responses[j][i] for j in of])
                    alone = [fixed[j][i] for j in of]
                    both = share(np.array([[1, what[0]]]), pair, values[k][i : i + 1], P[k][i : i + 1], extended)
                    both = [0, p] if alone == [True, False] else [p, 0] if alone == [False, True] else both
                    P[of[0]][i] += both[0]
                    P[of[1]][i] += both[1]
            elif kind == "pass":
                for j, part in zip(of, what[1]):
                    P[j] += part * P[k]
            elif kind == "winner":
                for i, j in enumerate(what[0](seen[of[0]]).tolist()):
                    P[of[0]][j] += P[k][i]
            elif kind == "copy":
                places = [(j, i) for j in of for i in range(len(values[j]))]
                for i, n in enumerate(what[0]):
                    P[places[n][0]][places[n][1]] += P[k][i]
        return P


def blocks(*matrices) -> np.ndarray:
    """A block-diagonal matrix."""
    return torch.block_diag(*(numbers(m).detach() for m in matrices)).numpy()


def centring(size: int, times: int) -> np.ndarray:
    """x − mean of x, for `times` vectors of `size`."""
    return blocks(*[np.eye(size) - 1 / size] * times)
