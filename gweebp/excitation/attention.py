"""The attention between the tokens of a transformer: the weights of each block, from one watched forward pass.

What is an attention is what the excitation rules take for one: a softmax, or what `tags` makes of it, that weighs
tokens in a product. `scaled_dot_product_attention` hides its weights and is run in its parts, so
`nn.MultiheadAttention` and attention by hand come out alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation.dispatch import Dispatch, Op
from gweebp.excitation.layers import run_from
from gweebp.excitation.tags import NOTHING

__all__ = ["Attended", "attended"]

READ = "attention between all tokens of a grid, as in a vision transformer"


@dataclass(frozen=True, eq=False)
class Table:
    """The weights of one attention as the network computed them, and the values that they weigh.

    Attributes:
        weights: as computed, part of the graph. keys, queries: their axes, counted from the last.
        values: what is weighed. tokens: the axis of the keys in it, counted from the last.
    """

    weights: Tensor
    queries: int
    keys: int
    values: Tensor
    tokens: int

    def arranged(self, x: Tensor, b: int) -> Tensor:
        """`x`, of the shape of the weights, as (b, heads, queries, keys)."""
        x = x.movedim((self.queries, self.keys), (-2, -1))
        return x.reshape(b, -1, *x.shape[-2:])


class Attentions(Dispatch):
    """Watches a forward pass by the excitation rules' own tags, in plain autograd, and keeps each attention."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net, weighted=True)
        self.tables: list[Table] = []

    def operate(self, op: Op) -> Tensor:
        """Run a mixing, a product or a passing as it is."""
        output: Tensor = op.plain(*op.operands)
        self.tags.of[output] = NOTHING
        return output

    def run(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """An operation; the weights are noted of one that weighs values by an attention."""
        if name == "scaled_dot_product_attention":
            return self.parts(name, in_parts, func, args, kwargs)
        if name in ("matmul", "bmm", "einsum"):
            self.look(name, args, kwargs)
        return super().run(name, func, args, kwargs)

    def look(self, name: str, args: tuple, kwargs: dict[str, Any]) -> None:
        """Note the attention of a product, if one of its factors is one and the other is not."""
        flat = [x for a in (*args, *kwargs.values()) for x in (a if isinstance(a, (list, tuple)) else [a])]
        pair = [x for x in flat if isinstance(x, Tensor)]
        if len(pair) != 2 or not all(map(self.tags.depends, pair)):
            return
        of = [self.tags[x].role == "attention" for x in pair]
        if of[0] == of[1]:
            return
        first = of[0]
        weights, values = pair if first else pair[::-1]
        of_product = (-2, -1, -2) if first else (-1, -2, -1)
        queries, keys, tokens = einsum_axes(flat[0], first) if name == "einsum" else of_product
        self.tables.append(Table(weights, queries, keys, values, tokens))


def einsum_axes(equation: str, first: bool) -> tuple[int, int, int]:
    """The axes of queries and keys in the weights, and of keys in the values, of an einsum; counted from the last.

    Args:
        first: the weights stand first.

    Example:
        >>> einsum_axes("bhij, bhjd -> bhid", True), einsum_axes("bjhd,bhij->bihd", False)
        ((-2, -1, -2), (-2, -1, -3))
    """
    left, arrow, out = equation.replace(" ", "").partition("->")
    a, v = left.split(",") if first else left.split(",")[::-1]
    queries = [x for x in a if x in out and x not in v]
    keys = [x for x in a if x in v and x not in out]
    if not arrow or len(queries) != 1 or len(keys) != 1:
        raise ValueError(f"the attention in einsum({equation!r}) can't be read: expected {READ}")
    return a.index(queries[0]) - len(a), a.index(keys[0]) - len(a), v.index(keys[0]) - len(v)


def in_parts(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`scaled_dot_product_attention` with its weights as a tensor: softmax(q·kᵀ · scale + mask) v; no dropout."""
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (x.repeat_interleave(times, -3) for x in (key, value))
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        hidden = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if hidden else scores + attn_mask
    return scores.softmax(-1) @ value


@dataclass(frozen=True, eq=False)
class Attended:
    """The attention above a layer.

    Attributes:
        weights: of each block, the first one first, (b, heads, queries, keys), without a graph.
        cells: int64 (h, w), the token of each cell of the layer's map.
        read: (b, queries) of the last block, each sums to 1: the tokens from which the embedding is read, alike.
        embedding: (b, d), part of the graph.
        gradients: from a scalar that is a function of the embedding to its gradient by the weights of each block.
    """

    weights: list[Tensor]
    cells: Tensor
    read: Tensor
    embedding: Tensor
    gradients: Callable[[Tensor], list[Tensor]]

    def on_the_grid(self, tokens: Tensor) -> Tensor:
        """Of what lies on tokens, (b, keys), what lies on the cells of the map, (b, h, w)."""
        return tokens[:, self.cells]


def attended(net: nn.Module, probe: Tensor, layer: str) -> Attended:
    """Run `net` on the probe (b, c, h, w) and read the attention of each block above `layer`, whose map is the grid.

    Errors:
        ValueError: there is no attention above the layer, or it is not one between all tokens of the grid.
    """
    b, mode = probe.shape[0], Attentions(net)
    with torch.inference_mode(False), torch.enable_grad():
        activation, embedding = run_from(net, probe, layer, mode)
        tables = mode.tables
        mode.close()
        if not tables:
            raise ValueError(
                f"the network has no attention above layer {layer!r} (no softmax that weighs tokens), and the method "
                f"reads {READ}: choose another method, or a layer below the attention"
            )
        h, w = activation.shape[2:]
        for table in tables:
            if table.weights.shape[table.keys] < h * w or table.weights.shape[0] % b:
                raise ValueError(
                    f"an attention weighs {table.weights.shape[table.keys]} tokens, and the map of layer {layer!r} has "
                    f"{h} × {w} cells: expected {READ}"
                )
        weights = [table.arranged(table.weights.detach(), b) for table in tables]
        for k, (below, above) in enumerate(pairwise(weights), start=1):
            if below.shape[2] != above.shape[3]:
                raise ValueError(
                    f"attention {k} gives {below.shape[2]} tokens and the next one weighs {above.shape[3]}: "
                    f"expected {READ}, with the same tokens throughout"
                )
        cells = _cells(tables[0], activation, layer)
        read = _read(tables[-1], embedding, b)

        def gradients(value: Tensor) -> list[Tensor]:
            found = torch.autograd.grad(value, [t.weights for t in tables], allow_unused=True)
            full = (torch.zeros_like(t.weights) if g is None else g for t, g in zip(tables, found))
            return [t.arranged(g, b) for t, g in zip(tables, full)]

    return Attended(weights, cells, read, embedding, gradients)


def _direction(like: Tensor, *axes: int) -> Tensor:
    """Fixed numbers drawn from a normal distribution, in the shape of `like`, the same along `axes`."""
    shape = [1 if i - like.ndim in axes else n for i, n in enumerate(like.shape)]
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return drawn.to(like).expand(like.shape)


def _cells(table: Table, activation: Tensor, layer: str) -> Tensor:
    """The token of each cell of the layer: weighed by its number, a token hands that number down to its own cell.

    The derivative of the values along a direction, and that of the values times 1, 2, 3, ... along the tokens, differ
    by a whole number in each cell if the cell is one token's own.
    """
    n = table.values.shape[table.tokens]
    shape = [n if i == table.tokens % table.values.ndim else 1 for i in range(table.values.ndim)]
    number = torch.arange(1, n + 1, device=activation.device, dtype=activation.dtype).view(shape)
    u = _direction(table.values, table.tokens)
    one, many = (
        torch.autograd.grad(table.values, activation, seed, retain_graph=True, allow_unused=True)[0]
        for seed in (u, u * number)
    )
    if one is not None and many is not None:
        one, many = one[0].double(), many[0].double()
        token = (one * many).sum(0) / (one * one).sum(0)
        cells = token.round()
        apart = (many - cells * one).abs().amax() / many.abs().amax()
        once = cells.isfinite().all() and len(cells.unique()) == cells.numel()
        if once and apart < 1e-3 / n:
            return cells.long() - 1
    raise ValueError(f"the tokens of the first attention are not the cells of layer {layer!r}: expected {READ}")


def _read(table: Table, embedding: Tensor, b: int) -> Tensor:
    """The queries (b, queries) of the last attention on which the embedding depends, alike, each sample sums to 1."""
    (g,) = torch.autograd.grad(embedding, table.weights, _direction(embedding), retain_graph=True, allow_unused=True)
    if g is None:
        raise ValueError("the embedding does not depend on the network's last attention: expected " + READ)
    rows = (table.arranged(g, b) != 0).any(3).any(1).to(g.dtype)
    return rows / rows.sum(1, keepdim=True).clamp(min=1)
