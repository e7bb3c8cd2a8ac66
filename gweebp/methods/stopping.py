"""When a map that is estimated from random masks has had enough of them: its own standard error tells.

Of n masks M and scores s, a map's value at a pixel is a mean over masks: of z · m, with m = (M − q) / σ the mask there,
q and σ its known mean and standard deviation, and z what of the standardised score is estimated from the masks (all of
it for the plain estimate; what a linear model leaves for the controlled one; for a contrastive map the difference of
two). So the variance of that value is var(z · m) / n, and the map's error is

    error = √(mean over pixels of var(z · m) / n) / (standard deviation over pixels of the map, without that noise)

whose map has a correlation of about 1 / √(1 + error²) with the map of infinitely many masks: .99 at an error of .14.
Ignored is what the standardisation itself varies by, a share of the squared correlations, which are small here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Enough", "Estimate", "ToleranceWarning", "enough", "looks", "noted", "relative_error"]

FIRST, GROWTH = 256, 1.5  # masks before the first look, and by what they grow to the next


class ToleranceWarning(UserWarning):
    """Maps whose standard error is still above the tolerance when all masks are spent.

    Attributes:
        indices: of these probes in the batch.
    """

    def __init__(self, message: str, indices: list[int]) -> None:
        super().__init__(message)
        self.indices = indices


class Estimate(NamedTuple):
    """Maps from masks so far.

    Attributes:
        maps: (b, t, h, w), float64, in [−1, 1].
        sampled: (b, t, n), what of the standardised scores is estimated from the n masks.
    """

    maps: Tensor
    sampled: Tensor


class Enough(NamedTuple):
    """A map and what it took.

    Attributes:
        map: (h, w), float64.
        masks: how many it rests on. error: as the module defines it.
    """

    map: Tensor
    masks: int
    error: float


_noted: ContextVar[list[Enough] | None] = ContextVar("noted", default=None)


@contextmanager
def noted() -> Iterator[list[Enough]]:
    """Within this block, what each map took that stops at a tolerance, in the order of the maps.

    A signed map is two: towards the mate, then towards the non-mate.

    Returns:
        A list, which grows by one Enough for each map.

    Example:
        >>> import gweebp
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)).double()
        >>> images = torch.rand(3, 1, 1, 8, 8, generator=torch.manual_seed(0), dtype=torch.float64)
        >>> with noted() as found:
        ...     maps = gweebp.explain(net, *images, method="corrrise", cells=4, estimate="controlled", tolerance=0.2)
        >>> [one.masks for one in found], found[0].error <= 0.2
        ([256], True)
    """
    found: list[Enough] = []
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def looks(most: int) -> Iterator[int]:
    """Numbers of masks after which the error is looked at, the last of them `most`.

    Args:
        most: 1 or more.

    Example:
        >>> list(looks(1000))
        [256, 384, 576, 864, 1000]
    """
    n = FIRST
    while n < most:
        yield n
        n = int(n * GROWTH)
    yield most


def relative_error(found: Tensor, sampled: Tensor, masks: Iterable[Tensor], mean: float, spread: Tensor) -> float:
    """The error of the module's formula.

    Args:
        found: the map, (h, w).
        sampled: z, (n,).
        masks: chunks (k, h, w) of the n masks, in the order of z.
        mean: of a mask at every pixel.
        spread: (h, w), its standard deviations.

    Returns:
        0 or more; infinite where the noise explains all that varies in the map.

    Example:
        >>> z, masks = torch.tensor([1., -1., 1., -1.]), torch.tensor([[[1., 0.]], [[0., 0.]], [[1., 1.]], [[0., 1.]]])
        >>> found = ((masks - 0.5) / 0.5 * z[:, None, None]).mean(0)
        >>> found, round(relative_error(found, z, [masks], 0.5, torch.full((1, 2), 0.5)), 4)
        (tensor([[1., 0.]]), 0.7071)
    """
    sums, squares, first = torch.zeros_like(spread), torch.zeros_like(spread), 0
    for chunk in masks:
        terms = sampled[first : first + len(chunk), None, None] * (chunk.to(spread) - mean) / spread
        sums, squares, first = sums + terms.sum(0), squares + terms.square().sum(0), first + len(chunk)
    if first < 2:
        return math.inf
    noise = float(((squares / first - (sums / first).square()) / (first - 1)).clamp(min=0).mean())
    varies = float(found.double().var()) if found.numel() > 1 else 0.0
    if noise == 0:
        return 0.0
    return math.sqrt(noise / (varies - noise)) if varies > noise else math.inf


def enough(
    score: Callable[[Tensor], Tensor],
    draw: Callable[[int, int], Iterable[Tensor]],
    estimate: Callable[[Tensor, Callable[[], Iterable[Tensor]]], Estimate],
    most: int,
    tolerance: float,
    mean: float,
    spread: Tensor,
) -> Enough:
    """The map of one probe from as many masks as its tolerance asks for.

    Args:
        score: from masks (k, h, w) to scores (1, t, k): one forward pass.
        draw: `draw(first, last)` gives the masks from the first to before the last, in chunks; the same at each call.
        estimate: from scores (1, t, n) and a function that draws their masks to an Estimate.
        most: masks that may be spent.
        tolerance: of the error; above 0.
        mean, spread: as of `relative_error`.

    Returns:
        Of t = 1, the map; of t = 2, the first less the second. The same whatever the size of the chunks, but for
        rounding.
    """
    scores: list[Tensor] = []
    spent = 0
    for n in looks(most):
        scores += [score(chunk) for chunk in draw(spent, n)]
        spent = n
        found = estimate(torch.cat(scores, 2), partial(draw, 0, n))
        signs = torch.tensor([1.0, -1.0][: found.maps.shape[1]], dtype=torch.float64, device=found.maps.device)
        map_, sampled = torch.tensordot(signs, found.maps[0], 1), torch.tensordot(signs, found.sampled[0], 1)
        error = relative_error(map_, sampled, draw(0, spent), mean, spread)
        if error <= tolerance:
            break
    done = Enough(map_, spent, error)
    if (notes := _noted.get()) is not None:
        notes.append(done)
    return done
