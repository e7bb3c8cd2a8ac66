"""CorrRISE's map from fewer passes: a linear model of the similarity as a control variate.

The plain estimate of cov(M, s) at a pixel is noisy because the masks of other pixels, by chance, go with its own. Of
the part of s that is linear in the mask this noise is known: fit s ≈ a + βᵀf on the masks that were drawn, with f the
mask averaged over a coarse grid, and

    cov(M, s) = cov(M, f) β  +  cov(M, s − βᵀf)

whose first term needs no samples: cells are kept independently with probability q, shifts are uniform, so that

    cov(M_yx, M_y'x') = q (1 − q) K(y, y') K(x, x'),    K(y, y') = mean over shifts of Σ_cells w_cell(y) w_cell(y')

with w the weights of the bilinear up-sampling, which sum to 1; E[M] = q. Only the second term, of what is left, is
estimated from the masks: its variance is smaller by 1 − R² of the fit. So is that of var(s). In the limit of many masks
the map is that of the plain estimate.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from gweebp.methods.stopping import Estimate

RIDGE = 1e-9  # of the mean variance of a feature: keeps a solution unique
MASKS_PER_FEATURE = 4  # with fewer a fit follows the noise


def shift_kernel(pixels: int, cells: int) -> Tensor:
    """K of one axis: the mean over all shifts of the products of two pixels' up-sampling weights.

    Args:
        pixels: of the axis.
        cells: of the coarse grid along it.

    Returns:
        float64 (pixels, pixels), symmetric, in (0, 1].

    Example:
        >>> shift_kernel(2, 2)
        tensor([[1.0000, 0.5000],
                [0.5000, 0.5000]], dtype=torch.float64)
    """
    cell = -(-pixels // cells)
    found = torch.zeros(pixels, pixels, dtype=torch.float64)
    for shift in range(cell):
        centre = (torch.arange(pixels).double() + shift + 0.5) * cells / ((cells + 1) * cell) - 0.5
        distance = centre.clamp(0, cells - 1)[:, None] - torch.arange(cells)
        weights = (1 - distance.abs()).clamp(min=0)
        found += weights @ weights.T / cell
    return found


def averaging(pixels: int, parts: int) -> Tensor:
    """Means over equal parts of an axis, as a matrix.

    Args:
        pixels: along the axis.
        parts: how many.

    Returns:
        (parts, pixels) in float64, each row of sum 1.

    Example:
        >>> averaging(4, 2).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    edges = [round(k * pixels / parts) for k in range(parts + 1)]
    found = torch.zeros(parts, pixels, dtype=torch.float64)
    for row, (low, high) in zip(found, itertools.pairwise(edges)):
        row[low:high] = 1 / (high - low)
    return found


def mask_spread(size: tuple[int, int], cells: int, keep: float) -> Tensor:
    """Standard deviations of random masks.

    Args:
        size: (h, w) of a mask.
        cells, keep: by which they are drawn.

    Returns:
        float64 (h, w), above 0.

    Example:
        >>> mask_spread((2, 2), 1, 0.5)
        tensor([[0.5000, 0.5000],
                [0.5000, 0.5000]], dtype=torch.float64)
    """
    rows, columns = (shift_kernel(pixels, cells).diagonal() for pixels in size)
    return (keep * (1 - keep) * rows[:, None] * columns).sqrt()


def sums_of_products(scores: Tensor, masks: Tensor) -> Tensor:
    """Sums over masks of score and mask, one probe at a time: a batch is rounded as single calls are.

    Args:
        scores: (b, t, k).
        masks: (k, h, w), of the same type.

    Returns:
        (b, t, h, w).

    Example:
        >>> sums_of_products(torch.tensor([[[1., 2.]]]), torch.tensor([[[1., 1.]], [[1., 0.]]]))
        tensor([[[[3., 1.]]]])
    """
    return torch.stack([(s @ masks.flatten(1)).unflatten(1, masks.shape[1:]) for s in scores])


def controlled(
    scores: Tensor,
    draw: Callable[[], Iterable[Tensor]],
    size: tuple[int, int],
    cells: int,
    keep: float,
) -> Estimate:
    """Per-pixel Pearson correlation, over random masks, of mask and score.

    Args:
        scores: under each mask, (b, t, n), float64.
        draw: gives the n masks in chunks (k, h, w), the same at each call, as `corrrise.random_masks` does.
        size: (h, w) of a mask.
        cells, keep: by which the masks were drawn.

    Returns:
        The maps, 0 where the score never changes; and what of the scores the linear model would leave under masks that
        it was not fitted to.
    """
    parts = [min(cells + 1, pixels, max(1, math.isqrt(scores.shape[2] // MASKS_PER_FEATURE))) for pixels in size]
    rows, columns = (averaging(pixels, n) for pixels, n in zip(size, parts))
    kernels = [shift_kernel(pixels, cells) for pixels in size]
    f = []
    for chunk in draw():
        at = chunk.device
        f.append((torch.einsum("gh,khw,fw->kgf", rows.to(at), chunk.double(), columns.to(at))).flatten(1))
    features = torch.cat(f)
    score, features = scores - scores.mean(2, keepdim=True), features - features.mean(0)
    (b, t, n), variance = score.shape, keep * (1 - keep)
    between = [a @ k @ a.T for a, k in zip((rows, columns), kernels)]
    known = variance * torch.kron(*(x.contiguous() for x in between)).to(features.device)
    ridge = RIDGE * known.diagonal().mean() * torch.eye(len(known), dtype=known.dtype, device=known.device)
    beta = torch.linalg.solve(features.T @ features / n + ridge, features.T @ score.flatten(0, 1).T / n)  # (f, b t)
    left = score - (features @ beta).T.view(b, t, n)
    left = left - left.mean(2, keepdim=True)
    sampled, first = torch.zeros(b, t, *size, dtype=torch.float64, device=score.device), 0
    for chunk in draw():
        sampled += sums_of_products(left[..., first : first + len(chunk)], chunk.double() - keep)
        first += len(chunk)
    to_rows, to_columns = ((k @ a.T).to(score.device) for a, k in zip((rows, columns), kernels))
    exact = variance * torch.einsum("hg,gfz,wf->zhw", to_rows, beta.view(*parts, b * t), to_columns).view_as(sampled)
    explained = torch.einsum("fz,fg,gz->z", beta, known, beta).view(b, t)
    deviation = (explained + left.square().mean(2)).sqrt()[..., None]  # of the scores
    spread = mask_spread(size, cells, keep).to(score.device) * deviation[..., None]
    varies = spread > 1e-15
    maps = torch.where(varies, (exact + sampled / n) / torch.where(varies, spread, 1), 0).clamp(-1, 1)
    unfitted = left / (1 - features.shape[1] / n)  # the fit has followed a part of the noise of these very masks
    return Estimate(maps, torch.where(deviation > 0, unfitted / torch.where(deviation > 0, deviation, 1), 0))
