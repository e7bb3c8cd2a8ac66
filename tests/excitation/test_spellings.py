"""What is the same function has the same probabilities, however a network spells it."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import gweebp

D, H = 6, 2
MODES = {"ebp": dict(extended=False, weighted=False), "eebp": dict(weighted=False), "gweebp": {}}
SCALE = (D // H) ** -0.5


class Net(nn.Module):
    """Image → stem → tokens (b, 6, 6), with a residual middle → mean → linear."""

    def __init__(self, middle):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.fc = nn.Conv2d(3, D, 2, 2), nn.Linear(D, 5)
        for name in "qkvo":
            setattr(self, name, nn.Linear(D, D))
        self.lstm, self.table = (
            nn.LSTM(D, D, proj_size=4, num_layers=2, bidirectional=True, batch_first=True),
            nn.Linear(8, D),
        )
        self.cube = nn.Parameter(torch.rand(D, D, D) - 0.5)
        self.middle = middle

    def forward(self, x):
        t = self.stem(x).flatten(2).transpose(1, 2)
        return self.fc((t + self.middle(self, t)).mean(1))


def heads(x):
    return x.unflatten(2, (H, D // H)).transpose(1, 2)


def qkv(s, t):
    return heads(s.q(t)), heads(s.k(t)), heads(s.v(t))


def out(s, y):
    return s.o(y.transpose(1, 2).flatten(2))


def attention(weigh, read=lambda a, v: a @ v):
    """Self-attention: weigh(scores) gives what read(..., values) reads by."""

    def middle(s, t):
        q, k, v = qkv(s, t)
        return out(s, read(weigh(q @ k.mT * SCALE), v))

    return middle


def by_samples(s, t):
    def one(x):
        q, k, v = (m(x).view(-1, H, D // H).transpose(0, 1) for m in (s.q, s.k, s.v))
        return ((q @ k.mT * SCALE).softmax(-1) @ v).transpose(0, 1).flatten(1)

    return s.o(torch.stack([one(x) for x in t]))


def by_heads(s, t):
    q, k, v = (m(t).chunk(H, -1) for m in (s.q, s.k, s.v))
    each = [F.softmax(q[i] @ k[i].transpose(1, 2) * SCALE, -1) @ v[i] for i in range(H)]
    return s.o(torch.cat(each, -1))


def by_einsum(s, t):
    q, k, v = (m(t).unflatten(2, (H, -1)) for m in (s.q, s.k, s.v))
    a = torch.einsum("bnhd,bmhd->bnmh", q, k).mul(SCALE).softmax(2)
    return s.o(torch.einsum("bmhd,bnmh->bnhd", v, a).flatten(2))


def turned(s, t):
    q, k, v = qkv(s, t)
    return out(s, (v.mT @ (k @ q.mT * SCALE).softmax(-2)).mT)


def batched(s, t):
    b, n, _ = t.shape
    q, k, v = (y.reshape(b * H, n, -1) for y in qkv(s, t))
    a = torch.baddbmm(t.new_zeros(b * H, n, n), q, k.transpose(1, 2), beta=0, alpha=SCALE).softmax(-1)
    return out(s, torch.bmm(a, v).view(b, H, n, -1))


def sdpa(s, t):
    q, k, v = qkv(s, t)
    return out(s, F.scaled_dot_product_attention(query=q, key=k, value=v))


def rotary(turn):
    def middle(s, t):
        q, k, v = (m(t)[..., : D - 2] for m in (s.q, s.k, s.v))
        angle = torch.outer(torch.arange(t.shape[1]), torch.tensor([1.0, 0.1])).double()
        a = (turn(q, angle) @ turn(k, angle).mT).softmax(-1)
        return s.o(F.pad(a @ v, (0, 2)))

    return middle


def by_complex(x, angle):
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)


def by_pairs(x, angle):
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1).flatten(-2)


def on(name, function):
    """function(what layer `name` gives), through the layer o."""
    return lambda s, t: s.o(function(getattr(s, name)(t)))


def normed(centre, spread=lambda c: c.pow(2).mean(-1, keepdim=True)):
    def run(x):
        c = centre(x)
        return c / torch.sqrt(spread(c) + 1e-5)

    return on("q", run)


def gated(gate):
    return lambda s, t: s.o(s.k(t) * gate(s.q(t)))


def squeeze_excite(expand):
    def middle(s, t):
        return s.o(s.k(t) * expand(s.q(t.mean(1, keepdim=True)).sigmoid(), t))

    return middle


def lstm_by_cells(s, t):
    finals = t
    for layer in range(2):
        both = []
        for way in ("", "_reverse"):
            w_ih, w_hh, b_ih, b_hh, w_hr = (
                getattr(s.lstm, f"{name}_l{layer}{way}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            )
            h, c, ys = t.new_zeros(len(t), 4), t.new_zeros(len(t), D), []
            steps = finals.unbind(1) if not way else finals.unbind(1)[::-1]
            for x in steps:
                i, f, g, o = (F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh)).chunk(4, -1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = F.linear(o.sigmoid() * c.tanh(), w_hr)
                ys.append(h)
            both.append(torch.stack(ys if not way else ys[::-1], 1))
        finals = torch.cat(both, -1)
    return s.table(finals)


def softmax_by(normalise):
    return attention(lambda a: normalise((a - a.amax(-1, keepdim=True)).exp()))


root = math.sqrt
FAMILIES = {
    "attention": {
        "softmax": attention(lambda a: a.softmax(-1)),
        "per sample": by_samples,
        "per head": by_heads,
        "einsum": by_einsum,
        "transposed": turned,
        "baddbmm": batched,
        "SDPA": sdpa,
        "log_softmax": attention(lambda a: a.log_softmax(-1).exp()),
        "logsumexp": attention(lambda a: (a - a.logsumexp(-1, keepdim=True)).exp()),
        "nan_to_num": attention(lambda a: a.softmax(-1).nan_to_num()),
        "torch.special": attention(lambda a: torch.special.softmax(a, -1)),
        "over its sum": softmax_by(lambda e: e / e.sum(-1, keepdim=True)),
        "over its sum, clamped": softmax_by(lambda e: e / e.sum(-1)[..., None].clamp(min=1e-9)),
        "times 1 over its sum": softmax_by(lambda e: e * (1 / e.sum(-1, keepdim=True))),
        "times a reciprocal": softmax_by(lambda e: e * e.sum(-1, keepdim=True).reciprocal()),
        "normalize": softmax_by(lambda e: F.normalize(e, p=1, dim=-1)),
        "divided later": attention(lambda a: a.exp(), lambda e, v: (e @ v) / e.sum(-1, keepdim=True)),
    },
    "rotary positions": {"complex": rotary(by_complex), "real": rotary(by_pairs)},
    "layer norm": {
        "F": on("q", lambda x: F.layer_norm(x, (D,))),
        "by hand": normed(lambda x: x - x.mean(-1, keepdim=True)),
        "a sum over n": normed(lambda x: x - x.sum(-1, keepdim=True) / D),
        "a sum times 1/n": normed(lambda x: x - (1 / D) * x.sum(-1, True)),
        "unsqueezed": normed(lambda x: x - x.mean(2).unsqueeze(-1)),
        "indexed": normed(lambda x: x - x.mean(-1)[..., None]),
        "indexed by slices": normed(lambda x: x - x.mean(2)[:, :, None]),
        "viewed": normed(lambda x: x - x.mean(-1).view(*x.shape[:2], 1)),
        "expanded": normed(lambda x: x - x.mean(-1, keepdim=True).expand_as(x)),
        "added": normed(lambda x: x + (-x.mean(-1, keepdim=True))),
        "added, times −1": normed(lambda x: torch.add(x, x.mean(-1, True) * -1)),
        "channels first": on("q", lambda x: normed_channels(x.mT).mT),
        "var": normed(lambda x: x - x.mean(-1, True), lambda c: c.var(-1, correction=0, keepdim=True)),
    },
    "L2": {
        "F": on("q", lambda x: F.normalize(x, dim=-1)),
        "norm": on("q", lambda x: x / x.norm(dim=-1, keepdim=True)),
        "clamped, expanded": on("q", lambda x: x / x.norm(dim=-1, keepdim=True).clamp_min(1e-12).expand_as(x)),
        "rsqrt": on("q", lambda x: x * torch.rsqrt((x * x).sum(-1, True))),
        "einsum": on("q", lambda x: x / torch.einsum("bnd,bnd->bn", x, x).sqrt()[..., None]),
    },
    "gate": {
        "sigmoid": gated(torch.sigmoid),
        "1 + tanh": gated(lambda x: 0.5 * (1 + torch.tanh(x / 2))),
        "0.5 tanh + 0.5": gated(lambda x: 0.5 * torch.tanh(x / 2) + 0.5),
        "exp": gated(lambda x: 1 / (1 + torch.exp(-x))),
        "expit": gated(torch.special.expit),
        "log": gated(lambda x: F.logsigmoid(x).exp()),
        "softmax of two": gated(lambda x: torch.stack([x, torch.zeros_like(x)], -1).softmax(-1)[..., 0]),
        "GLU": lambda s, t: s.o(F.glu(torch.cat([s.k(t), s.q(t)], -1))),
    },
    "squeeze and excitation": {
        "broadcast": squeeze_excite(lambda g, t: g),
        "expand_as": squeeze_excite(lambda g, t: g.expand_as(t)),
        "expand": squeeze_excite(lambda g, t: g.expand(-1, t.shape[1], -1)),
        "repeated": squeeze_excite(lambda g, t: g.repeat(1, t.shape[1], 1)),
        "viewed as": squeeze_excite(lambda g, t: g.squeeze(1).view_as(g).type_as(t)),
    },
    "GELU": {
        "F": on("q", F.gelu),
        "erf": on("q", lambda x: 0.5 * x * (1 + torch.erf(x / root(2)))),
        "special": on("q", lambda x: x * 0.5 * (1 + torch.special.erf(x / root(2)))),
        "ndtr": on("q", lambda x: x * torch.special.ndtr(x)),
    },
    "bilinear": {
        "F": lambda s, t: s.o(F.bilinear(s.q(t), s.k(t), s.cube)),
        "einsum of three": lambda s, t: s.o(torch.einsum("bni,kij,bnj->bnk", s.q(t), s.cube, s.k(t))),
    },
    "mean": {
        "mean": lambda s, t: s.o(t.mean(1, keepdim=True)),
        "einsum of one": lambda s, t: s.o(torch.einsum("bnd->bd", t)[:, None] / t.shape[1]),
        "pooled": lambda s, t: s.o(F.adaptive_avg_pool1d(t.mT, 1).mT),
        "a product": lambda s, t: s.o(t.new_full((1, t.shape[1]), 1 / t.shape[1]) @ t),
    },
    "LSTM with projections": {"nn": lambda s, t: s.table(s.lstm(t)[0]), "by hand": lstm_by_cells},
}  # fmt: skip


def normed_channels(x):
    c = x - x.mean(1, keepdim=True)
    return c * torch.rsqrt(c.pow(2).mean(1, keepdim=True) + 1e-5)


def triplet():
    p, n = torch.rand(2, 2, 3, 4, 6, generator=torch.Generator().manual_seed(1)).double()
    return p, 0.95 * p + 0.05 * n.flip(0), n


def probabilities(middle, mode):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gweebp.LostMassWarning)
        return gweebp.mwp(Net(middle).double().eval(), *triplet(), layer="stem", **MODES[mode])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_spelling_changes_no_probability(family, mode):
    first, *others = FAMILIES[family].items()
    wanted = probabilities(first[1], mode)
    assert wanted.sum() > 0.5
    for name, middle in others:
        torch.testing.assert_close(
            probabilities(middle, mode), wanted, rtol=0, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_what_only_looks_like_a_centring_is_none():
    """x − a mean that stands under other entries, or is another tensor's, is a sum of two."""
    square = on("q", lambda x: x - x.mean(2).unsqueeze(1))  # 6 tokens of 6 channels: the shapes fit
    plain = on("q", lambda x: x - (x.mean(2) + 0 * x[..., 0]).unsqueeze(1))
    for mode in MODES:
        torch.testing.assert_close(probabilities(square, mode), probabilities(plain, mode), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "transform", [lambda s, t: torch.vmap(s.q)(t), lambda s, t: torch.func.jvp(s.q, (t,), (t,))[1]]
)
def test_transforms_that_hide_responses_are_refused(transform):
    with pytest.raises(gweebp.UnsupportedOperation, match="write the batch as an axis"):
        probabilities(transform, "eebp")


def added_up(how):
    """Channels added to half as many."""
    return lambda s, t: s.table(how(F.relu(s.q(t)), torch.arange(t.shape[-1]) % 2).repeat(1, 1, 4))


FAMILIES_OF_SUMS = {
    "sums of channels": {
        "a product": added_up(lambda x, k: x @ F.one_hot(k).to(x.dtype)),
        "index_add": added_up(lambda x, k: x.new_zeros(*x.shape[:-1], 2).index_add(2, k, x)),
        "index_add in place": added_up(lambda x, k: x.new_zeros(*x.shape[:-1], 2).index_add_(-1, k, x)),
        "scatter_add": added_up(lambda x, k: x.new_zeros(*x.shape[:-1], 2).scatter_add(2, k.expand_as(x), x)),
        "fewer rows": added_up(
            lambda x, k: x.new_zeros(*x.shape[:-1], 2).scatter_add_(-1, k.expand_as(x), F.pad(x, (0, 1, 0, 2)))
        ),
    },
    "a chain of products": {
        "one by one": lambda s, t: s.o((t.flatten(0, 1) @ s.q.weight @ s.k.weight).view_as(t)),
        "multi_dot": lambda s, t: s.o(torch.linalg.multi_dot([t.flatten(0, 1), s.q.weight, s.k.weight]).view_as(t)),
        "chain_matmul": lambda s, t: s.o(torch.chain_matmul(t.flatten(0, 1), s.q.weight, s.k.weight).view_as(t)),
    },
    "differences": {
        "by hand": lambda s, t: s.o((t[:, 1:] - t[:, :-1]).mean(1, keepdim=True)),
        "diff": lambda s, t: s.o(t.diff(dim=1).mean(1, keepdim=True)),
        "prepended": lambda s, t: s.o(t[:, 1:].diff(dim=1, prepend=t[:, :1]).mean(1, keepdim=True)),
    },
    "sums of products": {
        "by hand": on("q", lambda x: (x * x.flip(1)).sum(-1, keepdim=True).expand_as(x)),
        "vecdot": on("q", lambda x: torch.linalg.vecdot(x, x.flip(1))[..., None].expand_as(x)),
    },
    "sums": {
        "sum": lambda s, t: s.o(t.sum(1, keepdim=True)),
        "nansum": lambda s, t: s.o(t.nansum(1, keepdim=True)),
        "nanmean": lambda s, t: s.o(t.nanmean(1, keepdim=True) * t.shape[1]),
        "traces": lambda s, t: s.o(
            torch.stack([torch.stack([torch.trace(torch.diag_embed(c)) for c in x.mT]) for x in t])[:, None]
        ),
    },
    "copies": {
        "views": lambda s, t: s.o(t + 0),
        "as_strided": lambda s, t: s.o(t.contiguous().as_strided(t.shape, t.contiguous().stride())),
    },
    "maxima": {
        "amax": lambda s, t: s.o(torch.stack([t, t - 1]).amax(0)),
        "cummax": lambda s, t: s.o(torch.stack([t, t - 1]).cummax(0).values[1]),
        "aminmax": lambda s, t: s.o(torch.stack([t, t - 1]).aminmax(dim=0).max),
    },
    "passing": {
        "times ones": lambda s, t: s.o(t * torch.ones_like(t)),
        "kron": lambda s, t: s.o(torch.kron(t, torch.ones(1, 1, 1, dtype=t.dtype))),
        "logit": lambda s, t: s.o(t.sigmoid().logit()),
        "ldexp": lambda s, t: s.o(torch.ldexp(t, torch.tensor(0))),
        "rpow": lambda s, t: s.o((2**t).log2()),
    },
}  # fmt: skip
FAMILIES |= FAMILIES_OF_SUMS


def test_an_error_names_the_line_of_a_method_whatever_its_first_argument_is_called():
    class Own(nn.Module):
        def forward(this, t):  # noqa: N805
            return this.o(t.cumsum(1))

    own = Own()
    own.o = nn.Linear(6, 6)
    with pytest.raises(gweebp.UnsupportedOperation, match=r"test_spellings\.py:\d+\)"):
        gweebp.explain(
            nn.Sequential(nn.Conv2d(3, 6, 1), nn.AdaptiveAvgPool2d((1, 6)), own, nn.Flatten()).double().eval(),
            *triplet(),
            layer="0",
        )
