"""Centres of what the cells of a map look at, in the image: a straight line along each axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Axis", "Positions", "usual"]


class Axis(NamedTuple):
    """Centres along one axis: pixel = offset + step · cell, pixel 0 at 0. `spread`: variance of the window, px²."""

    offset: float
    step: float
    spread: float = 0.0


@dataclass(frozen=True)
class Positions:
    """Where the cells (i, j) of a map (h, w) look in an image.

    Attributes:
        rows, columns: the centres of row i and of column j, in pixels. known: False where an operation below the layer
        was not known, and its output was taken to lie on the usual grid.
    """

    rows: Axis
    columns: Axis
    known: bool = True

    def plain(self, cells: tuple[int, int], size: tuple[int, int]) -> bool:
        """Whether a map of `cells` stretched over an image of `size` is drawn where its cells look.

        Example:
            >>> Positions(Axis(0.5, 2.0), Axis(0.5, 2.0)).plain((4, 4), (8, 8))
            True
            >>> Positions(Axis(0.0, 2.0), Axis(0.0, 2.0)).plain((4, 4), (8, 8))
            False
        """
        straight = [usual(n, pixels) for n, pixels in zip(cells, size)]
        return all(
            abs(axis.offset + axis.step * i - at.offset - at.step * i) < 1e-6
            for axis, at, n in zip((self.rows, self.columns), straight, cells)
            for i in (0, n - 1)
        )

    def at_size(self, seen: tuple[int, int], size: tuple[int, int]) -> Positions:
        """The centres in an image of `size` pixels that the network reads resized to `seen` pixels.

        Example:
            >>> Positions(Axis(0.5, 2.0), Axis(0.5, 2.0)).at_size((8, 8), (16, 16)).rows
            Axis(offset=1.5, step=4.0, spread=0.0)
        """

        def scaled(axis: Axis, before: int, after: int) -> Axis:
            f = after / before
            return Axis((axis.offset + 0.5) * f - 0.5, axis.step * f, axis.spread * f * f)

        rows, columns = (scaled(*one) for one in zip((self.rows, self.columns), seen, size))
        return Positions(rows, columns, self.known)


def usual(cells: int, pixels: int) -> Axis:
    """The centres of cells that share an axis of pixels evenly."""
    step = pixels / cells
    return Axis((step - 1) / 2, step)
