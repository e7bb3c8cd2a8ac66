"""A batch of triplets in parts, as many at a time as the memory takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gweebp.excitation.tensors import unusable
from gweebp.support.ranges import whole


def in_parts(triplet: tuple[Any, Any, Any], size: int | None, what: str) -> Iterator[tuple[int, tuple[Any, Any, Any]]]:
    """Parts of at most `size` triplets, each with the batch index of its first; a bar on the terminal counts triplets.

    Args:
        triplet: probe (b, ...), mate and non-mate (b or 1, ...); what fits in no such way is one part, for those who
            check it.
        size: None for one part.
        what: in words, for the bar.

    Raises:
        ValueError: for a size that is not an integer above 0.

    Example:
        >>> import torch
        >>> probe, mate = torch.arange(3.0).view(3, 1), torch.zeros(1, 1)
        >>> [(first, p.flatten().tolist(), len(m)) for first, (p, m, n) in in_parts((probe, mate, mate), 2, "")]
        [(0, [0.0, 1.0], 1), (2, [2.0], 1)]
    """
    if size is not None and size not in whole(1):
        raise ValueError(f"batch_size={size!r}: expected an integer above 0, or None")
    rows = [-1 if unusable(x) or not x.ndim else len(x) for x in triplet]
    b = rows[0]
    if size is None or size >= b or any(k not in (1, b) for k in rows[1:]):
        yield 0, triplet
        return
    from tqdm import tqdm  # here: the package starts without it

    with tqdm(total=b, desc=what, unit="map", leave=False, disable=None) as bar:
        for first in range(0, b, int(size)):
            probe, mate, nonmate = (x if len(x) == 1 else x[first : first + int(size)] for x in triplet)
            yield first, (probe, mate, nonmate)
            bar.update(len(probe))
