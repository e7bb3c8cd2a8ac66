"""A small convolutional trunk with one part of another kind, as papers add them: attention, gates, norms, recurrence.

A part is a function of the trunk's responses (b, c, h, w) and of a namespace of modules; what it gives is pooled over
places unless it is (b, n) already.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from benchmarks.architectures.libraries import Subject

C, SIDE = 12, 32
Part = Callable[[Any, Tensor], Tensor]


class Net(nn.Module):
    """Stem (stride 4) → part → pooled → linear."""

    saliency_layer = "stem"

    def __init__(self, part: Part, modules: dict[str, nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, C, 3, 2, 1),
            nn.BatchNorm2d(C),
            nn.ReLU(),
            nn.Conv2d(C, C, 3, 2, 1),
            nn.BatchNorm2d(C),
            nn.ReLU(),
        )
        self.part = part
        for name, module in modules.items():
            setattr(self, name, module)
        with torch.no_grad():
            width = self.pooled(torch.zeros(2, 3, SIDE, SIDE)).shape[1]
        self.fc = nn.Linear(width, 16)

    def pooled(self, x: Tensor) -> Tensor:
        """What the part gives, (b, n)."""
        y = self.part(self, self.stem(x))
        return y.mean((2, 3)) if y.ndim == 4 else y.mean(1) if y.ndim == 3 else y

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (b, 16)."""
        return self.fc(self.pooled(x))


def tokens(x: Tensor) -> Tensor:
    """(b, c, h, w) → (b, h·w, c)."""
    return x.flatten(2).transpose(1, 2)


def linears(*names: str, out: int = C, **modules: nn.Module) -> dict[str, nn.Module]:
    """Linear layers by their names, and other modules."""
    return {**{name: nn.Linear(C, out) for name in names}, **modules}


def heads(x: Tensor) -> Tensor:
    """(b, n, c) → (b, 3, n, c/3)."""
    return x.unflatten(2, (3, C // 3)).transpose(1, 2)


def attention(net: Any, t: Tensor, change: Callable[[Tensor], Tensor] = lambda a: a) -> Tensor:
    """Self-attention of three heads; `change` works on its scores."""
    q, k, v = heads(net.q(t)), heads(net.k(t)), heads(net.v(t))
    a = change(q @ k.mT / (C // 3) ** 0.5).softmax(-1)
    return (a @ v).transpose(1, 2).flatten(2)


# -- recurrence over places, or over rows
def recurrent(kind: type[nn.RNNBase], last: bool, **options: Any) -> tuple[Part, dict[str, nn.Module]]:
    """A recurrent layer over the places, read at its last state or at all."""

    def part(net: Any, x: Tensor) -> Tensor:
        y, state = net.rnn(tokens(x))
        state = state[0] if isinstance(state, tuple) else state
        return state.transpose(0, 1).flatten(1) if last else y.mean(1)

    return part, {"rnn": kind(C, 10, batch_first=True, **options)}


def lstm_cells(net: Any, x: Tensor) -> Tensor:
    """An LSTM cell called in a loop over rows."""
    h, c = x.new_zeros(len(x), 10), x.new_zeros(len(x), 10)
    for step in x.mean(3).unbind(2):
        h, c = net.cell(step, (h, c))
    return h


def conv_gru(net: Any, x: Tensor) -> Tensor:
    """A convolutional GRU of three steps on the same features."""
    h = torch.zeros_like(x)
    for _ in range(3):
        z, r = net.zr(torch.cat([x, h], 1)).sigmoid().chunk(2, 1)
        h = (1 - z) * h + z * net.n(torch.cat([x, r * h], 1)).tanh()
    return h


def recurrent_attention(net: Any, x: Tensor) -> Tensor:
    """Glimpses: a GRU cell that attends to the places by its state."""
    t = tokens(x)
    h = t.mean(1)
    for _ in range(2):
        a = (t @ net.q(h)[..., None]).softmax(1)
        h = net.cell((a * t).sum(1), h)
    return h


# -- gates
def squeeze_excite(net: Any, x: Tensor) -> Tensor:
    """SE."""
    s = net.b(net.a(x.mean((2, 3))).relu()).sigmoid()
    return x * s[:, :, None, None]


def cbam(net: Any, x: Tensor) -> Tensor:
    """CBAM: a gate of channels, then one of places."""
    both = [net.b(net.a(p(x, 1).flatten(1)).relu()) for p in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)]
    x = x * (both[0] + both[1]).sigmoid()[:, :, None, None]
    return x * net.conv(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)).sigmoid()


def eca(net: Any, x: Tensor) -> Tensor:
    """ECA: a convolution over channels makes the gate."""
    y = net.conv1(F.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose(-1, -2))
    return x * y.transpose(-1, -2).unsqueeze(-1).sigmoid().expand_as(x)


def coordinate(net: Any, x: Tensor) -> Tensor:
    """Coordinate attention: gates of rows and of columns."""
    h, w = x.shape[2:]
    y = net.c1(torch.cat([x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(2, 3)], 2))
    rows, columns = F.hardswish(y).split([h, w], 2)
    return x * net.c2(rows).sigmoid() * net.c3(columns.transpose(2, 3)).sigmoid()


def bam(net: Any, x: Tensor) -> Tensor:
    """BAM: x · (1 + σ(...))."""
    return x * (1 + torch.sigmoid(net.c1(x) + net.a(x.mean((2, 3)))[..., None, None]))


def selective_kernels(net: Any, x: Tensor) -> Tensor:
    """SK: a softmax chooses between branches."""
    u, v = net.c1(x).relu(), net.c2(x).relu()
    a = torch.stack([net.a((u + v).mean((2, 3))), net.b((u + v).mean((2, 3)))], 1).softmax(1)[..., None, None]
    return (torch.stack([u, v], 1) * a).sum(1)


def ghost_dfc(net: Any, x: Tensor) -> Tensor:
    """GhostNetV2: a ghost module, gated by attention at half the resolution."""
    gate = F.interpolate(net.c2(F.avg_pool2d(x, 2, 2)).sigmoid(), size=x.shape[2:], mode="nearest")
    primary = net.c1(x).relu()
    return torch.cat([primary, net.dw(primary).relu()], 1)[:, :C] * gate


def swiglu(net: Any, x: Tensor) -> Tensor:
    """A gated MLP."""
    t = tokens(x)
    return net.v(F.silu(net.q(t)) * net.k(t))


def gated_linear(net: Any, x: Tensor) -> Tensor:
    """F.glu over channels."""
    return F.glu(net.c1(x), 1)


def spatial_gate(net: Any, x: Tensor) -> Tensor:
    """gMLP: one half times a linear map of places of the other."""
    u, v = tokens(net.c1(x)).chunk(2, -1)
    return u * net.places(net.norm(v).transpose(1, 2)).transpose(1, 2)


def mixture(net: Any, x: Tensor) -> Tensor:
    """A soft mixture of experts."""
    g = net.g(x.mean((2, 3))).softmax(-1)
    return sum(g[:, i, None, None, None] * conv(x).relu() for i, conv in enumerate(net.experts))


def top_experts(net: Any, x: Tensor) -> Tensor:
    """The best two of three experts."""
    g, chosen = net.g(x.mean((2, 3))).softmax(-1).topk(2, -1)
    every = torch.stack([conv(x).relu() for conv in net.experts], 1)
    picked = every.gather(1, chosen[:, :, None, None, None].expand(-1, -1, *every.shape[2:]))
    return (picked * (g / g.sum(-1, keepdim=True))[:, :, None, None, None]).sum(1)


def dynamic_convolution(net: Any, x: Tensor) -> Tensor:
    """Kernels mixed by attention, one per sample."""
    a = net.g(x.mean((2, 3))).softmax(-1)
    w = (a @ net.kernels.weight.view(3, -1)).view(-1, C, 3, 3)
    b, _, h, wide = x.shape
    y = F.conv2d(x.reshape(1, b * C, h, wide), w, padding=1, groups=b * C // C)
    return y.view(b, -1, h, wide)


def involution(net: Any, x: Tensor) -> Tensor:
    """Involution: kernels made of each place."""
    b, c, h, w = x.shape
    k = net.c1(x).view(b, 1, 9, h, w)
    return (k * F.unfold(x, 3, padding=1).view(b, c, 9, h, w)).sum(2)


# -- attention
def with_class_token(net: Any, x: Tensor) -> Tensor:
    """A class token, positions, pre-norm attention and an MLP, read at the class token."""
    t = torch.cat([net.cls.weight[None].expand(len(x), -1, -1), tokens(x)], 1) + net.pos.weight
    t = t + net.o(attention(net, net.n1(t)))
    t = t + net.m2(F.gelu(net.m1(net.n2(t))))
    return net.n3(t)[:, 0]


def relative_bias(net: Any, x: Tensor) -> Tensor:
    """Swin's: a table of biases by distance."""
    h, w = x.shape[2:]
    at = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")).flatten(1)
    d = at[:, :, None] - at[:, None] + torch.tensor([h, w]).view(2, 1, 1) - 1
    bias = net.table.weight[(d[0] * (2 * w - 1) + d[1]).view(-1)].view(h * w, h * w, 3).permute(2, 0, 1)
    return net.o(attention(net, tokens(x), lambda a: a + bias))


def windows(net: Any, x: Tensor) -> Tensor:
    """Shifted windows of 4 × 4, masked."""
    b, c, h, w = x.shape
    y = torch.roll(x.permute(0, 2, 3, 1), (-2, -2), (1, 2))
    t = y.view(b, h // 4, 4, w // 4, 4, c).transpose(2, 3).reshape(-1, 16, c)
    t = attention(net, t)
    y = t.view(b, h // 4, w // 4, 4, 4, c).transpose(2, 3).reshape(b, h, w, c)
    return torch.roll(y, (2, 2), (1, 2)).permute(0, 3, 1, 2) + x


def rotary(net: Any, x: Tensor) -> Tensor:
    """RoPE on queries and keys."""
    t = tokens(x)
    angle = torch.outer(torch.arange(t.shape[1]), torch.tensor([1.0, 0.1])).to(t)
    cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)

    def turned(y: Tensor) -> Tensor:
        a, b = y.chunk(2, -1)
        return y * cos + torch.cat([-b, a], -1) * sin

    q, k, v = turned(heads(net.q(t))), turned(heads(net.k(t))), heads(net.v(t))
    return net.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def talking_heads(net: Any, x: Tensor) -> Tensor:
    """Heads mixed before and after the softmax."""
    t = tokens(x)
    q, k, v = heads(net.q(t)), heads(net.k(t)), heads(net.v(t))
    a = net.before((q @ k.mT).permute(0, 2, 3, 1)).permute(0, 3, 1, 2).softmax(-1)
    a = net.after(a.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return net.o((a @ v).transpose(1, 2).flatten(2))


def cross_covariance(net: Any, x: Tensor) -> Tensor:
    """XCiT and EdgeFace: attention between channels."""
    t = tokens(x)
    q, k, v = (heads(m(t)).mT for m in (net.q, net.k, net.v))
    a = (F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * 2).softmax(-1)
    return net.o((a @ v).mT.transpose(1, 2).flatten(2))


def linear_attention(net: Any, x: Tensor) -> Tensor:
    """φ(q) (φ(k)ᵀ v) over its sum, φ = elu + 1."""
    t = tokens(x)
    q, k, v = F.elu(net.q(t)) + 1, F.elu(net.k(t)) + 1, net.v(t)
    return (q @ (k.mT @ v)) / (q @ k.sum(1)[..., None])


def efficient_attention(net: Any, x: Tensor) -> Tensor:
    """softmax(q) (softmax(k)ᵀ v)."""
    t = tokens(x)
    return net.q(t).softmax(-1) @ (net.k(t).softmax(1).mT @ net.v(t))


def separable_attention(net: Any, x: Tensor) -> Tensor:
    """MobileViTv2's: one context vector for all places."""
    t = tokens(x)
    context = (net.g(t)[..., :1].softmax(1) * net.k(t)).sum(1, keepdim=True)
    return net.o(net.v(t).relu() * context)


def attention_free(net: Any, x: Tensor) -> Tensor:
    """AFT: σ(q) · Σ exp(k) v / Σ exp(k)."""
    t = tokens(x)
    weights = net.k(t).exp()
    return net.q(t).sigmoid() * ((weights * net.v(t)).sum(1, keepdim=True) / weights.sum(1, keepdim=True))


def non_local(net: Any, x: Tensor) -> Tensor:
    """A non-local block with 1 × 1 convolutions."""
    q, k, v = net.c1(x).flatten(2), net.c2(x).flatten(2), net.c3(x).flatten(2)
    return x + torch.bmm(v, torch.bmm(q.transpose(1, 2), k).softmax(-1).transpose(1, 2)).view_as(x)


def external_attention(net: Any, x: Tensor) -> Tensor:
    """Attention to learned memories, normalised twice."""
    a = net.memory(tokens(x)).softmax(1)
    a = a / (1e-9 + a.sum(2, keepdim=True))
    return net.read(a)


def attention_pool(net: Any, x: Tensor) -> Tensor:
    """CLIP's and SigLIP's: a learned query reads the places."""
    t = tokens(x)
    return net.mha(net.cls.weight[None].expand(len(x), -1, -1), t, t)[0][:, 0]


def slots(net: Any, x: Tensor) -> Tensor:
    """Slot attention, one round."""
    t = tokens(x)
    a = (net.q(net.pos.weight[:3]) @ net.k(t).mT).softmax(1) + 1e-8
    return (a / a.sum(-1, keepdim=True)) @ net.v(t)


def cosine_attention(net: Any, x: Tensor) -> Tensor:
    """Swin v2's: cosines with a learned temperature."""
    t = tokens(x)
    q, k, v = (F.normalize(heads(m(t)), dim=-1) for m in (net.q, net.k, net.v))
    scale = torch.clamp(net.temperature.weight, max=math.log(100)).exp()
    return ((q @ k.mT * scale).softmax(-1) @ v).transpose(1, 2).flatten(2)


def retention(net: Any, x: Tensor) -> Tensor:
    """RetNet's: products of q and k that decay, without a softmax."""
    t = tokens(x)
    n = torch.arange(t.shape[1])
    decay = 0.9 ** (n[:, None] - n).abs()
    return net.o((net.q(t) @ net.k(t).mT * decay) @ net.v(t))


# -- norms, pools and other parts
def norm(module: nn.Module) -> tuple[Part, dict[str, nn.Module]]:
    """A norm between two convolutions."""
    return lambda net, x: net.c2(net.norm(net.c1(x)).relu()), conv_parts(norm=module)


def conv_parts(**modules: nn.Module) -> dict[str, nn.Module]:
    """Three 1 × 1 convolutions, and other modules."""
    return {**{name: nn.Conv2d(C, C, 1) for name in ("c1", "c2", "c3")}, **modules}


def wide(c: int, out: int) -> nn.Conv2d:
    """A convolution of kernel 3 that keeps the size."""
    return nn.Conv2d(c, out, 3, padding=1)


def channels_last(net: Any, x: Tensor) -> Tensor:
    """A layer norm over channels that lie last."""
    return net.norm(net.c1(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def filter_response(net: Any, x: Tensor) -> Tensor:
    """FRN and TLU."""
    x = net.c1(x)
    return torch.max(x * torch.rsqrt(x.square().mean((2, 3), keepdim=True) + 1e-6), net.t.weight[:, :, None, None])


def global_response(net: Any, x: Tensor) -> Tensor:
    """ConvNeXt v2's GRN."""
    x = F.gelu(net.c1(x)).permute(0, 2, 3, 1)
    g = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
    return (x * (g / (g.mean(-1, keepdim=True) + 1e-6)) * 0.5 + x).permute(0, 3, 1, 2)


def gem(net: Any, x: Tensor) -> Tensor:
    """Generalised mean pooling."""
    return F.avg_pool2d(x.clamp(min=1e-6).pow(3), x.shape[-2:]).pow(1 / 3).flatten(1)


def netvlad(net: Any, x: Tensor) -> Tensor:
    """NetVLAD with four centres."""
    a, t = net.assign(x).flatten(2).softmax(1), x.flatten(2)
    v = torch.einsum("bkn,bcn->bkc", a, t) - a.sum(-1)[..., None] * net.pos.weight[:4]
    return F.normalize(F.normalize(v, dim=2).flatten(1), dim=1)


def bilinear(net: Any, x: Tensor) -> Tensor:
    """Second-order pooling with a signed root."""
    t = x.flatten(2)
    y = (t @ t.mT / t.shape[2]).flatten(1)
    return F.normalize(y.sign() * (y.abs() + 1e-8).sqrt())


def statistics(net: Any, x: Tensor) -> Tensor:
    """Mean and standard deviation, as for speakers."""
    return torch.cat([x.mean((2, 3)), x.flatten(2).std(-1)], 1)


def transformed(net: Any, x: Tensor) -> Tensor:
    """A spatial transformer."""
    theta = net.theta(x.mean((2, 3))).view(-1, 2, 3) * 0.1 + torch.eye(2, 3)
    return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)


def deformable(net: Any, x: Tensor) -> Tensor:
    """A deformable convolution with offsets and masks of the image."""
    from torchvision.ops import deform_conv2d

    y = net.offsets(x)
    return deform_conv2d(x, y[:, :18], net.kernel.weight, net.kernel.bias, padding=1, mask=y[:, 18:].sigmoid())


def shuffled(net: Any, x: Tensor) -> Tensor:
    """Pixel unshuffle, a convolution, and pixel shuffle."""
    return F.pixel_shuffle(net.wide(F.pixel_unshuffle(x, 2)).relu(), 2)


def pyramid(net: Any, x: Tensor) -> Tensor:
    """A feature pyramid: up-sampling and a sum, then pools of several sizes."""
    low = net.c1(F.max_pool2d(x, 2)).relu()
    y = net.c2(x) + F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
    return torch.cat([F.adaptive_avg_pool2d(y, k).flatten(1) for k in (1, 2, 4)], 1)


def patches(net: Any, x: Tensor) -> Tensor:
    """Windows by unfold, a linear layer, and fold."""
    y = net.wide(F.unfold(x, 2, stride=2).transpose(1, 2)).relu().transpose(1, 2)
    return F.fold(y, x.shape[-2:], 2, stride=2)


def mixer(net: Any, x: Tensor) -> Tensor:
    """MLP-Mixer."""
    t = tokens(x)
    t = t + net.places(net.norm(t).transpose(1, 2)).relu().transpose(1, 2)
    return t + net.q(F.gelu(net.k(t)))


def blurred(net: Any, x: Tensor) -> Tensor:
    """A constant blur in a strided, reflected convolution."""
    k = torch.tensor([1.0, 2.0, 1.0])
    k = (k[:, None] * k / 16).expand(C, 1, 3, 3)
    return F.conv2d(F.pad(net.c1(x).relu(), (1, 1, 1, 1), mode="reflect"), k.to(x), stride=2, groups=C)


def ode(net: Any, x: Tensor) -> Tensor:
    """Weights used three times, as an Euler scheme does."""
    for _ in range(3):
        x = x + 0.3 * net.c1(x).tanh()
    return x


def quantised(net: Any, x: Tensor) -> Tensor:
    """A straight-through estimator: values rounded, gradients not."""
    y = 8 * net.c1(x)
    return y + (y.round() - y).detach()


def random_projection(net: Any, x: Tensor) -> Tensor:
    """Products with constants made in forward, and a padded row."""
    w = torch.ones(C, C).tril().to(x) / C
    return torch.einsum("bchw,dc->bdhw", torch.cat([x, torch.zeros_like(x[:, :, :1])], 2), w)


def subjects() -> dict[str, Subject]:
    """Every part."""
    torch.manual_seed(0)
    q = linears("q", "k", "v", "o", "g")
    vit = linears("q", "k", "v", "o", "m1", "m2", cls=nn.Embedding(1, C), pos=nn.Embedding(65, C),
                  n1=nn.LayerNorm(C), n2=nn.LayerNorm(C), n3=nn.LayerNorm(C))  # fmt: skip
    experts = dict(g=nn.Linear(C, 3), experts=nn.ModuleList(nn.Conv2d(C, C, 3, padding=1) for _ in range(3)))
    se = dict(a=nn.Linear(C, 4), b=nn.Linear(4, C))
    layer = nn.TransformerEncoderLayer(C, 3, 24, batch_first=True, norm_first=True, activation="gelu")
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    mha = nn.MultiheadAttention(C, 3, batch_first=True)
    every: dict[str, tuple[Part, dict[str, nn.Module]]] = {
        "LSTM, last state": recurrent(nn.LSTM, True),
        "LSTM, two layers, both ways": recurrent(nn.LSTM, False, num_layers=2, bidirectional=True),
        "GRU, both ways": recurrent(nn.GRU, True, bidirectional=True),
        "GRU, all states": recurrent(nn.GRU, False),
        "RNN, tanh": recurrent(nn.RNN, False),
        "RNN, relu": recurrent(nn.RNN, True, nonlinearity="relu"),
        "LSTM with projections": recurrent(nn.LSTM, True, proj_size=5),
        "LSTM cells": (lstm_cells, dict(cell=nn.LSTMCell(C, 10))),
        "convolutional GRU": (conv_gru, dict(zr=wide(2 * C, 2 * C), n=wide(2 * C, C))),
        "recurrent attention": (recurrent_attention, dict(q=nn.Linear(C, C), cell=nn.GRUCell(C, C))),
        "SE": (squeeze_excite, se),
        "CBAM": (cbam, dict(**se, conv=nn.Conv2d(2, 1, 3, padding=1))),
        "ECA": (eca, dict(conv1=nn.Conv1d(1, 1, 3, padding=1))),
        "coordinate attention": (coordinate, conv_parts()),
        "BAM": (bam, conv_parts(a=nn.Linear(C, C))),
        "selective kernels": (selective_kernels, conv_parts(**linears("a", "b"))),
        "ghost module with DFC attention": (ghost_dfc, conv_parts(dw=nn.Conv2d(C, C, 3, padding=1, groups=C))),
        "SwiGLU": (swiglu, q),
        "GLU": (gated_linear, dict(c1=nn.Conv2d(C, 2 * C, 1))),
        "gMLP": (spatial_gate, dict(c1=nn.Conv2d(C, 2 * C, 1), norm=nn.LayerNorm(C), places=nn.Linear(64, 64))),
        "mixture of experts": (mixture, experts),
        "best two experts": (top_experts, experts),
        "dynamic convolution": (dynamic_convolution, dict(g=nn.Linear(C, 3), kernels=nn.Linear(9 * C * C, 3))),
        "involution": (involution, dict(c1=nn.Conv2d(C, 9, 1))),
        "ViT with a class token": (with_class_token, vit),
        "TransformerEncoder": (lambda net, x: net.enc(tokens(x)), dict(enc=encoder)),
        "relative bias": (relative_bias, {**q, "table": nn.Embedding(15 * 15, 3)}),
        "shifted windows": (windows, q),
        "rotary positions": (rotary, q),
        "talking heads": (talking_heads, {**q, "before": nn.Linear(3, 3), "after": nn.Linear(3, 3)}),
        "attention between channels": (cross_covariance, q),
        "linear attention": (linear_attention, q),
        "efficient attention": (efficient_attention, q),
        "separable attention": (separable_attention, q),
        "attention free (AFT)": (attention_free, q),
        "non-local": (non_local, conv_parts()),
        "external attention": (external_attention, dict(memory=nn.Linear(C, 8), read=nn.Linear(8, C))),
        "attention pool": (attention_pool, dict(mha=mha, cls=nn.Embedding(1, C))),
        "slot attention": (slots, {**q, "pos": nn.Embedding(3, C)}),
        "cosine attention": (cosine_attention, {**q, "temperature": nn.Embedding(1, 1)}),
        "retention": (retention, q),
        "layer norm, channels last": (channels_last, conv_parts(norm=nn.LayerNorm(C))),
        "group norm": norm(nn.GroupNorm(3, C)),
        "instance norm": norm(nn.InstanceNorm2d(C, affine=True)),
        "local response norm": norm(nn.LocalResponseNorm(3)),
        "weight norm": (lambda net, x: net.c2(net.wn(x).relu()), conv_parts(wn=weight_norm(nn.Conv2d(C, C, 3)))),
        "FRN and TLU": (filter_response, conv_parts(t=nn.Embedding(1, C))),
        "GRN": (global_response, conv_parts()),
        "GeM": (gem, {}),
        "NetVLAD": (netvlad, dict(assign=nn.Conv2d(C, 4, 1), pos=nn.Embedding(4, C))),
        "bilinear pooling": (bilinear, {}),
        "mean and deviation": (statistics, {}),
        "spatial transformer": (transformed, dict(theta=nn.Linear(C, 6))),
        "deformable convolution": (deformable, dict(offsets=nn.Conv2d(C, 27, 3, padding=1), kernel=nn.Conv2d(C, C, 3))),
        "pixel shuffle": (shuffled, dict(wide=nn.Conv2d(4 * C, 4 * C, 1))),
        "feature pyramid": (pyramid, conv_parts()),
        "unfold and fold": (patches, dict(wide=nn.Linear(4 * C, 4 * C))),
        "mixer": (mixer, dict(places=nn.Linear(64, 64), norm=nn.LayerNorm(C), q=nn.Linear(C, C), k=nn.Linear(C, C))),
        "blur pool": (blurred, conv_parts()),
        "weights used three times": (ode, conv_parts()),
        "straight-through rounding": (quantised, conv_parts()),
        "constants made in forward": (random_projection, {}),
        "GELU": norm(nn.GELU()), "Mish": norm(nn.Mish()), "PReLU": norm(nn.PReLU(C)), "CELU": norm(nn.CELU()),
        "max feature map": (lambda net, x: net.wide(x).unflatten(1, (2, C)).amax(1), dict(wide=nn.Conv2d(C, 2 * C, 3))),
        "CReLU": (lambda net, x: torch.cat([net.c1(x).relu(), (-net.c1(x)).relu()], 1), conv_parts()),
        "top-k pool": (lambda net, x: x.flatten(2).topk(5, -1).values.mean(-1), {}),
        "log-sum-exp pool": (lambda net, x: x.flatten(2).logsumexp(-1), {}),
    }  # fmt: skip
    return {name: Subject(lambda p=part, m=modules: Net(p, m), SIDE) for name, (part, modules) in every.items()}
