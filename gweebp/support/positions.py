"""Where the cells of a map look in the image, and maps drawn there.

Cell (i, j) of a map looks at pixel (row + i · step, column + j · step): with convolutions of kernel 3, stride 2 and
padding 1 at the multiples of the stride, with 2 × 2 poolings in the middle of what they pool. The plain grid, which
cuts the image into as many equal cells, is right for the second and half a cell too far right and down for the first.

Pixel 0 has its centre at 0. `gweebp.positions` finds the positions of a layer; nothing here knows of networks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.support.warned import warn

Pair = tuple[float, float]


class PositionWarning(UserWarning):
    """It is not known where the cells of a layer look: its map is stretched over the image."""


@dataclass(frozen=True)
class Positions:
    """Where the cells of a layer look: a regular grid over the image.

    Attributes:
        grid: (h, w), cells.
        image: (height, width) of the image that the network reads, in pixels.
        first: (row, column) at which cell (0, 0) looks, in pixels.
        step: pixels from one cell to the next, (down, right).
        note: why it is not known that the cells look there; "" where it is known.

    Example:
        >>> Positions.plain((2, 2), (8, 8))
        Positions(grid=(2, 2), image=(8, 8), first=(1.5, 1.5), step=(4.0, 4.0), note='')
    """

    grid: tuple[int, int]
    image: tuple[int, int]
    first: Pair
    step: Pair
    note: str = ""

    def __post_init__(self) -> None:
        if min(*self.grid, *self.image) < 1 or 0 in self.step:
            raise ValueError(f"{self}: expected at least one cell and one pixel, and steps other than 0")

    @classmethod
    def plain(cls, grid: tuple[int, int], image: tuple[int, int], note: str = "") -> Positions:
        """The grid that cuts the image into equal cells: what interpolation without further knowledge assumes.

        Args:
            grid: (h, w), cells.
            image: (height, width) of the image, in pixels.
            note: why it is not known where the cells look.
        """
        step = tuple(float(n) / m for n, m in zip(image, grid, strict=True))
        return cls(_pair(grid), _pair(image), ((step[0] - 1) / 2, (step[1] - 1) / 2), (step[0], step[1]), note)

    @classmethod
    def fitted(cls, rows: Tensor, columns: Tensor, image: tuple[int, int]) -> Positions:
        """The regular grid nearest to where the cells look.

        Args:
            rows, columns: where rows (h,) and columns (w,) of cells look, in pixels.
            image: (height, width) of the image, in pixels.

        Raises:
            ValueError: where they are irregular: some cell would be drawn more than half a step from where it looks.

        Example:
            >>> Positions.fitted(torch.tensor([0.0, 2.0, 4.0]), torch.tensor([0.5, 2.5]), (5, 4)).first
            (0.0, 0.5)
        """
        (first_row, step_row), (first_column, step_column) = (line(x, n) for x, n in zip((rows, columns), image))
        return cls((len(rows), len(columns)), _pair(image), (first_row, first_column), (step_row, step_column))

    @property
    def is_plain(self) -> bool:
        """Whether these are the plain grid."""
        other = Positions.plain(self.grid, self.image)
        return all(abs(a - b) < 1e-6 for a, b in zip(self.first + self.step, other.first + other.step))

    def cells_at(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The place on the grid, in cells, of each row and column of pixels.

        Args:
            size: (height, width) of an image, in pixels.

        Returns:
            (height,) and (width,), real numbers: row and column of the grid.

        Example:
            >>> Positions((2, 2), (4, 4), (0.0, 0.0), (2.0, 2.0)).cells_at((4, 4))[0].tolist()
            [0.0, 0.5, 1.0, 1.5]
        """
        found = []
        for n, pixels, first, step in zip(size, self.image, self.first, self.step):
            pixel = (torch.arange(n, dtype=torch.float64) + 0.5) * pixels / n - 0.5
            found.append((pixel - first) / step)
        return found[0], found[1]

    def told(self) -> Positions:
        """Itself, with a PositionWarning where they are not known to be where the layer looks."""
        if self.note:
            warn(PositionWarning(f"the map is stretched over the image: {self.note}"))
        return self

    def to_json(self) -> dict[str, Any]:
        """What JSON holds of it; `Positions.of_json` reads it back."""
        return {name: list(x) if isinstance(x, tuple) else x for name, x in asdict(self).items()}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Positions:
        """Positions as `to_json` wrote them.

        Args:
            values: what `to_json` returned.

        Raises:
            TypeError, ValueError: for anything else.

        >>> Positions.of_json(Positions.plain((2, 2), (8, 8)).to_json()) == Positions.plain((2, 2), (8, 8))
        True
        """
        found: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in values.items()}
        return cls(**found)


def placed(maps: Tensor, size: tuple[int, int], positions: Positions | None = None, mode: str = "bilinear") -> Tensor:
    """Maps at the size of the image, each cell where it looks; interpolated between cells, constant beyond them.

    Args:
        maps: (b, h, w).
        size: (height, width) of the image, in pixels.
        positions: where the cells look; None: the plain grid.
        mode: "nearest", "bilinear" or "bicubic".

    Returns:
        (b, height, width).

    Raises:
        ValueError: for positions of another grid than that of the maps.

    Example:
        >>> at_corners = Positions((2, 2), (4, 4), (0.0, 0.0), (2.0, 2.0))
        >>> placed(torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), (4, 4), at_corners)[0, 0].tolist()
        [1.0, 0.5, 0.0, 0.0]
    """
    if positions is not None and positions.grid != tuple(maps.shape[1:]):
        raise ValueError(
            f"the maps are {maps.shape[1]} × {maps.shape[2]} cells, the positions those of {positions.grid[0]} × "
            f"{positions.grid[1]}: expected the positions of the layer that the maps are from"
        )
    if positions is None or positions.is_plain:
        if mode == "nearest":  # torch's "nearest" moves a map by up to half a cell
            return F.interpolate(maps[:, None], size=size, mode="nearest-exact")[:, 0]
        return F.interpolate(maps[:, None], size=size, mode=mode, align_corners=False)[:, 0]
    x = maps if maps.dtype in (torch.float32, torch.float64) else maps.float()
    cells = positions.cells_at(size)
    row, column = (((2 * at + 1) / n - 1).to(x) for at, n in zip(cells, positions.grid))
    grid = torch.stack(torch.broadcast_tensors(column, row[:, None]), -1)
    grid = grid.expand(len(x), *grid.shape)
    return F.grid_sample(x[:, None], grid, mode=mode, padding_mode="border", align_corners=False)[:, 0]


def line(values: Tensor, pixels: int) -> Pair:
    """(first, step) of the regular sequence from which the values differ least, at most by half a step.

    A staircase, as of an image enlarged by repetition, has the line through the middles of its steps. One value alone
    has the step of the whole image.

    Args:
        values: (n,), where n cells look, in pixels.
        pixels: of the image along this axis.

    Raises:
        ValueError: for values that are all equal, or at unequal distances from one another.

    Example:
        >>> line(torch.tensor([0.0, 0.0, 4.0, 4.0]), 8)
        (-1.0, 2.0)
    """
    x = values.double()
    n = len(x)
    if n == 1:
        return _round(x[0]), float(pixels)
    steps = x.diff()
    if x.amax() - x.amin() < 1e-6:
        raise ValueError("the cells all look at the same place of the image")
    if (steps - steps.mean()).abs().max() < 1e-6:
        return _round(x[0]), _round((x[-1] - x[0]) / (n - 1))
    i = torch.arange(n, dtype=torch.float64)
    pairs = torch.combinations(torch.arange(n), 2)
    slopes = ((x[pairs[:, 1]] - x[pairs[:, 0]]) / (pairs[:, 1] - pairs[:, 0])).unique()
    left = torch.stack([x - s * i for s in slopes[slopes != 0]])  # one of the pairs' slopes fits best
    width = left.amax(1) - left.amin(1)
    best = int(width.argmin())
    step = float(slopes[slopes != 0][best])
    if width[best] > abs(step) * (1 + 1e-6):
        raise ValueError("the cells do not look at equal distances from one another")
    return _round((left[best].amax() + left[best].amin()) / 2), _round(step)


def _round(x: Tensor | float) -> float:
    """To a billionth of a pixel: what summing leaves behind is not a place."""
    return round(float(x), 9) + 0.0


def _pair(values: Any) -> tuple[int, int]:
    h, w = values
    return int(h), int(w)
