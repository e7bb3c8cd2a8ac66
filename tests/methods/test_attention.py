"""The methods that read attention, against literal loops over tokens, for each way to spell attention."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gweebp
from gweebp import networks
from gweebp.excitation.attention import attended
from gweebp.excitation.gain import triplet_gain

C, HEADS, DIM = 8, 2, 4
METHODS = ("attention", "rollout", "gradient-rollout")
SPELLINGS = ("sdpa", "module", "weights", "matmul", "einsum", "odd einsum", "transposed", "own softmax", "talking")
POOLS = ("class", "mean", "last", "query")


class Block(nn.Module):
    """A block of a transformer whose attention is spelled in one of many ways; `delta` is added to its weights."""

    def __init__(self, spelling):
        super().__init__()
        self.spelling = spelling
        self.norm, self.qkv, self.out = nn.LayerNorm(C), nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.mlp = nn.Sequential(nn.LayerNorm(C), nn.Linear(C, C), nn.GELU(), nn.Linear(C, C))
        self.heads = nn.Conv2d(HEADS, HEADS, 1, bias=False)  # talking heads
        self.module = nn.MultiheadAttention(C, HEADS, batch_first=True)
        with torch.no_grad():
            self.heads.weight.abs_()
            for own, other in ((self.qkv, "in_proj"), (self.out, "out_proj")):
                for what in ("weight", "bias"):
                    named = f"{other}_{what}" if other == "in_proj" else f"{other}.{what}"
                    dict(self.module.named_parameters())[named].copy_(getattr(own, what))

    def split(self, x):
        return x.unflatten(2, (HEADS, DIM)).transpose(1, 2)

    def weights(self, x):
        """(b, heads, n, n), plainly."""
        q, k, _ = (self.split(y) for y in self.qkv(x).chunk(3, 2))
        a = torch.softmax(q @ k.mT / DIM**0.5, -1)
        return self.heads(a) if self.spelling == "talking" else a

    def forward(self, x, delta=None):
        y = self.norm(x)
        if delta is not None:  # the loop's own pass
            v = self.split(self.qkv(y).chunk(3, 2)[2])
            mixed = ((self.weights(y) + delta) @ v).transpose(1, 2).flatten(2)
            x = x + self.out(mixed)
        elif self.spelling in ("module", "weights"):
            x = x + self.module(y, y, y, need_weights=self.spelling == "weights")[0]
        else:
            q, k, v = (self.split(z) for z in self.qkv(y).chunk(3, 2))
            x = x + self.out(self.mixed(q, k, v, y).transpose(1, 2).flatten(2))
        return x + self.mlp(x)

    def mixed(self, q, k, v, y):
        if self.spelling == "sdpa":
            return F.scaled_dot_product_attention(q, k, v)
        if self.spelling == "own softmax":
            scores = torch.exp(q @ k.mT / DIM**0.5)
            return (scores / scores.sum(-1, keepdim=True)) @ v
        a = self.weights(y)
        if self.spelling == "einsum":
            return torch.einsum("bhij,bhjd->bhid", a, v)
        if self.spelling == "odd einsum":
            return torch.einsum("b j h d, b h i j -> b h i d", v.transpose(1, 2), a)
        if self.spelling == "transposed":
            return (v.mT @ a.mT).mT
        return a @ v


class Pool(nn.Module):
    """A learned query that attends to the tokens: the last attention has one row."""

    def __init__(self):
        super().__init__()
        self.query, self.kv = nn.Parameter(torch.randn(1, HEADS, 1, DIM)), nn.Linear(C, 2 * C)

    def forward(self, x, delta=0.0):
        k, v = (y.unflatten(2, (HEADS, DIM)).transpose(1, 2) for y in self.kv(x).chunk(2, 2))
        a = torch.softmax(self.query @ k.mT / DIM**0.5, -1)
        return ((a + delta) @ v).flatten(1), a


class Net(nn.Module):
    """Patches as tokens, and a class token where `pool` reads one: first, or last."""

    def __init__(self, spelling, pool, depth, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.pool = pool
        self.patches, self.blocks = nn.Conv2d(1, C, 2, 2), nn.ModuleList(Block(spelling) for _ in range(depth))
        self.token, self.places = nn.Parameter(torch.randn(1, 1, C)), nn.Parameter(torch.randn(1, 6, C))
        self.query, self.head = Pool(), nn.Linear(C, 5)
        self.saliency_layer = "patches"

    def tokens(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        token = self.token.expand(len(x), -1, -1)
        return {"class": torch.cat([token, x], 1), "last": torch.cat([x, token], 1)}.get(self.pool, x)

    def read(self, x, *delta):
        if self.pool == "query":
            return self.head(self.query(x, *delta)[0])
        return self.head({"class": x[:, 0], "last": x[:, -1]}.get(self.pool, x.mean(1)))

    def forward(self, x):
        x = self.tokens(x)
        for block in self.blocks:
            x = block(x)
        return self.read(x)


def loop(net, probe, mate, nonmate, method):
    """The map (2, 3) of one probe (1, 1, 4, 6), token by token."""
    x, weights, deltas = net.tokens(probe), [], []
    for block in net.blocks:
        weights.append(block.weights(block.norm(x))[0])
        deltas.append(torch.zeros_like(weights[-1]).requires_grad_())
        x = block(x, deltas[-1])
    if net.pool == "query":
        weights.append(net.query(x)[1][0])
        deltas.append(torch.zeros_like(weights[-1]).requires_grad_())
    if method == "gradient-rollout":
        embedding = net.read(x, *deltas[len(net.blocks) :])
        gradients = torch.autograd.grad(triplet_gain(embedding, mate, nonmate).sum(), deltas)
        weights = [(a * g).clamp(min=0) for a, g in zip(weights, gradients)]
    blocks = [(sum(a) / HEADS).tolist() for a in weights]
    n = len(blocks[0])
    rows = {"class": [0], "last": [n - 1], "query": [0], "mean": range(n)}[net.pool]
    if method == "attention":
        found = [sum(blocks[-1][i][j] for i in rows) for j in range(n)]
    else:
        r = [[float(i == j) for j in range(n)] for i in range(n)]  # how much of token j is in token i
        for a in blocks:
            around = float(len(a) == n)  # a residual connection, but not around a pool
            full = [[a[i][k] + around * (i == k) for k in range(n)] for i in range(len(a))]
            if method == "rollout":
                full = [[value / sum(row) for value in row] for row in full]
            r = [[sum(row[k] * r[k][j] for k in range(n)) for j in range(n)] for row in full]
        start = method == "gradient-rollout" and net.pool != "query"
        found = [sum(r[i][j] - start * (i == j) for i in rows) for j in range(n)]
    first = int(net.pool == "class")
    grid = torch.tensor(found[first : first + 6], dtype=torch.float64).view(2, 3)
    return grid / grid.sum()


def triplets(net, b, seed):
    """Probes (b, 1, 4, 6) and embeddings of mate and non-mate, such that each probe is nearer to its mate."""
    images = torch.randn(3 * b, 1, 4, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        p, m, n = net(images).chunk(3)
        near = (triplet_gain(p, m, n) > 0)[:, None]
    return images[:b], torch.where(near, m, n), torch.where(near, n, m)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_literal_loop(spelling, pool, method):
    net = Net(spelling, pool, 3, seed=1).double().eval()
    probe, mate, nonmate = triplets(net, 2, seed=2)
    found = gweebp.explain(net, probe, mate, nonmate, method=method)
    for k in range(2):
        expected = loop(net, *(x[k : k + 1] for x in (probe, mate, nonmate)), method)
        torch.testing.assert_close(found[k], expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(SPELLINGS), st.sampled_from(POOLS), st.integers(1, 4), st.integers(0, 10**6))
def test_what_holds_of_all_attention(spelling, pool, depth, seed):
    net = Net(spelling, pool, depth, seed).double().eval()
    probe, mate, nonmate = triplets(net, 3, seed)
    found = attended(net, probe, "patches")
    assert len(found.weights) == depth + (pool == "query")
    assert found.cells.flatten().tolist() == [i + (pool == "class") for i in range(6)]
    torch.testing.assert_close(found.read.sum(1), torch.ones(3, dtype=torch.float64))
    if spelling != "talking":
        for a in found.weights:
            torch.testing.assert_close(a.sum(3), torch.ones(a.shape[:3], dtype=torch.float64))
    for method in METHODS[:2]:  # blind to the triplet
        one, other = (gweebp.explain(net, probe, *pair, method=method) for pair in ((mate, nonmate), (nonmate, mate)))
        assert torch.equal(one, other)


@pytest.mark.parametrize("mask", ["bool", "float", "causal"])
def test_masks_and_groups_of_heads(mask):
    """`scaled_dot_product_attention` in its parts is the function itself."""
    from gweebp.excitation.attention import in_parts

    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, h, 5, 4, generator=g, dtype=torch.float64) for h in (4, 2, 2))
    bias = torch.randn(5, 5, generator=g, dtype=torch.float64)
    options = {"is_causal": True} if mask == "causal" else {"attn_mask": bias.tril() <= 0 if mask == "bool" else bias}
    options |= {"enable_gqa": True, "scale": 0.7}
    torch.testing.assert_close(in_parts(q, k, v, **options), F.scaled_dot_product_attention(q, k, v, **options))


def test_a_ready_made_encoder():
    """nn.TransformerEncoder, whose fused path has no weights to see, against the same blocks without it."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(C, HEADS, 16, batch_first=True, norm_first=True)
    net = Net("sdpa", "class", 0, seed=0).double().eval()
    net.blocks = nn.ModuleList([nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).double().eval()])
    probe, *_ = triplets(net, 2, seed=1)
    weights = []
    x = net.tokens(probe)
    for block in net.blocks[0].layers:
        y = block.norm1(x)
        weights.append(block.self_attn(y, y, y, need_weights=True, average_attn_weights=False)[1])
        x = block(x)
    found = attended(net, probe, "patches")
    for a, b in zip(found.weights, weights, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("method", METHODS)
def test_the_vit_of_the_book(method):
    net = networks.build("vit", seed=0, width=0.1, size=32, embedding=8, depth=2).eval()
    images = torch.randn(3, 2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gweebp.NoGainWarning)
        maps = gweebp.explain(net, *images, method=method)
    assert maps.shape == (2, 4, 4)


class Windows(nn.Module):
    """Attention within windows of four tokens, of an image of eight."""

    def __init__(self):
        super().__init__()
        self.patches, self.head, self.saliency_layer = nn.Conv2d(1, C, 2, 2), nn.Linear(C, 3), "patches"

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2).reshape(-1, 4, C)
        return self.head((x + F.scaled_dot_product_attention(x, x, x)).reshape(-1, 8, C).mean(1))


class Channels(Windows):
    """Attention between channels."""

    def forward(self, x):
        x = self.patches(x).flatten(2)
        return self.head((x + F.scaled_dot_product_attention(x, x, x)).mean(2))


class Fewer(Windows):
    """The second block attends to half of the tokens that the first one gives."""

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + F.scaled_dot_product_attention(x, x, x)
        more = torch.cat([x, x.mean(1, keepdim=True)], 1)
        return self.head(F.scaled_dot_product_attention(x, more, more).mean(1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("net", "size", "said"),
    [
        (Windows, (4, 8), "weighs 4 tokens, and the map of layer 'patches' has 2 × 4 cells"),
        (Channels, (4, 8), "not the cells of layer 'patches'"),
        (Fewer, (4, 8), "gives 8 tokens and the next one weighs 9"),
        (lambda: networks.build("iresnet18", width=0.05, size=16, channels=1), (16, 16), "no attention above layer"),
    ],
)
def test_what_is_no_attention_of_a_grid_is_refused(net, size, said, method):
    torch.manual_seed(0)
    net = net().double().eval()
    images = torch.randn(3, 1, 1, *size, dtype=torch.float64)
    with pytest.raises(ValueError, match=said):
        gweebp.explain(net, *images, method=method)


def test_a_layer_that_is_not_the_tokens_is_refused():
    net = Net("sdpa", "class", 1, seed=0).double().eval()
    images = torch.randn(3, 1, 1, 4, 6, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"an attention weighs 7 tokens, and the map of layer 'input' has 4 × 6 cells"):
        gweebp.explain(net, *images, method="rollout", layer="input")


def test_an_einsum_that_can_not_be_read_is_refused():
    from gweebp.excitation.attention import einsum_axes

    for equation in ("bhij,bhjd", "bhij,bhij->bh", "bhijk,bhjkd->bhid"):
        with pytest.raises(ValueError, match="can't be read"):
            einsum_axes(equation, True)
