"""Blended probes, streamed through the network: what both games have in common.

A blend takes the first `count` pixels of an order from one image (fill) and the rest from another (base). Blends of
a row are nested, so two of them are the same image exactly when the pixels between their counts do not differ in
base and fill; such repeats are embedded once. Only `batch` blends exist at a time, whatever the number of rows.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

Embed = Callable[[Tensor], Tensor]


def check_images(**images: Tensor) -> None:
    """Check that all images are floating point, (b, c, h, w), of one shape with at least one row.

    Args:
        images: by the names that an error shall give them.

    Raises:
        ValueError: for another shape, different shapes, or no rows.
        TypeError: for images that are not floating point.
    """
    (first, example), *_ = images.items()
    for name, image in images.items():
        if image.ndim != 4:
            raise ValueError(f"{name} has shape {tuple(image.shape)}: expected network inputs (b, c, h, w)")
        if not image.is_floating_point():
            raise TypeError(f"{name} is {image.dtype}: expected network inputs in floating point")
        if image.shape != example.shape:
            raise ValueError(
                f"{name} has shape {tuple(image.shape)}, {first} has {tuple(example.shape)}: expected one shape"
            )
    if example.shape[0] == 0:
        raise ValueError(f"{first} is empty: a game needs at least one sample; check how the trials were selected")


def unit_embeddings(embed: Embed, images: Tensor) -> Tensor:
    """L2-normalised embeddings.

    Args:
        embed: the network, images (b, c, h, w) → embeddings (b, d).
        images: network inputs (b, c, h, w).

    Returns:
        (b, d) in float64, each row of L2 length 1.

    Raises:
        ValueError: for embeddings of another shape, or NaN, infinite or zero ones.
    """
    embedding = embed(images)
    if embedding.ndim != 2 or embedding.shape[0] != images.shape[0]:
        raise ValueError(f"embed gave shape {tuple(embedding.shape)} for {images.shape[0]} images: expected (b, d)")
    length = embedding.double().norm(dim=1)
    if not (torch.isfinite(length) & (length > 0)).all():
        raise ValueError("embed gave NaN, infinite or zero embeddings: check the network's weights and its input")
    return F.normalize(embedding.double(), dim=1, eps=0.0)


def embed_all(embed: Embed, images: Tensor, batch: int) -> Tensor:
    """Unit embeddings of images.

    Args:
        embed: the network, images (b, c, h, w) → embeddings (b, d).
        images: network inputs (n, c, h, w).
        batch: images per forward pass.

    Returns:
        (n, d) in float64, each row of L2 length 1.

    Raises:
        ValueError: as `unit_embeddings`.
    """
    return torch.cat([unit_embeddings(embed, part) for part in images.split(batch)])


def chunks(count: int, size: int) -> Iterator[slice]:
    """Slices that cover 0..count.

    Args:
        count: where they end.
        size: of each but the last, at least 1.

    Raises:
        ValueError: for a size below 1.

    >>> list(chunks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    if size < 1:
        raise ValueError(f"batch is {size}: expected at least 1")
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def new_blends(base: Tensor, fill: Tensor, order: Tensor, counts: Tensor) -> Tensor:
    """Which steps give a blend that no earlier step of the row gave.

    Args:
        base, fill: images (b, c, h, w).
        order: (b, h·w), the pixels in the order in which `fill` replaces `base`.
        counts: (b, steps), non-decreasing, how many pixels each step replaces.

    Returns:
        bool (b, steps).

    >>> base, fill = torch.zeros(1, 1, 1, 3), torch.tensor([[[[0.0, 1.0, 0.0]]]])
    >>> new_blends(base, fill, torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 2, 3]])).tolist()
    [[True, False, True, False]]
    """
    differs = (base != fill).any(1).flatten(1).gather(1, order).cumsum(1)
    differs = F.pad(differs, (1, 0)).gather(1, counts)  # pixels truly replaced at each step
    return F.pad(differs[:, 1:] != differs[:, :-1], (1, 0), value=True)


@torch.no_grad()
def blend_distances(
    embed: Embed, base: Tensor, fill: Tensor, order: Tensor, counts: Tensor, references: Tensor, batch: int
) -> Tensor:
    """L2 distances between unit embeddings: each blend to each of its row's references.

    Args:
        embed: the network, images (b, c, h, w) → embeddings (b, d).
        base, fill, order, counts: as for `new_blends`.
        references: unit embeddings (b, r, d).
        batch: images per forward pass.

    Returns:
        (b, steps, r) on the CPU, in 0..2.
    """
    b, _, h, w = base.shape
    order, counts = order.to(base.device), counts.to(base.device)
    place = torch.empty_like(order).scatter_(1, order, torch.arange(h * w, device=base.device).expand(b, -1))
    new = new_blends(base, fill, order, counts)
    row, step = new.nonzero(as_tuple=True)
    found = []
    for part in chunks(len(row), batch):
        r = row[part]
        replaced = place[r] < counts[r, step[part], None]
        blend = torch.where(replaced.view(-1, 1, h, w), fill[r], base[r])
        embedding = unit_embeddings(embed, blend)[:, None]
        found.append((embedding - references[r.to(references.device)]).norm(dim=2).cpu())
    # A repeated blend reads the result of the last new one before it.
    return torch.cat(found)[new.flatten().cumsum(0).view(new.shape).cpu() - 1]


def bar(rows: int, batch: int, progress: bool, label: str) -> Iterator[slice]:
    """Slices of rows under a progress bar.

    Args:
        rows: how many there are.
        batch: rows per slice.
        progress: whether to show the bar.
        label: of the bar.
    """
    with tqdm(total=rows, desc=label, disable=not progress) as shown:
        for part in chunks(rows, batch):
            yield part
            shown.update(part.stop - part.start)
