"""Every rule stands beside its literal loop: norms, gates, attention, products, recurrence, copies, paths around."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import gweebp
from tests.helpers import literal
from tests.helpers.literal_graph import Graph, blocks, centring

MODES = {
    "ebp": dict(extended=False, weighted=False),
    "eebp": dict(extended=True, weighted=False),
    "eebp to non-mate": dict(extended=True, weighted=False, towards="nonmate"),
    "gweebp": dict(extended=True, weighted=True),
    "weighted ebp": dict(extended=False, weighted=True),
}
N, D = 4, 3  # tokens and channels: images (2, 2, 2) → stem (3, 2, 2) → 4 tokens of 3


def tokens(x):
    """(b, c, h, w) → (b, h·w, c)."""
    return x.flatten(2).transpose(1, 2)


class Net(nn.Module):
    """Image → stem → tokens → middle → linear; `middle` computes with `self` and tokens (b, n, d)."""

    def __init__(self, middle, out, parts):
        super().__init__()
        self.stem = nn.Conv2d(2, D, 1)
        self.middle, self.fc = middle, nn.Linear(out, 5)
        for name, module in parts.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.fc(self.middle(self, tokens(self.stem(x))).flatten(1))


def affine(module):
    """(W, b) of a linear module."""
    return module.weight.detach().numpy(), module.bias.detach().numpy()


def stem(g, net):
    """Entries of the stem's output and of its tokens."""
    shape = (2, 2, 2)
    zero = net.stem(torch.zeros(1, *shape, dtype=torch.float64)).flatten().detach()
    s = g.mix(g.input(), literal.matrix(net.stem, shape), zero)
    order = torch.arange(D * N).view(1, D, N).transpose(1, 2).flatten().tolist()
    return s, g.copy(order, s)


def dense(g, a, module, n):
    """A linear layer on each of n tokens."""
    W, b = affine(module)
    return g.mix(a, blocks(*[W] * n), np.tile(b, n))


def layer_norm(g, a, module, n):
    """x − mean is a mixing; the rest passes."""
    c = g.mix(a, centring(module.normalized_shape[0], n))
    return g.passed(lambda v: module(v.view(n, -1)).flatten(), c)


def attention(q, k):
    return (q.view(-1, D) @ k.view(-1, D).T / D**0.5).softmax(-1)


def attend(g, q, k, v):
    """Constant weights: P(V_jd | O_id) ∝ A_ij V_jd."""
    return g.mix(v, lambda q, k: torch.kron(attention(q, k), torch.eye(D, dtype=torch.float64)), of=(q, k))


def parts(*names, **modules):
    return {**{name: nn.Linear(D, D) for name in names}, **modules}


# each: (middle, its literal twin, size of its output, modules)
def norm_layer(net, x):
    return net.a(net.norm(x))


def norm_layer_loop(g, net, s, t):
    return dense(g, layer_norm(g, t, net.norm, N), net.a, N)


def norm_group(net, x):
    return net.norm(net.a(x).transpose(1, 2)) + 1


def norm_group_loop(g, net, s, t):
    a = dense(g, t, net.a, N)
    channels = g.copy(torch.arange(N * D).view(N, D).T.flatten().tolist(), a)
    groups = net.norm.num_groups
    c = g.mix(channels, centring(N * D // groups, groups))
    return g.passed(lambda v: net.norm(v.view(1, D, N)).flatten() + 1, c)


def norm_by_hand(net, x):
    y = net.a(x)
    c = y - y.mean(-1, keepdim=True)
    return c / torch.sqrt(y.var(-1, keepdim=True, unbiased=False) + 1e-5) * 2 + 1


def norm_by_hand_loop(g, net, s, t):
    a = dense(g, t, net.a, N)
    c = g.mix(a, centring(D, N))
    var = g.passed(lambda v: v.view(N, D).var(-1, keepdim=True, unbiased=False).expand(N, D).flatten(), a)
    return g.passed(lambda v, w: v / torch.sqrt(w + 1e-5) * 2 + 1, c, var, shares=(1, 0))


def norm_rms(net, x):
    y = net.a(x)
    return y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)


def norm_rms_loop(g, net, s, t):
    a = dense(g, t, net.a, N)
    return g.passed(lambda v: (v.view(N, D) * (v.view(N, D).pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()).flatten(), a)


def gate(net, x):
    return x.relu() * torch.sigmoid(net.a(x.mean(1, keepdim=True)))


def gate_loop(g, net, s, t):
    r = g.passed(torch.relu, t)
    m = g.mix(t, np.kron(np.ones((1, N)) / N, np.eye(D)))
    w = g.copy([*range(D)] * N, g.passed(torch.sigmoid, dense(g, m, net.a, 1)))
    return g.passed(lambda v, w: v * w, r, w, shares=(1, 0))


def halves(net, x):
    return net.a(x) * net.b(x)


def halves_loop(g, net, s, t):
    return g.passed(lambda a, b: a * b, dense(g, t, net.a, N), dense(g, t, net.b, N), shares=(0.5, 0.5))


def bilinear(net, x):
    return net.a(x).transpose(1, 2) @ net.b(x)


def bilinear_loop(g, net, s, t):
    a, b = dense(g, t, net.a, N), dense(g, t, net.b, N)
    eye = torch.eye(D, dtype=torch.float64)
    return g.product(  # y_ij = Σ_n a_ni b_nj
        a, b, lambda b: torch.einsum("nj,ik->ijnk", b.view(N, D), eye).reshape(D * D, N * D),
        lambda a: torch.einsum("ni,jk->ijnk", a.view(N, D), eye).reshape(D * D, N * D),
    )  # fmt: skip


def gelu_by_hand(net, x):
    y = net.a(x)
    return 0.5 * y * (1 + torch.erf(y / 2**0.5))


def gelu_by_hand_loop(g, net, s, t):
    return g.passed(F.gelu, dense(g, t, net.a, N))


def transformer(net, x):
    """One block before a class token, with positions; what is before is in `attended`."""
    x = torch.cat([net.token.expand(len(x), -1, -1), x], 1) + net.positions
    y = net.norm(x)
    x = x + net.c(attended(net, net.q(y), net.k(y), net.v(y)))
    return (x + net.d(F.gelu(net.e(net.norm2(x)))))[:, 0]


def attended(net, q, k, v):
    return net.attention(q, k, v)


SPELLINGS = {
    "matmul": lambda q, k, v: torch.softmax(q @ k.transpose(1, 2) / D**0.5, -1) @ v,
    "scaled dot product": lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
    "einsum": lambda q, k, v: torch.einsum(
        "bij,bjd->bid", torch.einsum("bid,bjd->bij", q, k).div(D**0.5).softmax(2), v
    ),
    "bmm, baddbmm": lambda q, k, v: torch.bmm(
        torch.baddbmm(q.new_zeros(1, 1, 1), q, k.transpose(1, 2), alpha=D**-0.5).softmax(-1), v
    ),
    "by hand": lambda q, k, v: (lambda a: (a / a.sum(-1, keepdim=True)) @ v)((q @ k.transpose(1, 2) / D**0.5).exp()),
    "renormalised": lambda q, k, v: (lambda a: (a / a.sum(-1, keepdim=True)) @ v)(
        2 * (q @ k.transpose(1, 2) / D**0.5).softmax(-1)
    ),
    "transposed": lambda q, k, v: (v.transpose(1, 2) @ (k @ q.transpose(1, 2) / D**0.5).softmax(1)).transpose(1, 2),
    "masked": lambda q, k, v: (
        (q @ k.transpose(1, 2) / D**0.5)
        .masked_fill(torch.zeros(N + 1, N + 1, dtype=torch.bool), -1e9)
        .softmax(-1)
        .matmul(v)
    ),
}


def transformer_loop(g, net, s, t):
    token = g.constant(net.token)
    x = g.copy(range((N + 1) * D), token, t)
    x = g.passed(lambda v: v + net.positions.detach().flatten(), x)
    y = layer_norm(g, x, net.norm, N + 1)
    q, k, v = (dense(g, y, module, N + 1) for module in (net.q, net.k, net.v))
    x = g.add(x, dense(g, attend(g, q, k, v), net.c, N + 1))
    z = g.passed(F.gelu, dense(g, layer_norm(g, x, net.norm2, N + 1), net.e, N + 1))
    x = g.add(x, dense(g, z, net.d, N + 1))
    return g.copy(range(D), x)


def transformer_parts(spelling):
    token, positions = (nn.Parameter(torch.randn(1, n, D)) for n in (1, N + 1))
    return parts(
        "q", "k", "v", "c", "d", "e", norm=nn.LayerNorm(D), norm2=nn.LayerNorm(D), token=token, positions=positions,
        attention=SPELLINGS[spelling],
    )  # fmt: skip


def lstm(net, x):
    return net.rnn(x)[0]


def cell_loop(g, net, x, h, c, of):
    w_ih, w_hh, b_ih, b_hh = (p.detach().numpy() for p in of)
    pre = g.add(g.mix(x, w_ih, b_ih), g.mix(h, w_hh, b_hh))
    i, f, n, o = (g.copy(range(k * D, (k + 1) * D), pre) for k in range(4))
    i, f, o = (g.passed(torch.sigmoid, a) for a in (i, f, o))
    kept = g.passed(lambda f, c: f * c, f, c, shares=(0, 1))
    new = g.passed(lambda i, n: i * n, i, g.passed(torch.tanh, n), shares=(0, 1))
    c = g.add(kept, new)
    return g.passed(lambda o, c: o * c, o, g.passed(torch.tanh, c), shares=(0, 1)), c


def lstm_loop(g, net, s, t):
    steps = [g.copy(range(k * D, (k + 1) * D), t) for k in range(N)]
    for layer in range(2):
        h = c = g.constant(np.zeros(D))
        weights = [getattr(net.rnn, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        ys = []
        for x in steps:
            h, c = cell_loop(g, net, x, h, c, weights)
            ys.append(h)
        steps = ys
    return g.copy(range(N * D), *steps)


def gru(net, x):
    return net.rnn(x)[1][0]


def gru_loop(g, net, s, t):
    w_ih, w_hh, b_ih, b_hh = (
        getattr(net.rnn, f"{n}_l0").detach().numpy() for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h = g.constant(np.zeros(D))
    for k in range(N):
        x = g.mix(g.copy(range(k * D, (k + 1) * D), t), w_ih, b_ih)
        y = g.mix(h, w_hh, b_hh)
        (xr, xz, xn), (hr, hz, hn) = ([g.copy(range(j * D, (j + 1) * D), a) for j in range(3)] for a in (x, y))
        r, z = (g.passed(torch.sigmoid, g.add(a, b)) for a, b in ((xr, hr), (xz, hz)))
        share = (0, 1) if k else (1, 0)  # before the first step there is a bias alone, and r all that the image changes
        new = g.passed(torch.tanh, g.add(xn, g.passed(lambda r, a: r * a, r, hn, shares=share)))
        new = g.passed(lambda z, a: (1 - z) * a, z, new, shares=(0, 1))
        h = g.add(new, g.passed(lambda z, a: z * a, z, h, shares=(0, 1)))
    return h


def moved(net, x):
    y = torch.where(x > 0, net.a(x), net.b(x))
    y = y.unfold(1, 2, 1).masked_fill(torch.tensor([True, False, False])[:, None], 0.7)
    return y


def moved_loop(g, net, s, t):
    a, b = dense(g, t, net.a, N), dense(g, t, net.b, N)
    positive = g.forward(net.probe)[t] > 0
    where = [i if p else N * D + i for i, p in enumerate(positive.tolist())]
    y = g.copy(where, a, b)
    index = torch.arange(N * D).view(N, D).unfold(0, 2, 1).clone()
    index[:, 0] = N * D  # the constant
    return g.copy(index.flatten().tolist(), y, g.constant([0.7]))


def winners(net, x):
    y = net.a(x)
    return torch.cat([y.flatten(1).topk(5)[0], y.sort(1)[0][:, -1]], 1)


def winners_loop(g, net, s, t):
    a = dense(g, t, net.a, N)
    top = g.winner(lambda v: v.topk(5)[1], a)
    last = g.winner(lambda v: v.view(N, D).sort(0)[1][-1] * D + torch.arange(D), a)
    return g.copy(range(5 + D), top, last)


def mean_and_deviation(net, x):
    y = net.a(x)
    return torch.cat([y.mean(1), y.std(1)], 1)


def mean_and_deviation_loop(g, net, s, t):
    a = dense(g, t, net.a, N)
    average = np.kron(np.ones((1, N)) / N, np.eye(D))
    c = g.mix(a, np.eye(N * D) - np.kron(np.ones((N, N)) / N, np.eye(D)))
    squares = g.passed(torch.square, c)
    total = g.mix(squares, average * N)
    return g.copy(range(2 * D), g.mix(a, average), g.passed(lambda v: (v / (N - 1)).sqrt(), total))


RULES = {
    "layer norm": (norm_layer, norm_layer_loop, N * D, lambda: parts("a", norm=nn.LayerNorm(D))),
    "group norm": (norm_group, norm_group_loop, N * D, lambda: parts("a", norm=nn.GroupNorm(1, D))),
    "instance norm": (norm_group, norm_group_loop, N * D, lambda: parts("a", norm=nn.GroupNorm(D, D))),
    "norm by hand": (norm_by_hand, norm_by_hand_loop, N * D, lambda: parts("a")),
    "rms by hand": (norm_rms, norm_rms_loop, N * D, lambda: parts("a")),
    "gate": (gate, gate_loop, N * D, lambda: parts("a")),
    "product": (halves, halves_loop, N * D, lambda: parts("a", "b")),
    "bilinear pooling": (bilinear, bilinear_loop, D * D, lambda: parts("a", "b")),
    "GELU by hand": (gelu_by_hand, gelu_by_hand_loop, N * D, lambda: parts("a")),
    "LSTM": (lstm, lstm_loop, N * D, lambda: parts(rnn=nn.LSTM(D, D, 2, batch_first=True))),
    "GRU": (gru, gru_loop, D, lambda: parts(rnn=nn.GRU(D, D, batch_first=True))),
    "copies": (moved, moved_loop, 3 * D * 2, lambda: parts("a", "b")),
    "winners": (winners, winners_loop, 5 + D, lambda: parts("a")),
    "mean and deviation": (mean_and_deviation, mean_and_deviation_loop, 2 * D, lambda: parts("a")),
    **{
        f"transformer, {name}": (transformer, transformer_loop, D, lambda name=name: transformer_parts(name))
        for name in SPELLINGS
    },
}


def built(rule, seed):
    """A network, a batch of two triplets of which the first is explained."""
    torch.manual_seed(seed)
    middle, _, out, modules = RULES[rule]
    net = Net(middle, out, modules()).double()
    for p in net.parameters():
        if p.ndim == 1:
            nn.init.normal_(p, std=0.3)
    probe = torch.randn(2, 2, 2, 2, dtype=torch.float64)
    m, n = torch.randn(2, 2, 5, dtype=torch.float64)
    with torch.no_grad():
        e = F.normalize(net(probe))
    swap = ((e - F.normalize(m)).norm(dim=1) > (e - F.normalize(n)).norm(dim=1))[:, None]
    return net, probe, torch.where(swap, n, m), torch.where(swap, m, n)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rule", RULES)
def test_literal_loop(rule, mode):
    for seed in range(3):
        net, probe, mate, nonmate = built(rule, seed)
        options = dict(MODES[mode])
        got = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gweebp.LostMassWarning)
            for layer in ("stem", "input"):
                got[layer] = gweebp.mwp(net, probe, mate, nonmate, layer=layer, **options)
        towards = ["mate", "nonmate"].index(options.pop("towards", "mate"))
        for i in range(2):
            g, net.probe = Graph(), probe[i].flatten()
            s, t = stem(g, net)
            W, b = affine(net.fc)
            g.mix(RULES[rule][1](g, net, s, t), W, b)
            with torch.no_grad():
                torch.testing.assert_close(g.forward(net.probe)[-1], net(probe[i : i + 1])[0])
            wanted = g.mwp(net.probe, mate[i], nonmate[i], towards=towards, **options)
            for layer, k in (("stem", s), ("input", 0)):
                np.testing.assert_allclose(got[layer][i].flatten().numpy(), wanted[k], atol=1e-10, err_msg=layer)
