"""XFace: Knoche et al. (2023), how far a black square moves two faces apart.

For squares of several sizes at all places on a grid, d the cosine distance of two embeddings, i the place:

    deviation_i = (d(occluded pair) − d(pair)) / area of the square
    map         = mean over sizes of Gauss( mean over places of (1 − mask_i) · deviation_i ),  divided by max|map|

What the occluded probe is compared with is chosen by `pairing`: 1, the other image occluded at every place (the mean);
2, the other image as it is; 3, the other image occluded at the same place (the authors' choice). Contrastive:
map(p, m) − map(p, n). Sizes and stride are those of a 112-pixel image and scale with the image; the Gaussian's side
and σ are the stride.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.excitation.layers import at_least_float32
from gweebp.methods import method
from gweebp.methods.maps import gaussian, non_negative
from gweebp.methods.masking import Masked, check_positive, fill_value, masked_embeddings

REFERENCE = 112  #: side in pixels of the image for which sizes and stride are given


class Squares:
    """All squares of one size that fit into an image, at a stride from its top left corner.

    Attributes:
        corners: int64 (n, 2), row and column, row by row; `rows` × `columns` of them.

    Example:
        >>> squares = Squares(2, 1, (3, 4))
        >>> squares.rows, squares.columns, squares.masks(squares.corners[:1])[0].tolist()
        (2, 3, [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    """

    def __init__(self, side: int, stride: int, size: tuple[int, int], device: torch.device | str = "cpu") -> None:
        if side > min(size):
            raise ValueError(f"a square of {side} pixels does not fit into an image of {size}; choose smaller patches")
        self.side, self.stride, self.size = side, stride, size
        y, x = (torch.arange(0, pixels - side + 1, stride, device=device) for pixels in size)
        self.rows, self.columns, self.corners = len(y), len(x), torch.cartesian_prod(y, x)

    def masks(self, corners: Tensor) -> Tensor:
        """Masks of some squares.

        Args:
            corners: (k, 2), row and column.

        Returns:
            (k, h, w): 0 in the square at each corner, 1 elsewhere.
        """
        y, x = (torch.arange(pixels, device=corners.device) for pixels in self.size)
        inside = [(p >= c) & (p < c + self.side) for p, c in zip((y, x), corners.T[..., None])]
        return 1.0 - (inside[0][:, :, None] & inside[1][:, None, :]).float()

    def spread(self, values: Tensor) -> Tensor:
        """Mean over squares of (1 − mask) · value.

        Args:
            values: (..., n), one per square.

        Returns:
            (..., h, w).
        """
        grid = values.reshape(-1, 1, self.rows, self.columns) / len(self.corners)
        painted = F.conv_transpose2d(grid, values.new_ones(1, 1, self.side, self.side), stride=self.stride)
        bottom, right = (pixels - p for pixels, p in zip(self.size, painted.shape[2:]))
        return F.pad(painted, (0, right, 0, bottom)).view(*values.shape[:-1], *self.size)


def intact(net: nn.Module, images: Tensor, fill: Tensor) -> Tensor:
    """Unit embeddings of whole images, each computed alone, as under masks: a batch gives what single calls give.

    Args:
        net: the network.
        images: (b, c, h, w).
        fill: as `gweebp.methods.masking.fill_value` gives it.

    Returns:
        (b, 1, d), float64, each of L2 length 1.
    """
    return masked_embeddings(net, images, images.new_ones(1, *images.shape[2:]), fill)


def occluded_distances(
    net: nn.Module,
    probe: Tensor,
    others: Sequence[Tensor],
    whole: Sequence[Tensor],
    squares: Squares,
    *,
    pairing: int,
    fill: Tensor,
    batch: int,
) -> Tensor:
    """Cosine distance of the occluded probe to each other image, for each square.

    Args:
        net: the network.
        probe: (b, c, h, w).
        others: t images of the same size, batch size b or 1.
        whole: their `intact` embeddings.
        squares: what occludes.
        pairing: 1, 2 or 3, see the module.
        fill: as `gweebp.methods.masking.fill_value` gives it.
        batch: squares per forward pass.

    Returns:
        (b, t, n), float64, in [0, 2].
    """
    chunks = squares.corners.split(batch)
    masked, *beside = (Masked(net, images, fill) for images in (probe, *others))
    if pairing == 1:  # the mean distance to all is the distance to their mean
        n = len(squares.corners)
        whole = [torch.stack([o(squares.masks(c)).sum(1) for c in chunks]).sum(0)[:, None] / n for o in beside]
    found = []
    for corners in chunks:
        masks = squares.masks(corners)
        e = masked(masks)
        against = [o(masks) for o in beside] if pairing == 3 else whole
        found.append(torch.stack([1 - (e * a).sum(2) for a in against], 1))
    return torch.cat(found, 2)


def raw_maps(
    net: nn.Module,
    probe: Tensor,
    others: Sequence[Tensor],
    *,
    patches: Sequence[float],
    stride: float,
    pairing: int,
    inclusive: bool,
    fill: Tensor,
    batch: int,
) -> Tensor:
    """The maps of the module's formula before the division by max|map|, one for each other image.

    Args:
        net: the network.
        probe: (b, c, h, w).
        others: t images of the same size, batch size b or 1.
        patches, stride, pairing, inclusive, batch: as of `xface`.
        fill: as `gweebp.methods.masking.fill_value` gives it.

    Returns:
        (b, t, h, w), float64, positive where occlusion moves the pair apart.
    """
    size = (probe.shape[2], probe.shape[3])
    scale = min(size) / REFERENCE
    step = max(1, round(stride * scale))
    e, *whole = (intact(net, images, fill) for images in (probe, *others))
    before = torch.stack([1 - (e * o).sum(2) for o in whole], 1)
    maps = []
    for patch in patches:
        side = max(1, round(patch * scale))
        squares = Squares(side + inclusive, step, size, probe.device)
        after = occluded_distances(net, probe, others, whole, squares, pairing=pairing, fill=fill, batch=batch)
        maps.append(gaussian(squares.spread((after - before) / side**2), step, step // 2, border="reflect"))
    return torch.stack(maps).mean(0)


@method("xface", layer=None, reads="images")
def xface(
    net: nn.Module,
    probe: Tensor,
    mate: Tensor,
    nonmate: Tensor,
    *,
    patches: Sequence[float] = (7, 14, 28),
    stride: float = 5,
    pairing: int = 3,
    inclusive: bool = False,
    contrastive: bool = True,
    negative: str = "clamp",
    fill: float | str = "black",
    batch: int = 64,
) -> Tensor:
    """XFace: how far black squares move the probe from the mate, less how far they move it from the non-mate.

    Args:
        patches: sides of the squares, in pixels of a 112-pixel image, above 0 and up to 112.
        stride: between squares, in the same pixels, above 0 and up to 112.
        pairing: 1, 2 or 3, see the module.
        inclusive: squares one pixel wider, as in the authors' code.
        contrastive: False for the mate's map alone.
        negative: how negative values are removed, see gweebp.methods.maps.non_negative; the authors' code: "symmetric".
        fill: what the squares are filled with: a number in the network's input range, or "black".
        batch: squares per forward pass.

    Returns:
        (b, h, w) at the probe's resolution, non-negative.

    Raises:
        ValueError: for an option out of its range, or a square that does not fit into the image.
    """
    check_positive(batch=batch)
    if pairing not in (1, 2, 3):
        raise ValueError(f"pairing={pairing!r}: expected 1, 2 or 3")
    if not patches or not all(0 < p <= REFERENCE for p in patches):
        raise ValueError(f"patches={patches!r}: expected one or more sides, each above 0 and up to {REFERENCE}")
    if not 0 < stride <= REFERENCE:
        raise ValueError(f"stride={stride!r}: expected a distance above 0 and up to {REFERENCE}")
    others = [mate, nonmate] if contrastive else [mate]
    maps = raw_maps(
        net,
        probe,
        others,
        patches=patches,
        stride=stride,
        pairing=pairing,
        inclusive=inclusive,
        fill=fill_value(net, probe, fill),
        batch=batch,
    )
    largest = maps.abs().amax((2, 3), keepdim=True)
    maps = maps / torch.where(largest > 0, largest, 1)
    maps = (maps[:, 0] - maps[:, 1] if contrastive else maps[:, 0]).to(at_least_float32(probe[:0]).dtype)
    return non_negative(maps, negative)
