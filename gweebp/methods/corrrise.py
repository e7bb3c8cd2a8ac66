"""CorrRISE: Lu & Ebrahimi (2023), where a random mask and the similarity to the other image go together.

N random masks M on a coarse grid (RISE, Petsiuk et al. 2018): `cells` cells a side, a cell kept with probability
`keep`, cell = ceil(H / cells) pixels, bilinear up-sampling to (cells + 1) · cell, a random shift below one cell, and a
crop. With s the cosine of the masked probe's and the other image's embeddings, at each pixel over the masks

    map = corr(M, s) = (E[M s] − E[M] E[s]) / (σ(M) σ(s))

less the same with the non-mate. The sums stream in float64; the masked probes are embedded once for mate and non-mate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from gweebp.excitation.gain import same_length
from gweebp.excitation.tensors import unit
from gweebp.methods import method
from gweebp.methods.control import controlled, mask_spread, sums_of_products
from gweebp.methods.maps import non_negative
from gweebp.methods.masking import Masked, check_positive, distinct, fill_value, masked_embeddings
from gweebp.methods.stopping import Enough, Estimate, ToleranceWarning, enough
from gweebp.support.ranges import SEED, Range, whole
from gweebp.support.warned import warn

CELLS, TOLERANCE = whole(1, 256), Range(0, 1, above=True)
ESTIMATES = ("plain", "controlled")
BLOCK = 1024  # masks drawn at a time, whatever the batch: the same seed gives the same masks, and the first of more


def upsample(grids: Tensor, shifts: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks from coarse grids: bilinear up-sampling to (cells + 1) · cell pixels, shifted and cropped.

    Args:
        grids: (k, cells, cells).
        shifts: (k, 2), row and column of the crop's corner, from 0 to below one cell.
        size: (h, w) of the crop.

    Returns:
        (k, h, w), within the range of each grid.

    Example:
        >>> upsample(torch.eye(2)[None], torch.zeros(1, 2), (2, 2))
        tensor([[[1.0000, 0.5000],
                 [0.5000, 0.5000]]])
    """
    cells = grids.shape[-1]

    def weights(pixels: int, shift: Tensor) -> Tensor:  # (k, pixels, cells): hats around the cells' centres
        per_pixel = cells / ((cells + 1) * -(-pixels // cells))
        centre = (torch.arange(pixels, dtype=grids.dtype, device=grids.device) + shift[:, None] + 0.5) * per_pixel - 0.5
        distance = centre.clamp(0, cells - 1)[..., None] - torch.arange(cells, dtype=grids.dtype, device=grids.device)
        return (1 - distance.abs()).clamp(min=0)

    rows, columns = (weights(pixels, shift) for pixels, shift in zip(size, shifts.T))
    return rows @ grids @ columns.mT


def random_masks(
    masks: int,
    cells: int,
    keep: float,
    size: tuple[int, int],
    seed: int,
    batch: int,
    device: torch.device | str = "cpu",
    first: int = 0,
) -> Iterator[Tensor]:
    """Random masks, in chunks.

    Args:
        masks: how many.
        cells: cells per side of the coarse grid.
        keep: probability with which a cell is kept, between 0 and 1.
        size: (h, w) in pixels.
        seed: of the masks.
        batch: the largest chunk; it changes the chunks, not the masks.
        device: where the masks are made.
        first: masks at the start that are left out.

    Returns:
        Chunks (k, h, w), k ≤ batch, in [0, 1].

    Example:
        >>> [tuple(m.shape) for m in random_masks(5, 4, 0.9, (8, 8), seed=0, batch=2)]
        [(2, 8, 8), (2, 8, 8), (1, 8, 8)]
    """
    generator = torch.Generator().manual_seed(int(seed))
    cell = torch.tensor([-(-pixels // cells) for pixels in size])
    for start in range(0, masks, BLOCK):
        grids = (torch.rand(BLOCK, cells, cells, generator=generator, dtype=torch.float32) < keep).float()
        shifts = (torch.rand(BLOCK, 2, generator=generator, dtype=torch.float32) * cell).floor()
        chosen = slice(min(BLOCK, max(0, first - start)), min(BLOCK, masks - start))
        if chosen.start < chosen.stop:
            for g, s in zip(grids[chosen].split(batch), shifts[chosen].split(batch)):
                yield upsample(g.to(device), s.to(device), size)


class Correlation:
    """Per-pixel Pearson correlation of masks and similarities, added chunk by chunk; it can be read at any time.

    Example:
        >>> found = Correlation()
        >>> found.add(torch.tensor([[[1., 1.]], [[1., 0.]]]), torch.tensor([[[1.0, 0.7071]]]))
        >>> found.maps().round(decimals=4)
        tensor([[[[0., 1.]]]], dtype=torch.float64)
    """

    def __init__(self) -> None:
        self.n = 0  #: masks so far
        self._first: tuple[Tensor, Tensor] | None = None
        self._sums: tuple[Tensor, ...] = ()

    def add(self, masks: Tensor, similarities: Tensor) -> None:
        """Add masks and the similarities under them.

        Args:
            masks: (k, h, w), in [0, 1].
            similarities: (b, t, k).
        """
        m, s = masks.double(), similarities.double()
        # moments about the first mask: no digits are lost where little varies
        first = self._first = self._first or (m[:1], s[..., :1])
        m, s = m - first[0], s - first[1]
        moments = m.sum(0), m.square().sum(0), s.sum(2), s.square().sum(2), sums_of_products(s, m)
        self._sums = tuple(map(torch.add, self._sums, moments)) if self._sums else moments
        self.n += len(m)

    def maps(self) -> Tensor:
        """The correlation so far.

        Returns:
            (b, t, h, w), float64, in [−1, 1]; 0 where the mask or the similarity never changes.

        Raises:
            ValueError: where no masks were added.
        """
        if not self.n:
            raise ValueError("no masks: expected at least one chunk (k, h, w)")
        m, mm, s, ss, sm = (x / self.n for x in self._sums)
        s, ss = s[..., None, None], ss[..., None, None]
        spread = ((mm - m.square()).clamp(min=0) * (ss - s.square()).clamp(min=0)).sqrt()
        varies = spread > 1e-15
        return torch.where(varies, (sm - s * m) / torch.where(varies, spread, 1), 0).clamp(-1, 1)


def similarities(net: nn.Module, probe: Tensor, others: Tensor, masks: Tensor, fill: Tensor) -> Tensor:
    """Cosine of each masked probe to each other embedding.

    Args:
        net: the network.
        probe: (b, c, h, w).
        others: embeddings (b, t, d), of any length.
        masks: (k, h, w), in [0, 1].
        fill: as `gweebp.methods.masking.fill_value` gives it.

    Returns:
        (b, t, k), float64, in [−1, 1].
    """
    return _cosines(masked_embeddings(net, probe, masks, fill), others)


def _cosines(found: Tensor, others: Tensor) -> Tensor:
    same_length(found, others)
    return torch.stack([o @ e.mT for o, e in zip(unit(others.double()), found)])


def correlations(net: nn.Module, probe: Tensor, others: Tensor, masks: Iterable[Tensor], fill: Tensor) -> Tensor:
    """Per-pixel Pearson correlation, over masks, of the mask and the masked probe's cosine to each other embedding.

    Args:
        net: the network.
        probe, others, fill: as of `similarities`.
        masks: chunks (k, h, w), in [0, 1].

    Returns:
        (b, t, h, w), float64, in [−1, 1]; 0 where the mask or the similarity never changes.

    Raises:
        ValueError: where there are no masks.

    Example:
        >>> masks = torch.tensor([[[1., 1.]], [[1., 0.]]])
        >>> correlations(nn.Flatten(), torch.ones(1, 1, 1, 2), torch.tensor([[[0., 1.]]]), [masks], torch.zeros(1))
        tensor([[[[0., 1.]]]], dtype=torch.float64)
    """
    found, masked = Correlation(), Masked(net, probe, fill)
    for chunk in masks:
        found.add(chunk, _cosines(masked(chunk), others))
    return found.maps()


def correlated(scores: Tensor, draw: Callable[[], Iterable[Tensor]]) -> Estimate:
    """The plain estimate, of scores that are known.

    Args:
        scores: under each mask, (b, t, n).
        draw: gives the n masks in chunks (k, h, w).

    Returns:
        The maps, and the standardised scores: all of them is estimated from the masks.
    """
    found, first = Correlation(), 0
    for chunk in draw():
        found.add(chunk, scores[..., first : first + len(chunk)])
        first += len(chunk)
    centred = scores - scores.mean(2, keepdim=True)
    deviation = centred.square().mean(2, keepdim=True).sqrt()
    return Estimate(found.maps(), torch.where(deviation > 0, centred / torch.where(deviation > 0, deviation, 1), 0))


@method("corrrise", layer=None)
def corrrise(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    masks: int = 5000,
    cells: int = 12,
    keep: float = 0.9,
    seed: int = 0,
    estimate: str = "plain",
    tolerance: float | None = None,
    contrastive: bool = True,
    negative: str = "clamp",
    fill: float | str = 0.0,
    batch: int = 64,
) -> Tensor:
    """CorrRISE: correlation of random masks with the similarity to the mate, less that with the non-mate.

    Args:
        masks: how many; with a tolerance, how many at most.
        cells: cells per side of the coarse grid, 1 to 256.
        keep: probability with which a cell is kept, between 0 and 1.
        seed: of the masks.
        estimate: "plain", the authors'; or "controlled", which comes to the same map with fewer masks
            (gweebp.methods.control).
        tolerance: above 0 and up to 1, or None for all masks. Each probe has had enough masks when the standard error
            of its map, before negative values are removed, is at most this share of what the map varies by
            (gweebp.methods.stopping). 0.14 is a (Pearson) correlation of about .99 with the map of infinitely many
            masks.
            ToleranceWarning where `masks` were not enough; `gweebp.methods.stopping.noted` says how many were used.
        contrastive: False for the mate's map alone.
        negative: how negative values are removed, see gweebp.methods.maps.non_negative; the authors' code: "minimum".
        fill: what masks fade to: a number in the network's input range (the authors' is 0), or "black".
        batch: masks per forward pass.

    Returns:
        (b, h, w) at the probe's resolution, non-negative.

    Raises:
        ValueError: for an option out of its range.
    """
    check_positive(masks=masks, cells=cells, batch=batch)
    SEED.check("seed", seed)
    CELLS.check("cells", cells)
    if not 0 < keep < 1:
        raise ValueError(f"keep={keep!r}: expected a probability between 0 and 1, both excluded")
    if estimate not in ESTIMATES:
        raise ValueError(f"estimate={estimate!r} is unknown; expected one of {', '.join(map(repr, ESTIMATES))}")
    if tolerance is not None:
        TOLERANCE.check("tolerance", tolerance)
    others = torch.stack([mate, nonmate] if contrastive else [mate], 1)
    color, size = fill_value(net, probe, fill), (probe.shape[2], probe.shape[3])

    def draw(first: int = 0, last: int = masks) -> Iterator[Tensor]:
        return random_masks(last, cells, keep, size, seed, batch, probe.device, first)

    def estimated(scores: Tensor, drawn: Callable[[], Iterable[Tensor]]) -> Estimate:
        if estimate == "plain":
            return correlated(scores, drawn)
        return controlled(scores, drawn, size, cells, keep)

    if tolerance is not None:
        spread = mask_spread(size, cells, keep).to(probe.device)
        found = [
            enough(score, draw, estimated, masks, tolerance, keep, spread)
            for score in _scores(net, probe, others, color)
        ]
        _warn_of_few(found, masks, tolerance)
        return non_negative(torch.stack([one.map for one in found]).to(mate.dtype), negative)
    if estimate == "plain":
        maps = correlations(net, probe, others, draw(), color)
    else:
        masked = Masked(net, probe, color)
        maps = estimated(torch.cat([_cosines(masked(m), others) for m in draw()], 2), draw).maps
    maps = maps.to(mate.dtype)
    return non_negative(maps[:, 0] - maps[:, 1] if contrastive else maps[:, 0], negative)


def _scores(net: nn.Module, probe: Tensor, others: Tensor, fill: Tensor) -> Iterator[Callable[[Tensor], Tensor]]:
    """For each triplet a function from the next masks to scores; a probe of several triplets is embedded once."""
    first, index = distinct(probe)
    known: dict[int, list[Tensor]] = {i: [] for i in range(len(first))}

    def scored(image: Tensor, among: Tensor, embeddings: list[Tensor]) -> Callable[[Tensor], Tensor]:
        at = itertools.count()

        def score(masks: Tensor) -> Tensor:
            k = next(at)
            if k == len(embeddings):
                embeddings.append(masked_embeddings(net, image, masks, fill))
            return _cosines(embeddings[k], among)

        return score

    last = {k: i for i, k in enumerate(index)}
    for i, (k, among) in enumerate(zip(index, others)):
        yield scored(probe[first[k]][None], among[None], known[k])
        if i == last[k]:
            del known[k]


def _warn_of_few(found: list[Enough], masks: int, tolerance: float) -> None:
    few = [i for i, one in enumerate(found) if one.error > tolerance]
    if few:
        worst = max(found[i].error for i in few)
        said = f"up to {worst:.2g} of what they vary by" if worst < float("inf") else "as large as what they vary by"
        warn(
            ToleranceWarning(
                f"the maps of the probes at batch indices {few} did not come to tolerance={tolerance:g} within "
                f"masks={masks}: their standard error is {said}; more masks bring it down",
                few,
            )
        )
